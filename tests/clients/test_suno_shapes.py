"""Suno's three shapes: each by requests of its own clients, and each done by an upstream of each other."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import requests

from deeepai.protocols import PROTOCOLS
from tests.clients.programs import isolated
from tests.operator import asked_of, rows
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.receiver import Receiver
from tests.support.until import until

SONG = {"prompt": "[Verse]\nRain", "tags": "folk", "title": "Rain on Tin"}
NONEBOT = Path(__file__).parent / "nonebot"
SPEC = json.loads((Path(__file__).parents[1] / "specs" / "suno_tasks.json").read_text())


class Caller:
    """Asks, and waits, in each of the shapes; a song is its clips as the web has them."""

    def __init__(self, gateway: Gateway, key: str | None = None) -> None:
        self.url = gateway.url
        self.head = {"authorization": f"Bearer {key or gateway.live}"}

    def ask(self, path: str, body: Any = None) -> requests.Response:
        method = "GET" if body is None else "POST"
        return requests.request(method, self.url + path, json=body, headers=self.head, timeout=20)

    def good(self, path: str, body: Any = None) -> Any:
        answer = self.ask(path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def web(self, body: Any, path: str = "/suno/v2/generate") -> list[Any]:
        made = self.good(path, body)
        return self.feed(*(clip["id"] for clip in made["clips"]))

    def feed(self, *ids: str) -> list[Any]:
        def look() -> Any:
            clips = self.good(f"/suno/feed/{','.join(ids)}")
            assert [clip["id"] for clip in clips] == list(ids)
            return clips if all(clip["status"] in ("complete", "error") for clip in clips) else None

        return until(look)

    def task(self, path: str, body: Any) -> Any:
        made = self.good(path, body)
        assert (made["code"], made["message"]) == ("success", "")
        return self.told(made["data"])

    def told(self, task: str) -> Any:
        def look() -> Any:
            told = self.good(f"/suno/fetch/{task}")["data"]
            assert told["task_id"] == task
            return told if told["status"] in ("SUCCESS", "FAILURE") else None

        return until(look)

    def goamz(self, path: str, body: Any) -> Any:
        made = self.good(path, body)
        assert (made["code"], made["message"], list(made["data"])) == (200, "success", ["task_id"])

        def look() -> Any:
            told = self.good(f"/suno/v1/v3.5/music/{made['data']['task_id']}")
            assert told["code"] == 200
            return told["data"] if told["data"]["status"] in ("completed", "failed") else None

        return until(look)


@pytest.fixture
def caller(gateway: Gateway) -> Caller:
    return Caller(gateway)


def cost(gateway: Gateway, task: str) -> int:
    return rows(gateway, "SELECT cost FROM tasks WHERE id = ?", task)[0]["cost"]


# GoAmzAI's format --------------------------------------------------------------------------------------------------


@pytest.mark.operation("suno_goamz.music", "suno_goamz.music.get")
@pytest.mark.parametrize(
    ("version", "mv"), [("v3.5/", "chirp-v3-5"), ("v3.0/", "chirp-v3-0"), ("mv-5/", "chirp-crow"), ("", "chirp-v3-0")]
)
def test_goamz_by_versions(gateway: Gateway, caller: Caller, version: str, mv: str) -> None:
    """As the site system asks, which appends to the address that its admin entered; the path's version counts."""
    body = {
        "custom_mode": True,
        "input": {**SONG, "continue_at": 0, "continue_clip_id": "", "title": f"V {mv} {version}"},
    }
    if version:
        body["mv"] = "chirp-v4"
    done = caller.goamz(f"/suno/v1/{version}music", body)
    assert done["status"] == "completed"
    assert json.loads(done["input"]) == body
    assert len(done["clips"]) == 2
    for name, clip in done["clips"].items():
        assert (clip["id"], clip["status"], clip["title"]) == (name, "complete", f"V {mv} {version}")
        assert clip["audio_url"].startswith(f"{gateway.url}/assets/{done['task_id']}/")
    sent = asked_of(gateway, f"V {mv} {version}")
    assert sent is not None
    assert sent["body"]["mv"] == mv
    assert cost(gateway, done["task_id"]) == 100_000_000


