"""OpenAI's images by Imagen, Gemini, Ideogram and Stability: what is asked, what comes of it, what is refused."""

from __future__ import annotations

import base64
import io
import json
import math
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import ImagesResponse
from PIL import Image

from deeepai.declare import Answer, CallTranslator, Failure, Part, Reason, Usage
from deeepai.gateway.dispatch import matches
from deeepai.translators import REFRAMERS
from deeepai.translators.jobs.common import ratio
from deeepai.translators.pictures import PICTURE_TRANSLATORS, gemini, ideogram, imagen, stability
from deeepai.translators.pictures.common import NEAR, Asked, shape_of
from tests.support.pictures import opened, png, png_url

from .world import answer_of, request_of

DRAWN = base64.b64encode(png(8)).decode()
IMAGEN, NANO, V3, V2, SD3, CORE = (
    *("imagen-4.0-generate-001", "gemini-2.5-flash-image", "ideogram-V_3", "ideogram-V_2", "sd3-large"),
    "stable-image-core",
)
V2A = "ideogram-V_2A"
SDXL, INPAINT = "stable-diffusion-xl-1024-v1-0", "stable-image-edit-inpaint"
GENERATIONS, EDITS = "openai.images.generations", "openai.images.edits"
TARGETS = {
    IMAGEN: "gemini.predict",
    NANO: "gemini.generateContent",
    V3: "ideogram.v3.generate",
    V2: "ideogram.generate",
    V2A: "ideogram.generate",
    SD3: "stability.generate.sd3",
    CORE: "stability.generate.core",
    SDXL: "stability.text-to-image",
}
DEFAULTS = {
    "n": 1,
    "size": "auto",
    "quality": "auto",
    "background": "auto",
    "moderation": "auto",
    "output_format": "png",
    "output_compression": 100,
    "style": "vivid",
    "user": "u",
    "stream": False,
    "partial_images": 0,
}
"""What OpenAI's own models are told by clients that set everything."""


def translator(target: str, source: str = GENERATIONS) -> CallTranslator:
    return next(each for each in PICTURE_TRANSLATORS if (each.source, each.target) == (source, target))


def to(model: str) -> CallTranslator:
    return translator(TARGETS[model])


def said(body: Any) -> dict[str, Any]:
    """Return what is sent, a form's texts as JSON's fields."""
    if isinstance(body, dict):
        return body
    return {part.name: part.text for part in body if part.filename is None}


def asking(model: str, **more: Any) -> Any:
    return request_of({"model": model, "prompt": "a cat", **more})


def asked(model: str, **more: Any) -> dict[str, Any]:
    return said(to(model).request(asking(model, **more), model))


def mask() -> bytes:
    """A mask by which the left half is to be edited."""
    drawn = Image.new("RGBA", (8, 8), "black")
    drawn.paste((0, 0, 0, 0), (0, 0, 4, 8))
    file = io.BytesIO()
    drawn.save(file, "PNG")
    return file.getvalue()


def vast() -> bytes:
    """A mask that says it is larger than anybody could draw."""
    whole = png(8, mode="RGBA")
    head = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + whole[24:29]
    return whole[:12] + head + zlib.crc32(head).to_bytes(4, "big") + whole[33:]


def edit(*names: str, **texts: str) -> Any:
    """A form, as OpenAI's SDK sends it."""
    request = request_of({})
    files = [Part(name, memoryview(png(8)), "a.png", "application/octet-stream") for name in names]
    request.parts = [Part("prompt", memoryview(b"a hat")), *files]
    request.parts += [Part(name, memoryview(text.encode())) for name, text in texts.items()]
    return request


# Asking ------------------------------------------------------------------------------------------------------------


PLAIN = {
    IMAGEN: {"instances": [{"prompt": "a cat"}], "parameters": {"sampleCount": 1, "includeRaiReason": True}},
    NANO: {
        "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]},
    },
    V3: {"prompt": "a cat", "num_images": 1},
    V2: {"image_request": {"prompt": "a cat", "num_images": 1, "model": "V_2"}},
    V2A: {"image_request": {"prompt": "a cat", "num_images": 1, "model": "V_2A"}},
    SD3: {"prompt": "a cat", "model": SD3},
    CORE: {"prompt": "a cat"},
    SDXL: {"text_prompts": [{"text": "a cat"}], "samples": 1},
}


@pytest.mark.parametrize("model", TARGETS)
def test_what_is_asked_by_default(model: str) -> None:
    assert asked(model) == PLAIN[model]
    full = asked(model, **DEFAULTS)
    full.pop("output_format", None)
    assert full == PLAIN[model]


