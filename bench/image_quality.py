"""How good the image tools are, beside what else there is, on pictures that scikit-image carries.

`python -m bench.image_quality [--only segmentation,scale,…]` prints tables in Markdown. For compression it takes
`pngquant` and `cwebp` from PATH and MozJPEG from pyvips, where they are; what is not here leaves a row that says so.
"""

from __future__ import annotations

import argparse
import importlib
import io
import math
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from tests.engines.images import samples

from deeepai.engines import install
from deeepai.engines.images import cutout, inpaint, module
from deeepai.engines.images.correction import sheet_of, straightened
from deeepai.engines.images.faces import faces_of
from deeepai.engines.jobs import Work

PHOTOS = ("astronaut.png", "coffee.png", "chelsea.png", "motorcycle_left.png", "rocket.jpg")
Picture = Any


class Bench:
    """Does jobs in this process, in a folder that is gone at the end."""

    def __init__(self, folder: Path, packs: Path) -> None:
        self._folder, self.packs, self._jobs = folder, packs, 0

    def do(
        self, tool: str, picture: Picture | bytes, request: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], Path]:
        self._jobs += 1
        folder = self._folder / str(self._jobs)
        for name in ("in", "out"):
            (folder / name).mkdir(parents=True)
        (folder / "in" / "image").write_bytes(encoded(picture, "PNG"))
        work = Work(request or {}, folder, self.packs, lambda share, fact: None)
        return importlib.import_module(module(tool)).run(work), folder / "out"


def encoded(picture: Picture, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, **options)
    return out.getvalue()


def decoded(data: bytes) -> Picture:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def likeness(one: Picture, other: Picture) -> float:
    """Return SSIM of light and colours (6 : 1 : 1), the mean of full, half and quarter size."""
    made: list[float] = []
    for reduced in (1, 2, 4):
        planes = [np.asarray(Image.fromarray(each).reduce(reduced).convert("YCbCr")) for each in (one, other)]
        parts = [float(structural_similarity(planes[0][..., part], planes[1][..., part])) for part in range(3)]
        made.append((6 * parts[0] + parts[1] + parts[2]) / 8)
    return float(np.mean(made))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    print(flush=True)


# Cut-outs


def overlap(found: Picture, true: Picture, known: Picture) -> float:
    return float((found & true & known).sum() / max(((found | true) & known).sum(), 1))


def plain_mask(picture: Picture, packs: Path) -> Picture:
    """Return the network's own mask, as rembg and others use it: seen once, its values stretched."""
    said = cutout._look(picture, packs)
    return (said - said.min()) / max(float(said.max() - said.min()), 1e-6) > 0.5