@pytest.mark.operation("suno_goamz.music", "suno_goamz.concat", "suno_goamz.music.get")
def test_goamz_flat_extended_and_joined(gateway: Gateway, caller: Caller) -> None:
    described = caller.goamz("/suno/v1/music", {"gpt_description_prompt": "a song of flat fields"})
    clips = list(described["clips"].values())
    assert all("flat fields" in clip["metadata"]["prompt"] for clip in clips)
    own = {**SONG, "mv": "chirp-v3-0", "continue_clip_id": clips[0]["id"], "continue_at": 25}
    longer = caller.goamz("/suno/v1/v3.0/music", {**own, "task_id": described["task_id"], "prompt": "flat and longer"})
    part = next(iter(longer["clips"].values()))
    sent = asked_of(gateway, "flat and longer")
    assert sent is not None
    assert set(sent["body"]) == {"custom_mode", "mv", "input", "notify_hook"}
    assert sent["body"]["input"]["continue_clip_id"] != clips[0]["id"], "clips of this vendor go by names of our own"
    joined = caller.goamz("/suno/v1/v3.0/music/concat", {"clip_id": part["id"]})
    (whole,) = joined["clips"].values()
    assert whole["metadata"]["type"] == "concat"
    assert whole["metadata"]["duration"] == pytest.approx(25 + part["metadata"]["duration"], abs=0.02)


def test_goamz_refuses_in_its_shape(gateway: Gateway, caller: Caller) -> None:
    for body, said in (
        ({"custom_mode": False, "input": {"prompt": "x"}}, "gpt_description_prompt"),
        ({"custom_mode": True, "input": {}}, "input.prompt"),
        ({"custom_mode": True, "input": {**SONG, "continue_clip_id": "nobody-s"}}, "was not found"),
        ({"mv": "x"}, "prompt"),
    ):
        answer = caller.ask("/suno/v1/v3.5/music", body)
        assert (answer.status_code, answer.json()["code"], answer.json()["data"]) == (400, 400, None)
        assert said in answer.json()["message"]
    keyed = requests.get(f"{gateway.url}/suno/v1/v3.5/music/nothing", headers={"x-api-key": gateway.live}, timeout=20)
    assert (keyed.status_code, keyed.json()["code"]) == (400, 400)
    nobody = requests.get(f"{gateway.url}/suno/v1/v3.5/music/nothing", headers={"x-api-key": "sk-wrong"}, timeout=20)
    assert (nobody.status_code, nobody.json()["code"]) == (401, 401)
    assert caller.ask("/suno/v1/v9/music", {"prompt": "x"}).status_code == 404


@pytest.mark.operation("suno_goamz.music")
def test_goamz_calls_back(gateway: Gateway, caller: Caller) -> None:
    with Receiver() as receiver:
        body = {"custom_mode": True, "input": SONG, "notify_hook": receiver.url}
        done = caller.goamz("/suno/v1/v3.5/music", body)
        until(lambda: receiver.received)
        (call,) = receiver.received
    assert call.body["data"]["task_id"] == done["task_id"]
    assert call.body["data"]["clips"].keys() == done["clips"].keys()


# Tasks -------------------------------------------------------------------------------------------------------------


def valid(name: str, value: Any) -> None:
    """Judge by Suno-API's own document."""
    jsonschema.Draft4Validator({**SPEC["definitions"][name], "definitions": SPEC["definitions"]}).validate(value)


