"""How fast decks are written and drawn, beside LibreOffice that turns the same deck into PDF.

    python -m bench.slides                    # about a minute; the result goes to results/slides.md

Each figure is the calmest of `--rounds` in one process that has warmed up, as a pool's process has after its first job.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.engines.slides import decks

from bench.machine import description
from deeepai.engines.slides import office, previews
from deeepai.engines.slides.designs import DESIGNS
from deeepai.engines.slides.model import Deck
from deeepai.engines.slides.writing import write

RESULTS = Path(__file__).parent / "results"
_SLIDES = 20


def deck() -> Deck:
    """Return a deck of twenty slides: text, columns, charts, tables, a picture."""
    found = decks.whole()
    found.chapters[2].pages[:0] = found.chapters[0].pages[:2]
    return found


def calmest(rounds: int, work: Callable[[], object]) -> float:
    """Return the least of several times, in seconds."""
    found: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    lines = [
        "| design | slides | written | drawn | written, slides/s | drawn, slides/s | to PDF by LibreOffice | share |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = {"site.png": decks.picture(folder / "site.png")}
        path = folder / "deck.pptx"
        for design in DESIGNS.values():
            theme = next(iter(design.themes))
            made = write(deck(), design.id, theme, path, pictures=pictures)
            count = len(made.slides)
            assert count == _SLIDES, count
            previews.draw(path, folder, by=previews.SIMPLE)
            written = calmest(rounds, lambda d=design.id, t=theme: write(deck(), d, t, path, pictures=pictures))
            drawn = calmest(rounds, lambda: previews.draw(path, folder, by=previews.SIMPLE))
            pdf = calmest(max(rounds // 2, 2), lambda: office.pdf(path, folder)) if office.program() else 0.0
            share = f"{(written + drawn) / pdf:.2f}" if pdf else "–"
            lines.append(
                f"| {design.id} | {count} | {written * 1000:.0f} ms | {drawn * 1000:.0f} ms | {count / written:.0f} "
                f"| {count / drawn:.0f} | {f'{pdf:.2f} s' if pdf else 'not installed'} | {share} |"
            )
            print(lines[-1], flush=True)
    office.forget()
    machine = ", ".join(f"{name} {value}" for name, value in description().items())
    head = (
        f"# Slides\n\n{datetime.date.today()}; {machine}\n\n"
        "Writing is everything from the deck to the file; drawing is every page as a PNG of 1280 × 720 by the simpler "
        "renderer. *Share* is both together against LibreOffice's time for the same file, warm, in a process of its "
        "own; the mark is at most 0.5.\n\n"
    )
    (RESULTS / "slides.md").write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
