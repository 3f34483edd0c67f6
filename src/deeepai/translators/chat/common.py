"""What several formats need: JSON, events, data URLs, sealed signatures, thinking budgets, failures."""

from __future__ import annotations

import base64
import json
import mimetypes
import re
from collections.abc import Sequence
from typing import Any, Final, NoReturn
from typing import Protocol as Interface

import msgspec

from ...declare import SEAL, SEALED, Answer, Failure, Json, Reason, event_data, event_name, lenient_json, whole
from .model import (
    Conversation,
    Delta,
    Event,
    Media,
    Part,
    PartEnd,
    PartStart,
    Signature,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)

Body = dict[str, Any]

decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode

STREAM_CUT: Final = Failure(Reason.UPSTREAM, "The upstream's answer ended before it was complete")
DEFAULT_MAX_TOKENS: Final = 4096
"""For Anthropic, which wants a limit, where the caller sets none."""


class Reader(Interface):
    """Reads one stream of a format."""

    def feed(self, event: bytes) -> Sequence[Event]:
        """Take one server-sent event with its blank line."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the answer has come to an end, by a reason or by what can only follow on one."""
        ...

    def close(self) -> Sequence[Event]:
        """Tell what is still open once the stream has ended; nothing of one that was cut."""
        ...


class Sieve(Interface):
    """Changes what a stream's reader tells before it is written."""

    def filter(self, events: Sequence[Event]) -> Sequence[Event]: ...  # noqa: D102


class Writer(Interface):
    """Writes one stream in a format."""

    def feed(self, event: Event) -> bytes: ...  # noqa: D102
    def end(self) -> bytes:
        """Return what is still to be said once the upstream has ended."""
        ...


# Failures --------------------------------------------------------------------------------------------------------


def refuse(param: str, message: str) -> NoReturn:
    """Raise the failure for a field that cannot be served."""
    raise Failure(Reason.INVALID, message, param=param, code="unsupported_parameter")


def no_answer(what: str) -> Failure:
    """Return the failure for an upstream's answer that cannot be understood."""
    return Failure(Reason.UPSTREAM, f"The upstream's answer could not be read: {what}")


def upstream_failure(
    status: int, message: str, *, code: str | None = None, param: str | None = None, retry_after: str | None = None
) -> Failure:
    """Return the failure that an upstream's error means for the caller.

    A 401 or 402 is about the gateway's own account, so its text is withheld.
    """
    if status in (401, 402):
        return Failure(Reason.UPSTREAM, "The upstream refused the gateway's account")
    wait = float(retry_after) if retry_after and re.fullmatch(r"\d+(\.\d+)?", retry_after) else None
    return Failure(
        Reason.of(status), message or f"The upstream answered {status}", code=code, param=param, retry_after=wait
    )


def error_object(answer: Answer) -> Body:
    """Return an error answer's `error` object; of anything else, an object with its text as the message."""
    found = lenient_json(answer.body)
    if isinstance(found, list) and found:
        found = found[0]
    if isinstance(found, dict):
        error = found.get("error", found)
        if isinstance(error, dict):
            return error
        if isinstance(error, str):
            return {"message": error}
    return {"message": answer.body[:500].decode("utf-8", "replace").strip() if found is None else ""}


# JSON ------------------------------------------------------------------------------------------------------------


def paired(text: str) -> str:
    """Return a text with its surrogates joined to characters; one without its other half is replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def whole_json(data: bytes) -> Json:
    """Decode JSON leniently, to text that can be encoded again."""
    try:
        return decode(data)
    except (msgspec.DecodeError, ValueError):
        return json.loads(paired(json.dumps(lenient_json(data), ensure_ascii=False)))


def tokens(usage: Json, *names: str) -> int:
    """Return a count of tokens that stands at a place; 0 where there is none that can be understood."""
    for name in names:
        if not isinstance(usage, dict):
            return 0
        usage = usage.get(name)
    if isinstance(usage, bool):
        return 0
    if isinstance(usage, int) or (isinstance(usage, float) and usage.is_integer()):
        return max(0, int(usage))
    return (whole(usage) or 0) if isinstance(usage, str) else 0


# Ends ------------------------------------------------------------------------------------------------------------

_ENDS: Final = {
    **dict.fromkeys(("stop", "end_turn", "eos", "eos_token", "complete", "completed", "pause_turn"), Stop.END),
    **dict.fromkeys(("stop_sequence",), Stop.SEQUENCE),
    **dict.fromkeys(("length", "max_tokens", "model_length", "model_context_window_exceeded"), Stop.LENGTH),
    **dict.fromkeys(("tool_calls", "function_call", "tool_use", "tool_call"), Stop.TOOLS),
    **dict.fromkeys(("content_filter", "sensitive", "refusal", "safety", "recitation", "blocklist"), Stop.FILTERED),
    **dict.fromkeys(("prohibited_content", "spii", "model_armor", "image_safety"), Stop.FILTERED),
    **dict.fromkeys(("image_prohibited_content", "image_recitation"), Stop.FILTERED),
}
"""Every vendor's words for an end that the model itself, the limit or a filter set; any other is a failure."""


