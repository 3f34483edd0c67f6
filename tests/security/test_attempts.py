"""A channel's place is free again however asking it and judging what it said end: every step is made to raise."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from deeepai.accounts.vault import Vault
from deeepai.control.config_file import Applier
from deeepai.declare import AnswerShape, ObjectCall, ObjectRules, Protocol, Stream, StreamRules, Usage
from deeepai.money.ledger import Ledger
from deeepai.money.prices import PriceBook
from deeepai.protocols import PROTOCOLS
from deeepai.protocols.openai.realtime import OPERATIONS
from deeepai.settings import Settings
from deeepai.storage.connect import open_database
from tests.gateway.asgi import NAME
from tests.gateway.scripted import ScriptedUpstream
from tests.gateway.toy import JOBS, PROMPT, JobBody, key, serving, toy
from tests.support.ports import reserve_port
from tests.support.until import PATIENCE, until_async

EVENTS = b'data: {"text": "a"}\n\ndata: {"usage": 1}\n\ndata: [DONE]\n\n'
DEEP = b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
FAULTS = ("good", "429", "400", "inside", "events", "deep", "302", "cut")
STREAM = Stream(
    name="talk",
    method="POST",
    path="/toy/talk",
    upstream_template="/talk",
    summary=NAME,
    body=JobBody,
    model=lambda request: request.body.model,
    rules=StreamRules(
        wanted=lambda request: True,
        usage=lambda event: Usage(calls=1) if b"usage" in event else None,
        visible=lambda request, event: event,
        text=lambda data: data.get("text", ""),
        prompt=lambda request: "",
        is_last=lambda event: b"[DONE]" in event,
        error=lambda failure, request_id: b'data: {"error": 1}\n\n',
        scan_for=(b"usage", b"[DONE]"),
    ),
)
OBJECTS = ObjectCall(
    name="things",
    method="POST",
    path="/toy/things",
    upstream_template="/things",
    summary=NAME,
    body=JobBody,
    model=lambda request: request.body.model,
    objects=ObjectRules(
        makes=lambda request, value: (), shows=lambda value, links: value, ends=lambda request: (), scan_for=(b"id",)
    ),
)
CALL = dataclasses.replace(
    PROMPT,
    usage=lambda request, answer: Usage(calls=1),
    shape=AnswerShape(fields=("id",), failed=lambda value: None),
)
SESSION = dataclasses.replace(OPERATIONS[0], path="/toy/realtime")


class Steps:
    """The callables of declarations, of which one may be broken."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.broken = ""
        self.raised: set[str] = set()

    def wrap(self, value: Any, name: str) -> Any:
        """Return a declaration all of whose steps may break."""
        changes: dict[str, Any] = {}
        for field in dataclasses.fields(value):
            inner, path = getattr(value, field.name), f"{name}.{field.name}"
            if dataclasses.is_dataclass(inner) and not isinstance(inner, type) and field.name != "body":
                changes[field.name] = self.wrap(inner, path)
            elif callable(inner) and not isinstance(inner, type):
                changes[field.name] = self._step(inner, path)
        return dataclasses.replace(value, **changes)

    def _step(self, inner: Callable[..., Any], path: str) -> Callable[..., Any]:
        self.names.add(path)

        def step(*args: Any) -> Any:
            if self.broken == path:
                self.raised.add(path)
                raise ArithmeticError("on purpose")
            return inner(*args)

        return step


class Place:
    def __init__(self, url: str, client: aiohttp.ClientSession, steps: Steps) -> None:
        self.url, self.client, self.steps = url, client, steps

    async def ask(self, path: str, fault: str) -> None:
        """Ask; whatever the answer is."""
        url = f"{self.url}{path}"
        try:
            if path.endswith("realtime"):
                async with self.client.ws_connect(url, params={"model": fault}, headers=key("ada")) as socket:
                    await socket.receive()
                return
            async with self.client.post(url, json={"model": fault}, headers=key("ada")) as answer:
                await answer.read()
        except aiohttp.ClientError:
            pass

    async def inflight(self) -> dict[str, float]:
        async with self.client.get(f"{self.url}/metrics") as answer:
            text = await answer.text()
        found = re.findall(r'deeepai_channel_inflight\{channel="([^"]+)"\} ([\d.]+)', text)
        return {name: float(count) for name, count in found if float(count)}


