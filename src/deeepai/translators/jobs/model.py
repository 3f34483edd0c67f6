"""What is asked of a vendor of films, pictures or songs, whatever the format: each reads into it and writes from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from ...declare import Json

Body: TypeAlias = dict[str, Json]
Shape: TypeAlias = tuple[int, int]
"""Width and height: of a size in pixels, of a ratio in any unit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Film:
    """A film that is wanted; what equals its default is left to the vendor.

    Attributes
    ----------
    first, last : str or None
        Frames: an address, or a data URL.
    seconds : float or None
    size, ratio : tuple of int
        Pixels, or only their ratio.
    lines : int or None
        Pixels of the shorter side, where that alone is said.
    high : bool
        The better and dearer of two qualities.
    guidance : float or None
        How closely the prompt is followed, from 0 to 1.
    follows : str or None
        The caller's own task whose film it goes on from.
    enhance : bool or None
        Whether the vendor may add to the prompt.
    bag : mapping
        Fields of the vendor's own body, merged last over it.
    names : mapping
        What the source calls the fields that it calls otherwise; for refusals.
    """

    prompt: str = ""
    negative_prompt: str = ""
    first: str | None = None
    last: str | None = None
    seconds: float | None = None
    size: Shape | None = None
    ratio: Shape | None = None
    lines: int | None = None
    high: bool = False
    sound: bool = False
    seed: int | None = None
    guidance: float | None = None
    fps: int | None = None
    count: int = 1
    follows: str | None = None
    loop: bool = False
    enhance: bool | None = None
    bag: Mapping[str, Json] = field(default_factory=dict[str, Json])
    names: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)

    @property
    def shape(self) -> Shape | None:
        """The ratio of the sides, by whichever is said."""
        return self.size or self.ratio

    @property
    def shorter(self) -> int | None:
        """Pixels of the shorter side, by whichever is said."""
        return min(self.size) if self.size is not None else self.lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture that is wanted, or several; what equals its default is left to the vendor.

    Attributes
    ----------
    image : str or None
        What it follows: an address, or a data URL.
    size, ratio : tuple of int
        Pixels, or only their ratio.
    own : mapping
        Fields of some vendor's own, which go to a vendor that has them.
    names : mapping
        As in `Film`.
    """

    prompt: str = ""
    negative_prompt: str = ""
    image: str | None = None
    size: Shape | None = None
    ratio: Shape | None = None
    seed: int | None = None
    count: int = 1
    own: Mapping[str, Json] = field(default_factory=dict[str, Json])
    names: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)

    @property
    def shape(self) -> Shape | None:
        """The ratio of the sides, by whichever is said."""
        return self.size or self.ratio


@dataclass(frozen=True, kw_only=True, slots=True)
class Song:
    """A song that is wanted, or what is to be made of one; what equals its default is left to the vendor.

    Attributes
    ----------
    prompt : str
        The words that are sung.
    description : str
        What the song is about, instead.
    mv : str
        The vendor's version.
    clip : str
        The clip that it goes on from.
    continue_at : float or None
        Seconds of the clip after which it does.
    infill : bool
        Of what is joined: a section was replaced, and nothing added.
    own : mapping
        Further fields of the web's own body, which go to a vendor that has them.
    names : mapping
        As in `Film`.
    """

    prompt: str = ""
    description: str = ""
    title: str = ""
    tags: str = ""
    negative_tags: str = ""
    mv: str = ""
    instrumental: bool = False
    clip: str = ""
    continue_at: float | None = None
    infill: bool = False
    own: Mapping[str, Json] = field(default_factory=dict[str, Json])
    names: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)


Wanted: TypeAlias = Film | Picture | Song
WantedT = TypeVar("WantedT", Film, Picture, Song)