def read_stop(reason: Json, called: bool) -> Stop:
    """Read why an answer ends; many say that it just stops although it calls a tool.

    Raises
    ------
    Failure
        UPSTREAM, where the reason is none of the known ends.
    """
    if not reason:
        return Stop.TOOLS if called else Stop.END
    stop = _ENDS.get(reason) if isinstance(reason, str) else None
    stop = stop or _ENDS.get(str(reason).lower().partition(":")[0].strip())
    if stop is None:
        raise Failure(Reason.UPSTREAM, f"The model stopped: {reason}")
    return Stop.TOOLS if called and stop is Stop.END else stop


# Events ----------------------------------------------------------------------------------------------------------


def event_json(event: bytes) -> Body | None:
    """Return the JSON object of one server-sent event; None where it has none.

    Raises
    ------
    Failure
        UPSTREAM, where its data is no JSON object.
    """
    return data_json(event_data(event))


def data_json(data: bytes) -> Body | None:
    """Return the JSON object of an event's data; None where there is none.

    Raises
    ------
    Failure
        UPSTREAM, where it is no JSON object.
    """
    if not data:
        return None
    try:
        found = decode(data)
    except (msgspec.DecodeError, ValueError):
        found = lenient_json(data)
        if found is None:
            raise no_answer("an event is no JSON") from None
    if not isinstance(found, dict):
        raise no_answer("an event is no JSON object")
    return found


class Halves:
    """Joins surrogates whose halves came in two deltas; a half that stays alone is replaced."""

    def __init__(self) -> None:
        self.held = ""

    def filter(self, events: Sequence[Event]) -> Sequence[Event]:
        """Take steps of which some may hold halves."""
        kept: list[Event] = []
        for event in events:
            if isinstance(event, Delta):
                if not self.held and event.text.isascii():
                    kept.append(event)
                    continue
                text, self.held = self.held + event.text, ""
                if text and "\ud800" <= text[-1] <= "\udbff":
                    text, self.held = text[:-1], text[-1]
                if text:
                    kept.append(Delta(paired(text)))
                continue
            if self.held and isinstance(event, PartEnd | Signature):
                kept.append(Delta("\ufffd"))
                self.held = ""
            kept.append(event)
        return kept


def event_type(data: Body, event: bytes) -> str:
    """Return an event's type: what its data says, or else its own line."""
    kind = data.get("type")
    return kind if kind and isinstance(kind, str) else event_name(event)


def named_event(name: str, data: Json) -> bytes:
    """Return a server-sent event with a name."""
    return b"event: " + name.encode() + b"\ndata: " + encode(data) + b"\n\n"


# Media -----------------------------------------------------------------------------------------------------------

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[\w.+-]+)*;base64,")


def split_data_url(url: str) -> tuple[str, str] | None:
    """Return media type and base64 of a data URL; None of any other."""
    match = _DATA_URL.match(url)
    return (match[1] or "application/octet-stream", url[match.end() :]) if match else None


def data_url(media: Media) -> str:
    """Return a media part's address: its own, or its bytes as a data URL."""
    return media.url or f"data:{media.media_type};base64,{media.data}"


def media_kind(media_type: str) -> Any:
    """Return what kind of media a media type is; all that is not heard or seen is a document."""
    kind = media_type.partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "document"


def guess_type(media: Media) -> str:
    """Return a media part's type, guessed from its name where it does not say."""
    if media.media_type:
        return "image/jpeg" if media.media_type == "image/jpg" else media.media_type
    guess = mimetypes.guess_type((media.name or media.url).partition("?")[0])[0]
    return guess or {"image": "image/jpeg", "audio": "audio/mpeg", "video": "video/mp4"}.get(
        media.kind, "application/pdf"
    )


def shown_media(media: Media) -> str:
    """Return a media part of an answer as Markdown, where the format has no other place for it."""
    return f"![{media.kind}]({data_url(media)})"


# Conversations ---------------------------------------------------------------------------------------------------


def joined(parts: Sequence[Part]) -> str:
    """Return the text of parts, blank lines between."""
    return "\n\n".join(part.text for part in parts if isinstance(part, Text) and part.text)


def result_text(result: ToolResult) -> str:
    """Return the text of a tool's result, lines between."""
    return "\n".join(part.text for part in result.parts if isinstance(part, Text))


def hoisted(conversation: Conversation, *, inside: bool = False) -> tuple[list[Text], list[Turn]]:
    """Return the system's texts, and the other turns with neighbours of one role made one.

    Parameters
    ----------
    inside : bool
        Later texts of the system stay among the turns: each after a turn of the user's, before one of the model's.
    """
    system: list[Text] = []
    turns: list[Turn] = []
    late: list[Part] = []
    for turn in conversation.turns:
        if turn.role == "system":
            texts = [part for part in turn.parts if isinstance(part, Text) and part.text]
            if inside and turns:
                late += texts
            else:
                system += texts
        elif turns and turns[-1].role == turn.role:
            turns[-1].parts.extend(turn.parts)
        else:
            if late and turn.role == "assistant":
                turns.append(Turn("system", late))
                late = []
            turns.append(Turn(turn.role, list(turn.parts)))
    if late:
        turns.append(Turn("system" if turns[-1].role == "user" else "user", late))
    if not turns and system:
        turns = [Turn("user", [*system])]
        system = []
    return system, turns


