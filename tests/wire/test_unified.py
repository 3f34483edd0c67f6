"""One address for songs, and one for pictures, whichever vendor makes them; and what lists of models say of it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
import requests
from PIL import Image

from deeepai.protocols import PROTOCOLS
from tests.operator import asked_of, rows
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.http import Got, call, post
from tests.support.until import PATIENCE, until

SONGS = "/v1/music/generations"
SINGERS = ("suno", "suno_tasks", "suno_goamz")
TOML = "".join(
    f"""
[prices."song-by-{name}"]
per_call = "0.1"

[[channels]]
name = "sings-{name}"
protocol = "{name}"
base_url = "{{url}}/{name}{urlsplit(PROTOCOLS[name].base_url).path}"
credential = "sk-upstream-{name}"
models = ["song-by-{name}"]
model_map = {{{{ "song-by-{name}" = "suno_music" }}}}
"""
    for name in SINGERS
)


@pytest.fixture(scope="module")
def own(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = Path(tmp_path_factory.mktemp("unified"))
    made = Gateway(folder, sandbox, toml=TOML.format(url=sandbox.url)).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()


def song(gateway: Gateway, **said: Any) -> Got:
    return post(gateway, SONGS, {"model": "suno_music", **said})


def done(gateway: Gateway, song_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        told = call(gateway, "GET", f"{SONGS}/{song_id}", key=gateway.live).json
        return told if told["status"] in ("completed", "failed") else None

    return until(look)


@pytest.mark.operation("openai.music.generations", "openai.music.generations.get")
@pytest.mark.parametrize("singer", SINGERS)
def test_a_song_of_any_vendor(own: Gateway, singer: str) -> None:
    words = f"rain on a tin roof, by {singer}"
    begun = song(own, model=f"song-by-{singer}", prompt=words, title="Rain on Tin", style="folk")
    assert begun.status == 200, begun.body
    assert begun.json["id"].startswith("music_")
    assert begun.json["id"] == begun.json["task_id"]
    assert (begun.json["object"], begun.json["status"], begun.json["data"]) == ("music", "queued", [])
    told = done(own, begun.json["id"])
    assert (told["status"], told["progress"], told["error"]) == ("completed", 100, None)
    assert (told["prompt"], told["title"], told["model"]) == (words, "Rain on Tin", f"song-by-{singer}")
    assert len(told["data"]) == 2
    for one in told["data"]:
        assert one["url"].startswith(f"{own.url}/assets/{begun.json['id']}/")
        assert requests.get(one["url"], timeout=PATIENCE).headers["content-type"].startswith("audio/")
        cover = requests.get(one["image_url"], timeout=PATIENCE).content
        assert Image.open(io.BytesIO(cover)).size > (1, 1)
    sent = asked_of(own, words)
    assert sent is not None
    assert sent["vendor"] == singer
    (task,) = rows(own, "SELECT cost, served_by FROM tasks WHERE id = ?", begun.json["id"])
    assert task["cost"] == 100_000_000
    assert task["served_by"].startswith(f"{singer}.")
    listed = call(own, "GET", f"/v1/tasks/{begun.json['id']}", key=own.live).json
    assert (listed["protocol"], listed["operation"]) == ("openai", "openai.music.generations")
    assert {file["content_type"].partition("/")[0] for file in listed["files"]} >= {"audio", "image"}


@pytest.mark.operation("openai.music.generations")
def test_words_and_how_they_sound(own: Gateway) -> None:
    begun = song(
        own,
        lyrics="[Verse]\nThe kettle sings",
        prompt="slow and warm",
        style="folk",
        negative_style="metal",
        title="Kettle",
        metadata={"mv": "chirp-v4"},
    )
    assert begun.status == 200, begun.body
    sent = asked_of(own, "The kettle sings")
    assert sent is not None
    body = sent["body"] if isinstance(sent["body"], dict) else json.loads(sent["body"])
    assert body["prompt"] == "[Verse]\nThe kettle sings"
    assert (body["tags"], body["negative_tags"], body["title"]) == ("folk, slow and warm", "metal", "Kettle")
    assert body["mv"] == "chirp-v4"
    assert "gpt_description_prompt" not in body
    quiet = song(own, prompt="the sea at night, quietly", instrumental=True)
    assert quiet.status == 200
    sent = asked_of(own, "the sea at night, quietly")
    assert sent is not None
    body = sent["body"] if isinstance(sent["body"], dict) else json.loads(sent["body"])
    assert (body["gpt_description_prompt"], body["make_instrumental"]) == ("the sea at night, quietly", True)


@pytest.mark.parametrize(
    ("said", "status", "param"),
    [
        ({}, 400, "prompt"),
        ({"prompt": 5}, 400, "prompt"),
        ({"prompt": "x", "model": "nobodys-song"}, 404, "model"),
        ({"lyrics": "x", "instrumental": True}, 400, "lyrics"),
        ({"prompt": "x", "duration": 30}, 400, "duration"),
        ({"prompt": "x", "n": 3}, 400, "n"),
        ({"prompt": "x", "metadata": "no object"}, 400, "metadata"),
        ({"prompt": "x", "metadata": {"notify_hook": "https://example.com"}}, 400, "metadata"),
        # Cheaper work, under whose price no song is made.
        ({"prompt": "x", "model": "suno_lyrics"}, 404, "model"),
        ({"prompt": "x", "model": "suno_concat"}, 404, "model"),
    ],
)
def test_what_is_refused(own: Gateway, said: dict[str, Any], status: int, param: str) -> None:
    before = len(rows(own, "SELECT id FROM tasks"))
    answer = song(own, **said)
    assert (answer.status, answer.json["error"]["param"]) == (status, param), answer.body
    assert len(rows(own, "SELECT id FROM tasks")) == before
    assert not rows(own, "SELECT 1 FROM ledger WHERE request_id = ?", answer.request_id)


def test_a_song_that_fails_costs_nothing(own: Gateway) -> None:
    begun = song(own, prompt="[sandbox:fail-midway] x").json
    told = done(own, begun["id"])
    assert (told["status"], told["data"]) == ("failed", [])
    assert told["error"]["message"]
    (task,) = rows(own, "SELECT cost FROM tasks WHERE id = ?", begun["id"])
    assert task["cost"] == 0


@pytest.mark.operation("openai.music.generations.get")
def test_a_song_is_its_owners_and_no_film(own: Gateway) -> None:
    begun = song(own, prompt="mine alone").json
    assert call(own, "GET", f"{SONGS}/{begun['id']}", key=own.live).status == 200
    assert call(own, "GET", f"{SONGS}/{begun['id']}", key=own.test).status == 404
    film = post(own, "/v1/videos", {"model": "sora-2", "prompt": "a film", "seconds": "4"}).json
    assert call(own, "GET", f"{SONGS}/{film['id']}", key=own.live).status == 404


@pytest.mark.operation("openai.music.generations", "openai.music.generations.get")
def test_another_gateway_that_has_the_address(own: Gateway, tmp_path: Path) -> None:
    """A gateway of the same kind serves as a channel: the job is watched, and its files are kept, by both."""
    toml = f"""
