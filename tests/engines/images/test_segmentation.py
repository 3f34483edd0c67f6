"""Subjects cut out: held against masks that are known, and looked at where their colours must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from deeepai.engines.jobs import Jobs, JobState, Refusal
from tests.engines.images import samples
from tests.engines.images.conftest import Do, png


def overlap(found: Any, true: Any, known: Any = True) -> float:
    """Return the intersection of two masks over their union."""
    return float((found & true & known).sum() / ((found | true) & known).sum())


@pytest.mark.parametrize(("scene", "least"), [(samples.ball, 0.98), (samples.horse, 0.98)])
def test_a_known_shape_is_found(do: Do, scene: Any, least: float) -> None:
    picture, mask = scene()
    done = do("segmentation", picture, {"output": "both"})
    assert done["engine"] == "u2netp"
    assert overlap(done.samples("mask") > 127, mask) > least
    assert np.array_equal(done.samples("mask"), done.samples()[..., 3])
    assert (done["input_width"], done["input_height"]) == (done["width"], done["height"]) == picture.shape[1::-1]
    assert done.progress == sorted(done.progress)


def test_a_photograph_is_cut_along_its_measured_depth(do: Do) -> None:
    picture, near, known = samples.motorcycle()
    assert overlap(do("segmentation", picture, {"output": "mask"}).samples("mask") > 127, near, known) > 0.75


def test_a_small_subject_is_found_sharply(do: Do) -> None:
    picture, mask = samples.ball(1600, 0.06)
    done = do("segmentation", picture, {"output": "mask"})
    assert done["image"] is None
    assert overlap(done.samples("mask") > 127, mask) > 0.95


def test_a_large_subject_has_a_box_and_is_cropped_to_it(do: Do) -> None:
    picture, mask = samples.horse()
    done = do("segmentation", picture, {"crop": True, "output": "both"})
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = done["box"]
    assert abs(box["x"] - columns[0]) <= 3
    assert abs(box["y"] - rows[0]) <= 3
    assert abs(box["x"] + box["width"] - 1 - columns[-1]) <= 3
    assert abs(box["y"] + box["height"] - 1 - rows[-1]) <= 3
    assert (
        done.image().size == done.image("mask").size == (box["width"], box["height"]) == (done["width"], done["height"])
    )


def test_no_background_shines_through_at_the_edge(do: Do) -> None:
    # A dark horse before a blue sky: half-covered pixels are as brown as the rest.
    picture, _ = samples.horse()
    cut = do("segmentation", picture).samples().astype(int)
    edge = (cut[..., 3] > 60) & (cut[..., 3] < 200)
    assert edge.sum() > 200
    seen, given = cut[edge][:, 2] - cut[edge][:, 0], picture[edge].astype(int)[:, 2] - picture[edge].astype(int)[:, 0]
    assert given.mean() > 0
    assert seen.mean() < -5


def test_jpg_has_the_colour_behind(do: Do) -> None:
    picture, mask = samples.ball()
    done = do("segmentation", picture, {"format": "jpg", "background": "0080FF"})
    outside = done.samples()[~cv2.dilate(mask.astype(np.uint8), np.ones((25, 25))).astype(bool)]
    assert done["image"] == "image.jpg"
    assert np.abs(outside.astype(int) - (0, 128, 255)).max() < 12


def test_what_is_cut_out_already_stays(do: Do) -> None:
    picture, mask = samples.ball()
    cut = np.dstack([picture, (mask * 255).astype(np.uint8)])
    done = do("segmentation", cut, {"crop": True})
    assert done["engine"] == "alpha"
    box = done["box"]
    assert np.array_equal(done.samples(), cut[box["y"] : box["y"] + box["height"], box["x"] : box["x"] + box["width"]])


def test_some_transparent_pixels_are_no_cut_out(do: Do) -> None:
    picture, mask = samples.ball()
    alpha = np.full(mask.shape, 255, np.uint8)
    alpha[:3, :3] = 0
    done = do("segmentation", np.dstack([picture, alpha]), {"output": "mask"})
    assert done["engine"] == "u2netp"
    assert overlap(done.samples("mask") > 127, mask) > 0.98


def test_a_person_alone_is_kept(do: Do) -> None:
    # The photographer and his camera stand in one piece.
    done = do("segmentation", samples.photo("camera.png"), {"type": "person", "output": "mask"})
    mask = done.samples("mask") > 127
    areas = cv2.connectedComponentsWithStats(mask.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
    assert areas.max() > 0.97 * mask.sum()
    assert mask[250:300, 130:200].mean() > 0.95
    assert mask[:60].mean() < 0.01


def stamped(tint: float = 1.0) -> tuple[Any, Any]:
    """Return a sheet of black writing under a red seal, and the seal's mask."""
    sheet, seal = np.full((400, 400, 3), 244.0 * tint), np.zeros((400, 400), np.uint8)
    for line in range(60, 380, 40):
        cv2.putText(sheet, "Agreement of both parties", (10, line), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (40, 40, 40), 2)
    cv2.circle(seal, (200, 200), 110, 255, 12, cv2.LINE_AA)
    cv2.putText(seal, "SEAL", (130, 220), cv2.FONT_HERSHEY_DUPLEX, 1.6, 255, 4, cv2.LINE_AA)
    cover = (seal / 255 * 0.85)[..., None]
    noise = np.random.default_rng(1).normal(0, 3, sheet.shape)
    made = sheet * (1 - cover) + np.array([205.0, 25, 35]) * tint * cover + noise
    return np.clip(made, 0, 255).astype(np.uint8), seal > 127


