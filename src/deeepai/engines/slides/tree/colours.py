"""Colours and fills of DrawingML, resolved through a theme, as the tree has them: signed ARGB integers."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
P: Final = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
R: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
SLOTS: Final = (
    "dk1", "lt1", "dk2", "lt2", "accent1", "accent2", "accent3", "accent4", "accent5", "accent6", "hlink", "folHlink",
)  # fmt: skip
_COLOURS: Final = frozenset(A + name for name in ("srgbClr", "schemeClr", "sysClr", "prstClr", "hslClr", "scrgbClr"))
_PRESETS: Final = {
    "black": 0x000000, "white": 0xFFFFFF, "red": 0xFF0000, "green": 0x008000, "blue": 0x0000FF, "yellow": 0xFFFF00,
    "gray": 0x808080, "grey": 0x808080, "orange": 0xFFA500, "purple": 0x800080, "cyan": 0x00FFFF, "magenta": 0xFF00FF,
    "navy": 0x000080, "teal": 0x008080, "silver": 0xC0C0C0, "lightGray": 0xD3D3D3, "ltGray": 0xD3D3D3,
    "dkGray": 0xA9A9A9, "darkGray": 0xA9A9A9, "dkBlue": 0x00008B, "darkBlue": 0x00008B, "ltBlue": 0xADD8E6,
}  # fmt: skip
_CHANGES: Final = ("alpha", "lumMod", "lumOff", "shade", "tint", "satMod", "satOff", "hueMod", "hueOff")


@dataclass(slots=True)
class Palette:
    """A theme's colours and typefaces as a master, layout or slide sees them.

    Attributes
    ----------
    colours : dict
        `0xRRGGBB` by slot.
    names : dict
        Slots by the names that are used for them: `bg1` is `lt1`, unless the map says otherwise.
    fonts : dict
        `major` and `minor`, each with `latin`, `ea`, `cs`.
    """

    colours: dict[str, int] = field(default_factory=dict[str, int])
    names: dict[str, str] = field(default_factory=dict[str, str])
    fonts: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def slot(self, name: str) -> int:
        """Return a colour by a name of it, black where there is none."""
        return self.colours.get(self.names.get(name, name), 0)

    def mapped(self, names: Mapping[str, str]) -> Palette:
        """Return it with another map."""
        return Palette(self.colours, dict(names), self.fonts)

    def family(self, typeface: str) -> str:
        """Return a typeface, the theme's own by its name instead of `+mj-lt`."""
        if not typeface.startswith("+"):
            return typeface
        group = self.fonts.get("major" if typeface.startswith("+mj") else "minor", {})
        return group.get({"lt": "latin", "ea": "ea", "cs": "cs"}.get(typeface[-2:], "latin"), "")


def palette(theme: Any) -> Palette:
    """Return what a theme's XML says."""
    found = Palette(names={"bg1": "lt1", "tx1": "dk1", "bg2": "lt2", "tx2": "dk2"})
    for slot in SLOTS:
        element = theme.find(f".//{A}clrScheme/{A}{slot}")
        if element is not None:
            found.colours[slot] = _base(_colour_in(element), found, 0)
    for group in ("major", "minor"):
        scheme = theme.find(f".//{A}fontScheme/{A}{group}Font")
        found.fonts[group] = {
            kind: (
                scheme.find(A + kind).get("typeface", "")
                if scheme is not None and scheme.find(A + kind) is not None
                else ""
            )
            for kind in ("latin", "ea", "cs")
        }
    return found


def signed(rgb: int, alpha: int = 255) -> int:
    """Return a colour as the tree has it: a signed ARGB integer of 32 bits."""
    value = (alpha << 24) | rgb
    return value - (1 << 32) if value >= 1 << 31 else value


def hexadecimal(value: int) -> str:
    """Return the six digits of a signed ARGB integer."""
    return f"{value & 0xFFFFFF:06X}"


def colour(parent: Any, palette: Palette, holder: int = 0) -> dict[str, Any] | None:
    """Return the colour in an element, None where it holds none.

    Parameters
    ----------
    holder : int
        What a style's own colour (`phClr`) stands for.
    """
    element = _colour_in(parent)
    if element is None:
        return None
    base = _base(element, palette, holder)
    found: dict[str, Any] = {}
    if element.tag == A + "schemeClr":
        found["scheme"] = element.get("val", "")
    changes = {
        name: _integer(change.get("val"))
        for change in element
        if isinstance(change.tag, str) and (name := change.tag.rsplit("}", 1)[-1]) in _CHANGES
    }
    alpha = round(255 * min(max(changes.get("alpha", 100_000), 0), 100_000) / 100_000)
    found["realColor"] = signed(_changed(base, changes), alpha)
    found["color"] = signed(base)
    found.update(changes)
    return found


