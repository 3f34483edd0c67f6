"""Typefaces: where their files lie, how wide and high their letters are.

Latin families come from wheels; Han, kana and Hangul from the Noto CJK collection of a wheel, or from the machine's own
fonts, which also have its bold and serif faces. Han letters are an em wide in all of them, so measures do not depend on
which was found.
"""

from __future__ import annotations

import importlib.util
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont, features

_WHEELS: Final = {
    "Barlow": ("fontpkg_barlow", "files/Barlow"),
    "Barlow Condensed": ("fontpkg_barlow_condensed", "files/BarlowCondensed"),
    "Poppins": ("fontpkg_poppins", "files/Poppins"),
    "Spectral": ("fontpkg_spectral", "files/Spectral"),
    "DM Serif Display": ("fontpkg_dm_serif_display", "files/DMSerifDisplay"),
    "IBM Plex Serif": ("fontpkg_ibm_plex_serif", "files/IBMPlexSerif"),
}
"""Latin families: the module of the wheel, and how its files' names begin."""

_SYSTEM: Final = (
    Path("/usr/share/fonts/opentype/noto"),
    Path("/usr/share/fonts/noto-cjk"),
    Path("/usr/share/fonts/google-noto-cjk"),
    Path("/usr/local/share/fonts"),
)
_OTHERS: Final = (
    Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    Path("/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf"),
    Path("/usr/share/fonts/TTF/DejaVuSans.ttf"),
)
_REGIONS: Final = {"ja": 0, "ko": 1, "zh": 2, "zh-hant": 3, "zh-hk": 4}
"""Where a region's forms lie in the collection."""

_UNITS: Final = 1000
_FAR: Final = 4096


def region(language: str) -> str:
    """Return which forms Han letters take in a language: a key of the collection's faces.

    Parameters
    ----------
    language : str
        BCP 47.
    """
    tag = language.lower().replace("_", "-")
    if tag.startswith(("ja", "ko")):
        return tag[:2]
    if tag.startswith(("zh-hk", "zh-mo")):
        return "zh-hk"
    return "zh-hant" if tag.startswith(("zh-tw", "zh-hant")) else "zh"


def is_cjk(language: str) -> bool:
    """Return whether a language is written in Han, kana or Hangul."""
    return language.lower().startswith(("zh", "ja", "ko"))


def han_family(language: str, *, serif: bool) -> str:
    """Return the family's name for a language, such as `Noto Sans CJK SC`."""
    letters = {"ja": "JP", "ko": "KR", "zh": "SC", "zh-hant": "TC", "zh-hk": "HK" if not serif else "TC"}
    return f"Noto {'Serif' if serif else 'Sans'} CJK {letters[region(language)]}"


@cache
def _wheel(module: str) -> Path | None:
    found = importlib.util.find_spec(module)
    return Path(found.origin).parent if found is not None and found.origin else None


@cache
def folders() -> tuple[Path, ...]:
    """Return the folders of the wheels' fonts, for programs that draw with them."""
    modules = [module for module, _ in _WHEELS.values()]
    found = [folder / "files" for module in modules if (folder := _wheel(module)) is not None]
    cjk = _wheel("noto_cjk_sans_otc")
    return (*found, *([cjk] if cjk is not None else []))


@dataclass(frozen=True, slots=True)
class Face:
    """A font file as it is drawn with.

    Attributes
    ----------
    index : int
        Within a collection.
    emboldened : bool
        The file has no bold of its own: strokes are to be widened.
    """

    path: Path | None
    index: int = 0
    emboldened: bool = False


def _latin_file(family: str, *, bold: bool, italic: bool) -> Path | None:
    module, stem = _WHEELS[family]
    folder = _wheel(module)
    if folder is None:
        return None
    style = ("Bold" if bold else "") + ("Italic" if italic else "")
    for name in (style or "Regular", "Bold" if bold else "Regular", "Regular"):
        if (path := folder / f"{stem}-{name}.ttf").exists():
            return path
    return None


def _han_files(*, serif: bool, bold: bool) -> Iterator[tuple[Path, bool]]:
    kinds = ("Serif", "Sans") if serif else ("Sans",)
    for kind in kinds:
        for weight in ("Bold", "Regular") if bold else ("Regular",):
            for folder in _SYSTEM:
                if (path := folder / f"Noto{kind}CJK-{weight}.ttc").exists():
                    yield path, bold and weight != "Bold"
    if (folder := _wheel("noto_cjk_sans_otc")) is not None:
        yield folder / "NotoSansCJK-Regular.ttc", bold


@cache
def latin_face(family: str, *, bold: bool = False, italic: bool = False) -> Face:
    """Return a Latin family's face; of one that is not known, or whose wheel is missing, the next that is there."""
    for known in (family, "Barlow", *_WHEELS):
        if known in _WHEELS and (path := _latin_file(known, bold=bold, italic=italic)) is not None:
            return Face(path, emboldened=bold and "Bold" not in path.stem)
    return han_face("en", serif=False, bold=bold)