def test_what_a_vendor_has_is_told() -> None:
    parameters = asked(IMAGEN, n=4, size="2048x2048", output_format="jpeg")["parameters"]
    assert parameters["sampleCount"] == 4
    assert (parameters["aspectRatio"], parameters["imageSize"]) == ("1:1", "2K")
    assert parameters["outputOptions"] == {"mimeType": "image/jpeg"}
    fast = "imagen-4.0-fast-generate-001"
    assert "imageSize" not in said(to(IMAGEN).request(asking(fast, size="2048x2048"), fast))["parameters"]
    pro = "gemini-3-pro-image"
    config = said(to(NANO).request(asking(pro, size="4096x4096", seed=7), pro))["generationConfig"]
    assert (config["imageConfig"], config["seed"]) == ({"aspectRatio": "1:1", "imageSize": "4K"}, 7)
    assert asked(NANO, size="1024x1536")["generationConfig"]["imageConfig"] == {"aspectRatio": "2:3"}
    newer = asked(V3, size="1792x1024", quality="high", n=8, style_type="DESIGN", negative_prompt="dogs")
    assert (newer["aspect_ratio"], newer["rendering_speed"], newer["num_images"]) == ("16x9", "QUALITY", 8)
    assert (newer["style_type"], newer["negative_prompt"]) == ("DESIGN", "dogs")
    older = asked(V2, size="1024x1792", seed=3)["image_request"]
    assert (older["aspect_ratio"], older["seed"]) == ("ASPECT_9_16", 3)
    form = asked(SD3, size="16:9", output_format="jpeg", negative_prompt="dogs", cfg_scale=4)
    assert form["aspect_ratio"] == "16:9"
    assert (form["output_format"], form["negative_prompt"], form["cfg_scale"]) == ("jpeg", "dogs", "4")
    assert "output_format" not in asked(SD3, output_format="webp")
    body = asked(SDXL, size="1792x1024", n=3, negative_prompt="dogs", seed=5)
    assert (body["width"], body["height"], body["samples"], body["seed"]) == (1344, 768, 3, 5)
    assert body["text_prompts"][1] == {"text": "dogs", "weight": -1}


@pytest.mark.parametrize(
    ("model", "more", "param"),
    [
        (IMAGEN, {"n": 5}, "n"),
        (NANO, {"n": 2}, "n"),
        (CORE, {"n": 2}, "n"),
        (V3, {"n": 9}, "n"),
        (IMAGEN, {"size": "3000x300"}, "size"),
        (CORE, {"size": "large"}, "size"),
        (IMAGEN, {"negative_prompt": "dogs"}, "negative_prompt"),
        (CORE, {"background": "transparent"}, "background"),
        (IMAGEN, {"image": png_url(8)}, "image"),
        (V2A, {"negative_prompt": "dogs"}, "negative_prompt"),
    ],
)
def test_what_a_vendor_cannot_do_is_refused(model: str, more: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as refused:
        asked(model, **more)
    assert (refused.value.kind, refused.value.param) == (Reason.INVALID, param)


RATIOS = {
    "imagen": imagen.RATIOS,
    "gemini": gemini.RATIOS,
    "ideogram 3": ideogram.NEWER_RATIOS,
    "ideogram": ideogram.RATIOS,
    "stability": stability.RATIOS,
    "sdxl": stability.SIZES,
}


@pytest.mark.parametrize("offered", RATIOS.values(), ids=RATIOS)
@given(size=st.tuples(st.integers(64, 4096), st.integers(64, 4096)))
def test_a_size_becomes_the_nearest_ratio_or_is_refused(offered: tuple[str, ...], size: tuple[int, int]) -> None:
    def off(name: str) -> float:
        wide, high = ratio(name, name)
        return abs(math.log(wide / high) - math.log(size[0] / size[1]))

    nearest = min(map(off, offered))
    if math.expm1(nearest) > NEAR:
        with pytest.raises(Failure) as refused:
            shape_of(Asked(size=size), offered)
        assert refused.value.param == "size"
    else:
        assert off(shape_of(Asked(size=size), offered) or "") == nearest


@pytest.mark.parametrize("model", TARGETS)
@pytest.mark.parametrize("size", ["1024x1024", "1536x1024", "1024x1536", "1792x1024", "1024x1792", "512x512"])
def test_openais_own_sizes_are_known_to_all(model: str, size: str) -> None:
    assert asked(model, size=size)


# Edits -------------------------------------------------------------------------------------------------------------


def edited(model: str, request: Any) -> tuple[str, Any]:
    """Return who edits for a model, and what is sent."""
    (by,) = [
        each
        for each in PICTURE_TRANSLATORS
        if each.source == EDITS and matches(model, each.models) and each.takes(request)
    ]
    return by.target, by.request(request, model)


def files(parts: list[Part]) -> dict[str, str | None]:
    return {part.name: part.content_type for part in parts if part.filename is not None}


def test_a_model_that_draws_sees_the_pictures() -> None:
    target, body = edited(NANO, edit("image[]", "image[]"))
    assert target == "gemini.generateContent"
    part = {"inlineData": {"mimeType": "image/png", "data": DRAWN}}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "a hat"}, part, part]}]
    references = [{"image_url": png_url(8)}, {"image_url": "https://example.com/a.webp"}]
    _, body = edited(NANO, request_of({"model": NANO, "prompt": "a hat", "images": references}))
    inline, address = body["contents"][0]["parts"][1:]
    assert inline["inlineData"]["mimeType"] == "image/png"
    assert address == {"fileData": {"mimeType": "image/webp", "fileUri": "https://example.com/a.webp"}}


