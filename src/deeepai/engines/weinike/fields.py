"""What a request says, read from JSON or a form, and refused where it is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from ..openai_wire import WireError, refused
from ..uploads import Sent
from .building import Outline
from .vocabulary import FONTS, HUES, LANGUAGES, LENGTHS, STYLES

MOST_TEXT: Final = 100_000
"""Characters of a text."""
_MOST_WORDS: Final = 500
"""Characters of a name or a title."""
_MOST_CHAPTERS: Final = 50
_NO: Final = frozenset({"", "0", "false", "none", "null"})


class Fields:
    """A request's fields.

    Parameters
    ----------
    sent : Sent
        In forms all are texts; what is empty is absent.
    """

    def __init__(self, sent: Sent) -> None:
        self._sent = sent

    def text(self, *names: str, most: int = _MOST_WORDS, required: bool = False) -> str:
        """Return a text under the first of some names that has any.

        Raises
        ------
        WireError
            400, where it is required and absent, too long or no text.
        """
        for name in names:
            value = self._sent.fields.get(name)
            if value is None or value == "":
                continue
            if not isinstance(value, str | int | float) or isinstance(value, bool):
                raise refused(f"{name} must be a text", name)
            if len(str(value)) > most:
                raise refused(f"{name} has more than {most} characters", name)
            if str(value).strip():
                return str(value).strip()
        if required:
            raise refused(f"{names[0]} is required", names[0])
        return ""

    def choice(self, *names: str, of: Collection[str]) -> str:
        """Return one of some words, or an empty one.

        Raises
        ------
        WireError
        """
        value = self.text(*names)
        if value and value not in of:
            raise refused(f"{names[0]} must be one of {', '.join(of)}", names[0])
        return value

    def whole(self, *names: str, low: int, high: int, usual: int | None = None) -> int:
        """Return a whole number within bounds; without a usual one it is required.

        Raises
        ------
        WireError
        """
        value = self.text(*names, required=usual is None)
        if not value:
            return usual or 0
        try:
            number = float(value)
        except ValueError:
            number = low - 1.0
        if number not in range(low, high + 1):
            raise refused(f"{names[0]} must be a number from {low} to {high}", names[0])
        return int(number)

    def flag(self, name: str) -> bool:
        """Return whether something is wanted."""
        value = self._sent.fields.get(name)
        return bool(value) if isinstance(value, bool | int) else str(value or "").strip().lower() not in _NO

    # What several operations have -------------------------------------------------------------------------------------

    def colour(self) -> str:
        """Return the vendor's word for a colour."""
        return self.choice("color", "color_style", of=HUES)

    def style(self) -> str:
        """Return the vendor's word for a style."""
        return self.choice("style", of=STYLES)

    def language(self) -> str:
        """Return a language that is wished for."""
        return self.choice("language", of=LANGUAGES)

    def length(self) -> str:
        """Return how long a deck is to be."""
        return LENGTHS[self.whole("complex", low=1, high=3, usual=1) - 1]

    def options(self) -> dict[str, Any]:
        """Return how a deck is to be written."""
        font = self.choice("font_name", of=FONTS)
        return {
            "font": FONTS[font] if font else "",
            "transition": self.choice("transition", of=("1", "2")) == "1",
            "plain": self.flag("report"),
            "marked": self.flag("ai_watermark"),
        }

    def outline(self) -> Outline | None:
        """Return the outline that a request has, be it an object or JSON within a form.

        Raises
        ------
        WireError
        """
        given = self._sent.fields.get("custom_data")
        if isinstance(given, str):
            try:
                given = msgspec.json.decode(given) if given.strip() else None
            except (msgspec.DecodeError, RecursionError):
                raise refused("custom_data must be a JSON object", "custom_data") from None
        if not given:
            return None
        if not isinstance(given, Mapping):
            raise refused("custom_data must be a JSON object", "custom_data")
        try:
            outline = msgspec.convert(given, Outline, strict=False)
        except msgspec.ValidationError as error:
            raise refused(f"custom_data: {error}", "custom_data") from None
        if not outline.title.strip() or not 1 <= len(outline.catalogs) <= _MOST_CHAPTERS:
            raise refused(f"custom_data needs a title, and 1 to {_MOST_CHAPTERS} catalogs", "custom_data")
        for content in outline.contents or ():
            if not 0 <= content.catalog_index < len(outline.catalogs):
                raise refused(f"catalog_index {content.catalog_index} is not that of a catalog", "custom_data")
        return outline


def not_ready() -> WireError:
    """Build the vendor's answer about a deck that is not ready."""
    return WireError(409, "请等待PPT生成完成...", code="not_ready")
