"""Theme colours to red, green and blue."""

from __future__ import annotations

import colorsys
from typing import Any, Final

A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
P: Final = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
RGBA = tuple[int, int, int, int]

_PRESETS: Final = {"black": "000000", "white": "FFFFFF", "red": "FF0000", "green": "008000", "blue": "0000FF"}


def rgb(text: str) -> tuple[int, int, int]:
    """Read `RRGGBB`."""
    try:
        return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)
    except ValueError:
        return 128, 128, 128


def _share(element: Any) -> float:
    value = element.get("val", "100000")
    return float(value.rstrip("%")) / 100 if value.endswith("%") else float(value) / 100_000


class Palette:
    """A master's colours.

    Parameters
    ----------
    theme : element
        `a:theme`.
    mapping : element, optional
        `p:clrMap`.
    """

    def __init__(self, theme: Any, mapping: Any) -> None:
        scheme = theme.find(f".//{A}clrScheme") if theme is not None else None
        self._colours: dict[str, tuple[int, int, int]] = {}
        for slot in scheme if scheme is not None else ():
            inner = slot[0] if len(slot) else None
            value = inner.get("lastClr") or inner.get("val", "000000") if inner is not None else "000000"
            self._colours[slot.tag.removeprefix(A)] = rgb(value)
        self._mapping = dict(mapping.attrib) if mapping is not None else {}

    def named(self, name: str) -> tuple[int, int, int]:
        """Return a scheme's colour."""
        default = {"bg1": "lt1", "tx1": "dk1", "bg2": "lt2", "tx2": "dk2"}
        slot = self._mapping.get(name, default.get(name, name))
        return self._colours.get(str(slot), (128, 128, 128))

    def read(self, parent: Any, replaced: RGBA | None = None) -> RGBA | None:
        """Return the colour within an element such as `a:solidFill`."""
        if parent is None or not len(parent):
            return None
        element = parent[0]
        kind = element.tag.removeprefix(A)
        value = element.get("val", "")
        alpha = 1.0
        match kind:
            case "schemeClr" if value == "phClr" and replaced is not None:
                red, green, blue = replaced[:3]
            case "schemeClr":
                red, green, blue = self.named(value)
            case "srgbClr":
                red, green, blue = rgb(value)
            case "sysClr":
                red, green, blue = rgb(element.get("lastClr", "FFFFFF" if value == "window" else "000000"))
            case "prstClr":
                red, green, blue = rgb(_PRESETS.get(value, "808080"))
            case _:
                return None
        for change in element:
            share = _share(change)
            match change.tag.removeprefix(A):
                case "alpha":
                    alpha = share
                case "lumMod" | "lumOff" as name:
                    hue, light, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
                    light = light * share if name == "lumMod" else light + share
                    changed = colorsys.hls_to_rgb(hue, min(max(light, 0.0), 1.0), saturation)
                    red, green, blue = (round(part * 255) for part in changed)
                case "shade":
                    red, green, blue = (round(part * share) for part in (red, green, blue))
                case "tint":
                    red, green, blue = (round(255 - (255 - part) * share) for part in (red, green, blue))
                case _:
                    pass
        return red, green, blue, round(alpha * 255)


def mixed(start: RGBA, end: RGBA, share: float) -> RGBA:
    """Return a colour between two."""
    red, green, blue, alpha = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return red, green, blue, alpha