def test_ideogram_edits_behind_a_mask_and_remixes_without_one() -> None:
    target, parts = edited(V3, edit("image", size="1024x1536", quality="low"))
    assert (target, files(parts)) == ("ideogram.v3.remix", {"image": "image/png"})
    fields = {"prompt": "a hat", "num_images": "1", "aspect_ratio": "2x3", "rendering_speed": "TURBO"}
    assert said(parts) == fields
    target, parts = edited(V2, edit("image", n="2"))
    assert (target, files(parts)) == ("ideogram.remix", {"image_file": "image/png"})
    wrapped = {"prompt": "a hat", "num_images": 2, "model": "V_2"}
    assert json.loads(said(parts)["image_request"]) == wrapped
    masked = edit("image", size="1024x1024")
    masked.parts.append(Part("mask", memoryview(mask()), "m.png", "image/png"))
    target, parts = edited(V3, masked)
    assert (target, list(files(parts))) == ("ideogram.v3.edit", ["image", "mask"])
    assert colours(parts) == {"hidden": 255, "edited": 0}
    target, parts = edited(V2, masked)
    assert (target, list(files(parts))) == ("ideogram.edit", ["image_file", "mask"])
    assert said(parts)["model"] == "V_2"


def test_stability_inpaints() -> None:
    masked = edit("image", size="1024x1024", output_format="webp")
    masked.parts.append(Part("mask", memoryview(mask()), "m.png", "image/png"))
    target, parts = edited(INPAINT, masked)
    assert (target, list(files(parts))) == ("stability.edit.inpaint", ["image", "mask"])
    assert said(parts) == {"prompt": "a hat", "output_format": "webp"}
    assert colours(parts) == {"hidden": 0, "edited": 255}
    assert list(files(edited(INPAINT, edit("image"))[1])) == ["image"]


def colours(parts: list[Part]) -> dict[str, Any]:
    sent = opened(bytes(next(part.data for part in parts if part.name == "mask")))
    assert sent.size == (8, 8)
    return {"edited": sent.getpixel((0, 0)), "hidden": sent.getpixel((7, 7))}


@pytest.mark.parametrize("data", [b"no picture", png(8), png(2049, mode="RGBA"), b"", vast(), mask()[:45]])
def test_a_mask_that_says_nothing_is_refused(data: bytes) -> None:
    request = edit("image")
    request.parts.append(Part("mask", memoryview(data), "m.png", "image/png"))
    for model in (V3, INPAINT):
        with pytest.raises(Failure) as refused:
            edited(model, request)
        assert (refused.value.kind, refused.value.param) == (Reason.INVALID, "mask")


@pytest.mark.parametrize(
    ("model", "request_", "param"),
    [
        (NANO, edit("image", "mask"), "mask"),
        (V3, edit("image", "mask", negative_prompt="dogs"), "negative_prompt"),
        (V2, edit("image", "mask", negative_prompt="dogs"), "negative_prompt"),
        (V3, edit("image", "image"), "image"),
        (INPAINT, edit("image", n="2"), "n"),
        (V3, request_of({"prompt": "x", "images": [{"image_url": "https://example.com/a.png"}]}), "image"),
        (NANO, request_of({"prompt": "x", "images": [{"file_id": "file-1"}]}), "images"),
        (NANO, request_of({"prompt": "x", "images": [{"image_url": "data:image/png;base64,%%"}]}), "images"),
    ],
)
def test_what_cannot_be_edited_is_refused(model: str, request_: Any, param: str) -> None:
    with pytest.raises(Failure) as refused:
        edited(model, request_)
    assert (refused.value.kind, refused.value.param) == (Reason.INVALID, param)


