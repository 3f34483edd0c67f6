"""A made-up vendor of songs: what the table of a vendor of jobs can say, beyond what the real ones need."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from deeepai.sandbox.app import Sandbox
from deeepai.sandbox.fields import Field
from deeepai.sandbox.job_vendor import Hook, JobVendor, Lookup, Order, Task, Work
from deeepai.sandbox.results import Result
from tests.support.receiver import Receiver

from .conftest import get, picture, post, until

FIELDS = {
    "prompt": Field(required=True),
    "notify": Field(),
    "seconds": Field("whole", 1, 30, default=2, lenient=True),
    "instrumental": Field("flag", lenient=True),
    "style": Field("object", fields={"genre": Field(choices=("folk", "jazz"), required=True)}),
    "tags": Field("list", 1, 2, each=Field(high=5)),
}


def results(order: Order) -> list[Result]:
    return [Result("sound", order.draw((64, 64), number=number), order.body["seconds"], "wav") for number in (0, 1)]


def shown(task: Task) -> Any:
    songs = [{"id": song.id, "audio": song.url, "cover": song.cover} for song in task.artefacts]
    view = {"id": task.id, "songs": task.artefact_ids, "state": task.status, "percent": task.job.percent, "made": songs}
    return view | {"parent": None if task.parent is None else task.parent.id}


def signed(task: Task, raw: bytes) -> dict[str, str]:
    return {"x-signature": hmac.new(task.id.encode(), raw, hashlib.sha256).hexdigest()}


ERRORS = {
    "bad_request": (422, "bad"),
    "unauthorized": (401, "who"),
    "not_found": (404, "none"),
    "moderated": (451, "no"),
    "rate_limited": (429, "slow"),
    "server_error": (500, "oops"),
    "unfinished": (409, "wait"),
}
SONGS = JobVendor(
    name="songs",
    works=[
        Work("/songs", 40, FIELDS, results, price=1.5),
        Work("/concat", 4, {"song": Field(required=True)}, lambda order: [], parent="song"),
        Work("/form", 4, FIELDS, results, body=lambda call: call.form.texts),
    ],
    words={"queued": "waiting", "running": "singing", "done": "sung", "failed": "hoarse", "moderated": "silenced"},
    shown=shown,
    accepted_status=201,
    errors=ERRORS,
    error=lambda call, code, message: {"code": code, "message": message},
    lookups=[Lookup("GET", "/song", "query"), Lookup("POST", "/song", "body", "task")],
    cancels="/song/{id}",
    hook=Hook("notify", shown, headers=signed, retries=(1.0,)),
    settings={"moderates_at_submit": False},
)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    app = Sandbox(speed=400, seed=1, vendors=[SONGS.vendor()]).application()
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(url, headers={"authorization": "Bearer sk-test"}) as session:
        yield session
    await runner.cleanup()


async def sung(http: aiohttp.ClientSession, task: str) -> Any:
    return await until(lambda: get(http, f"/song?id={task}"), lambda one: one["state"] not in ("waiting", "singing"))


async def test_results_have_ids_before_they_have_addresses(http: aiohttp.ClientSession):
    task = await post(http, "/songs", {"prompt": "a song", "seconds": "3", "instrumental": "false"}, 201)
    assert (task["state"], task["percent"], task["made"], len(task["songs"])) == ("waiting", 0, [], 2)
    assert (await post(http, "/concat", {"song": task["songs"][0]}, 409))["code"] == "wait"
    view = await sung(http, task["id"])
    assert (view["state"], view["percent"], [one["id"] for one in view["made"]]) == ("sung", 100, task["songs"])
    async with http.get(view["made"][0]["audio"]) as answer:
        assert (answer.content_type, len(await answer.read()) > 3 * 24_000 * 2) == ("audio/wav", True)
    assert (await picture(http, view["made"][1]["cover"])).size == (64, 64)
    joined = await post(http, "/concat", {"song": task["songs"][1]}, 201)
    assert joined["parent"] == task["songs"][1]
    assert (await post(http, "/concat", {"song": "another's"}, 404))["code"] == "none"
    assert (await post(http, "/song", {"task": joined["id"]}))["parent"] == task["songs"][1]


async def test_a_task_is_stopped_and_then_forgotten(http: aiohttp.ClientSession):
    task = (await post(http, "/songs", {"prompt": "[sandbox:never-finish] x"}, 201))["id"]
    for state in ("hoarse", None):
        async with http.delete(f"/song/{task}") as answer:
            assert (answer.status, await answer.read()) == (204, b"")
        told = await get(http, f"/song?id={task}", 404 if state is None else 200)
        assert told.get("state") == state
    async with http.delete(f"/song/{task}") as answer:
        assert answer.status == 404


async def test_a_task_lasts_as_long_as_it_is_told(http: aiohttp.ClientSession):
    short, long = [(await post(http, "/songs", {"prompt": f"[sandbox:takes={n}] x"}, 201))["id"] for n in (1, 100_000)]
    assert (await sung(http, short))["state"] == "sung"
    assert (await get(http, f"/song?id={long}"))["percent"] < 100


async def test_what_is_made_may_have_the_task_s_own_id():
    one = replace(SONGS, one_id=True, works=[Work("/songs", 40, FIELDS, lambda order: results(order)[:1])])
    app = Sandbox(speed=400, seed=1, vendors=[one.vendor()]).application()
    async with TestClient(TestServer(app), headers={"authorization": "Bearer sk-test"}) as client:
        answer = await client.post("/songs", json={"prompt": "x"})
        task = await answer.json()
    assert task["songs"] == [task["id"]]


async def test_fields_in_a_form(http: aiohttp.ClientSession):
    form = aiohttp.FormData({"prompt": "x", "seconds": "5"}, default_to_multipart=True)
    async with http.post("/form", data=form) as answer:
        assert answer.status == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": None},
        {"prompt": 5},
        {"prompt": "x", "seconds": 31},
        {"prompt": "x", "seconds": 2.5},
        {"prompt": "x", "seconds": True},
        {"prompt": "x", "seconds": "two"},
        {"prompt": "x", "instrumental": "perhaps"},
        {"prompt": "x", "style": {"genre": "rock"}},
        {"prompt": "x", "style": {}},
        {"prompt": "x", "tags": []},
        {"prompt": "x", "tags": ["a", "b", "c"]},
        {"prompt": "x", "tags": ["longer"]},
        {"prompt": "x", "tags": [{}]},
    ],
)
async def test_what_does_not_fit_its_table(http: aiohttp.ClientSession, body: Any):
    answer = await post(http, "/songs", body, 422)
    assert (answer["code"], bool(answer["message"])) == ("bad", True)
    assert await get(http, "/_sandbox/jobs") == []


async def test_kinds_of_errors_that_a_table_leaves_out(http: aiohttp.ClientSession):
    assert (await get(http, "/song?id=none", 404))["code"] == "none"
    assert (await get(http, "/song", 422))["code"] == "bad"
    assert (await get(http, "/nowhere", 404))["code"] == "none"
    assert (await post(http, "/songs", {"prompt": "x"}, 401, authorization=""))["code"] == "who"
    assert (await post(http, "/songs", {"prompt": "[sandbox:status=418] x"}, 418))["code"] == "oops"
    async with http.post("/songs", json={"prompt": "[sandbox:rate-limit=9] x"}) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (429, "9")
    task = await post(http, "/songs", {"prompt": "[sandbox:moderated] x"}, 201)
    assert (await sung(http, task["id"]))["state"] == "silenced"


def test_a_table_must_say_how_the_common_errors_look():
    errors = {kind: error for kind, error in ERRORS.items() if kind != "rate_limited"}
    with pytest.raises(ValueError, match="rate_limited"):
        replace(SONGS, errors=errors).vendor()


async def test_one_signed_callback_at_the_end(http: aiohttp.ClientSession, hook: Receiver):
    hook.first = [500]
    task = await post(http, "/songs", {"prompt": "x", "notify": hook.url}, 201)

    async def received() -> int:
        return len(hook.received)

    await until(received, lambda count: count == 2)
    call, again = hook.received
    assert call.raw == again.raw
    assert call.headers["x-signature"] == hmac.new(task["id"].encode(), call.raw, hashlib.sha256).hexdigest()
    assert call.body == await get(http, f"/song?id={task['id']}")
