"""Templates: a design, one of its themes, and for colour variants the palette of another's."""

from __future__ import annotations

import random
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from ..slides.designs import DESIGNS, SLOTS, Theme
from .vocabulary import COLOURS, HUES, STYLES

THEME: Final = "ppt/theme/theme1.xml"
_SCHEME: Final = re.compile(r"(<a:clrScheme [^>]*>).*?(</a:clrScheme>)", re.DOTALL)
_ORDER: Final = ("dk1", "lt1", "dk2", "lt2", *SLOTS[4:])
"""How a colour scheme lists its slots (ECMA-376, part 1, section 20.1.6.2)."""


class Template(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a deck looks like.

    Attributes
    ----------
    design, theme : str
        Ids.
    palette : str
        `design.theme` of the theme whose colours stand in the place of its own; empty: none.
    """

    design: str
    theme: str
    palette: str = ""

    @property
    def name(self) -> str:
        """Its id in the list of templates, which has no colour variants."""
        return f"{self.design}.{self.theme}"

    @property
    def shown(self) -> Theme:
        """The theme whose colours it has."""
        design, _, theme = (self.palette or self.name).partition(".")
        return DESIGNS[design].themes[theme]

    @property
    def colour(self) -> str:
        """The vendor's word for its colour."""
        return COLOURS[self.shown.hue]

    @property
    def colours(self) -> list[str]:
        """The twelve slots, as the vendor writes them."""
        return [f"#{colour}" for colour in self.shown.colours]


def every() -> list[Template]:
    """Return all templates, design by design: those whose colour the vendor has a word for."""
    return [
        Template(design.id, theme.id)
        for design in DESIGNS.values()
        for theme in design.themes.values()
        if theme.hue in COLOURS
    ]


def listed(name: str) -> Template | None:
    """Return a template by its id in the list."""
    return next((one for one in every() if one.name == name), None)


def fits(template: Template, style: str, colour: str) -> tuple[bool, bool]:
    """Tell whether a template is of a style, and of a colour; an empty word is anything."""
    of_colour = not colour or template.shown.hue == HUES[colour]
    red = style != "党政" or template.shown.hue == "red"
    return (not style or template.design in STYLES[style]) and red, of_colour


def chosen(count: int, *, style: str = "", colour: str = "", but: Template | None = None) -> list[Template]:
    """Return templates by chance, those first that are as wished; no two of one design where that can be had.

    Parameters
    ----------
    but : Template, optional
        What it is not to be.
    """
    found = [one for one in every() if one != but]
    random.shuffle(found)
    # A colour is seen at once, a style is a matter of taste.
    found.sort(key=lambda one: tuple(not fit for fit in reversed(fits(one, style, colour))))
    picked: list[Template] = []
    while found and len(picked) < count:
        best = fits(found[0], style, colour)
        alike = [one for one in found if fits(one, style, colour) == best]
        taken = {one.design for one in picked}
        picked.append(next((one for one in alike if one.design not in taken), alike[0]))
        found.remove(picked[-1])
    return picked


def variants(template: Template, count: int, *, colour: str = "") -> list[Template]:
    """Return the same design in other colours: its own themes first, then those of its likes, no hue twice.

    Parameters
    ----------
    colour : str
        The vendor's word for a colour that is wished for, which comes first.
    """
    seen = {template.colour}
    found: list[Template] = []
    for one in _variants(template, colour):
        if one.colour not in seen:
            seen.add(one.colour)
            found.append(one)
    return found[:count]


def _variants(template: Template, colour: str) -> Iterator[Template]:
    design = DESIGNS[template.design]
    own = [one for one in every() if one.design == template.design]
    likes = [
        Template(template.design, template.theme, other.name)
        for other in every()
        if DESIGNS[other.design].dark == design.dark and other.design != template.design
    ]
    # A dark design has few likes: any other is better than none.
    rest = [
        Template(template.design, template.theme, other.name) for other in every() if other.design != template.design
    ]
    yield from (one for one in (*own, *likes, *rest) if one.colour == colour)
    yield from (*own, *likes, *rest)


def recolour(path: Path, template: Template) -> None:
    """Give a deck that was written in a template's theme the colours of its palette, in place.

    All that our designs draw is coloured by slots of the theme, so that nothing else need change.
    """
    if not template.palette:
        return
    slots: Mapping[str, str] = dict(zip(SLOTS, template.shown.colours, strict=True))
    scheme = "".join(f'<a:{slot}><a:srgbClr val="{slots[slot]}"/></a:{slot}>' for slot in _ORDER)
    coloured = path.with_name(f"{path.name}.coloured")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(coloured, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == THEME:
                data = _SCHEME.sub(rf"\g<1>{scheme}\g<2>", data.decode()).encode()
            new.writestr(entry, data)
    coloured.replace(path)