[prices."song-from-afar"]
per_call = "0.2"

[[channels]]
name = "afar"
protocol = "openai"
base_url = "{own.url}/v1"
credential = "{own.live}"
models = ["song-from-afar"]
model_map = {{ "song-from-afar" = "suno_music" }}
"""
    far = Gateway(tmp_path, own.sandbox, toml=toml).start()
    try:
        begun = song(far, model="song-from-afar", prompt="over the hills")
        assert begun.status == 200, begun.body
        told = done(far, begun.json["id"])
        assert (told["id"], told["task_id"], told["model"]) == (begun.json["id"], begun.json["id"], "song-from-afar")
        assert len(told["data"]) == 2
        for one in told["data"]:
            assert one["url"].startswith(f"{far.url}/assets/")
            assert one["image_url"].startswith(f"{far.url}/assets/")
            assert requests.get(one["url"], timeout=PATIENCE).headers["content-type"].startswith("audio/")
        (task,) = rows(far, "SELECT cost FROM tasks WHERE id = ?", begun.json["id"])
        assert task["cost"] == 200_000_000
    finally:
        far.stop()


# Pictures ------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.images.generations")
def test_midjourney_draws_for_openais_client(own: Gateway) -> None:
    with openai.OpenAI(api_key=own.live, base_url=f"{own.url}/v1", max_retries=0) as client:
        answer = client.images.generate(
            model="mj_imagine",
            prompt="a lighthouse for openai",
            size="1536x1024",
            extra_body={"negative_prompt": "fog"},
        )
        assert answer.data is not None
        (picture,) = answer.data
        assert picture.url is not None
        assert picture.url.startswith(f"{own.url}/assets/")
        image = Image.open(io.BytesIO(requests.get(picture.url, timeout=PATIENCE).content))
        assert image.size > (100, 100)
    sent = asked_of(own, "a lighthouse for openai")
    assert sent is not None
    assert sent["vendor"] == "midjourney"
    assert "a lighthouse for openai --ar 3:2 --no fog" in str(sent["body"])


@pytest.mark.operation("openai.images.generations")
@pytest.mark.parametrize(("model", "vendor"), [("photon-1", "dream_machine"), ("gen4_image", "runwayml")])
def test_luma_and_runway_draw_too(own: Gateway, model: str, vendor: str) -> None:
    words = f"a lighthouse by {model}"
    answer = post(own, "/v1/images/generations", {"model": model, "prompt": words, "size": "1792x1024", "n": 2})
    assert answer.status == 200, answer.body
    pictures = answer.json["data"]
    assert len(pictures) == 2
    for picture in pictures:
        image = Image.open(io.BytesIO(requests.get(picture["url"], timeout=PATIENCE).content))
        assert image.size > (100, 100)
    sent = asked_of(own, words)
    assert sent is not None
    assert sent["vendor"] == vendor


@pytest.mark.parametrize(
    ("said", "status"),
    [
        # A cheaper kind of work draws no picture.
        ({"model": "mj_upscale"}, 404),
        ({"model": "mj_imagine", "size": "16:1"}, 400),
        ({"model": "mj_imagine", "negative_prompt": "x --v 1"}, 400),
    ],
)
def test_midjourney_refuses(own: Gateway, said: dict[str, Any], status: int) -> None:
    answer = post(own, "/v1/images/generations", {"prompt": "x", **said})
    assert answer.status == status, answer.body


# Lists of models -----------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.models.list", "openai.models.get")
def test_what_answers_a_model(own: Gateway) -> None:
    listed = {one["id"]: one for one in call(own, "GET", "/v1/models", key=own.live).json["data"]}
    types = {name: set(listed[name]["supported_endpoint_types"]) for name in listed}
    assert types["gpt-4o"] >= {"openai", "openai-response", "anthropic", "gemini"}
    assert types["claude-sonnet-4-5"] >= {"openai", "anthropic"}
    assert types["text-embedding-3-small"] == {"embeddings"}
    assert types["sora-2"] >= {"openai-video", "kling"}
    assert types["flux-dev"] >= {"image-generation"}
    assert types["mj_imagine"] >= {"image-generation", "midjourney-proxy"}
    assert "image-generation" not in types["mj_upscale"]
    assert types["suno_music"] >= {"suno-proxy"}
    ends = {name: listed[name]["endpoints"] for name in listed}
    assert {SONGS, "/suno/submit/music"} <= set(ends["suno_music"])
    assert SONGS not in ends["suno_lyrics"]
    assert {"/v1/videos", "/v1/video/generations"} <= set(ends["kling-v1"]) & set(ends["cogvideox-3"])
    assert "/v1/images/generations" in ends["mj_imagine"]
    assert "/v1/chat/completions" in ends["gpt-4o"]
    assert all(path.startswith("/") for paths in ends.values() for path in paths)
    assert call(own, "GET", "/v1/models/suno_music", key=own.live).json == listed["suno_music"]
