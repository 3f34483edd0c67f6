"""How well art QR codes are read: every template in every version with every shape of finders, by two decoders.

    .venv/bin/python -m bench.art_quality            # half an hour on two cores
    .venv/bin/python -m bench.art_quality --quick    # each template in each version, with one shape in turn

Each code is drawn as the engine draws it, then scaled so that its shorter side has 200 pixels, and apart from that
compressed as JPEG of quality 60; both are read by ZXing and by OpenCV (either of its detectors). Dense codes, whose
modules would be smaller than four pixels, are scaled to where they have four. Prints Markdown.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import cv2
import zxingcpp
from PIL import Image

from deeepai.engines.art import codes, reading, styles
from deeepai.engines.art.templates import TEMPLATES

SIDE = 1024
VERSIONS = ("1", "1.1", "2", "3")
CONTENTS = {
    "19 bytes": "https://example.com",
    "80 bytes": "https://example.com/a/longer/path/with/more/words/in/it?and=parameters&of=a-query",
    "Chinese": "你好，世界：扫码关注",
}
SEED = 20_260


@dataclass(frozen=True)
class Row:
    """One code: how it was drawn, and whether it was read."""

    template: str
    version: str
    shape: str
    content: str
    asked: float
    strength: float
    tries: int
    seconds: float
    read: dict[str, bool]


def judged(drawn: codes.Drawn, content: str) -> dict[str, bool]:
    picture = drawn.picture
    factor = max(200 / min(picture.size), min(1.0, 4 / drawn.module))
    small = picture.resize((round(picture.width * factor), round(picture.height * factor)))
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=60)
    views = {"200 px": small, "JPEG 60": Image.open(held).convert("RGB")}
    read: dict[str, bool] = {}
    for name, view in views.items():
        read[f"ZXing, {name}"] = content in [code.text for code in zxingcpp.read_barcodes(view)]
        read[f"OpenCV, {name}"] = reading.by_opencv(view) == content
    return read


def asked(number: int, quick: bool) -> Iterator[tuple[str, str, str]]:
    """Yield version, shape and content of each code of a template."""
    for at, version in enumerate(VERSIONS):
        if quick:
            yield version, codes.SHAPES[(number + at) % len(codes.SHAPES)], list(CONTENTS)[(number // 4 + at) % 3]
            continue
        for shape in codes.SHAPES:
            # The longer ones with the plainest finders alone.
            yield from ((version, shape, name) for name in CONTENTS if name == "19 bytes" or shape == "square")


def of_template(number: int, quick: bool) -> list[Row]:
    cv2.setNumThreads(1)
    template = TEMPLATES["qrcode"][number]
    scene = styles.painted(template.scene, (SIDE, SIDE), SEED)
    motif = styles.SCENES[template.scene].motif
    rows: list[Row] = []
    for version, shape, name in asked(number, quick):
        content, begun = CONTENTS[name], time.perf_counter()
        drawn = codes.draw(content, scene, codes.Style(version, shape, motif, SEED), template.strength)
        seconds = time.perf_counter() - begun
        read, strength = judged(drawn, content), (template.strength, drawn.strength)
        rows.append(Row(template.name, version, shape, name, *strength, drawn.tries, seconds, read))
    print(f"{template.name}: {sum(all(row.read.values()) for row in rows)} of {len(rows)}", file=sys.stderr, flush=True)
    return rows


def table(rows: list[Row], by: str) -> None:
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, by)].append(row)
    tests = list(rows[0].read)
    print(f"\n| {by} | codes | {' | '.join(tests)} | strength asked → drawn | s a code |")
    print(f"|---|--:|{'--:|' * len(tests)}--:|--:|")
    for name, some in groups.items():
        rates = [f"{100 * sum(row.read[test] for row in some) / len(some):.1f} %" for test in tests]
        strength = f"{_mean(some, 'asked'):.2f} → {_mean(some, 'strength'):.2f}"
        print(f"| {name} | {len(some)} | {' | '.join(rates)} | {strength} | {_mean(some, 'seconds'):.1f} |")


def _mean(rows: list[Row], name: str) -> float:
    return sum(getattr(row, name) for row in rows) / len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    numbers = list(TEMPLATES["qrcode"])
    with ProcessPoolExecutor(args.workers) as pool:
        rows = [row for some in pool.map(partial(of_template, quick=args.quick), numbers) for row in some]
    whole = sum(all(row.read.values()) for row in rows)
    print(f"{len(rows)} codes of {len(numbers)} templates; {whole} read by both decoders in both ways.")
    for by in ("version", "shape", "content", "template"):
        table(rows, by)


if __name__ == "__main__":
    main()
