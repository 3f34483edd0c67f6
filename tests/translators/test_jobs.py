"""Films and pictures between formats of jobs: what both have arrives, what only one has is refused by its name."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeepai.declare import Answer, Failure, JobTranslator, Part, Reason, Submit
from deeepai.gateway.body import HttpRequest
from deeepai.protocols import PROTOCOLS
from deeepai.translators import JOB_TRANSLATORS, TASK_TRANSLATORS
from deeepai.translators.jobs import (
    cogvideox,
    flux,
    gemini_videos,
    kling,
    luma,
    openai_videos,
    pika,
    pixverse,
    runway,
    vidu,
)
from deeepai.translators.jobs.common import Source, Target, times
from deeepai.translators.jobs.model import Body, Film, Picture

from .world import request_of

PNG = base64.b64encode(b"\x89PNG first").decode()
FIRST, LAST = (
    f"data:image/png;base64,{PNG}",
    "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff last").decode(),
)


def relays_body(film: Film, model: str) -> Body:
    """Write a film in the relays' own form, which nobody is asked in."""
    body: Body = {"model": model, "prompt": film.prompt, "image": film.first, "duration": film.seconds, "n": 1}
    body |= {"mode": "pro"} if film.high else {}
    size = film.size or (film.ratio and {(16, 9): (1280, 720), (9, 16): (720, 1280)}[film.ratio])
    return body | ({"size": times(size)} if size else {})


FILMS: dict[str, tuple[Source[Film], Any, str]] = {
    "kling": (kling.FILMS, kling.FILM_TARGET.write, "kling-v3"),
    "cogvideox": (cogvideox.FILMS, cogvideox.FILM_TARGET.write, "cogvideox-3"),
    "gemini": (gemini_videos.FILMS, gemini_videos.FILM_TARGET.write, "veo-3.1"),
    "openai": (openai_videos.FILMS, openai_videos.FILM_TARGET.write, "sora-2"),
    "relays": (openai_videos.RELAYS_FILMS, relays_body, "sora-2"),
    "luma": (luma.FILMS, luma.FILM_TARGET.write, "ray-v2"),
    "luma_goamz": (luma.GOAMZ_FILMS, luma.GOAMZ_FILM_TARGET.write, "ray-v2"),
    "dream_machine": (luma.PUBLISHED_FILMS, luma.PUBLISHED_FILM_TARGET.write, "ray-2"),
    "runwayml": (runway.PUBLISHED_FILMS, runway.PUBLISHED_FILM_TARGET.write, "gen4.5"),
    "runway_web": (runway.WEB_FILMS, runway.WEB_FILM_TARGET.write, "gen4"),
    "vidu_ent": (vidu.SOURCES[0], vidu.TARGETS[0].write, "viduq2-pro"),
    "vidu": (vidu.SOURCES[1], vidu.TARGETS[1].write, "vidu-1"),
    "pixverse": (pixverse.SOURCES[0], pixverse.TARGETS[2].write, "pixverse-v4.5"),
    "pixverse_web": (pixverse.SOURCES[1], pixverse.TARGETS[1].write, "pixverse-v4.5"),
    "pixverse_platform": (pixverse.SOURCES[2], pixverse.TARGETS[0].write, "pixverse-v5"),
    "pika": (pika.SOURCES[0], pika.TARGETS[0].write, "pika-1.5"),
    "pika_web": (pika.SOURCES[1], pika.TARGETS[1].write, "pika-2.0"),
    "pika_api": (pika.SOURCES[2], pika.TARGETS[2].write, "pika-2.2"),
}
"""Each format: how it is read, how it is written, and a model of its vendor's."""
HAS: dict[str, set[str]] = {
    "kling": {"negative_prompt", "first", "last", "seconds", "ratio", "high", "sound", "guidance"},
    "cogvideox": {"first", "last", "seconds", "ratio", "high", "sound", "fps"},
    "gemini": {"negative_prompt", "first", "last", "seconds", "ratio"},
    "openai": {"first", "seconds", "ratio"},
    "relays": {"first", "seconds", "ratio", "high"},
    "luma": {"first", "last", "seconds", "ratio"},
    "luma_goamz": {"first", "last", "seconds", "ratio"},
    # Frames are addresses there, and data URLs here.
    "dream_machine": {"seconds", "ratio"},
    "runwayml": {"first", "seconds", "ratio"},
    "runway_web": {"seconds", "ratio"},
    "vidu_ent": {"first", "last", "seconds", "ratio"},
    "vidu": {"seconds", "ratio"},
    "pixverse": {"negative_prompt", "ratio", "sound"},
    "pixverse_web": {"negative_prompt", "seconds", "ratio"},
    "pixverse_platform": {"negative_prompt", "seconds", "ratio", "sound"},
    "pika": {"negative_prompt", "ratio", "sound"},
    "pika_web": {"negative_prompt", "first", "ratio"},
    "pika_api": {"negative_prompt", "first", "seconds", "ratio"},
}
SECONDS: dict[str, set[int]] = {
    "kling": set(range(3, 16)),
    "cogvideox": {5, 10},
    "gemini": {4, 6, 8},
    "openai": {4, 8, 12},
    "relays": set(range(1, 20)),
    "luma": {5, 9},
    "luma_goamz": {5, 9},
    "dream_machine": {5, 9},
    "runwayml": set(range(2, 11)),
    "runway_web": {5, 10},
    "vidu_ent": set(range(1, 11)),
    "vidu": {4, 8},
    "pixverse": set(),
    "pixverse_web": {5, 8},
    "pixverse_platform": {5, 8},
    "pika": set(),
    "pika_web": set(),
    "pika_api": {5, 10},
}
SHAPED = {"runwayml", "runway_web"}
"""Formats that always name a ratio."""
FRAMED = {"kling", "vidu_ent", "pika_web", "pika_api"}
"""Formats in which a frame decides the ratio."""
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "negative_prompt": st.text("xyz ü", min_size=1),
    "first": st.just(FIRST),
    "last": st.just(LAST),
    "ratio": st.sampled_from([(16, 9), (9, 16)]),
    "high": st.just(True),
    "sound": st.just(True),
    "guidance": st.sampled_from([0.1, 1.0]),
    "fps": st.just(60),
}
PROTOCOL = {"relays": "openai"}
PAIRS = [
    (source, target)
    for source in FILMS
    for target in FILMS
    if target != "relays" and PROTOCOL.get(source, source) != PROTOCOL.get(target, target)
]


