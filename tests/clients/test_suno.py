"""Suno as its public clients ask: Dooy's web client, the nodes of ComfyUI-Comfly, and the relays' own documents."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import av
import pytest
import requests

from tests.operator import asked_of, rows, usage_row
from tests.stack import Gateway
from tests.support.receiver import Receiver
from tests.support.until import until

SONG = {"prompt": "[Verse]\nRain on the roof", "tags": "folk", "title": "Rain on Tin", "mv": "chirp-v3-5"}
PRICE = 100_000_000


class Web:
    """What Dooy's client does: a path below `/suno`, and an error's message where the answer is not good."""

    def __init__(self, gateway: Gateway, key: str | None = None, below: str = "/suno") -> None:
        self._base = gateway.url + below
        self._session = requests.Session()
        self._session.headers["authorization"] = f"Bearer {key or gateway.live}"

    def close(self) -> None:
        self._session.close()

    def ask(self, path: str, data: Any = None) -> requests.Response:
        method = "GET" if data is None else "POST"
        return self._session.request(method, self._base + path, json=data, timeout=20)

    def fetch(self, path: str, data: Any = None) -> Any:
        answer = self.ask(path, data)
        if not answer.ok:
            raise RuntimeError(f"({answer.status_code}) {answer.json()['error']['message']}")
        return answer.json()

    def generate(self, **body: Any) -> list[str]:
        """Ask for songs as Comfly does: a status of 200 exactly, an id, two clips."""
        answer = self.ask("/generate", {**SONG, **body})
        assert answer.status_code == 200, answer.text
        made = answer.json()
        assert made["id"]
        assert made["status"] == "complete"
        assert len(made["clips"]) == 2
        assert {clip["status"] for clip in made["clips"]} == {"submitted"}
        return [clip["id"] for clip in made["clips"]]

    def feed(self, *ids: str) -> list[Any]:
        """Poll until each clip has ended."""

        def look() -> list[Any] | None:
            clips = self.fetch("/feed/" + ",".join(ids))
            assert all(bool(clip["audio_url"]) == (clip["status"] == "complete") for clip in clips), clips
            return clips if all(clip["status"] in ("complete", "error") for clip in clips) else None

        return until(look)

    def songs(self, **body: Any) -> list[Any]:
        return self.feed(*self.generate(**body))


@pytest.fixture(scope="session")
def stranger_s(gateway: Gateway) -> str:
    """Somebody else's token."""
    for words in (("add", "suno-stranger"), ("grant", "suno-stranger", "5")):
        done = gateway.cli("accounts", *words)
        assert done.returncode == 0, done.stderr
    made = gateway.cli("tokens", "add", "suno-stranger", "--account", "suno-stranger")
    key = re.search(r"sk-\S+", made.stdout)
    assert key is not None, made.stdout + made.stderr
    until(lambda: requests.get(f"{gateway.url}/suno/feed/x", headers={"authorization": f"Bearer {key[0]}"}).ok)
    return key[0]


@pytest.fixture
def web(gateway: Gateway) -> Iterator[Web]:
    opened = Web(gateway)
    yield opened
    opened.close()


def task_of(gateway: Gateway, clip: str) -> dict[str, Any]:
    (found,) = rows(gateway, "SELECT t.* FROM objects o JOIN tasks t ON t.id = o.parent_id WHERE o.id = ?", clip)
    return found


