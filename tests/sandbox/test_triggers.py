"""Each trigger, and what the control endpoints tell of it."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from deeepai.sandbox.app import VENDORS
from deeepai.sandbox.vendor import Vendor
from tests.support.receiver import Receiver

from .conftest import KEYS, advance, get, post, sandbox, slowly, until
from .test_stability import form

CHAT = "/v1/chat/completions"


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}


async def drain(answer: aiohttp.ClientResponse, seen: bytearray) -> None:
    async for part in answer.content.iter_any():
        seen += part


async def logged(http: aiohttp.ClientSession, mark: str) -> Any:
    entries = await get(http, "/_sandbox/requests?limit=2000")
    return next((entry for entry in reversed(entries) if entry["headers"].get("x-mark") == mark), None)


@pytest.mark.parametrize(
    ("vendor", "trigger", "status", "part"),
    [
        ("openai", "fail", 500, '"server_error"'),
        ("openai", "status=503", 503, '"server_error"'),
        ("openai", "rate-limit=7", 429, '"rate_limit_exceeded"'),
        ("openai", "moderated", 400, '"content_policy_violation"'),
        ("openai", "no-such", 400, "unknown sandbox trigger"),
        ("openai", "slow=nan", 400, "takes a number"),
        ("stability", "fail", 500, '"internal_error"'),
        ("stability", "status=402", 402, '"payment_required"'),
        ("stability", "rate-limit=7", 429, '"rate_limit_exceeded"'),
        ("stability", "moderated", 403, '"content_moderation"'),
        ("flux", "fail", 500, '"detail"'),
        ("flux", "status=402", 402, '"Insufficient credits"'),
        ("flux", "rate-limit=7", 429, '"detail"'),
        ("midjourney", "fail", 500, '"code":9'),
        ("midjourney", "status=502", 502, '"code":9'),
        ("midjourney", "rate-limit=7", 429, '"code":30'),
    ],
)
async def test_refusals(http: aiohttp.ClientSession, vendor: str, trigger: str, status: int, part: str):
    text = f"x [sandbox:{trigger}]"
    path, body = {
        "openai": (CHAT, {"json": chat(text)}),
        "stability": ("/v2beta/stable-image/generate/core", {"data": form({"prompt": text})}),
        "flux": ("/v1/flux-dev", {"json": {"prompt": text}}),
        "midjourney": ("/mj/submit/imagine", {"json": {"prompt": text}}),
    }[vendor]
    async with http.post(path, **body) as answer:
        assert answer.status == status
        assert part in await answer.text()
        assert (answer.headers.get("retry-after") == "7") == trigger.startswith("rate-limit")


async def test_a_trigger_in_the_header(http: aiohttp.ClientSession):
    await post(http, CHAT, chat("x"), 500, **{"x-sandbox-trigger": "fail"})
    answer = await post(http, CHAT, chat("x"), **{"x-sandbox-trigger": "tokens=5, cached=1"})
    assert answer["usage"]["completion_tokens"] == 5
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 1


async def test_tokens_and_reasoning(http: aiohttp.ClientSession):
    for count in (1, 7, 500):
        answer = await post(http, CHAT, chat(f"x [sandbox:tokens={count}]"))
        assert answer["usage"]["completion_tokens"] == count
    answer = await post(http, CHAT, chat("x [sandbox:tokens=5][sandbox:reasoning=3]"))
    assert answer["usage"]["completion_tokens"] == 8
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 3


async def test_slow(http: aiohttp.ClientSession):
    start = time.monotonic()
    await post(http, CHAT, chat("x [sandbox:slow=0.3]"))
    assert time.monotonic() - start >= 0.3


async def test_delta_ms(http: aiohttp.ClientSession):
    start = time.monotonic()
    async with http.post(CHAT, json=chat("x [sandbox:tokens=10][sandbox:delta-ms=20]", stream=True)) as answer:
        await answer.read()
    assert time.monotonic() - start >= 0.2


async def test_no_usage(http: aiohttp.ClientSession):
    assert "usage" not in await post(http, CHAT, chat("x [sandbox:no-usage]"))
    body = chat("x [sandbox:no-usage]", stream=True, stream_options={"include_usage": True})
    async with http.post(CHAT, json=body) as answer:
        assert "usage" not in await answer.text()


@pytest.mark.parametrize("path", [CHAT, "/v1/flux-dev", "/mj/submit/imagine"])
async def test_cut_leaves_no_answer_but_takes_the_job(http: aiohttp.ClientSession, path: str):
    mark = uuid.uuid4().hex
    body = chat("x [sandbox:cut]") if path == CHAT else {"prompt": "x [sandbox:cut]"}
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await post(http, path, body, **{"x-mark": mark})
    entry = await logged(http, mark)
    assert (entry["outcome"], entry["disconnected"], entry["status"]) == ("cut", False, None)
    if path != CHAT:
        jobs = {job["id"] for job in await get(http, "/_sandbox/jobs")}
        assert set(entry["jobs"]) <= jobs
        assert entry["jobs"]


async def test_cut_stream(http: aiohttp.ClientSession):
    mark, seen = uuid.uuid4().hex, bytearray()
    body = chat("x [sandbox:tokens=20][sandbox:cut-stream=3]", stream=True)
    async with http.post(CHAT, json=body, headers={"x-mark": mark}) as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await drain(answer, seen)
    assert seen.count(b"data: ") == 3
    entry = await logged(http, mark)
    assert (entry["outcome"], entry["events_sent"]) == ("cut", 3)


async def test_cut_stream_of_a_whole_answer(http: aiohttp.ClientSession):
    async with http.post(CHAT, json=chat("x [sandbox:cut-stream]")) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


@pytest.mark.parametrize("stream", [True, False])
async def test_stall_stays_open_until_the_caller_leaves(http: aiohttp.ClientSession, stream: bool):
    mark = uuid.uuid4().hex
    body = chat("x [sandbox:tokens=20][sandbox:stall=2]", stream=stream)
    async with http.post(CHAT, json=body, headers={"x-mark": mark}) as answer:
        assert await answer.content.readany()
        entry = await until(lambda: logged(http, mark), lambda found: found["outcome"] == "stalled")
        assert entry["disconnected"] is False
        assert not answer.content.at_eof()
        answer.close()
    entry = await until(lambda: logged(http, mark), lambda found: found["disconnected"])
    assert entry["outcome"] == "disconnected"


async def test_a_caller_who_leaves_is_noticed(http: aiohttp.ClientSession):
    mark = uuid.uuid4().hex
    body = chat("x [sandbox:tokens=1000][sandbox:delta-ms=20]", stream=True)
    async with http.post(CHAT, json=body, headers={"x-mark": mark}) as answer:
        await answer.content.readany()
        answer.close()
    entry = await until(lambda: logged(http, mark), lambda found: found["disconnected"])
    assert 1 <= entry["events_sent"] < 500


async def test_a_caller_who_leaves_before_the_headers_is_noticed(http: aiohttp.ClientSession):
    mark = uuid.uuid4().hex
    call = asyncio.create_task(post(http, CHAT, chat("x [sandbox:never-finish]"), **{"x-mark": mark}))
    await until(lambda: logged(http, mark), lambda found: found is not None)
    call.cancel()
    await until(lambda: logged(http, mark), lambda found: found["disconnected"])


async def test_fail_midway(http: aiohttp.ClientSession):
    async with http.post(CHAT, json=chat("x [sandbox:fail-midway]", stream=True)) as answer:
        text = await answer.text()
    assert text.count('"delta"') > 2
    assert '"server_error"' in text.rstrip().rpartition("\n\n")[2]
    assert "[DONE]" not in text
    await post(http, CHAT, chat("x [sandbox:fail-midway]"), 500)


async def test_moderated_output_of_chat(http: aiohttp.ClientSession):
    answer = await post(http, CHAT, chat("x [sandbox:moderated-output]"))
    assert answer["choices"][0]["finish_reason"] == "content_filter"


async def test_error_then_ok_counts_the_same_request(http: aiohttp.ClientSession):
    body = chat(f"{uuid.uuid4()} [sandbox:error-then-ok=2]")
    await post(http, CHAT, body, 500)
    await post(http, CHAT, body, 500)
    await post(http, CHAT, body)
    prompt = f"{uuid.uuid4()} [sandbox:error-then-ok=1]"
    statuses: list[int] = []
    for _ in range(2):  # each time with another multipart boundary
        async with http.post("/v2beta/stable-image/generate/core", data=form({"prompt": prompt})) as answer:
            statuses.append(answer.status)
    assert statuses == [500, 200]


async def test_never_finish(http: aiohttp.ClientSession):
    answer = await post(http, "/v1/flux-dev", {"prompt": "x [sandbox:never-finish]"})
    other = await post(http, "/v1/flux-pro-1.1-ultra", {"prompt": "x"})
    await until(lambda: get(http, other["polling_url"]), lambda found: found["status"] == "Ready")
    found = await until(lambda: get(http, answer["polling_url"]), lambda found: found["progress"] == 0.46)
    assert found["status"] == "Pending"


@pytest.mark.parametrize("vendor", ["openai", "flux", "midjourney"])
async def test_expire_url(http: aiohttp.ClientSession, vendor: str):
    prompt = {"prompt": "x [sandbox:expire-url]"}
    if vendor == "openai":
        url = (await post(http, "/v1/images/generations", prompt))["data"][0]["url"]
    elif vendor == "flux":
        poll = (await post(http, "/v1/flux-dev", prompt))["polling_url"]
        found = await until(lambda: get(http, poll), lambda found: found["status"] == "Ready")
        url = found["result"]["sample"]
    else:
        task = (await post(http, "/mj/submit/imagine", prompt))["result"]
        found = await until(lambda: get(http, f"/mj/task/{task}/fetch"), lambda found: found["status"] == "SUCCESS")
        url = found["imageUrl"]
    async with http.get(url) as answer:
        assert answer.status == 403
    async with http.get(url.replace("expires=", "expires=9")) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(("trigger", "count"), [("duplicate-callback", 2), ("no-callback", 0), ("late-callback", 1)])
async def test_callback_triggers(http: aiohttp.ClientSession, hook: Receiver, trigger: str, count: int):
    body = {"prompt": f"x [sandbox:{trigger}]", "webhook_url": hook.url}
    async with slowly(http):
        answer = await post(http, "/v1/flux-2-klein-4b", body)
        await advance(http, 50)
        assert (await get(http, answer["polling_url"]))["status"] == "Ready"
        if trigger == "late-callback":
            assert hook.received == []
    # A later job's callback shows that the earlier one's would have come by now.
    later = await post(http, "/v1/flux-2-klein-4b", {"prompt": "later", "webhook_url": hook.url})

    async def arrived() -> list[bytes]:
        return [message.raw for message in hook.received]

    def mine(raws: list[bytes]) -> list[bytes]:
        return [raw for raw in raws if answer["id"].encode() in raw]

    def complete(raws: list[bytes]) -> bool:
        return any(later["id"].encode() in raw for raw in raws) and len(mine(raws)) >= count

    assert len(mine(await until(arrived, complete))) == count


def test_ids_follow_from_the_seed(base: str):
    async def first(url: str) -> tuple[str, str]:
        async with aiohttp.ClientSession(url, headers=KEYS) as http:
            flux = (await post(http, "/v1/flux-dev", {"prompt": "x"}))["id"]
            return flux, (await post(http, "/mj/submit/imagine", {"prompt": "x"}))["result"]

    async def from_all(*urls: str) -> list[tuple[str, str]]:
        return [await first(url) for url in urls]

    with sandbox("--seed", "3") as one, sandbox("--seed", "3") as other:
        seen = asyncio.run(from_all(one, other, base))
    assert seen[0] == seen[1] != seen[2]


def test_the_clock_moves_jobs_and_expiry_and_one_key_can_be_demanded():
    async def run(url: str) -> None:
        async with aiohttp.ClientSession(url, headers={"x-key": "right"}) as http:
            await post(http, "/v1/flux-dev", {"prompt": "x"}, 403, **{"x-key": "wrong"})
            poll = (await post(http, "/v1/flux-dev", {"prompt": "x"}))["polling_url"]
            assert (await get(http, poll))["status"] == "Pending"
            assert (await get(http, "/_sandbox/jobs"))[0]["state"] == "queued"
            await post(http, "/_sandbox/clock", {"advance": 3})
            found = await get(http, poll)
            assert (found["status"], found["progress"] > 0) == ("Pending", True)
            await post(http, "/_sandbox/clock", {"advance": 3})
            found = await get(http, poll)
            assert found["status"] == "Ready"
            url = found["result"]["sample"]
            async with http.get(url) as answer:
                assert answer.status == 200
            await post(http, "/_sandbox/clock", {"advance": 601})
            async with http.get(url) as answer:
                assert answer.status == 403
            assert await get(http, "/healthz") == {"status": "ok"}
            poll = (await post(http, "/v1/flux-dev", {"prompt": "y"}))["polling_url"]
            await post(http, "/_sandbox/clock", {"speed": 0}, 400)
            assert (await get(http, poll))["status"] == "Pending"
            assert (await post(http, "/_sandbox/clock", {"speed": 1000}))["speed"] == 1000
            await until(lambda: get(http, poll), lambda found: found["status"] == "Ready")

    with sandbox("--key", "right", "--speed", "0.01") as url:
        asyncio.run(run(url))


class Asked(dict[str, str]):
    """Headers or a query that remember what was looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key.lower())
        return default


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_a_vendor_names_every_place_where_it_looks_for_a_key(vendor: Vendor):
    request = SimpleNamespace(headers=Asked(), query=Asked())
    assert vendor.credential(cast(Any, request)) == ""
    assert request.headers.names - {"authorization"} == {*vendor.credential_headers}
    assert request.query.names == {*vendor.credential_queries}


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
async def test_the_log_holds_no_key(http: aiohttp.ClientSession, vendor: Vendor):
    mark = uuid.uuid4().hex
    names = ("authorization", "cookie", *vendor.credential_headers)
    query = "&".join(f"{name}=sk-planted" for name in vendor.credential_queries)
    headers = {"x-mark": mark} | dict.fromkeys(names, "sk-planted")
    async with http.post(f"/{vendor.name}/find-me?{query}", json={"find": "me"}, headers=headers) as answer:
        assert answer.status == 404
    entry = await logged(http, mark)
    assert (entry["body"], entry["vendor"]) == ({"find": "me"}, vendor.name)
    assert "sk-planted" not in json.dumps(entry)


async def test_bodies_of_an_unexpected_shape_are_refused(http: aiohttp.ClientSession):
    for body in ([1], {"model": "gpt-4o", "messages": [{"role": "user"}], "tools": 5}):
        assert (await post(http, CHAT, body, 400))["error"]["type"] == "invalid_request_error"
    async with http.post(CHAT, data=b"{") as answer:
        assert answer.status == 400