def crossing(source: str, target: str, request: HttpRequest) -> JobTranslator:
    """The translator that the gateway would choose, by any of the source's operations."""
    name = FILMS[source][0].operations[0]
    leading = [each for each in JOB_TRANSLATORS if each.source == name and each.target.startswith(f"{target}.")]
    (one,) = [each for each in leading if each.takes(request)]
    return one


def written(body: Body) -> HttpRequest:
    return request_of(json.loads(json.dumps(body)))


@st.composite
def films(draw: st.DrawFn, source: str, target: str) -> Film:
    """A film of what both formats have."""
    both = HAS[source] & HAS[target]
    names = draw(st.sets(st.sampled_from(sorted(both - {"seconds"}))))
    if "last" in names:
        names.add("first")
    if "first" in names and FRAMED & {source, target}:
        names.discard("ratio")  # the frame decides it
    wanted = {name: draw(VALUES[name]) for name in sorted(names)}
    lengths = sorted(SECONDS[source] & SECONDS[target])
    if lengths:
        wanted["seconds"] = float(draw(st.sampled_from(lengths)))
    return Film(prompt=draw(st.text("abc ü", min_size=1)), **wanted)


def compared(film: Film, names: set[str]) -> dict[str, Any]:
    """What a film has of some fields; its shape by the ratio, for sizes are pixels here and ratios there."""
    plain = {name: getattr(film, name) for name in names - {"ratio"}}
    shape = film.shape
    ratio = None if shape is None else round(math.log(shape[0] / shape[1]), 2)
    return {**plain, **({"ratio": ratio} if "ratio" in names else {}), "prompt": film.prompt}


@pytest.mark.parametrize(("source", "target"), PAIRS)
@given(data=st.data())
def test_what_both_formats_have_arrives(source: str, target: str, data: st.DataObject) -> None:
    film = data.draw(films(source, target))
    request = written(FILMS[source][1](film, FILMS[source][2]))
    translator = crossing(source, target, request)
    arrived = FILMS[target][0].read(written(dict(translator.request(request, FILMS[target][2]))))
    names = HAS[source] & HAS[target]
    if film.seconds is None:
        names = names - {"seconds"}
    if film.ratio is None:
        names = names - {"ratio"}
    if "ratio" in names and film.first and FRAMED & {source, target}:
        names = names - {"ratio"}
    if film.shape is None and {source, target} & SHAPED:
        names = names - {"ratio"}
    assert compared(arrived, names) == compared(film, names)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@given(data=st.data())
