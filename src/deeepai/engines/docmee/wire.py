"""Docmee's envelope, codes and events; what requests say, judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from ..jobs import Job, JobState
from ..openai_wire import WireError, answer

DONE: Final = "操作成功"
LENGTHS: Final = ("short", "medium", "long")
LANGUAGES: Final = ("zh", "zh-CN", "zh-Hant", "en", "ja", "ko", "ar", "de", "fr", "it", "pt", "es", "ru")
MOST_PROMPT: Final = 50
MOST_TEXT: Final = 20_000
"""Characters."""
MOST_MARKDOWN: Final = 400_000
GONE: Final = 1001
AI: Final = 1009
WRONG: Final = 1010
_BUSY: Final = 1012
_CODES: Final = {400: WRONG, 404: GONE, 413: WRONG, 415: WRONG, 429: _BUSY, 503: AI}


class Denied(WireError):
    """A failure with a code of the vendor's; its HTTP status is 200, further than which its clients look at none."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(200, message)
        self.number = code


def refuse(error: WireError) -> web.Response:
    """Return an error in the vendor's shape."""
    number = error.number if isinstance(error, Denied) else _CODES.get(error.status, -1)
    message = f"{error.param}: {error.message}" if error.param and error.param not in error.message else error.message
    status = 200 if error.status == 400 else error.status
    headers = {"retry-after": str(error.retry_after)} if error.retry_after is not None else {}
    return answer({"code": number, "message": message, "data": None}, status, headers)


def wrong(name: str, why: str) -> Denied:
    """Return the failure of a field."""
    return Denied(WRONG, f"{name}: {why}")


def good(**more: Any) -> web.Response:
    """Return a good answer."""
    return answer({"code": 0, "message": DONE, **more})


def failed(job: Job) -> Denied:
    """Return what the end of a job says that did not go well."""
    if job.state is JobState.FAILED and job.code not in ("failed", "crashed", "memory", "timeout"):
        return Denied(WRONG, job.message)
    return Denied(-1, job.message or "The work was not done.")


class Fields:
    """What a request says; null is the same as nothing.

    Parameters
    ----------
    found : mapping
    """

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = {name: value for name, value in found.items() if value is not None}

    def text(self, name: str, most: int = MOST_MARKDOWN) -> str:
        """Return a text; empty where there is none.

        Raises
        ------
        Denied
        """
        value = self._found.get(name, "")
        if not isinstance(value, str):
            raise wrong(name, "a text is wanted")
        if len(value) > most:
            raise wrong(name, f"at most {most} characters")
        return value.strip()

    def needed(self, name: str, most: int = MOST_MARKDOWN) -> str:
        """Return a text that must be there.

        Raises
        ------
        Denied
        """
        text = self.text(name, most)
        if not text:
            raise wrong(name, "must not be empty")
        return text

    def flag(self, name: str, usual: bool = False) -> bool:
        """Return a flag.

        Raises
        ------
        Denied
        """
        value = self._found.get(name, usual)
        if not isinstance(value, bool):
            raise wrong(name, "true or false is wanted")
        return value

    def number(self, name: str, most: int = 10_000) -> int:
        """Return a whole number from 1 on.

        Raises
        ------
        Denied
        """
        value = self._found.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise wrong(name, f"a whole number from 1 to {most} is wanted")
        return value

    def table(self, name: str) -> Mapping[str, Any]:
        """Return an object; empty where there is none.

        Raises
        ------
        Denied
        """
        value = self._found.get(name, {})
        if not isinstance(value, dict):
            raise wrong(name, "an object is wanted")
        return value

    def value(self, name: str) -> Any:
        """Return whatever there is."""
        return self._found.get(name)

    def names(self) -> list[str]:
        """Return what is there."""
        return list(self._found)

    def wish(self) -> dict[str, str]:
        """Return what all calls that write may say: prompt, language and length.

        Raises
        ------
        Denied
        """
        prompt, lang, length = self.text("prompt"), self.text("lang") or "", self.text("length") or ""
        if len(prompt) >= MOST_PROMPT:
            raise wrong("prompt", f"fewer than {MOST_PROMPT} characters")
        if lang and lang not in LANGUAGES:
            raise wrong("lang", f"one of {', '.join(LANGUAGES)}")
        if length and length not in LENGTHS:
            raise wrong("length", f"one of {', '.join(LENGTHS)}")
        return {"prompt": prompt, "lang": lang, "length": length}