# Answers -----------------------------------------------------------------------------------------------------------


def candidate(*parts: Any, reason: str = "STOP") -> Answer:
    return answer_of({"candidates": [{"content": {"parts": list(parts)}, "finishReason": reason}]})


def inline(thought: bool = False) -> Any:
    return {"inlineData": {"mimeType": "image/png", "data": DRAWN}, **({"thought": True} if thought else {})}


def artifacts(*reasons: str) -> Answer:
    return answer_of({"artifacts": [{"base64": DRAWN, "finishReason": reason} for reason in reasons]})


def picture(reason: str = "SUCCESS") -> Answer:
    return Answer(200, {"content-type": "image/png", "finish-reason": reason}, png(8))


URL = "https://ideogram.example/a.png?exp=1"
GOOD = {
    IMAGEN: answer_of({"predictions": [{"bytesBase64Encoded": DRAWN, "mimeType": "image/png", "prompt": "A cat."}]}),
    NANO: candidate({"text": "Here:"}, inline(thought=True), inline()),
    V3: answer_of({"data": [{"url": URL, "prompt": "A cat.", "is_image_safe": True}, {"url": None}]}),
    CORE: picture(),
    SDXL: artifacts("SUCCESS", "ERROR"),
}


def made(model: str, answer: Answer, usage: Usage | None = None, **more: Any) -> ImagesResponse:
    body = to(model).answer(asking(model, **more), answer, usage)
    assert None not in json.loads(body)["data"][0].values()
    return ImagesResponse.model_validate_json(body)


@pytest.mark.parametrize("model", GOOD)
@pytest.mark.parametrize("form", ["url", "b64_json", None])
def test_a_picture_comes_in_the_form_that_is_asked_for(model: str, form: str | None) -> None:
    answer = made(model, GOOD[model], response_format=form)
    (image,) = answer.data or ()
    given = URL if model == V3 else DRAWN
    if (form or ("url" if model == V3 else "b64_json")) == "url":
        # What is no address yet becomes one when it is kept.
        assert image.url == (given if model == V3 else f"data:image/png;base64,{given}")
        assert image.b64_json is None
    else:
        assert (image.b64_json, image.url) == (given, None)
    assert image.revised_prompt == ("A cat." if model in (IMAGEN, V3) else None)
    assert answer.output_format == (None if model == V3 else "png")
    assert answer.created > 1_600_000_000


def test_tokens_are_told_as_they_are_charged() -> None:
    assert made(CORE, GOOD[CORE], Usage(images=1)).usage is None
    usage = made(NANO, GOOD[NANO], Usage(input=5, image_in=258, output=39, image_out=1290)).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (263, 1329, 1592)
    assert (usage.input_tokens_details.text_tokens, usage.input_tokens_details.image_tokens) == (5, 258)


def test_pictures_among_text_are_found() -> None:
    (image,) = made(NANO, candidate({"text": f"![a]({png_url(8)})"})).data or ()
    assert image.b64_json == DRAWN


def test_json_in_the_place_of_a_picture_is_read() -> None:
    answer = answer_of(
        {"image": DRAWN, "finish_reason": "SUCCESS"}, **{"content-type": "application/json; type=image/png"}
    )
    (image,) = made(CORE, answer).data or ()
    assert image.b64_json == DRAWN


def test_blurred_pictures_come_with_good_ones() -> None:
    """As both are charged."""
    assert len(made(SDXL, artifacts("SUCCESS", "CONTENT_FILTERED", "ERROR")).data or ()) == 2