def test_what_the_target_lacks_is_refused_by_the_source_s_name(source: str, target: str, data: st.DataObject) -> None:
    lacking = HAS[source] - HAS[target] - {"sound", "seconds", "last"}
    # It is more lines there.
    lacking -= {"high"} if target in ("gemini", "luma", "luma_goamz", "dream_machine", "runwayml") else set()
    if not lacking:
        return
    name = data.draw(st.sampled_from(sorted(lacking)))
    film = Film(prompt="x", **{name: data.draw(VALUES[name])})
    request = written(FILMS[source][1](film, FILMS[source][2]))
    with pytest.raises(Failure) as refused:
        crossing(source, target, request).request(request, FILMS[target][2])
    assert refused.value.kind is Reason.INVALID
    assert refused.value.param in names_in(request)


def names_in(request: HttpRequest) -> set[str]:
    """All names in a body."""
    names: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            names.update(value)
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(item)

    walk(json.loads(request.raw))
    return names


KLING_TO = ("cogvideox", "gemini", "openai")


@pytest.mark.parametrize(
    ("source", "target", "body", "param"),
    [
        *(
            ("kling", target, {"prompt": "x", "camera_control": {"type": "simple"}}, "camera_control")
            for target in KLING_TO
        ),
        *(
            ("kling", target, {"prompt": "x", "watermark_info": {"enabled": True}}, "watermark_info")
            for target in KLING_TO
        ),
        ("kling", "cogvideox", {"image_tail": PNG}, "image_tail"),
        ("kling", "gemini", {"image": "https://example.com/a.png"}, "image"),
        ("kling", "gemini", {"prompt": "x", "aspect_ratio": "1:1"}, "aspect_ratio"),
        ("kling", "openai", {"image": PNG}, "prompt"),
        ("cogvideox", "kling", {"prompt": "x", "style": "anime"}, "style"),
        ("cogvideox", "kling", {"image_url": [PNG, PNG, PNG]}, "image_url"),
        ("cogvideox", "kling", {"prompt": "x", "size": "wide"}, "size"),
        ("cogvideox", "kling", {"prompt": "x", "size": "960x1280"}, "size"),
        ("gemini", "kling", {"instances": [{"prompt": "x", "video": {"uri": "y"}}]}, "video"),
        ("gemini", "kling", {"instances": [{"image": {"gcsUri": "gs://x"}}]}, "image"),
        ("gemini", "kling", {"instances": [{}, {}]}, "instances"),
        ("gemini", "kling", {"instances": [{"prompt": "x"}], "parameters": {"resolution": "8k"}}, "resolution"),
        ("openai", "kling", {"prompt": "x", "input_reference": {"file_id": "file-1"}}, "input_reference"),
        ("openai", "kling", {"prompt": "x", "seconds": "40"}, "seconds"),
        ("openai", "kling", {"prompt": "x", "metadata": "no object"}, "metadata"),
        ("relays", "kling", {"prompt": "x", "n": 2}, "n"),
        ("relays", "kling", {"prompt": "x", "duration": 40}, "duration"),
        ("relays", "kling", {"prompt": "x", "seed": "one"}, "seed"),
        ("luma", "kling", {"user_prompt": "x", "loop": True}, "loop"),
        ("luma", "kling", {"user_prompt": "x", "resolution": "8k"}, "resolution"),
        ("luma", "dream_machine", {"user_prompt": "x", "image_url": FIRST}, "image_url"),
        ("dream_machine", "kling", {"prompt": "x", "concepts": [{"key": "static"}]}, "concepts"),
        ("dream_machine", "kling", {"keyframes": {"frame0": {"type": "generation", "id": "1"}}}, "keyframes.frame0"),
        (
            "dream_machine",
            "luma",
            {"keyframes": {"frame1": {"type": "generation", "id": "1"}}},
            "keyframes.frame1",
        ),
        ("dream_machine", "luma", {"prompt": "x", "resolution": "4k"}, "resolution"),
        ("runwayml", "kling", {"promptText": "x", "promptImage": "runway://1"}, "promptImage"),
        ("runwayml", "kling", {"promptText": "x", "promptImage": [7]}, "promptImage"),
        ("runwayml", "kling", {"promptText": "x", "outputFormat": "prores"}, "outputFormat"),
        ("runway_web", "kling", {"prompt": "x", "style": "cinematic"}, "style"),
        ("runway_web", "kling", {"prompt": "x", "options": {"motion_vector": {"x": 1}}}, "motion_vector"),
        ("runway_web", "runwayml", {"prompt": "x", "image": "https://a/b", "last_image": "https://a/c"}, "last_image"),
    ],
)
def test_refusals_name_the_field(source: str, target: str, body: Body, param: str) -> None:
    request = request_of(body)
    with pytest.raises(Failure) as refused:
        crossing(source, target, request).request(request, FILMS[target][2])
    assert (refused.value.kind, refused.value.param) == (Reason.INVALID, param)