@asynccontextmanager
async def place(folder: Path, upstream: ScriptedUpstream) -> AsyncIterator[Place]:
    steps = Steps()
    operations = [steps.wrap(each, each.name) for each in (CALL, STREAM, OBJECTS, SESSION, *JOBS)]
    declared: Protocol = steps.wrap(dataclasses.replace(toy(operations=()), operations=()), "protocol")
    declared = dataclasses.replace(declared, operations=tuple(operations))
    settings = Settings.load({"DEEEPAI_POLL_TICK": "0.05"}, data=str(folder), port=reserve_port())
    protocols = {**PROTOCOLS, declared.name: declared}
    database = await open_database(settings.database_url)
    ledger = Ledger(database, node="setup")
    file = folder / "toy.toml"
    file.write_text(
        '[[users]]\nname = "ada"\npassword = "ada-password"\ncredit = 1000\n'
        f'[[tokens]]\nname = "ada"\nkey = "{key("ada")["authorization"].split()[1]}"\naccount = "ada"\n'
        + "".join(
            f'[[channels]]\nname = "{fault}"\nprotocol = "toy"\nmodels = ["{fault}"]\ncredential = "secret"\n'
            f'concurrency = 1\nbase_url = "http://127.0.0.1:{upstream.port}/{fault}/c"\n'
            f'[prices."{fault}"]\nper_call = "0.0001"\n'
            for fault in FAULTS
        )
    )
    await Applier(database, Vault.open(settings.secret_path), ledger, protocols, PriceBook.shipped()).apply(file)
    await ledger.close()
    await database.close()
    async with (
        serving(settings, protocols) as url,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as client,
    ):
        yield Place(url, client, steps)


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    made = ScriptedUpstream({"events": ("text/event-stream", EVENTS), "deep": ("application/json", DEEP)})
    yield made
    made.stop()


PATHS = ("/toy/prompt", "/toy/talk", "/toy/things", "/toy/realtime", "/toy/jobs")
JUDGING = {
    "protocol.channel_fault",
    "protocol.too_long",
    "prompt.usage",
    "prompt.shape.failed",
    "talk.rules.usage",
    "talk.rules.is_last",
    "talk.rules.failure",
    "talk.rules.only_opens",
    "things.objects.makes",
    "things.objects.shows",
    "realtime.rules.opening",
    "realtime.rules.meter",
    "jobs.create.job.rules.accept",
}
"""Steps that surely come while a channel's place is taken."""


async def test_no_place_is_lost_whatever_step_raises(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    # To draw each fault with all that was around it would take minutes.
    with capture_logs():
        async with place(tmp_path, upstream) as made:
            await _break_each(made)


async def _break_each(made: Place) -> None:
    steps = made.steps
    assert steps.names >= JUDGING
    for broken in ["", *sorted(steps.names)]:
        steps.broken = broken
        await asyncio.gather(*(made.ask(path, fault) for fault in FAULTS for path in PATHS[:1]))
        for path in PATHS[1:]:
            await asyncio.gather(*(made.ask(path, fault) for fault in FAULTS))
        left = await until_async(made.inflight, lambda counts: not counts)
        assert left == {}, broken
    assert steps.raised >= JUDGING
    steps.broken = ""
    async with made.client.post(f"{made.url}/toy/prompt", json={"model": "good"}, headers=key("ada")) as answer:
        assert (answer.status, json.loads(await answer.read())["id"]) == (200, "made_1")