@pytest.mark.parametrize("tint", [1.0, 0.6])
def test_a_seal_is_lifted_off_its_paper(do: Do, tint: float) -> None:
    picture, seal = stamped(tint)
    done = do("segmentation", picture, {"type": "stamp", "output": "both"})
    assert done["engine"] == "red-ink"
    assert overlap(done.samples("mask") > 127, seal) > 0.85
    lifted = done.samples()
    solid = lifted[lifted[..., 3] > 200].astype(int)
    assert (solid[:, 0] - solid[:, 1:3].max(axis=1)).mean() > 60


@pytest.mark.parametrize(
    ("picture", "request_"),
    [
        (np.full((200, 200, 3), 244, np.uint8), {"type": "stamp"}),
        (np.dstack([np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)]), {}),
    ],
    ids=["no-seal", "all-transparent"],
)
def test_nothing_to_cut_out_is_told(do: Do, picture: Any, request_: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refusal:
        do("segmentation", picture, request_)
    assert refusal.value.code == "empty"


@pytest.mark.parametrize(
    "request_", [{"type": "cat"}, {"output": "video"}, {"format": "webp"}, {"background": "red"}], ids=str
)
def test_other_words_are_refused(do: Do, request_: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refusal:
        do("segmentation", np.zeros((8, 8, 3), np.uint8), request_)
    assert refusal.value.code == "invalid"
    assert next(iter(request_)) in refusal.value.message


def test_without_weights_the_command_is_told(do: Do, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="deeepai engines install u2netp") as refusal:
        do("segmentation", np.zeros((64, 64, 3), np.uint8), packs=tmp_path)
    assert refusal.value.code == "not_installed"


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2), (7, 5)])
def test_the_smallest_pictures_do_no_harm(do: Do, size: tuple[int, int]) -> None:
    try:
        done = do("segmentation", Image.new("RGB", size, "white"))
    except Refusal as error:
        code = error.code
    else:
        assert done.image().size == size
        return
    assert code == "empty"


async def test_it_is_done_in_the_pool_within_its_memory(image_packs: Path, tmp_path: Path) -> None:
    picture, mask = samples.ball(2048)
    jobs = Jobs(tmp_path, image_packs, slots=1, memory=1200 * 2**20)
    jobs.start()
    try:
        job = await jobs.submit(
            "deeepai.engines.images.segmentation", {"output": "mask"}, files={"image": png(picture)}, seconds=600
        )
        done = await jobs.wait(job)
    finally:
        await jobs.close()
    assert (done.state, done.code) == (JobState.DONE, "")
    with Image.open(done.file("mask.png")) as found:
        assert overlap(np.asarray(found) > 127, mask) > 0.98
