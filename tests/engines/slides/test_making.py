"""The job that makes decks, in a process of the pool."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image
from pptx import Presentation

from deeepai.engines.jobs import Jobs, JobState
from deeepai.engines.slides.model import Deck
from tests.engines.slides import decks

MAKING = "deeepai.engines.slides.making"


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Jobs]:
    jobs = Jobs(folder / "jobs", folder, slots=1)
    jobs.start()
    try:
        yield jobs
    finally:
        await jobs.close()


def asked(deck: Deck, **more: Any) -> dict[str, Any]:
    request = {"deck": msgspec.to_builtins(deck), "design": "botanical", "theme": "fern", **more}
    return {**request, "options": {"renderer": "simple", "width": 320, **request.get("options", {})}}


async def test_a_deck_is_made_and_told_page_by_page(tmp_path: Path) -> None:
    picture = decks.picture(tmp_path / "site.png").read_bytes()
    async with opened(tmp_path) as jobs:
        job = await jobs.submit(MAKING, asked(decks.whole()), files={"site.png": picture})
        told = [fact async for fact in jobs.follow(job)]
        job = await jobs.wait(job)
    assert job.state is JobState.DONE, job.message
    assert job.result is not None
    pages = job.result["pages"]
    assert [fact for fact in told if "page" in fact] == [
        {"page": number, "file": f"page-{number}.png"} for number in range(1, pages + 1)
    ]
    assert job.result["renderer"] == "simple"
    assert job.result["title"] == "城市轨道交通智能运维五年路径"
    assert [slide["kind"] for slide in job.result["slides"]][:4] == ["cover", "contents", "section", "content"]
    assert msgspec.convert(job.result["deck"], Deck) == decks.whole()
    assert len(Presentation(str(job.file("deck.pptx"))).slides) == pages
    assert "picture" in [slide["layout"] for slide in job.result["slides"]]
    with Image.open(job.file(f"page-{pages}.png")) as image:
        assert image.size == (320, 180)
    assert job.file("cover.png").read_bytes() == job.file("page-1.png").read_bytes()


async def test_only_the_cover(tmp_path: Path) -> None:
    async with opened(tmp_path) as jobs:
        job = await jobs.wait(await jobs.submit(MAKING, asked(decks.whole(), options={"only": "cover"})))
    assert job.result is not None
    assert job.result["pages"] == 2
    assert job.file("cover.png").exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"design": "none"}, "unsupported"),
        ({"theme": "none"}, "unsupported"),
        ({"deck": {"title": 7}}, "unreadable"),
        ({"deck": None}, "unreadable"),
        ({"deck": {"title": "t", "chapters": [{"title": "c", "pages": [{"title": "p"}] * 401}]}}, "too_large"),
    ],
)
async def test_what_cannot_be_made_is_refused(tmp_path: Path, change: dict[str, Any], code: str) -> None:
    async with opened(tmp_path) as jobs:
        job = await jobs.wait(await jobs.submit(MAKING, {**asked(decks.whole()), **change}))
    assert (job.state, job.code) == (JobState.FAILED, code)
