"""How fast the image tools are, what memory they need, and whether accounts get their turns.

`python -m bench.images` prints tables in Markdown. Time is the process's own (CPU), which other programs on the machine
blur least; a tool's is held against the same library calls by hand: decoding, the network or codec, encoding.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from PIL import Image
from tests.engines.images import samples

from bench.image_quality import table
from deeepai.engines import install
from deeepai.engines.images import module
from deeepai.engines.jobs import Job, Jobs, Work
from deeepai.engines.turns import ACCOUNT

SIDES = (512, 2048)
ROUNDS = 3
HOLE = {"x": 0.4, "y": 0.1, "width": 0.15, "height": 0.15}


def picture_of(tool: str, side: int) -> Any:
    if tool in ("segmentation", "background"):
        return samples.ball(side)[0]
    if tool == "correction":
        return samples.page(1, (side, side))[0]
    return cv2.resize(samples.photo("astronaut.png"), (side, side), interpolation=cv2.INTER_CUBIC)


def request_of(tool: str, side: int) -> dict[str, Any]:
    match tool:
        case "scale":
            return {"factor": 1, "quality": "fast", "seconds": 10_000, "format": "png"}
        case "inpaint":
            return {"rectangles": [{key: round(share * side) for key, share in HOLE.items()}], "format": "png"}
        case "imgcompress":
            return {"format": "jpg", "quality": 80}
        case "background":
            return {"prompt": "wood", "format": "png"}
        case "correction":
            return {"type": 0, "format": "png"}
        case _:
            return {"format": "png"}


# The same by hand


def _png(samples_: Any) -> None:
    Image.fromarray(samples_).save(io.BytesIO(), "PNG", compress_level=6)


def by_hand(tool: str, data: bytes, side: int, packs: Path) -> Callable[[], None] | None:
    """Return the library calls that a tool stands for; None where it is itself all of the work."""
    networks = importlib.import_module("deeepai.engines.images.networks")
    cutout = importlib.import_module("deeepai.engines.images.cutout")

    def given() -> Any:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def segmentation() -> None:
        samples_ = given()
        height, width = samples_.shape[:2]
        session = networks.onnx(packs / "u2netp" / "u2netp.onnx")
        name = session.get_outputs()[0].name
        for _ in range(2):
            small = cv2.resize(samples_, (320, 320), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            ready = np.ascontiguousarray(((small - cutout._MEAN) / cutout._DEVIATION).transpose(2, 0, 1)[None])
            said = session.run([name], {"input.1": ready})[0][0, 0]
        mask = (cv2.resize(said, (width, height)).clip(0, 1) * 255).astype(np.uint8)
        _png(np.dstack([samples_, mask]))

    def scale() -> None:
        samples_ = given()
        net = networks.scaler(packs / "real-esrgan", "realesr-animevideov3-x4")
        made = np.empty_like(samples_)
        for top in range(0, side, 320):
            for left in range(0, side, 320):
                large = net(samples_[top : top + 320, left : left + 320])
                part = cv2.resize(large, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
                made[top : top + part.shape[0], left : left + part.shape[1]] = part
        _png(made)

    def inpaint() -> None:
        patchmatch: Any = importlib.import_module("patchmatch")
        samples_ = given()
        x, y, width, height = (round(HOLE[key] * side) for key in ("x", "y", "width", "height"))
        holes = np.zeros((side, side), np.uint8)
        holes[y : y + height, x : x + width] = 255
        rows, columns = slice(max(y - height, 0), y + 2 * height), slice(max(x - width, 0), x + 2 * width)
        part, marked = np.ascontiguousarray(samples_[rows, columns]), np.ascontiguousarray(holes[rows, columns])
        shrunk = min(1.0, 900 / max(marked.shape))
        if shrunk < 1:
            part = cv2.resize(part, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
            marked = cv2.resize(marked, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        size = (columns.stop - columns.start, rows.stop - rows.start)
        filled = cv2.resize(patchmatch.inpaint(part, marked, patch_size=3), size)
        made = samples_.copy()
        made[rows, columns] = filled
        _png(made)

    def imgcompress() -> None:
        mozjpeg: Any = importlib.import_module("mozjpeg_lossless_optimization")
        out = io.BytesIO()
        Image.fromarray(given()).save(out, "JPEG", quality=80)
        mozjpeg.optimize(out.getvalue())

    return {"segmentation": segmentation, "scale": scale, "inpaint": inpaint, "imgcompress": imgcompress}.get(tool)


# One tool at one size, in a process of its own


def _timed(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    times = [time.process_time() - begun]
    # Loading counts for little where the first took so long.
    for _ in range(ROUNDS if times[0] < 8 else 0):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


def one(tool: str, side: int, packs: Path) -> dict[str, Any]:
    cv2.setNumThreads(1)
    picture = picture_of(tool, side)
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    run: Callable[[Work], dict[str, Any]] = importlib.import_module(module(tool)).run
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "in").mkdir()
        (place / "out").mkdir()
        (place / "in" / "image").write_bytes(out.getvalue())
        work = Work(request_of(tool, side), place, packs, lambda share, fact: None)
        seconds = _timed(lambda: run(work))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    bare = by_hand(tool, out.getvalue(), side, packs)
    return {"seconds": seconds, "memory": memory, "bare": _timed(bare) if bare else None}


def pace(packs: Path) -> None:
    print("## Pace of one worker, and its memory at most\n")
    rows: list[tuple[object, ...]] = []
    tools = ("segmentation", "idphoto", "scale", "inpaint", "background", "colorization", "imgcompress", "correction")
    for tool in tools:
        for side in SIDES:
            command = [sys.executable, "-m", "bench.images", "--one", tool, str(side), "--packs", str(packs)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            said = json.loads(done.stdout.splitlines()[-1])
            more = "" if said["bare"] is None else f"{100 * (said['seconds'] / said['bare'] - 1):+.0f} %"
            rows.append((tool, f"{side}²", f"{1 / said['seconds']:.2f}", f"{said['memory'] / 2**20:.0f} MB", more))
    table(("tool", "picture", "pictures a second", "memory", "over the library calls alone"), rows)


# Fairness


async def fairness(packs: Path) -> None:
    print("## 200 jobs at once, of three accounts, over two slots\n")
    picture = io.BytesIO()
    Image.fromarray(samples.photo("coffee.png")).save(picture, "PNG")
    small, large = {"format": "jpg"}, {"format": "webp", "kbyte": 4}
    with tempfile.TemporaryDirectory() as folder:
        jobs = Jobs(Path(folder), packs, slots=2)
        jobs.start()
        try:
            begun = time.time()
            submitted: list[Job] = []
            # The first has asked for all of its own, every second of them large, before the others come.
            for account, count in (("first", 120), ("second", 50), ("third", 30)):
                ACCOUNT.set(account)
                for number in range(count):
                    is_large = account == "first" and number % 2 == 0
                    submitted.append(
                        await jobs.submit(
                            module("imgcompress"),
                            large if is_large else small,
                            files={"image": picture.getvalue()},
                            large=is_large,
                            seconds=600,
                        )
                    )
            done = [await jobs.wait(job) for job in submitted]
        finally:
            await jobs.close()
    done.sort(key=lambda job: job.finished)
    rows: list[tuple[object, ...]] = []
    for account in ("first", "second", "third"):
        own = [job for job in done if job.account == account]
        places = [number for number, job in enumerate(done) if job.account == account]
        first = [job.account for job in done[:90]].count(account)
        waits = [job.started - job.created for job in own if not job.large]
        rows.append(
            (account, len(own), first, places[-1] + 1, f"{median(waits):.1f} s", f"{own[-1].finished - begun:.1f} s")
        )
    failed = sum(job.state != "done" for job in done)
    print(f"{failed} failed; all done after {done[-1].finished - begun:.1f} s.\n")
    head = ("account", "jobs", "of the first 90 ends", "last end is number", "median wait of small ones", "done after")
    table(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", type=Path, default=Path(".cache/packs"))
    parser.add_argument("--one", nargs=2, metavar=("TOOL", "SIDE"))
    parser.add_argument("--only", choices=("pace", "fairness"))
    arguments = parser.parse_args()
    packs = arguments.packs.resolve()
    if arguments.one:
        print(json.dumps(one(arguments.one[0], int(arguments.one[1]), packs)))
        return
    for pack in ("u2netp", "real-esrgan"):
        install(pack, packs)
    if arguments.only != "fairness":
        pace(packs)
    if arguments.only != "pace":
        asyncio.run(fairness(packs))


if __name__ == "__main__":
    main()