NAMES = (
    *("prompt", "negative_prompt", "image", "image_tail", "image_url", "duration", "seconds", "size", "aspect_ratio"),
    *("mode", "sound", "cfg_scale", "quality", "with_audio", "fps", "n", "width", "height", "seed", "metadata"),
    *("input_reference", "instances", "parameters", "input_image", "steps"),
    *("user_prompt", "keyframes", "promptText", "promptImage", "options", "taskType", "ratio", "resolution"),
)
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["16:9", "0:0", "9x9"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("name", sorted({each.source for each in JOB_TRANSLATORS}))
@given(
    body=JUNK | st.dictionaries(st.sampled_from(NAMES), JUNK, max_size=4),
    model=st.sampled_from(["sora-2-pro", "vidu2", "x"]),
)
def test_whatever_is_sent_is_carried_or_refused(name: str, body: Any, model: str) -> None:
    outcomes: list[Any] = []
    for translator in JOB_TRANSLATORS:
        if translator.source == name:
            request = request_of(body)
            try:
                translator.takes(request)
                carried = translator.request(request, model)
            except Failure as failure:
                outcomes.append(failure.kind)
            else:
                outcomes.append(type(carried))
    assert set(outcomes) <= {Reason.INVALID, dict, list}


# One by one --------------------------------------------------------------------------------------------------------


def test_every_pair_of_different_protocols_has_a_translator() -> None:
    submits = {
        f"{protocol.name}.{each.name}"
        for protocol in PROTOCOLS.values()
        for each in protocol.operations
        if isinstance(each, Submit)
    }
    assert all({each.source, each.target} <= submits for each in JOB_TRANSLATORS)
    assert all(each.source.partition(".")[0] != each.target.partition(".")[0] for each in JOB_TRANSLATORS)
    pairs = {(each.source.partition(".")[0], each.target.partition(".")[0]) for each in JOB_TRANSLATORS}
    makers = {*(name for name in FILMS if name != "relays"), "runway"}
    singers = {"suno", "suno_goamz", "suno_tasks"}
    made = {(a, b) for names in (makers, singers) for a in names for b in names if a != b}
    painters = ("flux", "kling", "midjourney", "dream_machine", "runwayml")
    drawn = {(a, b) for a in ("flux", "kling") for b in painters if a != b}
    assert pairs == made | drawn | {("viggle", "viggle_api")} | {("openai", singer) for singer in singers}
    assert [each.target.partition(".")[0] for each in TASK_TRANSLATORS] == list(painters)


@pytest.mark.parametrize(
    ("target", "model", "film", "told"),
    [
        (
            kling.FILM_TARGET,
            "kling-v2-6",
            Film(seconds=8, size=(1792, 1024)),
            {"duration": "10", "aspect_ratio": "16:9"},
        ),
        (kling.FILM_TARGET, "kling-v2-6", Film(size=(1080, 1920)), {"aspect_ratio": "9:16", "mode": "pro"}),
        (kling.FILM_TARGET, "kling-v3", Film(seconds=7, first=FIRST), {"duration": "7", "image": PNG}),
        (kling.FILM_TARGET, "kling-v1", Film(lines=720), {"duration": "5"}),
        (cogvideox.FILM_TARGET, "cogvideox-3", Film(ratio=(9, 16), lines=1080), {"size": "1080x1920"}),
        (cogvideox.FILM_TARGET, "cogvideox-3", Film(size=(3840, 2160)), {"size": "3840x2160"}),
        (cogvideox.FILM_TARGET, "cogvideox-2", Film(seconds=4), {}),
        (cogvideox.FILM_TARGET, "vidu2-image", Film(size=(1280, 720)), {"aspect_ratio": "16:9"}),
        (openai_videos.FILM_TARGET, "sora-2", Film(ratio=(16, 9), seconds=5), {"size": "1280x720", "seconds": "4"}),
        (openai_videos.FILM_TARGET, "sora-2-pro", Film(size=(1920, 1080)), {"size": "1792x1024"}),
        (openai_videos.FILM_TARGET, "kling-v2", Film(ratio=(1, 1), seconds=5), {"size": "720x720", "seconds": "5"}),
        (openai_videos.FILM_TARGET, "kling-v2", Film(size=(640, 480)), {"size": "640x480"}),
    ],
)
def test_what_a_vendor_is_told(target: Target[Film], model: str, film: Film, told: Body) -> None:
    body = target.write(dataclasses.replace(film, prompt="x"), model)
    extra = {"model", "model_name", "prompt"}
    assert {name: value for name, value in body.items() if name not in extra} == {
        **({"duration": "5"} if target is kling.FILM_TARGET else {}),
        **told,
    }


FROM, TO = "https://example.com/a.png", "https://example.com/b.png"


@pytest.mark.parametrize(
    ("target", "model", "film", "told"),
    [
        (luma.FILM_TARGET, "ray-v2", Film(seconds=8, high=True), {"duration": "9s", "resolution": "1080p"}),
        (luma.FILM_TARGET, "ray-v2", Film(enhance=False, loop=True), {"expand_prompt": False, "loop": True}),
        (luma.PUBLISHED_FILM_TARGET, "ray-2", Film(size=(3840, 2160)), {"aspect_ratio": "16:9", "resolution": "4k"}),
        (
            luma.PUBLISHED_FILM_TARGET,
            "ray-2",
            Film(follows="17", last=TO),
            {"keyframes": {"frame0": {"type": "generation", "id": "17"}, "frame1": {"type": "image", "url": TO}}},
        ),
        (
            runway.PUBLISHED_FILM_TARGET,
            "gen3a_turbo",
            Film(first=FROM, last=TO, ratio=(9, 16), seed=7),
            {
                "promptImage": [{"uri": FROM, "position": "first"}, {"uri": TO, "position": "last"}],
                "ratio": "768:1280",
                "duration": 5,
                "seed": 7,
            },
        ),
        (
            runway.PUBLISHED_FILM_TARGET,
            "veo3.1",
            Film(first=FROM, size=(1920, 1080), sound=True, negative_prompt="rain"),
            {"promptImage": FROM, "ratio": "1920:1080", "duration": 8, "audio": True, "negativePrompt": "rain"},
        ),
        (
            runway.FILM_TARGET,
            "gen3a_turbo",
            Film(last=FROM, seconds=9, ratio=(9, 16), seed=7, enhance=True),
            {
                "seconds": 10,
                "init_image": FROM,
                "image_as_end_frame": True,
                "width": 768,
                "height": 1280,
                "seed": 7,
                "enhance_prompt": True,
            },
        ),
        (
            runway.WEB_FILM_TARGET,
            "gen4",
            Film(last=FROM, ratio=(1, 1)),
            {"ratio": "1:1", "image": FROM, "options": {"seconds": 5, "image_as_end_frame": True}},
        ),
    ],
)
def test_what_luma_and_runway_are_told(target: Target[Film], model: str, film: Film, told: Body) -> None:
    body = target.write(dataclasses.replace(film, prompt="x"), model)
    if target is runway.FILM_TARGET:
        assert body["taskType"] == model
        body = body["options"]
    plain = ("model", "model_name", "prompt", "user_prompt", "promptText", "text_prompt")
    assert {name: value for name, value in body.items() if name not in plain} == told
    assert {body[name] for name in plain if name in body} <= {model, "x"}


def test_tasks_of_runway_s_web_site() -> None:
    options = {"text_prompt": "x", "seconds": 10, "init_image": FROM, "width": 768, "height": 1280, "seed": 3}
    film = runway.FILMS.read(request_of({"taskType": "gen3a_turbo", "options": options}))
    assert (film.prompt, film.first, film.seconds, film.size, film.seed) == ("x", FROM, 10.0, (768, 1280), 3)
    ended = runway.FILMS.read(request_of({"taskType": "europa", "options": {**options, "image_as_end_frame": True}}))
    assert (ended.first, ended.last) == (None, FROM)
    published = runway.FILMS.read(request_of({"model": "gen4_turbo", "promptImage": FROM, "ratio": "1280:720"}))
    assert (published.first, published.size) == (FROM, (1280, 720))
    with pytest.raises(Failure) as alone:
        runway.FILMS.read(request_of({"taskType": "gen2", "options": {"gen2Options": {"mode": "gen2"}}}))
    assert alone.value.param == "gen2Options"
    follows = {"taskType": "europa", "options": {"extended_from_task_id": "17", "seconds": 5}}
    with pytest.raises(Failure) as refused:
        runway.PUBLISHED_FILM_TARGET.write(runway.FILMS.read(request_of(follows)), "gen4.5")
    assert refused.value.param == "options.extended_from_task_id"


def test_lines_and_frames_at_google() -> None:
    film = Film(
        prompt="x", first=FIRST, last=LAST, lines=1080, seed=7, ratio=(9, 16), count=2, bag={"personGeneration": "y"}
    )
    body = gemini_videos.FILM_TARGET.write(film, "veo-2.0")
    (instance,) = body["instances"]
    assert instance["image"] == {"bytesBase64Encoded": PNG, "mimeType": "image/png"}
    assert instance["lastFrame"]["mimeType"] == "image/jpeg"
    told = {"aspectRatio": "9:16", "resolution": "1080p", "seed": 7, "sampleCount": 2, "personGeneration": "y"}
    assert body["parameters"] == told
    assert gemini_videos.FILM_TARGET.facts(body) == {"seconds": "8"}


def test_names_in_snake_case_are_google_s_too() -> None:
    frame = {"inline_data": {"data": PNG, "mime_type": "image/png"}}
    body = {
        "instances": [{"prompt": "x", "image": frame, "last_frame": {"bytes_base64_encoded": PNG}}],
        "parameters": {"aspect_ratio": "16:9", "duration_seconds": "6", "negative_prompt": "rain", "fps": 24},
    }
    film = gemini_videos.FILMS.read(request_of(body))
    assert (film.first, film.last, film.seconds, film.negative_prompt, film.ratio) == (
        FIRST,
        FIRST,
        6.0,
        "rain",
        (16, 9),
    )


def test_a_form_with_a_file_and_a_bag() -> None:
    request = request_of({})
    request.raw = b""
    request.parts = [
        Part("prompt", memoryview(b"a cat")),
        Part("metadata", memoryview(b'{"image_tail": "https://example.com/b.png", "mode": "pro"}')),
        Part("input_reference", memoryview(base64.b64decode(PNG)), "a.png", "image/png"),
    ]
    translator = crossing("openai", "kling", request)
    assert translator.target == "kling.videos.image2video"
    told = translator.request(request, "kling-v2-1")
    assert (told["prompt"], told["image"], told["mode"]) == ("a cat", PNG, "pro")
    assert told["image_tail"] == "https://example.com/b.png"
    assert translator.facts(told) == {"seconds": "5"}
    # The bag alone can make it one from frames.
    bag = request_of({"prompt": "x", "metadata": {"image_tail": "https://example.com/b.png"}})
    assert crossing("relays", "kling", bag).target == "kling.videos.image2video"


def test_what_says_nothing_is_left_out() -> None:
    body = {
        "prompt": "x",
        "cfg_scale": "0.5",
        "multi_shot": "false",
        "static_mask": "",
        "num_videos": 1,
        "sound": "off",
    }
    request = request_of(
        {**body, "watermark_info": {"enabled": False}, "callback_url": "https://x", "external_task_id": "1"}
    )
    assert crossing("kling", "cogvideox", request).request(request, "cogvideox-2") == {
        "model": "cogvideox-2",
        "prompt": "x",
    }


# Pictures ----------------------------------------------------------------------------------------------------------

BY_KLING = next(each for each in TASK_TRANSLATORS if each.target == "kling.images.generations")


@given(st.sampled_from([*kling.RATIOS]), st.booleans())
def test_pictures_between_kling_and_flux(ratio: str, framed: bool) -> None:
    wide, high = map(int, ratio.split(":"))
    picture = Picture(prompt="x", ratio=(wide, high), image=FIRST if framed else None)
    there = flux.PICTURE_TARGET.write(
        kling.PICTURES.read(written(kling.PICTURE_TARGET.write(picture, "kling-v2"))), "flux-dev"
    )
    assert abs(there["width"] / there["height"] - wide / high) / (wide / high) < 0.06
    assert there.get("input_image") == (PNG if framed else None)
    back = kling.PICTURE_TARGET.write(flux.PICTURES.read(written(there)), "kling-v2")
    assert (back["aspect_ratio"], back.get("image")) == (ratio, PNG if framed else None)
    ultra = flux.PICTURE_TARGET.write(picture, "flux-pro-1.1-ultra")
    assert ultra["aspect_ratio"] == ratio


@pytest.mark.parametrize(
    ("source", "body", "param"),
    [
        (kling.PICTURES, {"prompt": "x", "n": 2}, "n"),
        (kling.PICTURES, {"prompt": "x", "negative_prompt": "y"}, "negative_prompt"),
        (kling.PICTURES, {"prompt": "x", "image": PNG, "image_reference": "face"}, "image_reference"),
        (flux.PICTURES, {"prompt": "x", "steps": 20}, "steps"),
        (flux.PICTURES, {"prompt": "x", "width": 1024, "height": 256}, "width"),
    ],
)
def test_refusals_of_pictures(source: Source[Picture], body: Body, param: str) -> None:
    target = flux.PICTURE_TARGET if source is kling.PICTURES else kling.PICTURE_TARGET
    with pytest.raises(Failure) as refused:
        target.write(source.read(request_of(body)), "m")
    assert refused.value.param == param


def test_openai_s_images_as_kling_s_tasks() -> None:
    asked = {
        "model": "kling-v2",
        "prompt": "a cat",
        "n": 2,
        "size": "1536x1024",
        "seed": 3,
        "resolution": "2k",
        "steps": 9,
    }
    told = {"model_name": "kling-v2", "prompt": "a cat", "aspect_ratio": "3:2", "resolution": "2k"}
    assert BY_KLING.requests(request_of(asked), "kling-v2") == [told, told]


# Errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "status", "body", "reason", "message"),
    [
        (kling.FILM_TARGET, 400, {"code": 1201, "message": "bad mode"}, Reason.INVALID, "bad mode"),
        (kling.FILM_TARGET, 400, {"code": 1301, "message": "no"}, Reason.MODERATED, "no"),
        (kling.FILM_TARGET, 429, {"code": 1303, "message": "busy"}, Reason.RATE_LIMITED, "busy"),
        (cogvideox.FILM_TARGET, 400, {"error": {"code": "1211", "message": "no model"}}, Reason.NO_MODEL, "no model"),
        (cogvideox.FILM_TARGET, 400, {"error": {"code": "1301", "message": "no"}}, Reason.MODERATED, "no"),
        (cogvideox.FILM_TARGET, 500, [], Reason.UPSTREAM, "The upstream refused the request"),
        (openai_videos.FILM_TARGET, 400, {"error": {"message": "bad size"}}, Reason.INVALID, "bad size"),
        (gemini_videos.FILM_TARGET, 400, {"error": {"message": "bad ratio"}}, Reason.INVALID, "bad ratio"),
        (luma.FILM_TARGET, 400, {"error": {"message": "bad ratio"}}, Reason.INVALID, "bad ratio"),
        (luma.FILM_TARGET, 500, {"detail": {"reason": "broken", "code": 1}}, Reason.UPSTREAM, "broken"),
        (luma.PUBLISHED_FILM_TARGET, 400, {"detail": "Prompt is required"}, Reason.INVALID, "Prompt is required"),
        (
            luma.PUBLISHED_FILM_TARGET,
            422,
            {"detail": [{"loc": ["body", "model"], "msg": "Input should be 'ray-2'"}]},
            Reason.INVALID,
            "body.model: Input should be 'ray-2'",
        ),
        (runway.PUBLISHED_FILM_TARGET, 400, {"error": "bad ratio"}, Reason.INVALID, "bad ratio"),
        (runway.WEB_FILM_TARGET, 200, {"code": 400, "msg": "bad ratio"}, Reason.INVALID, "bad ratio"),
    ],
)
def test_refusals_of_vendors(target: Target[Film], status: int, body: Any, reason: Reason, message: str) -> None:
    failure = target.error(Answer(status, {}, json.dumps(body).encode()))
    assert (failure.kind, failure.message) == (reason, message)
