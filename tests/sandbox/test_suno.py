"""The sandbox's Suno in its three shapes, as relays' documents have them."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from .conftest import get, post, until

WEB, TASKS, GOAMZ = "/suno", "/suno_tasks/suno", "/suno_goamz/api/suno/v1"
SONG = {"mv": "chirp-v3-5", "prompt": "[Verse]\nRain on tin", "tags": "folk", "title": "Rain"}
OTHER = {"authorization": "Bearer sk-other"}


async def feed(http: aiohttp.ClientSession, *ids: str) -> list[Any]:
    return await until(
        lambda: get(http, f"{WEB}/feed/{','.join(ids)}"),
        lambda clips: len(clips) == len(ids) and all(clip["status"] in ("complete", "error") for clip in clips),
    )


async def songs(http: aiohttp.ClientSession, **body: Any) -> list[Any]:
    made = await post(http, f"{WEB}/generate", {**SONG, **body})
    return await feed(http, *(clip["id"] for clip in made["clips"]))


async def test_two_songs(http: aiohttp.ClientSession):
    made = await post(http, f"{WEB}/generate/", SONG)
    assert (made["status"], made["batch_size"], len(made["clips"])) == ("complete", 2, 2)
    assert {(clip["status"], clip["audio_url"], clip["image_url"]) for clip in made["clips"]} == {
        ("submitted", "", None)
    }
    ids = [clip["id"] for clip in made["clips"]]
    first, second = await feed(http, *ids)
    assert [clip["id"] for clip in await get(http, f"{WEB}/feed?ids={ids[1]},nobody,{ids[0]}")] == ids[::-1]
    assert 40 <= first["metadata"]["duration"] != second["metadata"]["duration"]
    async with http.get(first["audio_url"]) as sound:
        data = await sound.read()
        assert (sound.content_type, b"TEST MODE" in data[:64]) == ("audio/mpeg", True)
    async with http.get(first["video_url"]) as film:
        assert (await film.read())[4:8] == b"ftyp"


async def test_a_description_is_sung(http: aiohttp.ClientSession):
    said = {"mv": "chirp-auk", "gpt_description_prompt": "a tin roof", "prompt": "", "tags": "", "title": ""}
    sung, quiet = (await songs(http, **said))[0], (await songs(http, **said, make_instrumental=True))[0]
    assert (sung["title"], "tin roof" in sung["metadata"]["prompt"]) == ("A Tin Roof", True)
    assert (quiet["metadata"]["prompt"], quiet["model_name"]) == ("", "chirp-v4.5")


async def test_chains_replaced_sections_covers_and_stems(http: aiohttp.ClientSession):
    song = (await songs(http))[0]
    longer = (await songs(http, continue_clip_id=song["id"], continue_at=20))[0]
    longest = (await songs(http, continue_clip_id=longer["id"], continue_at=10, task="extend"))[0]
    joined = await post(http, f"{WEB}/generate/concat", {"clip_id": longest["id"]})
    (whole,) = await feed(http, joined["id"])
    assert whole["metadata"]["duration"] == pytest.approx(30 + longest["metadata"]["duration"], abs=0.02)
    history = [(part["id"], part["continue_at"]) for part in whole["metadata"]["concat_history"]]
    assert history == [(song["id"], 20), (longer["id"], 10), (longest["id"], None)]
    params = {"continue_clip_id": song["id"], "infill_start_s": 5, "infill_end_s": 15}
    section = (await songs(http, task="fixed_infill", metadata_params=params))[0]
    assert (section["metadata"]["duration"], section["metadata"]["infill"]) == (10, True)
    replaced = await post(http, f"{WEB}/generate/concat", {"clip_id": section["id"], "is_infill": True})
    assert (await feed(http, replaced["id"]))[0]["metadata"]["duration"] == song["metadata"]["duration"]
    large = {"task": "infill", "continue_clip_id": song["id"], "infill_start_s": 0}
    large["infill_end_s"] = song["metadata"]["duration"] * 0.51
    assert "at most half" in (await post(http, f"{WEB}/generate", {**SONG, **large}, 400))["detail"]
    cover = (await songs(http, task="cover", cover_clip_id=song["id"]))[0]
    assert cover["metadata"]["cover_clip_id"] == song["id"]
    voice, rest = (await get(http, f"{WEB}/act/stems/{song['id']}"))["clips"]
    assert (voice["title"], rest["title"]) == (" - Vocals", " - Instrumental")


async def test_one_of_two_fails(base: str):
    async with aiohttp.ClientSession(base, headers={"authorization": "Bearer sk-half"}) as http:
        await half(http)


async def half(http: aiohttp.ClientSession):
    before = (await get(http, f"{WEB}/get_credits"))["credits_left"]
    bad, good = await songs(http, prompt="[sandbox:fail-part=1] x")
    assert (bad["status"], bad["audio_url"], good["status"]) == ("error", "", "complete")
    assert (bad["metadata"]["error_type"], bad["metadata"]["refund_credits"]) == ("generation_failed", True)
    assert before - (await get(http, f"{WEB}/get_credits"))["credits_left"] == 5
    assert "has failed" in (await post(http, f"{WEB}/generate", {**SONG, "continue_clip_id": bad["id"]}, 400))["detail"]
    both = await songs(http, prompt="[sandbox:moderated-output] x")
    assert {clip["metadata"]["error_type"] for clip in both} == {"moderation_failure"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"mv": None}, "mv is required"),
        ({"mv": "chirp-v9"}, "no model"),
        ({"prompt": "x" * 3001}, "longer than 3000"),
        ({"tags": "x" * 201}, "longer than 200"),
        ({"mv": "chirp-crow", "tags": "x" * 1001}, "longer than 1000"),
        ({"title": "x" * 81}, "title"),
        ({"prompt": "", "tags": ""}, "is required"),
        ({"task": "cover"}, "cover_clip_id is required"),
        ({"task": "extend"}, "continue_clip_id is required"),
        ({"task": "artist_consistency", "artist_clip_id": "SONG"}, "persona_id is required"),
        ({"continue_clip_id": "SONG", "continue_at": 500}, "beyond the clip"),
        ({"continue_clip_id": "UPLOAD", "continue_at": 5}, "task upload_extend"),
        ({"task": "infill", "continue_clip_id": "SONG"}, "are required"),
        ({"task": "infill", "continue_clip_id": "SONG", "infill_start_s": 9, "infill_end_s": 9}, "within"),
        ({"task": "infill", "continue_clip_id": "SONG", "infill_start_s": 0, "infill_end_s": 5}, "6 to 60"),
        ({"prompt": 7}, "prompt"),
    ],
)
async def test_what_is_refused(http: aiohttp.ClientSession, body: Any, said: str, clips: dict[str, str]):
    text = json.dumps({**SONG, **body})
    for word, clip in clips.items():
        text = text.replace(f'"{word}"', f'"{clip}"')
    assert said in (await post(http, f"{WEB}/generate", json.loads(text), 400))["detail"]


_CLIPS: dict[str, str] = {}


@pytest.fixture
async def clips(http: aiohttp.ClientSession) -> dict[str, str]:
    """A song and an upload, made once."""
    if not _CLIPS:
        uploaded = await post(http, f"{WEB}/uploads/audio-url", {"url": "https://example.com/hum.mp3"})
        _CLIPS.update(SONG=(await songs(http))[0]["id"], UPLOAD=uploaded["data"])
        await feed(http, uploaded["data"])
    return _CLIPS


async def test_the_longest_song(http: aiohttp.ClientSession):
    clip = (await songs(http, mv="chirp-v3-0"))[0]
    while True:
        at = clip["metadata"]["duration"]
        async with http.post(
            f"{WEB}/generate", json={**SONG, "mv": "chirp-v3-0", "continue_clip_id": clip["id"], "continue_at": at}
        ) as answer:
            told = await answer.json()
            if answer.status == 400:
                break
        clip = (await feed(http, *(each["id"] for each in told["clips"])))[0]
    assert "longer than 120 seconds" in told["detail"]


async def test_what_is_joined_and_whose(http: aiohttp.ClientSession, clips: dict[str, str]):
    for body in ({"clip_id": clips["SONG"]}, {"clip_id": clips["SONG"], "is_infill": True}):
        assert "is no" in (await post(http, f"{WEB}/generate/concat", body, 400))["detail"]
    async with http.get(f"{WEB}/feed/{clips['SONG']}", headers=OTHER) as answer:
        assert await answer.json() == []
    await post(http, f"{WEB}/generate", {**SONG, "continue_clip_id": clips["SONG"]}, 404, **OTHER)
    for url in ("ftp://example.com/x.mp3", "https://example.com/x.exe"):
        await post(http, f"{WEB}/uploads/audio-url", {"url": url}, 400)
    await post(http, f"{WEB}/persona/create", {"root_clip_id": clips["UPLOAD"], "name": "x"}, 400)
    await post(http, f"{WEB}/act/tags", {}, 400)
    assert (await get(http, f"{WEB}/act/timing/{clips['SONG']}"))["aligned_words"][0]["word"] == "Rain"


async def test_an_upload_wants_its_words_its_file_and_its_order(http: aiohttp.ClientSession):
    await post(http, f"{WEB}/uploads/audio", {"extension": "exe"}, 400)
    form = await post(http, f"{WEB}/uploads/audio", {"extension": "wav"})
    one = f"{WEB}/uploads/audio/{form['id']}"
    assert (await get(http, one))["status"] == "pending"
    await post(http, f"{one}/upload-finish", {}, 400)
    await post(http, f"{one}/initialize-clip", {}, 400)
    for fields, status in (({**form["fields"], "policy": "other"}, 403), (form["fields"], 204)):
        data = aiohttp.FormData(fields)
        data.add_field("file", b"x" * 32_000, filename="hum.wav")
        async with aiohttp.request("POST", form["url"], data=data) as answer:
            assert answer.status == status
    await post(http, f"{one}/upload-finish", {"upload_filename": "hum.wav"})
    clip = (await post(http, f"{one}/initialize-clip", {}))["clip_id"]
    (made,) = await feed(http, clip)
    assert (made["title"], made["metadata"]["duration"]) == ("hum", 2)
    await post(http, f"{one}/initialize-clip", {}, 404, **OTHER)


async def test_tasks(http: aiohttp.ClientSession):
    async def ended(task: str) -> Any:
        told = await until(lambda: get(http, f"{TASKS}/fetch/{task}"), lambda told: told["data"]["progress"] == "100%")
        return told["data"]

    made = await post(http, f"{TASKS}/submit/music", {"gpt_description_prompt": "rain"})
    assert (made["code"], made["message"]) == ("success", "")
    done = await ended(made["data"])
    assert (done["status"], done["action"], [clip["status"] for clip in done["data"]]) == (
        "SUCCESS",
        "MUSIC",
        ["complete"] * 2,
    )
    clip = done["data"][0]["id"]
    body = {**SONG, "continue_clip_id": clip, "continue_at": 10}
    assert (await post(http, f"{TASKS}/submit/music", body, 400))["message"] == "task id is empty"
    assert (await post(http, f"{TASKS}/submit/music", {**body, "task_id": "x"}, 400))["code"] == "task_not_exist"
    longer = await ended((await post(http, f"{TASKS}/submit/music", {**body, "task_id": made["data"]}))["data"])
    joined = await ended((await post(http, f"{TASKS}/submit/concat", {"clip_id": longer["data"][0]["id"]}))["data"])
    assert (joined["action"], joined["data"][0]["metadata"]["type"]) == ("CONCAT", "concat")
    words = await ended((await post(http, f"{TASKS}/submit/lyrics", {"prompt": "rain"}))["data"])
    assert "rain" in words["data"]["text"]
    failed = await ended(
        (await post(http, f"{TASKS}/submit/music", {**SONG, "title": "[sandbox:fail-midway]"}))["data"]
    )
    assert (failed["status"], bool(failed["fail_reason"])) == ("FAILURE", True)
    several = await post(http, f"{TASKS}/fetch", {"ids": [longer["task_id"], "nobody", made["data"]]})
    assert [task["task_id"] for task in several["data"]] == [longer["task_id"], made["data"]]
    assert (await get(http, f"{TASKS}/fetch/nobody", 400))["code"] == "task_not_exist"


async def test_goamz(http: aiohttp.ClientSession):
    async def ended(made: Any) -> Any:
        path = f"{GOAMZ}/music/{made['data']['task_id']}"
        told = await until(lambda: get(http, path), lambda told: told["data"]["status"] in ("completed", "failed"))
        return told["data"]

    described = {"custom_mode": False, "input": {"gpt_description_prompt": "rain", "title": "unused"}}
    first = await post(http, f"{GOAMZ}/music", described)
    assert (first["code"], first["message"]) == (200, "success")
    done = await ended(first)
    assert json.loads(done["input"])["input"]["gpt_description_prompt"] == "rain"
    clip = next(iter(done["clips"]))
    own = {"custom_mode": True, "mv": "chirp-v3-5", "input": {**SONG, "continue_clip_id": clip, "continue_at": 12}}
    longer = await ended(await post(http, f"{GOAMZ}/music", own, 200, **{"x-api-key": "sk-test"}))
    joined = await ended(await post(http, f"{GOAMZ}/music/concat", {"clip_id": next(iter(longer["clips"]))}))
    assert [clip["metadata"]["type"] for clip in joined["clips"].values()] == ["concat"]
    for body in ({"custom_mode": True, "input": {}}, {"custom_mode": False, "input": {"prompt": "x"}}, {"input": SONG}):
        refused = await post(http, f"{GOAMZ}/music", body, 400)
        assert refused["code"] == 400
    assert (await get(http, f"{GOAMZ}/music/nobody", 400))["code"] == 400
