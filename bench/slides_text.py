"""How much of real texts the planner's decks say, in which order, and whether they say anything else.

    python -m bench.slides_text [FILE …]

Without files: licences and READMEs of installed packages, texts in /usr/share/doc, and the tests' own texts.
"""

from __future__ import annotations

import re
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deeepai.engines.jobs import Refusal
from deeepai.engines.slides import documents, markdown, planning
from deeepai.engines.slides.model import Deck
from deeepai.engines.slides.pieces import pieces
from deeepai.engines.slides.wording import numbers, width

_OURS: Final = Path(__file__).parents[1] / "tests" / "engines" / "slides" / "texts"
_TERM: Final = re.compile(r"(?<=[a-z,;] )[A-Z][\w-]{2,}|“[^”]{2,20}”|「[^」]{2,20}」|《[^》]{2,30}》")
_MOST: Final = 20_000
"""Characters of a text: as many as the vendor's format reads."""


@dataclass
class Figures:
    """What was found of one deck."""

    name: str
    characters: int
    pages: int
    shown: float
    told: float
    named: float
    disordered: int
    foreign: int
    seconds: float


def texts() -> Iterator[Path]:
    """Yield texts of many kinds, none twice."""
    site = Path(sysconfig.get_paths()["purelib"])
    kinds = (
        (sorted(_OURS.iterdir()), 10, 800),
        (sorted(site.glob("*.dist-info/**/LICENSE*")), 12, 4000),
        (sorted(site.glob("*.dist-info/METADATA")), 30, 6000),
        (sorted(Path("/usr/share/doc").glob("*/README*")), 12, 2500),
        (sorted((_OURS.parents[3] / "docs").glob("*.md")), 12, 4000),
    )
    seen = set[int]()
    for paths, most, least in kinds:
        taken = 0
        for path in paths:
            fits = path.is_file() and path.suffix != ".gz" and least <= path.stat().st_size <= 200_000
            if fits and taken < most and path.stat().st_size not in seen:
                seen.add(path.stat().st_size)
                taken += 1
                yield path


def plain(text: str) -> str:
    """Return a text's own characters, without what Markdown and lines add."""
    return re.sub(r"\s+", "", "".join(piece.text + "".join(map("".join, piece.rows)) for piece in pieces(text)))


def share(of: list[str], within: str) -> float:
    """Return how many of some words a text has; 1 where there are none."""
    wanted = set(of)
    return sum(word in within for word in wanted) / len(wanted) if wanted else 1.0


def measured(path: Path) -> Figures:
    """Return the figures of one text's deck of medium length."""
    name = path.name + (".md" if path.name == "METADATA" else "")
    source = documents.read(path, name)
    if path.name == "METADATA":
        # What stands before the description are fields of a form.
        source.markdown = source.markdown.split("\n\n", 1)[-1]
    source.markdown = source.markdown[:_MOST]
    begun = time.process_time()
    deck = planning.content(planning.outline("", source, length="medium"), source)
    seconds = time.process_time() - begun
    shown = markdown.write(deck)
    spoken = planning.notes(deck, source)
    told = shown + "\n".join(page.notes for chapter in spoken.chapters for page in chapter.pages)
    said = [re.sub(r"\s+", "", point.rstrip("…")) for point in points(deck)]
    everything = plain(source.markdown)
    places = [everything.find(point) for point in said]
    prose = "\n".join(piece.text for piece in pieces(source.markdown) if piece.kind != "code")
    return Figures(
        f"{path.parent.name[:24]}/{path.name[:20]}",
        width(source.markdown),
        3 + len(deck.chapters) + sum(len(chapter.pages) for chapter in deck.chapters),
        share(numbers(prose), shown.replace("\\", "")),
        share(numbers(prose), told.replace("\\", "")),
        share(_TERM.findall(prose), told.replace("\\", "")),
        disordered(everything, said),
        sum(place < 0 for place in places),
        seconds,
    )


def points(deck: Deck) -> list[str]:
    """Return all that the pages say below their titles."""
    return [
        point for chapter in deck.chapters for page in chapter.pages for block in page.blocks for point in block.points
    ]


def disordered(everything: str, said: list[str]) -> int:
    """Return how many sentences come before one that the text has earlier."""
    place = wrong = 0
    for point in said:
        # A word or two stand in many places.
        if len(point) < 12:
            continue
        found = everything.find(point, place)
        if found < 0 and point in everything:
            wrong += 1
        place = max(found, place)
    return wrong


def main() -> None:
    """Print a line for each text, and the whole."""
    figures: list[Figures] = []
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else texts():
        try:
            found = measured(path)
        except Refusal as error:
            print(f"{path}: {error.code}")
            continue
        figures.append(found)
        print(
            f"{found.name:46} {found.characters:7} {found.pages:3} pages  numbers {found.shown:4.0%} shown "
            f"{found.told:4.0%} told  names {found.named:4.0%}  disordered {found.disordered}  "
            f"foreign {found.foreign}  {found.seconds:.2f} s"
        )
    count = len(figures)
    shown, told, named = (sum(getattr(f, name) for f in figures) / count for name in ("shown", "told", "named"))
    print(f"{count} texts: numbers {shown:.1%} shown, {told:.1%} with notes; names {named:.1%}")
    print(f"{sum(f.disordered for f in figures)} sentences out of order, {sum(f.foreign for f in figures)} foreign")
    print(f"{sum(f.seconds for f in figures) / count:.2f} s a deck")


if __name__ == "__main__":
    main()