@pytest.mark.operation("suno_tasks.submit.music", "suno_tasks.fetch", "suno_tasks.fetch.several")
def test_tasks_by_the_document(gateway: Gateway, caller: Caller) -> None:
    body = {**SONG, "mv": "chirp-v4", "make_instrumental": False, "prompt": "a task by its document"}
    valid("main.SubmitGenSongReq", body)
    done = caller.task("/suno/submit/music", body)
    valid("po.Task", {name: value for name, value in done.items() if name != "status"})
    assert (done["action"], done["status"], done["progress"], done["fail_reason"]) == ("MUSIC", "SUCCESS", "100%", "")
    assert 1_700_000_000 < done["submit_time"] <= done["start_time"] <= done["finish_time"]
    assert [clip["status"] for clip in done["data"]] == ["complete"] * 2
    assert all(clip["audio_url"].startswith(f"{gateway.url}/assets/") for clip in done["data"])
    sent = asked_of(gateway, "a task by its document")
    assert sent is not None
    valid("main.SubmitGenSongReq", sent["body"])
    several = caller.good("/suno/fetch", {"ids": [done["task_id"], "nobody-s", done["task_id"]], "action": "MUSIC"})
    valid("ginplus.DataResult", several)
    assert several["data"] == [done]
    assert caller.good("/suno/fetch", {"ids": [done["task_id"]], "action": "LYRICS"})["data"] == []
    assert caller.good("/suno/submit/fetch", {"ids": [done["data"][0]["id"]]})["data"] == [done]
    assert caller.good(f"/suno/task/{done['task_id']}") == done
    assert cost(gateway, done["task_id"]) == 100_000_000


@pytest.mark.operation("suno_tasks.submit.lyrics", "suno_tasks.submit.concat", "suno_tasks.submit.music")
def test_tasks_of_words_and_of_whole_songs(gateway: Gateway, caller: Caller) -> None:
    valid("main.SubmitGenLyricsReq", {"prompt": "dance"})
    words = caller.task("/suno/submit/LYRICS", {"prompt": "dance"})
    assert words["action"] == "LYRICS"
    assert (words["data"]["status"], "dance" in words["data"]["text"]) == ("complete", True)
    song = caller.task("/suno/submit/music", {**SONG, "mv": "chirp-v4"})
    clip = song["data"][0]["id"]
    longer = caller.task(
        "/suno/submit/music",
        {**SONG, "mv": "chirp-v4", "task_id": song["task_id"], "continue_clip_id": clip, "continue_at": 20.5},
    )
    joined = caller.task("/suno/submit/concat", {"clip_id": longer["data"][1]["id"], "is_infill": False})
    assert joined["action"] == "CONCAT"
    assert joined["data"][0]["metadata"]["type"] == "concat"
    assert cost(gateway, words["task_id"]) == 10_000_000
    assert cost(gateway, joined["task_id"]) == 50_000_000


@pytest.mark.operation("suno_tasks.submit.music", "suno_tasks.fetch")
def test_tasks_as_geekai_asks(caller: Caller) -> None:
    """Its paths, and its empty fields; it takes the large picture, and half of a task that has half failed."""
    body = {"task_id": "", "continue_clip_id": "", "continue_at": 0, "make_instrumental": False}
    made = caller.good("/task/suno/v1/submit/music", {**body, "gpt_description_prompt": "cats [sandbox:fail-part]"})
    task = caller.told(made["data"])
    assert caller.good(f"/task/suno/v1/fetch/{made['data']}")["data"] == task
    good, bad = task["data"]
    assert (task["status"], good["image_large_url"][:4], bad["status"]) == ("SUCCESS", "http", "error")
    assert isinstance(good["metadata"]["duration"], float)


@pytest.mark.operation("suno_tasks.submit.music", "suno_tasks.fetch")
def test_a_cover_as_comfly_asks(caller: Caller) -> None:
    """The song is made in one shape, its cover in another, and that one asked for as a bare task."""
    song = caller.web({**SONG, "mv": "chirp-crow"})[0]
    nothing = dict.fromkeys(("continue_clip_id", "continue_at", "continued_aligned_prompt", "infill_start_s"))
    body = {**SONG, **nothing, "generation_type": "TEXT", "mv": "chirp-crow", "task": "cover", "negative_tags": ""}
    made = caller.good("/suno/submit/music", {**body, "cover_clip_id": song["id"], "make_instrumental": False})

    def look() -> Any:
        told = caller.good(f"/suno/task/{made['data']}")
        return told if told["status"] == "SUCCESS" else None

    assert {clip["metadata"]["cover_clip_id"] for clip in until(look)["data"]} == {song["id"]}