def seconds(sound: bytes) -> float:
    """How long a sound is, by all that is decoded of it."""
    with av.open(io.BytesIO(sound)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


@pytest.mark.operation("suno.generate", "suno.feed")
def test_a_song_of_one_s_own(gateway: Gateway, web: Web) -> None:
    ids = web.generate(seed=7, task_id="", notify_hook="", prompt="[Verse]\nA song of suno's own")
    first, second = web.feed(*ids)
    assert [first["id"], second["id"]] == ids
    assert (first["title"], first["tags"], first["prompt"]) == (
        "Rain on Tin",
        "folk",
        "[Verse]\nA song of suno's own",
    )
    for clip in (first, second):
        for name in ("audio_url", "video_url", "image_url", "image_large_url"):
            assert clip[name].startswith(f"{gateway.url}/assets/{task_of(gateway, clip['id'])['id']}/"), name
        sound = requests.get(clip["audio_url"], timeout=20)
        assert sound.headers["content-type"] == "audio/mpeg"
        assert seconds(sound.content) == pytest.approx(clip["metadata"]["duration"], abs=0.1)
        assert requests.get(clip["video_url"], timeout=20).headers["content-type"] == "video/mp4"
        assert requests.get(clip["image_url"], timeout=20).headers["content-type"] == "image/jpeg"
    assert first["audio_url"] != second["audio_url"]
    assert task_of(gateway, ids[0])["cost"] == PRICE
    sent = asked_of(gateway, "A song of suno's own")
    assert sent is not None
    assert set(sent["body"]) == {"prompt", "tags", "title", "mv"}


@pytest.mark.operation("suno.generate", "suno.feed")
def test_by_a_description_as_comfly_asks(web: Web) -> None:
    body = {"gpt_description_prompt": "a song about tin", "make_instrumental": False, "mv": "chirp-v3.5", "prompt": ""}
    made = web.fetch("/generate/description-mode", {**body, "seed": 12})
    clips = web.feed(*(clip["id"] for clip in made["clips"]))
    assert {clip["status"] for clip in clips} == {"complete"}
    assert all("tin" in clip["metadata"]["prompt"] and clip["title"] for clip in clips)
    assert {clip["model_name"] for clip in clips} == {"chirp-v3.5"}
    # By the task's id, too, which is how some of its nodes ask.
    assert [clip["id"] for clip in web.fetch(f"/feed/{made['id']}")] == [clip["id"] for clip in clips]
    quiet = web.songs(gpt_description_prompt="rain alone", make_instrumental=True, prompt="", tags="", title="")
    assert {clip["metadata"]["prompt"] for clip in quiet} == {""}


@pytest.mark.operation("suno.feed")
def test_one_feed_of_several_tasks_in_the_order_of_the_ids(gateway: Gateway, web: Web, stranger_s: str) -> None:
    """What is nobody's, and what is somebody else's, is left out."""
    one, two = web.generate(), web.generate()
    stranger = Web(gateway, stranger_s)
    theirs = stranger.generate()
    asked = [two[1], "no-such-clip", one[0], theirs[0], two[0], one[0], one[1]]
    assert [clip["id"] for clip in web.feed(*asked)] == [two[1], one[0], two[0], one[1]]
    assert stranger.fetch("/feed/" + ",".join(one + two)) == []
    for path in (f"/v2/feed?ids={one[0]}", f"/feed?ids={one[0]}", f"/v2/feed/{one[0]}", f"/feed/{one[0]}/"):
        (clip,) = web.fetch(path)
        assert clip["id"] == one[0]
    assert Web(gateway, below="/sunoapi").fetch(f"/feed/{one[0]}")[0]["id"] == one[0]
    nothing = web.ask("/v2/feed")
    assert (nothing.status_code, nothing.json()["error"]["message"]) == (400, "ids: ids is required")
    stranger.close()


@pytest.mark.operation("suno.generate", "suno.concat", "suno.feed")
def test_extended_and_joined(gateway: Gateway, web: Web) -> None:
    song = web.songs()[0]
    longer = web.songs(continue_clip_id=song["id"], continue_at=30, task="extend", prompt="More rain")[0]
    assert longer["metadata"]["audio_prompt_id"] == song["id"]
    joined = web.fetch("/generate/concat", {"clip_id": longer["id"], "is_infill": False})
    assert (joined["status"], joined["metadata"]["type"]) == ("submitted", "concat")
    (whole,) = web.feed(joined["id"])
    assert whole["metadata"]["duration"] == pytest.approx(30 + longer["metadata"]["duration"], abs=0.02)
    assert [part["id"] for part in whole["metadata"]["concat_history"]] == [song["id"], longer["id"]]
    assert task_of(gateway, joined["id"])["cost"] == PRICE // 2
    channels = {task_of(gateway, clip["id"])["channel_id"] for clip in (song, longer, whole)}
    assert len(channels) == 1


@pytest.mark.operation("suno.upload", "suno.generate", "suno.concat", "suno.feed")
def test_an_upload_goes_on(gateway: Gateway, web: Web) -> None:
    said = web.fetch("/uploads/audio-url", {"url": "https://example.com/hum.mp3"})
    assert (said["code"], said["message"]) == ("success", "")
    clip = said["data"]
    (own,) = web.feed(clip)
    assert (own["id"], own["title"], own["metadata"]["type"]) == (clip, "hum", "upload")
    body = {"continue_clip_id": clip, "continue_at": 20, "mv": "chirp-v4", "task": "upload_extend"}
    longer = web.songs(**body)[0]
    joined = web.fetch("/v2/concat", {"clip_id": longer["id"]})
    assert web.feed(joined["id"])[0]["status"] == "complete"
    old = web.songs(continue_clip_id=clip, continue_at=20, mv="chirp-v3-5-upload")
    assert {each["status"] for each in old} == {"complete"}
    assert task_of(gateway, clip)["cost"] == PRICE // 50


@pytest.mark.operation("suno.generate", "suno.concat", "suno.feed")
def test_covered_and_a_section_replaced(gateway: Gateway, web: Web) -> None:
    song = web.songs()[0]
    blank = ("continue_clip_id", "continue_at", "continued_aligned_prompt", "infill_start_s", "infill_end_s")
    nothing = dict.fromkeys(blank)
    cover = web.songs(**nothing, task="cover", cover_clip_id=song["id"], mv="chirp-v3-5-tau", tags="jazz", title="Jazz")
    assert {clip["metadata"]["cover_clip_id"] for clip in cover} == {song["id"]}
    assert {clip["metadata"]["duration"] for clip in cover} == {song["metadata"]["duration"]}
    body = {"continue_at": None, "infill_start_s": 10, "infill_end_s": 24.8, "task": "infill", "mv": "chirp-v3-5-tau"}
    section = web.songs(**body, continue_clip_id=song["id"])[0]
    assert section["metadata"]["duration"] == pytest.approx(14.8)
    assert task_of(gateway, section["id"])["cost"] == PRICE * 108 // 100
    (whole,) = web.feed(web.fetch("/generate/concat", {"clip_id": section["id"], "is_infill": True})["id"])
    assert whole["metadata"]["duration"] == song["metadata"]["duration"]


@pytest.mark.operation("suno.generate", "suno.feed")
def test_one_of_two_songs_fails_and_half_is_charged(gateway: Gateway, web: Web) -> None:
    good, bad = web.songs(prompt="[sandbox:fail-part] x")
    assert (good["status"], bad["status"]) == ("complete", "error")
    assert (bad["audio_url"], bad["video_url"], bad["image_url"]) == ("", "", None)
    assert bad["metadata"]["error_message"]
    task = task_of(gateway, good["id"])
    assert (task["state"], task["cost"]) == ("succeeded", PRICE // 2)
    with pytest.raises(RuntimeError, match="has failed"):
        web.fetch("/generate", {**SONG, "continue_clip_id": bad["id"], "continue_at": 10})
    assert {clip["status"] for clip in web.songs(continue_clip_id=good["id"], continue_at=10)} == {"complete"}


@pytest.mark.parametrize("trigger", ["fail-midway", "moderated-output"])
def test_what_fails_is_free(gateway: Gateway, web: Web, trigger: str) -> None:
    clips = web.songs(prompt=f"[sandbox:{trigger}] x")
    assert {clip["status"] for clip in clips} == {"error"}
    assert all(clip["metadata"]["error_message"] for clip in clips)
    assert task_of(gateway, clips[0]["id"])["cost"] == 0


@pytest.mark.operation("suno.lyrics", "suno.lyrics.get")
def test_lyrics(gateway: Gateway, web: Web) -> None:
    made = web.fetch("/generate/lyrics/", {"prompt": "a song about rain", "seed": 3})

    def look() -> Any:
        told = web.fetch(f"/lyrics/{made['id']}")
        return told if told["status"] in ("complete", "error") else None

    told = until(look)
    assert told["status"] == "complete"
    assert "rain" in told["text"]
    assert told["title"]
    (task,) = rows(gateway, "SELECT cost FROM tasks WHERE id = ?", made["id"])
    assert task["cost"] == PRICE // 10


@pytest.mark.operation(
    "suno.act.timing", "suno.act.wav", "suno.act.mp4", "suno.act.midi", "suno.act.tags", "suno.act.stems"
)
def test_what_else_is_made_of_a_song(gateway: Gateway, web: Web) -> None:
    clip = web.songs()[0]
    aligned = web.fetch(f"/act/timing/{clip['id']}")["aligned_words"]
    assert [word["word"] for word in aligned] == ["Rain", "on", "the", "roof"]
    wav = web.fetch(f"/act/wav/{clip['id']}")
    url = wav["data"]["wav_file_url"]
    assert (wav["code"], url.startswith(f"{gateway.url}/assets/")) == ("success", True)
    assert requests.get(url, timeout=20).content[:4] == b"RIFF"
    film = web.fetch(f"/act/mp4/{clip['id']}")["data"]
    assert requests.get(film, timeout=20).content[4:8] == b"ftyp"
    assert film.startswith(f"{gateway.url}/assets/")
    assert web.fetch(f"/act/midi/{clip['id']}")["state"] == "complete"
    assert web.fetch("/act/tags", {"original_tags": "folk"})["upsampled_tags"].startswith("folk")
    stems = web.fetch(f"/act/stems/{clip['id']}")["clips"]
    voice, rest = web.feed(*(stem["id"] for stem in stems))
    assert (voice["metadata"]["type"], voice["metadata"]["stem_from_id"]) == ("stem", clip["id"])
    assert (voice["title"].endswith("Vocals"), rest["title"].endswith("Instrumental")) == (True, True)
    assert task_of(gateway, voice["id"])["cost"] == PRICE
    answer = web.ask(f"/act/timing/{clip['id']}")
    assert usage_row(gateway, answer.headers["x-request-id"])["cost"] == PRICE // 50
    unknown = web.ask("/act/wav/no-such-clip")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "task_not_found")


@pytest.mark.operation("suno.persona.create", "suno.generate")
def test_a_voice(gateway: Gateway, web: Web, stranger_s: str) -> None:
    clip = web.songs()[0]["id"]
    about = {"root_clip_id": clip, "name": "Rain", "description": "rough", "clips": [clip], "is_public": False}
    made = web.fetch("/persona/create/", about)
    assert made["root_clip_id"] == clip
    voice = {"task": "artist_consistency", "persona_id": made["id"], "artist_clip_id": clip}
    sung = web.songs(**voice)
    assert {each["metadata"]["persona_id"] for each in sung} == {made["id"]}
    stranger = Web(gateway, stranger_s)
    theirs = stranger.songs()[0]["id"]
    with pytest.raises(RuntimeError, match="was not found"):
        stranger.fetch("/generate", {**SONG, **voice, "artist_clip_id": theirs})
    stranger.close()


@pytest.mark.operation(
    "suno.uploads.begin", "suno.uploads.finish", "suno.uploads.get", "suno.uploads.initialize", "suno.feed"
)
def test_an_upload_in_six_steps_as_comfly_does(gateway: Gateway, web: Web, stranger_s: str) -> None:
    form = web.fetch("/uploads/audio", {"extension": "mp3", "seed": 1})
    fields = form["fields"]
    early = web.ask(f"/uploads/audio/{form['id']}/initialize-clip", {})
    assert early.status_code == 400
    files = {name: ("", fields[name]) for name in ("Content-Type", "key", "AWSAccessKeyId", "policy", "signature")}
    sound = io.BytesIO(b"\xff\xf3\x84\xc4" + bytes(32_000))
    stored = requests.post(form["url"], files={**files, "file": ("hum.mp3", sound, "audio/mpeg")}, timeout=20)
    assert (stored.status_code, stored.content) == (204, b"")
    about = {"upload_type": "file_upload", "upload_filename": "hum.mp3"}
    assert web.fetch(f"/uploads/audio/{form['id']}/upload-finish", about) == {}
    told = web.fetch(f"/uploads/audio/{form['id']}")
    assert (told["id"], told["status"]) == (form["id"], "complete")
    clip = web.fetch(f"/uploads/audio/{form['id']}/initialize-clip", {})["clip_id"]
    (own,) = web.feed(clip)
    assert (own["id"], own["title"], own["metadata"]["type"]) == (clip, "hum", "upload")
    assert task_of(gateway, clip)["cost"] == PRICE // 50
    again = web.ask(f"/uploads/audio/{form['id']}/initialize-clip", {})
    assert again.status_code == 400
    stranger = Web(gateway, stranger_s)
    for path, data in ((f"/uploads/audio/{form['id']}", None), (f"/uploads/audio/{form['id']}/initialize-clip", {})):
        assert stranger.ask(path, data).json()["error"]["code"] == "task_not_found"
    stranger.close()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"prompt": "", "tags": "", "title": "x"}, "prompt, tags or gpt_description_prompt"),
        ({**SONG, "task": "cover"}, "cover_clip_id is required"),
        ({**SONG, "task": "extend"}, "continue_clip_id is required"),
        ({**SONG, "task": "infill", "continue_clip_id": "x", "infill_start_s": 9, "infill_end_s": 9}, "less than"),
        ({**SONG, "continue_clip_id": "nobody-s-clip"}, "was not found"),
        ({**SONG, "mv": "chirp-v99"}, "no model"),
        ({**SONG, "tags": "x" * 201}, "longer than 200"),
        ({**SONG, "title": "x" * 81}, "title"),
    ],
)
def test_refusals_leave_nothing(gateway: Gateway, web: Web, body: dict[str, Any], said: str) -> None:
    """The gateway's own have its shape, the vendor's come as they are."""
    answer = web.ask("/generate", body)
    assert answer.status_code == 400
    told = answer.json()
    assert said in (told["error"]["message"] if "error" in told else told["detail"])
    assert not rows(gateway, "SELECT 1 FROM tasks WHERE request_id = ?", answer.headers["x-request-id"])