def _colour_in(parent: Any) -> Any:
    if parent is None:
        return None
    return next((child for child in parent if child.tag in _COLOURS), None)


def _base(element: Any, palette: Palette, holder: int) -> int:
    if element is None:
        return 0
    name, value = element.tag[len(A) :], element.get("val", "")
    try:
        match name:
            case "srgbClr":
                return int(value, 16) & 0xFFFFFF
            case "sysClr":
                return int(
                    element.get("lastClr") or ("FFFFFF" if "indow" in value and "Text" not in value else "000000"), 16
                )
            case "schemeClr":
                return holder if value == "phClr" else palette.slot(value)
            case "prstClr":
                return _PRESETS.get(value, 0)
            case "hslClr":
                hue, saturation, light = (_integer(element.get(key)) for key in ("hue", "sat", "lum"))
                return _joined(colorsys.hls_to_rgb(hue / 21_600_000, light / 100_000, saturation / 100_000))
            case _:
                return _joined(_integer(element.get(key)) / 100_000 for key in ("r", "g", "b"))
    except ValueError:
        return 0


def _changed(rgb: int, changes: Mapping[str, int]) -> int:
    hue, light, saturation = colorsys.rgb_to_hls((rgb >> 16) / 255, (rgb >> 8 & 255) / 255, (rgb & 255) / 255)
    light = light * changes.get("lumMod", 100_000) / 100_000 + changes.get("lumOff", 0) / 100_000
    saturation = saturation * changes.get("satMod", 100_000) / 100_000 + changes.get("satOff", 0) / 100_000
    hue = (hue * changes.get("hueMod", 100_000) / 100_000 + changes.get("hueOff", 0) / 21_600_000) % 1
    red, green, blue = colorsys.hls_to_rgb(hue, min(max(light, 0), 1), min(max(saturation, 0), 1))
    if "shade" in changes:
        part = changes["shade"] / 100_000
        red, green, blue = red * part, green * part, blue * part
    if "tint" in changes:
        part = changes["tint"] / 100_000
        red, green, blue = (1 - (1 - value) * part for value in (red, green, blue))
    return _joined((red, green, blue))


def _joined(parts: Any) -> int:
    red, green, blue = (min(max(round(value * 255), 0), 255) for value in parts)
    return red << 16 | green << 8 | blue


def _integer(value: str | None) -> int:
    try:
        return int((value or "0").rstrip("%")) * (1000 if (value or "").endswith("%") else 1)
    except ValueError:
        return 0


def fill(parent: Any, palette: Palette, holder: int = 0) -> dict[str, Any] | None:
    """Return the fill in an element, None where it holds none."""
    for child in parent if parent is not None else ():
        match child.tag[len(A) :] if isinstance(child.tag, str) and child.tag.startswith(A) else "":
            case "noFill":
                return {"type": "noFill"}
            case "solidFill":
                return {"type": "color", "color": colour(child, palette, holder) or {"realColor": -1, "color": -1}}
            case "gradFill":
                return {"type": "gradient", "gradient": _gradient(child, palette, holder)}
            case "blipFill":
                return {"type": "texture"}
            case "pattFill":
                front = colour(child.find(A + "fgClr"), palette, holder)
                return {"type": "pattern", "pattern": {"prst": child.get("prst", ""), "foregroundColor": front}}
            case "grpFill":
                return {"type": "groupFill"}
            case _:
                pass
    return None


def _gradient(element: Any, palette: Palette, holder: int) -> dict[str, Any]:
    stops = [
        (_integer(stop.get("pos")) / 100_000, colour(stop, palette, holder))
        for stop in element.iterfind(f"{A}gsLst/{A}gs")
    ]
    line = element.find(A + "lin")
    return {
        "gradientType": "linear" if line is not None else "circular",
        "angle": _integer(line.get("ang")) / 60_000 if line is not None else 0,
        "fractions": [place for place, _ in stops],
        "colors": [each for _, each in stops if each],
    }


def stroke(line: Any, palette: Palette, holder: int = 0) -> dict[str, Any]:
    """Return an outline; empty where the element says nothing."""
    if line is None:
        return {}
    found: dict[str, Any] = {}
    if paint := fill(line, palette, holder):
        found["paint"] = paint
    if line.get("w"):
        found["lineWidth"] = _integer(line.get("w")) / 12_700
    dash = line.find(A + "prstDash")
    if dash is not None:
        found["lineDash"] = dash.get("val", "solid")
    if line.get("cap"):
        found["lineCap"] = line.get("cap")
    if line.get("cmpd"):
        found["lineCompound"] = line.get("cmpd")
    return found