@pytest.mark.operation("suno_tasks.submit.music", "suno_tasks.fetch")
def test_a_failure_ends_the_patience_of_each(gateway: Gateway, caller: Caller) -> None:
    failed = caller.task("/suno/submit/music", {**SONG, "prompt": "[sandbox:fail-midway] x"})
    assert (failed["status"], failed["progress"]) == ("FAILURE", "100%")
    assert failed["fail_reason"]
    assert {clip["status"] for clip in failed["data"]} == {"error"}
    assert caller.good(f"/suno/task/{failed['task_id']}")["status"] == "FAILED"
    assert cost(gateway, failed["task_id"]) == 0


@pytest.mark.operation("suno_tasks.submit.music", "suno_tasks.fetch.several")
def test_the_plugin_of_nonebot(gateway: Gateway) -> None:
    """Its own code; only its address, its bot and its patience are others."""
    finished = subprocess.run(
        isolated(NONEBOT),
        cwd=NONEBOT,
        env={**os.environ, "GATEWAY": gateway.url, "TOKEN": gateway.live, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    told = json.loads(finished.stdout.strip().splitlines()[-1])
    for name, title in (("own", "Plugged"), ("described", "Rain On Tin")):
        begun, goes_on, *songs, done = told[name]
        assert (begun, goes_on, done) == ("开始生成歌曲", "生成中", "歌曲生成完成")
        assert [song[0] for song in songs] == [title] * 2
        for _, _, sound, film in songs:
            assert sound.startswith(f"{gateway.url}/assets/")
            assert requests.get(film, timeout=20).headers["content-type"] == "video/mp4"
    assert told["failed"][-1] == "生成失败，请重试"


def test_tasks_refuse_in_their_shape(gateway: Gateway, caller: Caller) -> None:
    unknown = caller.ask("/suno/fetch/nothing")
    assert (unknown.status_code, unknown.json()["code"], unknown.json()["data"]) == (400, "task_not_exist", None)
    empty = caller.ask("/suno/submit/lyrics", {})
    assert (empty.status_code, empty.json()["code"]) == (400, "invalid_request")
    assert "prompt" in empty.json()["message"]
    stranger = Caller(gateway, "sk-wrong").ask("/suno/submit/music", SONG)
    assert (stranger.status_code, stranger.json()["error"]["type"]) == (401, "new_api_error")


# One upstream for all ----------------------------------------------------------------------------------------------

SHAPES = ("suno", "suno_goamz", "suno_tasks")


@pytest.fixture(scope="module", params=SHAPES)
def only(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway whose one upstream speaks one of the shapes."""
    shape = request.param
    made = Gateway(tmp_path_factory.mktemp(shape)).start()
    coverage_results.watch(made.url)
    base = f"{sandbox.url}/{shape}{urlsplit(PROTOCOLS[shape].base_url).path}"
    added = made.cli("channels", "add", shape, shape, "--base-url", base, "--key", "sk-upstream-suno")
    assert added.returncode == 0, added.stderr
    until(lambda: made.get("/v1/models")["data"])
    made.sandbox = sandbox
    yield made
    coverage_results.forget(made.url)
    proof = made.cli("ledger", "verify")
    made.stop()
    assert proof.returncode == 0, proof.stdout


def test_each_shape_asks_and_sees_the_same_songs(only: Gateway) -> None:
    caller = Caller(only)
    web = caller.web({**SONG, "mv": "chirp-v3.5"})
    task = caller.task("/suno/submit/music", {**SONG, "mv": "chirp-v3-5"})
    goamz = caller.goamz("/suno/v1/v3.5/music", {"custom_mode": True, "input": SONG})
    for clips in (web, task["data"], list(goamz["clips"].values())):
        assert [(clip["status"], clip["title"], clip["model_name"]) for clip in clips] == [
            ("complete", "Rain on Tin", "chirp-v3.5")
        ] * 2
        for clip in clips:
            assert clip["audio_url"].startswith(f"{only.url}/assets/")
            assert caller.feed(clip["id"])[0] == clip
    # Each shows the others' tasks.
    assert caller.good(f"/suno/feed/{task['task_id']}") == task["data"]
    assert caller.good(f"/suno/fetch/{goamz['task_id']}")["data"]["data"] == list(goamz["clips"].values())
    assert list(caller.good(f"/suno/v1/music/{task['task_id']}")["data"]["clips"].values()) == task["data"]
    vendors = {
        row["protocol"] for row in rows(only, "SELECT c.protocol FROM tasks t JOIN channels c ON c.id = t.channel_id")
    }
    assert len(vendors) == 1
    costs = {row["cost"] for row in rows(only, "SELECT cost FROM tasks")}
    assert costs == {100_000_000}


def test_each_shape_goes_on_from_the_others_clips(only: Gateway) -> None:
    caller = Caller(only)
    song = caller.web({**SONG, "mv": "chirp-v4"})[1]
    task = caller.task(
        "/suno/submit/music", {**SONG, "mv": "chirp-v4", "continue_clip_id": song["id"], "continue_at": 20}
    )
    again = {**SONG, "continue_clip_id": task["data"][0]["id"], "continue_at": 15}
    goamz = caller.goamz("/suno/v1/mv-4/music", {"custom_mode": True, "input": again})
    last = next(iter(goamz["clips"]))
    joined = caller.good("/suno/v2/concat", {"clip_id": last})
    (whole,) = caller.feed(joined["id"])
    parts = 20 + 15 + goamz["clips"][last]["metadata"]["duration"]
    assert whole["metadata"]["duration"] == pytest.approx(parts, abs=0.05)
    assert (whole["id"], whole["metadata"]["type"]) == (joined["id"], "concat")
    half = caller.task("/suno/submit/music", {**SONG, "mv": "chirp-v4", "prompt": "[sandbox:fail-part=1] x"})
    bad, good = half["data"]
    assert (bad["status"], good["status"], cost(only, half["task_id"])) == ("error", "complete", 50_000_000)
    told = caller.ask("/suno/v2/generate", {**SONG, "continue_clip_id": bad["id"]})
    assert (told.status_code, told.json()["error"]["code"]) == (400, "clip_not_complete")


def test_what_an_upstream_s_shape_has_no_word_for(only: Gateway, request: pytest.FixtureRequest) -> None:
    shape = request.node.callspec.params["only"]
    caller = Caller(only)
    song = caller.web({**SONG, "mv": "chirp-auk"})[0]
    cover = {**SONG, "mv": "chirp-auk", "task": "cover", "cover_clip_id": song["id"]}
    if shape == "suno_goamz":
        answer = caller.ask("/suno/v2/generate", cover)
        assert (answer.status_code, "'task'" in answer.json()["error"]["message"]) == (400, True)
        assert caller.ask("/suno/submit/lyrics", {"prompt": "rain"}).status_code == 404
        assert caller.ask("/suno/v2/upload", {"url": "https://example.com/x.mp3"}).status_code == 404
        return
    assert {clip["status"] for clip in caller.web(cover)} == {"complete"}
    made = caller.good("/suno/generate/lyrics", {"prompt": "rain"})
    told = until(lambda: (found := caller.good(f"/suno/lyrics/{made['id']}"))["status"] == "complete" and found)
    assert "rain" in told["text"]
    assert caller.told(made["id"])["data"]["text"] == told["text"]
    timing = caller.ask(f"/suno/act/timing/{song['id']}")
    assert timing.status_code == (200 if shape == "suno" else 400)


def refused(answer: requests.Response) -> Any:
    """Return a refusal because nobody is there, once it is one."""
    return answer.json() if answer.status_code == 503 else None


def test_a_follow_up_whose_channel_is_gone(only: Gateway, request: pytest.FixtureRequest) -> None:
    caller, shape = Caller(only), request.node.callspec.params["only"]
    song = caller.web({**SONG, "mv": "chirp-v4"})[0]
    assert only.cli("channels", "disable", shape).returncode == 0
    try:
        answer = until(lambda: refused(caller.ask("/suno/v2/generate", {**SONG, "continue_clip_id": song["id"]})))
        assert answer["error"]["code"] == "no_channel"
        # What was made stays.
        assert caller.feed(song["id"])[0]["status"] == "complete"
    finally:
        assert only.cli("channels", "enable", shape).returncode == 0
        until(lambda: caller.ask("/suno/v2/generate", {**SONG, "continue_clip_id": song["id"]}).ok)