def test_what_cannot_be_gone_on_from(gateway: Gateway, web: Web) -> None:
    assert gateway.sandbox is not None
    with gateway.sandbox.slowly():
        unfinished = web.generate()[0]
        answer = web.ask("/generate", {**SONG, "continue_clip_id": unfinished})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "clip_not_complete")
    (song, _) = web.feed(unfinished, "x")[0], None
    beyond = web.ask("/generate", {**SONG, "continue_clip_id": song["id"], "continue_at": 900})
    assert (beyond.status_code, "beyond" in beyond.json()["detail"]) == (400, True)
    alone = web.ask("/generate/concat", {"clip_id": song["id"]})
    assert (alone.status_code, "no extension" in alone.json()["detail"]) == (400, True)
    made = web.ask("/generate", SONG).json()
    web.feed(*(clip["id"] for clip in made["clips"]))
    several = web.ask("/generate", {**SONG, "continue_clip_id": made["id"]})
    assert "name one of them" in several.json()["error"]["message"]


@pytest.mark.operation("suno.generate")
def test_a_callback_tells_of_the_end(gateway: Gateway, web: Web) -> None:
    with Receiver() as receiver:
        ids = web.generate(notify_hook=receiver.url)
        until(lambda: receiver.received)
        (call,) = receiver.received
    assert (call.body["status"], call.body["action"], call.body["progress"]) == ("SUCCESS", "MUSIC", "100%")
    assert [clip["id"] for clip in call.body["data"]] == ids
    assert call.body["notify_hook"] == receiver.url
    assert all(clip["audio_url"].startswith("http") for clip in call.body["data"])