def number(body: Body, name: str) -> Any:
    """Return a number of the body, or None.

    Raises
    ------
    Failure
        INVALID, for anything else.
    """
    value = body.get(name)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise Failure(Reason.INVALID, f"{name} must be a number", param=name)


def objects(value: Json, name: str) -> list[Body]:
    """Return a list of JSON objects; an empty one for null.

    Raises
    ------
    Failure
        INVALID, for anything else.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Failure(Reason.INVALID, f"{name} must be an array of objects", param=name)
    return value


def entries(found: Json) -> list[Body]:
    """Return the objects that an answer holds at a place: in a list, or one alone, as some servers write it.

    Raises
    ------
    TypeError
        Something else is there.
    """
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return [found]
    if found:
        raise TypeError(f"{type(found).__name__} is no list")
    return []


def arguments(call: str) -> Body:
    """Return a call's arguments as an object; what is none stands under `_raw`, so that nothing is lost."""
    if not call.strip():
        return {}
    found = lenient_json(call.encode("utf-8", "surrogatepass"))
    if isinstance(found, dict):
        return found
    return {} if call.strip() == "null" else {"_raw": call}


def arguments_text(found: Json) -> str:
    """Return arguments as JSON text: as it is where they are text, else encoded."""
    if isinstance(found, str):
        return found
    return "" if found is None else encode(found).decode()


# Thoughts that were not asked for --------------------------------------------------------------------------------


def quiet_parts(parts: Sequence[Part]) -> list[Part]:
    """Return an answer's parts without its thoughts, save those that a call of a tool may need to come back with."""
    kept: list[Part] = []
    for place, part in enumerate(parts):
        if not isinstance(part, Thinking):
            kept.append(part)
        elif place + 1 < len(parts) and isinstance(parts[place + 1], ToolCall):
            kept.append(msgspec.structs.replace(part, quiet=True))
    return kept


class Quiet:
    """Does for a stream what `quiet_parts` does for a whole answer."""

    def __init__(self) -> None:
        self._held: Thinking | None = None
        self._inside = False

    def filter(self, events: Sequence[Event]) -> Sequence[Event]:
        """Take out thoughts; those before a call come, sealed, with the call."""
        if self._held is None and not any(
            isinstance(event, PartStart) and isinstance(event.part, Thinking) for event in events
        ):
            return events
        kept: list[Event] = []
        for event in events:
            held = self._held
            if isinstance(event, PartStart):
                if held is not None and isinstance(event.part, ToolCall):
                    kept += (PartStart(held), PartEnd())
                self._inside = isinstance(event.part, Thinking)
                self._held = msgspec.structs.replace(event.part, quiet=True) if self._inside else None  # pyright: ignore
                if not self._inside:
                    kept.append(event)
            elif not self._inside or held is None or not isinstance(event, Delta | Signature | PartEnd):
                kept.append(event)
            elif isinstance(event, Delta):
                held.text += event.text
            elif isinstance(event, Signature):
                held.signature, held.id = event.value, event.id
            else:
                self._inside = False
        return kept


# Signatures ------------------------------------------------------------------------------------------------------

_Sealed = tuple[str, str, str, bool, str]


def seal(thinking: Thinking) -> str:
    """Return a signature for a caller of another format: base64, and it says whose it is."""
    inner = [thinking.origin, thinking.id, thinking.signature, thinking.hidden, thinking.text if thinking.quiet else ""]
    return base64.b64encode(SEAL + encode(inner)).decode()


def unseal(signature: str, text: str, native: str, *, hidden: bool = False, id: str = "") -> Thinking:
    """Return the thinking that a signature from a caller belongs to; an unsealed one is of the caller's own format.

    An upstream's answers are never unsealed: what it signed goes back to it as it was.
    """
    if signature.startswith(SEALED):
        try:
            inner = msgspec.json.decode(base64.b64decode(signature)[len(SEAL) :], type=_Sealed)
        except ValueError:
            return Thinking(origin="", text=text)
        origin, own_id, value, was_hidden, kept = inner
        return Thinking(origin=origin, text=kept or text, signature=value, id=own_id, hidden=was_hidden)
    return Thinking(origin=native, text=text, signature=signature, id=id, hidden=hidden)


# Thinking --------------------------------------------------------------------------------------------------------

_BUDGETS: Final = {
    "none": 0,
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 24576,
    "xhigh": 40960,
    "max": 65536,
}


def budget_of(effort: str) -> int | None:
    """Return the tokens that an effort stands for; None where it is no known word."""
    return _BUDGETS.get(effort)


def effort_of(budget: int) -> str:
    """Return the effort that a budget of tokens stands for; empty where the model decides (-1)."""
    if budget < 0:
        return ""
    if budget == 0:
        return "none"
    for effort, limit in (("low", 4096), ("medium", 16384), ("high", 32768), ("xhigh", 49152)):
        if budget <= limit:
            return effort
    return "max"
