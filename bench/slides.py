"""How fast decks are written and drawn, beside LibreOffice that turns the same deck into PDF.

    python -m bench.slides                    # about a minute; the result goes to results/slides.md

Each figure is the calmest of `--rounds` in one process that has warmed up, as a pool's process has after its first job.
"""

from __future__ import annotations

import argparse
import datetime
import resource
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


def cpu() -> float:
    """Return the CPU seconds of this process and of those that it has waited for."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def calmest(rounds: int, work: Callable[[], object]) -> tuple[float, float]:
    """Return the least of several times: on the clock, and of the CPU, in seconds."""
    clock: list[float] = []
    busy: list[float] = []
    for _ in range(rounds):
        start, before = time.perf_counter(), cpu()
        work()
        clock.append(time.perf_counter() - start)
        busy.append(cpu() - before)
    return min(clock), min(busy)


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    lines = ["| design | slides | written | drawn | to PDF by LibreOffice | share | written/s | drawn/s |"]
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
            pdf = calmest(max(rounds // 2, 2), lambda: office.pdf(path, folder)) if office.program() else None
            shown = [f"{clock * 1000:.0f} / {busy * 1000:.0f} ms" for clock, busy in (written, drawn)]
            shown += [f"{pdf[0] * 1000:.0f} / {pdf[1] * 1000:.0f} ms" if pdf else "not installed"]
            shares = [f"{(written[at] + drawn[at]) / pdf[at]:.2f}" for at in (0, 1)] if pdf else ["–"]
            paces = [f"{count / one[1]:.0f}" for one in (written, drawn)]
            lines.append("| " + " | ".join([design.id, str(count), *shown, " / ".join(shares), *paces]) + " |")
            print(lines[-1], flush=True)
    office.forget()
    machine = ", ".join(f"{name} {value}" for name, value in description().items())
    head = (
        f"# Slides\n\n{datetime.date.today()}; {machine}\n\n"
        "Writing is everything from the deck to the file; drawing is every page as a PNG of 1280 × 720 by the simpler "
        "renderer. Times are on the clock and of the CPU; *share* is writing and drawing together against "
        "LibreOffice's time for the same file, with a warm profile; the mark is at most 0.5. Slides a second are by "
        "CPU.\n\n"
    )
    (RESULTS / "slides.md").write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