@pytest.mark.parametrize(
    ("model", "answer", "kind", "words"),
    [
        (IMAGEN, answer_of({"predictions": [{"raiFilteredReason": "Too violent."}]}), Reason.MODERATED, "Too violent."),
        (IMAGEN, answer_of({"predictions": []}), Reason.MODERATED, "held all back"),
        (IMAGEN, answer_of({"predictions": [7]}), Reason.UPSTREAM, "could not be read"),
        (NANO, answer_of({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}), Reason.MODERATED, "PROHIBITED"),
        (NANO, candidate(reason="IMAGE_SAFETY"), Reason.MODERATED, "IMAGE_SAFETY"),
        (NANO, candidate({"text": "I cannot draw."}), Reason.UNPROCESSABLE, "I cannot draw."),
        (NANO, candidate(reason="NO_IMAGE"), Reason.UNPROCESSABLE, "NO_IMAGE"),
        (NANO, candidate(inline(thought=True)), Reason.UNPROCESSABLE, "no picture"),
        (NANO, candidate("text"), Reason.UPSTREAM, "could not be read"),
        (V3, answer_of({"data": [{"url": None, "is_image_safe": False}]}), Reason.MODERATED, "not safe"),
        (V3, answer_of({"data": {"url": URL}}), Reason.UPSTREAM, "could not be read"),
        (CORE, picture("CONTENT_FILTERED"), Reason.MODERATED, "blurred"),
        (CORE, answer_of({"image": DRAWN}, **{"content-type": "text/json"}), None, ""),
        (SDXL, artifacts("CONTENT_FILTERED"), Reason.MODERATED, "blurred"),
        (SDXL, artifacts("ERROR"), Reason.UPSTREAM, "could not make"),
        (SDXL, answer_of({"artifacts": None}), Reason.UPSTREAM, "could not be read"),
    ],
)
def test_an_answer_without_a_picture_says_why(model: str, answer: Answer, kind: Reason | None, words: str) -> None:
    if kind is None:
        assert made(model, answer).data
        return
    with pytest.raises(Failure) as failed:
        made(model, answer)
    assert failed.value.kind is kind
    assert words in failed.value.message


def reframed(body: Any, operation: str = GENERATIONS, **more: Any) -> list[dict[str, Any]]:
    stream = REFRAMERS[operation].to_events(asking(V3, **more), json.dumps(body).encode())
    events = [event.split(b"\n") for event in stream.split(b"\n\n")[:-1]]
    assert all(name == b"event: " + json.loads(data[6:])["type"].encode() for name, data in events)
    return [json.loads(data[6:]) for _, data in events]


def test_whole_pictures_become_the_stream_that_was_asked_for() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    answer = {"created": 7, "data": [{"b64_json": "aa"}, {"b64_json": "bb"}], "output_format": "jpeg", "usage": usage}
    first, last = reframed(answer, size="1024x1536")
    common = {"type": "image_generation.completed", "created_at": 7, "size": "1024x1536", "output_format": "jpeg"}
    assert first == {**common, "quality": "auto", "background": "auto", "b64_json": "aa"}
    assert last == {**first, "b64_json": "bb", "usage": usage}
    assert reframed(answer, EDITS)[0]["type"] == "image_edit.completed"
    # Addresses are to be fetched for it.
    (image,) = made(V3, GOOD[V3], stream=True, response_format="url").data or ()
    assert image.b64_json == URL


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": [{"url": URL}]}, {"data": 7}, [], {"data": [7]}])
def test_what_holds_no_picture_becomes_no_stream(body: Any) -> None:
    with pytest.raises(Failure) as failed:
        reframed(body)
    assert failed.value.kind is Reason.UPSTREAM
    with pytest.raises(Failure):
        REFRAMERS[GENERATIONS].to_document(asking(V3), b"data: {}\n\n")


SAFETY = "The prompt violates Google's Responsible AI practices."


@pytest.mark.parametrize(
    ("model", "status", "body", "kind", "words"),
    [
        (IMAGEN, 400, {"error": {"code": 400, "message": SAFETY}}, Reason.MODERATED, SAFETY),
        (NANO, 400, {"error": {"message": "Bad ratio"}}, Reason.INVALID, "Bad ratio"),
        (NANO, 429, {"error": {"message": "Slow down"}}, Reason.RATE_LIMITED, "Slow down"),
        (V3, 422, {"error": "Prompt provided failed safety check"}, Reason.MODERATED, "failed safety check"),
        (V3, 400, {"error": "seed must be whole"}, Reason.INVALID, "seed must be whole"),
        (V2, 503, b"<html>", Reason.UNAVAILABLE, "refused"),
        (CORE, 403, {"name": "content_moderation", "errors": ["Flagged."]}, Reason.MODERATED, "Flagged."),
        (CORE, 400, {"name": "bad_request", "errors": ["seed: is bad", "x"]}, Reason.INVALID, "seed: is bad; x"),
        (CORE, 413, {"name": "payload_too_large", "errors": ["Too large"]}, Reason.TOO_LARGE, "Too large"),
        (SDXL, 400, {"name": "invalid_prompts", "message": "Filtered words."}, Reason.MODERATED, "Filtered words."),
        (SDXL, 429, {"name": "rate_limit_exceeded", "message": "Slow down"}, Reason.RATE_LIMITED, "Slow down"),
        (SDXL, 500, [], Reason.UPSTREAM, "refused"),
    ],
)
def test_refusals_are_read(model: str, status: int, body: Any, kind: Reason, words: str) -> None:
    failure = to(model).error(answer_of(body, status))
    assert failure.kind is kind
    assert words in failure.message