def grabcut(picture: Picture) -> Picture:
    """Return the mask that OpenCV's GrabCut finds in the middle four fifths."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    box = (width // 10, height // 10, width * 8 // 10, height * 8 // 10)
    cv2.setRNGSeed(1)
    cv2.grabCut(picture, mask, box, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_RECT)
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)


def segmentation(bench: Bench) -> None:
    print("## Cut-outs: intersection over union\n")
    scenes: list[tuple[str, Picture, Picture, Picture]] = []
    for name, (picture, mask) in {
        "ball on a lawn, 512²": samples.ball(),
        "ball, 12 % of the width, 1600²": samples.ball(1600, 0.06),
        "horse before a sky": samples.horse(),
    }.items():
        scenes.append((name, picture, mask, np.ones_like(mask)))
    scenes.append(("motorcycle, by measured depth", *samples.motorcycle()))
    rows: list[Sequence[object]] = []
    for name, picture, mask, known in scenes:
        made = cutout.mask_of(picture, bench.packs) > 127
        rows.append(
            (
                name,
                overlap(made, mask, known),
                overlap(plain_mask(picture, bench.packs), mask, known),
                overlap(grabcut(picture), mask, known),
            )
        )
    table(("scene", "ours", "u2netp alone", "GrabCut"), rows)


def faces(bench: Bench) -> None:
    del bench
    print("## Faces found in `lfw_subset`\n")
    patches = np.load(samples.FOLDER / "lfw_subset.npy")
    found = [0, 0]
    for number, patch in enumerate(patches):
        grey = cv2.resize((patch * 255).astype(np.uint8), (150, 150), interpolation=cv2.INTER_CUBIC)
        grey = cv2.copyMakeBorder(grey, 75, 75, 75, 75, cv2.BORDER_REPLICATE)
        found[number // 100] += bool(faces_of(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)))
    table(("100 faces", "100 other pictures"), [found])


# Scaling


def scale(bench: Bench) -> None:
    print("## Scaling: four times as large, against the original that was shrunk\n")
    rows: list[Sequence[object]] = []
    for name in PHOTOS:
        original = samples.photo(name)
        side = min(*original.shape[:2], 320) // 4 * 4
        top, left = (original.shape[0] - side) // 2, (original.shape[1] - side) // 2
        original = np.ascontiguousarray(original[top : top + side, left : left + side])
        small = Image.fromarray(original).resize((side // 4, side // 4), Image.Resampling.BICUBIC)
        made = {
            "bicubic": np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)),
            "Lanczos": np.asarray(small.resize((side, side), Image.Resampling.LANCZOS)),
        }
        for quality in ("fast", "best"):
            result, folder = bench.do("scale", np.asarray(small), {"factor": 4, "quality": quality})
            made[result["engine"]] = decoded((folder / result["image"]).read_bytes())
        row: list[object] = [name.split(".")[0]]
        for each in made.values():
            sharp = cv2.Laplacian(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()
            own = cv2.Laplacian(cv2.cvtColor(original, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()
            row.append(
                f"{peak_signal_noise_ratio(original, each):.1f} / "
                f"{structural_similarity(original, each, channel_axis=2):.3f} / {sharp / own:.2f}"
            )
        rows.append(row)
    print("PSNR in dB / SSIM / sharpness (variance of the Laplacian) relative to the original's\n")
    table(("picture", "bicubic", "Lanczos", "animevideov3 (fast)", "x4plus (best)"), rows)


# Compression

Codec = Callable[[Picture, int], bytes]


def at_equal_likeness(ours: Codec, theirs: Codec, pictures: Sequence[Picture], qualities: Sequence[int]) -> list[float]:
    """Return our bytes over theirs at the likeness that ours has at some qualities, the mean of all pictures."""
    ratios: list[list[float]] = []
    for picture in pictures:
        curve = [
            (likeness(picture, decoded(data)), len(data)) for q in range(20, 97, 8) for data in (theirs(picture, q),)
        ]
        curve.sort()
        row: list[float] = []
        for quality in qualities:
            data = ours(picture, quality)
            wanted = likeness(picture, decoded(data))
            other = np.exp(np.interp(wanted, [point[0] for point in curve], [math.log(point[1]) for point in curve]))
            row.append(len(data) / float(other))
        ratios.append(row)
    return [float(value) for value in np.mean(ratios, axis=0)]


def _mozjpeg(picture: Picture, quality: int) -> bytes:
    pyvips: Any = importlib.import_module("pyvips")
    return pyvips.Image.new_from_array(picture).jpegsave_buffer(
        Q=quality, trellis_quant=True, overshoot_deringing=True, optimize_scans=True, interlace=True,
        optimize_coding=True, quant_table=3, keep="none", subsample_mode="on",
    )  # fmt: skip


def compression(bench: Bench) -> None:
    print("## Compression: bytes over another program's, at equal likeness (below 1 is better)\n")
    pictures = [samples.photo(name) for name in PHOTOS]
    qualities = (40, 60, 75, 85)

    def ours(form: str) -> Codec:
        def run(picture: Picture, quality: int) -> bytes:
            result, folder = bench.do("imgcompress", picture, {"format": form, "quality": quality})
            return (folder / result["image"]).read_bytes()

        return run

    def pillow(kind: str, **options: Any) -> Codec:
        return lambda picture, quality: encoded(picture, kind, quality=quality, **options)

    rows: list[Sequence[object]] = []
    versus: list[tuple[str, str, Codec | None]] = [
        ("jpg", "Pillow (libjpeg-turbo, optimised)", pillow("JPEG", optimize=True)),
        ("jpg", "MozJPEG with trellis (libvips)", _mozjpeg if _has("pyvips") else None),
        ("webp", "Pillow (libwebp, method 4)", pillow("WEBP", method=4)),
        ("webp", "cwebp -m 6", _cwebp() if shutil.which("cwebp") else None),
    ]
    for form, name, codec in versus:
        if codec is None:
            rows.append((form, name, *["not here"] * len(qualities)))
        else:
            rows.append((form, name, *at_equal_likeness(ours(form), codec, pictures, qualities)))
    table(("format", "beside", *(f"quality {quality}" for quality in qualities)), rows)
    _png(bench, pictures)


def _has(name: str) -> bool:
    try:
        importlib.import_module(name)
    except (ImportError, OSError):
        return False
    return True


def _cwebp() -> Codec:
    def run(picture: Picture, quality: int) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in.png", Path(folder) / "out.webp"
            source.write_bytes(encoded(picture, "PNG"))
            command = ["cwebp", "-quiet", "-m", "6", "-q", str(quality), str(source), "-o", str(target)]
            subprocess.run(command, check=True)
            return target.read_bytes()

    return run


def _png(bench: Bench, pictures: Sequence[Picture]) -> None:
    print("PNG at 256 colours: bytes / likeness\n")
    rows: list[Sequence[object]] = []
    for name, picture in zip(PHOTOS, pictures, strict=True):
        result, folder = bench.do("imgcompress", picture, {"format": "png"})
        data = (folder / result["image"]).read_bytes()
        cells = [f"{len(data)} / {likeness(picture, decoded(data)):.4f}"]
        if shutil.which("pngquant"):
            made = subprocess.run(
                ["pngquant", "--speed", "1", "256", "-"], input=encoded(picture, "PNG"), capture_output=True, check=True
            ).stdout
            cells.append(f"{len(made)} / {likeness(picture, decoded(made)):.4f}")
        else:
            cells.append("not here")
        out = io.BytesIO()
        Image.fromarray(picture).quantize(256).save(out, "PNG", optimize=True)
        cells.append(f"{len(out.getvalue())} / {likeness(picture, decoded(out.getvalue())):.4f}")
        rows.append((name.split(".")[0], *cells))
    table(("picture", "ours", "pngquant", "Pillow quantize"), rows)


# Correction and inpainting


def correction(bench: Bench) -> None:
    del bench
    print("## Edge-crop: 40 sheets photographed at a slant\n")
    errors: list[float] = []
    proportions: list[float] = []
    missed = 0
    begun = time.perf_counter()
    for seed in range(40):
        picture, corners, sheet = samples.page(seed)
        found = sheet_of(picture)
        if found is None:
            missed += 1
            continue
        errors.extend(float(each) for each in np.hypot(*(found - corners).T))
        made = straightened(picture, found)
        proportions.append(abs(made.shape[0] / made.shape[1] / (sheet.shape[0] / sheet.shape[1]) - 1))
    passed = time.perf_counter() - begun
    head = ("missed", "corner error, median", "95 %", "largest", "proportions off by, mean", "seconds each")
    row = (missed, *(f"{float(np.percentile(errors, part)):.2f} px" for part in (50, 95, 100)))
    table(head, [(*row, f"{100 * float(np.mean(proportions)):.1f} %", passed / 40)])


HOLES = {
    "brick.png": (220, 180, 80, 90),
    "grass.png": (200, 150, 90, 70),
    "coffee.png": (480, 300, 80, 60),
    "astronaut.png": (300, 20, 60, 60),
    "rocket.jpg": (200, 60, 90, 80),
    "chelsea.png": (250, 60, 40, 30),
}


def erasing(bench: Bench) -> None:
    del bench
    print("## Inpainting: PSNR in dB within the hole, against what was there\n")
    rows: list[Sequence[object]] = []
    for name, (x, y, width, height) in HOLES.items():
        original = samples.photo(name)
        holes = np.zeros(original.shape[:2], np.uint8)
        holes[y : y + height, x : x + width] = 255
        made = (
            inpaint.erased(original, holes)[0],
            cv2.inpaint(original, holes, 3, cv2.INPAINT_TELEA),
            cv2.inpaint(original, holes, 3, cv2.INPAINT_NS),
        )
        rows.append(
            (
                f"{name.split('.')[0]}, {width} × {height}",
                *(f"{peak_signal_noise_ratio(original[holes > 0], each[holes > 0]):.1f}" for each in made),
            )
        )
    table(("picture and hole", "ours", "Telea", "Navier–Stokes"), rows)


TOPICS: dict[str, Callable[[Bench], None]] = {
    "segmentation": segmentation,
    "faces": faces,
    "scale": scale,
    "compression": compression,
    "correction": correction,
    "inpaint": erasing,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(TOPICS))
    parser.add_argument("--packs", type=Path, default=Path(".cache/packs"))
    arguments = parser.parse_args()
    for pack in ("u2netp", "real-esrgan"):
        install(pack, arguments.packs)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.packs.resolve())
        for topic in arguments.only.split(","):
            TOPICS[topic](bench)


if __name__ == "__main__":
    main()