@cache
def han_face(language: str, *, serif: bool, bold: bool = False) -> Face:
    """Return the face for Han, kana and Hangul."""
    for path, emboldened in _han_files(serif=serif, bold=bold):
        return Face(path, _REGIONS[region(language)], emboldened)
    return Face(None)


@cache
def other_face() -> Face:
    """Return the face for letters that neither has, such as Arabic."""
    return next((Face(path) for path in _OTHERS if path.exists()), Face(None))


@lru_cache(maxsize=256)
def opened(face: Face, size: float) -> ImageFont.FreeTypeFont:
    """Return a face at a size in pixels."""
    if face.path is None:
        found = ImageFont.load_default(size)
        assert isinstance(found, ImageFont.FreeTypeFont)
        return found
    return ImageFont.truetype(str(face.path), size, face.index, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=64)
def shaping(face: Face, size: float) -> ImageFont.FreeTypeFont:
    """Return a face that joins and orders letters, as Arabic needs it, where Pillow can."""
    if face.path is None or not features.check("raqm"):
        return opened(face, size)
    return ImageFont.truetype(str(face.path), size, face.index, layout_engine=ImageFont.Layout.RAQM)


def is_rtl(text: str) -> bool:
    """Return whether a text has letters that are read from right to left."""
    return any(letter > "\u0590" and unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)


@cache
def _missing(face: Face) -> tuple[float, bytes]:
    """How a letter that a face does not have is drawn."""
    return _drawn(face, "\U0010fffe")


def _drawn(face: Face, letter: str) -> tuple[float, bytes]:
    font = opened(face, 64)
    image = Image.new("L", (128, 128))
    ImageDraw.Draw(image).text((32, 16), letter, font=font, fill=255)
    return font.getlength(letter), image.tobytes()


@lru_cache(maxsize=_FAR * 4)
def has(face: Face, letter: str) -> bool:
    """Return whether a face has a letter."""
    if letter.isspace() or letter < "\x7f":
        return True
    return _drawn(face, letter) != _missing(face)


@lru_cache(maxsize=_FAR * 8)
def _advance(face: Face, letter: str) -> float:
    return opened(face, _UNITS).getlength(letter) / _UNITS


_SYMBOLS: Final = range(0x2190, 0x2C00)


def is_wide(letter: str, *, cjk: bool) -> bool:
    """Return whether a letter is set in the Han typeface.

    Parameters
    ----------
    cjk : bool
        Whether the text around is: quotation marks, dashes and dots are shared by both scripts.
    """
    if letter < "\x80":
        return False
    width = unicodedata.east_asian_width(letter)
    if width in "WF":
        return True
    return (width == "A" and cjk and not letter.isalpha()) or ord(letter) in _SYMBOLS


@dataclass(frozen=True, slots=True)
class Typeface:
    """What a text is set in.

    Attributes
    ----------
    latin : str
        Family of Latin letters.
    serif : bool
        Whether Han letters have serifs.
    language : str
        BCP 47.
    """

    latin: str
    serif: bool = False
    bold: bool = False
    language: str = "zh-CN"

    @property
    def han(self) -> Face:
        """The face of Han letters."""
        return han_face(self.language, serif=self.serif, bold=self.bold)

    def face(self, letter: str, *, italic: bool = False) -> Face:
        """Return the face that draws a letter."""
        if is_wide(letter, cjk=is_cjk(self.language)):
            return self.han
        latin = latin_face(self.latin, bold=self.bold, italic=italic)
        if letter < "\x80" or has(latin, letter):
            return latin
        return self.han if has(self.han, letter) else other_face()

    def advance(self, letter: str) -> float:
        """Return a letter's width in em."""
        return _width(self, letter)

    @property
    def latin_height(self) -> float:
        """A line's height in em where all is Latin."""
        return _height(latin_face(self.latin, bold=self.bold))

    @property
    def han_height(self) -> float:
        """A line's height in em where a letter is Han."""
        return max(1.45, self.latin_height)


@lru_cache(maxsize=_FAR * 8)
def _width(typeface: Typeface, letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF" and unicodedata.category(letter) in ("Lo", "Po", "Ps", "Pe"):
        return 1.0
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Cf", "Mn", "Me"):
        return 0.0
    # What no face has is drawn by whatever font the reader's machine finds; pictographs are wider than an em.
    face = typeface.face(letter)
    if letter >= "\x80" and not has(face, letter):
        return 1.35
    return max(_advance(face, letter), 1.0 if is_wide(letter, cjk=is_cjk(typeface.language)) else 0.0)


@cache
def _height(face: Face) -> float:
    ascent, descent = opened(face, _UNITS).getmetrics()
    return (ascent + descent) / _UNITS
