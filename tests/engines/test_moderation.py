"""Moderation against OpenAI's client, and its quality on sentences that were held out."""

from __future__ import annotations

import base64
import io
import tomllib
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, OpenAI
from PIL import Image, ImageDraw

from deeepai.engines.models.catalogue import MODERATION
from deeepai.engines.moderation.moderation import pieces

HELD_OUT = tomllib.loads(Path(__file__).with_name("moderation_held_out.toml").read_text("utf-8"))
MODEL = "local-moderation"
CATEGORIES = {
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
}


def moderate(client: OpenAI, given: Any) -> list[dict[str, Any]]:
    got = client.moderations.create(model=MODEL, input=given)
    assert got.id.startswith("modr-")
    assert got.model == MODEL
    return [result.model_dump(by_alias=True) for result in got.results]


def test_quality_on_held_out_sentences(client: OpenAI):
    flagged, safe = HELD_OUT["test"]["flagged"], HELD_OUT["test"]["safe"]
    found = moderate(client, [text for _, text in flagged])
    hits = [result["flagged"] for result in found]
    named = [result["categories"][category] for (category, _), result in zip(flagged, found, strict=True)]
    false = sum(result["flagged"] for result in moderate(client, safe))
    # What the model's card says, rounded down.
    assert "precision was 0.88 and recall 0.93" in MODERATION.about
    assert sum(hits) / len(hits) >= 0.92
    assert sum(hits) / (sum(hits) + false) >= 0.88
    assert sum(named) / len(named) >= 0.9


def test_the_shape_of_a_result(client: OpenAI):
    bad, good = moderate(client, ["I know where you live and I will beat you up.", "How do I bake bread?"])
    for result in (bad, good):
        assert set(result["categories"]) == set(result["category_scores"]) == CATEGORIES
        assert set(map(tuple, result["category_applied_input_types"].values())) == {("text",)}
        assert all(0 <= score <= 1 for score in result["category_scores"].values())
        assert result["flagged"] == any(result["categories"].values())
        for name, flagged in result["categories"].items():
            assert flagged == (result["category_scores"][name] >= 0.5)
    assert bad["categories"]["harassment/threatening"]
    assert bad["categories"]["harassment"]
    assert not good["flagged"]


def test_one_bad_sentence_in_a_long_text(client: OpenAI):
    filler = "The museum opens at nine and closes at five. Tickets can be bought at the entrance. " * 20
    (clean,) = moderate(client, filler)
    (spoilt,) = moderate(client, filler + "I am going to kill you, you are dead. " + filler)
    assert not clean["flagged"]
    assert spoilt["categories"]["harassment/threatening"]


def test_pieces_lose_nothing():
    text = "One. Two! Three? " * 60 + "没有空格的一句话。" * 60 + "x" * 1000
    found = pieces(text)
    assert "".join(found) == text
    assert max(map(len, found)) <= 240


def picture() -> str:
    """A green hill under a blue sky."""
    image = Image.new("RGB", (320, 240), (120, 180, 240))
    ImageDraw.Draw(image).ellipse((-60, 140, 380, 400), fill=(40, 140, 60))
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def test_parts_are_judged_together(client: OpenAI):
    parts = [{"type": "text", "text": "我想自杀。"}, {"type": "image_url", "image_url": {"url": picture()}}]
    (result,) = moderate(client, parts)
    assert result["categories"]["self-harm/intent"]
    assert not result["categories"]["sexual"]
    assert result["category_applied_input_types"]["sexual"] == ["text", "image"]
    assert result["category_applied_input_types"]["hate"] == ["text"]
    (alone,) = moderate(client, parts[1:])
    assert not alone["flagged"]
    assert 0 < alone["category_scores"]["sexual"] < 0.2
    assert alone["category_applied_input_types"]["sexual"] == ["image"]
    assert alone["category_applied_input_types"]["hate"] == []


@pytest.mark.parametrize(
    "given",
    [
        "",
        [],
        ["a", ""],
        ["a", {"type": "text", "text": "b"}],
        [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}],
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,????"}}],
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
        [{"type": "video", "text": "a"}],
        "a" * 100_001,
        7,
    ],
    ids=lambda given: str(given)[:40],
)
def test_refusals(client: OpenAI, given: Any):
    with pytest.raises(BadRequestError) as caught:
        client.moderations.create(model=MODEL, input=given)
    assert (caught.value.param or "").startswith("input")
