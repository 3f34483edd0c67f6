"""A toy protocol behind a whole gateway: what declarations can say, with no vendor's words in the way."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
import uvicorn
from aiohttp import web
from aiohttp.test_utils import TestServer

from deeepai.accounts.vault import Vault
from deeepai.app import Application
from deeepai.control.config_file import Applier
from deeepai.declare import (
    Accepted,
    Answer,
    Call,
    Child,
    Fetch,
    Hook,
    HookMessage,
    Job,
    JobFace,
    JobRules,
    Json,
    Links,
    Local,
    Made,
    ObjectCall,
    ObjectRules,
    Origin,
    Protocol,
    Refused,
    Reply,
    Request,
    State,
    Submit,
    Task,
    TaskStatus,
    UpstreamCall,
    View,
)
from deeepai.money.ledger import Ledger
from deeepai.money.prices import PriceBook
from deeepai.protocols import PROTOCOLS
from deeepai.settings import Settings
from deeepai.storage.connect import open_database
from deeepai.storage.ids import new_id
from tests.gateway.asgi import NAME, protocol
from tests.support.ports import reserve_port
from tests.support.until import PATIENCE

PRICE: Final = 10_000_000
"""Of a job, 10⁻⁹ USD."""
CHAT: Final = {
    "id": "made_1",
    "object": "chat.completion",
    "model": "up",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
"""What the channel that speaks another protocol is answered with."""
_CALLBACKS: Final = {"DEEEPAI_ALLOW_PRIVATE_CALLBACKS": "127.0.0.0/8", "DEEEPAI_CALLBACK_WAIT_SCALE": "0.01"}
KEYS: Final = {name: f"sk-live-{name:0<32}" for name in ("ada", "bob")}


# The protocol -------------------------------------------------------------------------------------------------------


class JobBody(msgspec.Struct):
    """Body of a submission."""

    model: str
    after: str | None = None
    uses: str | None = None
    hook: str | None = None
    wait: float = 0.0


def accept(answer: Answer, request: Request[JobBody]) -> Accepted | Refused:
    said = answer.json()
    if answer.status != 200:
        return Refused()
    state = State.QUEUED if said["id"] else State.UNKNOWN
    return Accepted(said["id"], state, children=_children(said))


def read(answer: Answer, task: Task) -> TaskStatus:
    said = answer.json()
    parts = said.get("parts", [True])
    return TaskStatus(
        State(said["state"]), said, said.get("progress"), share=sum(parts) / len(parts), children=_children(said)
    )


def _children(said: Json) -> Sequence[Child]:
    return [Child(name, "song") for name in said.get("songs", ())]


def show(task: Task, links: Links) -> Reply:
    return Reply({"id": task.id, "state": task.state.value, "progress": task.progress})


async def watch(view: View[object]) -> Reply:
    return Reply(events=await view.events(_of_path(view.request), None))


def _of_path(request: Request[Any]) -> str:
    return request.params["id"]


RULES: Final[JobRules[JobBody]] = JobRules(
    accept=accept,
    poll=lambda task: UpstreamCall(f"/jobs/{task.upstream_id}"),
    read=read,
    find_lost=lambda reference: UpstreamCall("/lost"),
    found_lost=lambda answer, reference: answer.json()["id"],
    interval=0.01,
    fresh=0.0,
)
FACE: Final[JobFace[JobBody]] = JobFace(
    new_id=lambda: new_id("job_"),
    submitted=lambda task, links: Reply({"id": task.id}, 202),
    render=show,
    hook=lambda request: Hook(request.body.hook) if request.body.hook else None,
    hook_message=lambda task, links: HookMessage({"id": task.id}),
)
JOBS: Final = (
    Submit(
        name="jobs.create",
        method="POST",
        path="/toy/jobs",
        upstream_template="/jobs",
        summary=NAME,
        body=JobBody,
        model=lambda request: request.body.model,
        job=Job(rules=RULES, face=FACE),
        origin=Origin(ids=lambda request: [request.body.after] if request.body.after else []),
        uses=lambda request: [request.body.uses] if request.body.uses else [],
        wait=lambda request: request.body.wait,
    ),
    Fetch(name="jobs.get", method="GET", path="/toy/jobs/{id}", summary=NAME, media="none", task=_of_path),
    Local(
        name="jobs.events",
        method="GET",
        path="/toy/jobs/{id}/events",
        summary=NAME,
        media="none",
        answers=("text/event-stream",),
        answer=watch,
    ),
)
UPLOAD: Final = ObjectCall(
    name="uploads",
    method="POST",
    path="/toy/uploads",
    upstream_template="/uploads",
    summary=NAME,
    objects=ObjectRules(makes=lambda request, said: [Made(said["id"], "upload")]),
)
PROMPT: Final = Call(
    name="prompt",
    method="POST",
    path="/toy/prompt",
    upstream_template="/prompt",
    summary=NAME,
    body=JobBody,
    model=lambda request: request.body.model,
)


def toy(**more: Any) -> Protocol:
    """Return the toy protocol; `more` says something else of it."""
    return protocol(*more.pop("operations", (*JOBS, UPLOAD, PROMPT)), **more)


# Its vendor ---------------------------------------------------------------------------------------------------------


@dataclass
class Vendor:
    """Answers by path, below the channel's name; a job is at first `running`.

    Attributes
    ----------
    accepts : mapping
        What a submission is answered with.
    jobs : dict
        By id.
    asked : list
        Channel, path and headers of each submission and call.
    """

    accepts: Mapping[str, Any] = field(default_factory=lambda: {"id": "u1"})
    jobs: dict[str, Any] = field(default_factory=dict)
    lost: str | None = None
    answer: Callable[[], Awaitable[Any]] | None = None
    asked: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        channel, _, path = request.path.lstrip("/").partition("/")
        if request.method == "POST":
            self.asked.append((channel, path, {name.lower(): value for name, value in request.headers.items()}))
            if path == "jobs":
                return web.json_response(self.accepts)
            if path == "chat/completions":
                return web.json_response(CHAT)
            return web.json_response(await self.answer() if self.answer is not None else {"ok": True})
        if path == "lost":
            return web.json_response({"id": self.lost})
        return web.json_response(self.jobs.get(path.removeprefix("jobs/"), {"state": "running"}))


@asynccontextmanager
async def vendor() -> AsyncIterator[Vendor]:
    """Run a vendor."""
    made = Vendor()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.handle)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server()
    made.url = str(server.make_url("")).rstrip("/")
    try:
        yield made
    finally:
        await server.close()


# Its gateway --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(settings: Settings, protocols: Mapping[str, Protocol]) -> AsyncIterator[str]:
    """Serve a whole gateway in this process; yield its address."""
    application = Application(settings, protocols)
    config = uvicorn.Config(application, port=settings.port, lifespan="on", interface="asgi3", log_config=None)
    server = uvicorn.Server(config)
    thresholds = gc.get_threshold()
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(PATIENCE):
            while not server.started:
                assert not running.done()
                await asyncio.sleep(0.01)
        yield settings.local_url
    finally:
        server.should_exit = True
        await running
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def config(vendor_url: str) -> str:
    """Return an operator's file: two accounts, and two channels, of which `low` alone serves the model `own`.

    A third, `chat`, speaks another protocol.
    """
    people = "".join(
        f'[[users]]\nname = "{name}"\npassword = "{name}-password"\ncredit = 1\n'
        f'[[tokens]]\nname = "{name}"\nkey = "{key}"\naccount = "{name}"\n'
        for name, key in KEYS.items()
    )
    channels = "".join(
        f'[[channels]]\nname = "{name}"\nprotocol = "toy"\nbase_url = "{vendor_url}/{name}"\ncredential = "secret"\n'
        f"priority = {priority}\nmodels = {models}\n"
        for name, priority, models in (("low", 1, '["m", "own"]'), ("high", 2, '["m"]'))
    )
    channels += f'[[channels]]\nname = "chat"\nprotocol = "openai"\nbase_url = "{vendor_url}/chat"\n'
    return people + channels + '[prices.m]\nper_call = "0.01"\n[prices.own]\nper_call = "0.01"\n'


@dataclass(frozen=True)
class Toy:
    """A gateway that serves the toy protocol, and its vendor."""

    url: str
    vendor: Vendor
    client: aiohttp.ClientSession
    data: Path

    async def ask(self, method: str, path: str, body: Any = None, who: str = "ada") -> tuple[int, Any]:
        """Send a request; return status and JSON."""
        async with self.client.request(method, self.url + path, json=body, headers=key(who)) as answer:
            return answer.status, await answer.json(content_type=None)

    async def submit(self, who: str = "ada", **body: Any) -> str:
        """Submit a job; return its id."""
        status, said = await self.ask("POST", "/toy/jobs", {"model": "m", **body}, who)
        assert status == 202, said
        return said["id"]

    async def state(self, name: str) -> str:
        """Return the state of a job."""
        status, said = await self.ask("GET", f"/toy/jobs/{name}")
        assert status == 200, said
        return said["state"]

    def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        """Read the gateway's tables."""
        connection = sqlite3.connect(f"file:{self.data / 'deeepai.db'}?mode=ro", uri=True, timeout=PATIENCE)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql, args)]
        finally:
            connection.close()


def key(who: str) -> dict[str, str]:
    """Return the header that says who calls."""
    return {"authorization": f"Bearer {KEYS[who]}"}


@asynccontextmanager
async def running(folder: Path, declared: Protocol) -> AsyncIterator[Toy]:
    """Run a gateway that serves one protocol, with people and channels in its store."""
    async with vendor() as made:
        settings = Settings.load({"DEEEPAI_POLL_TICK": "0.02", **_CALLBACKS}, data=str(folder), port=reserve_port())
        protocols = {**PROTOCOLS, declared.name: declared}
        database = await open_database(settings.database_url)
        ledger = Ledger(database, node="setup")
        file = folder / "toy.toml"
        file.write_text(config(made.url))
        await Applier(database, Vault.open(settings.secret_path), ledger, protocols, PriceBook.shipped()).apply(file)
        await ledger.close()
        await database.close()
        async with (
            serving(settings, protocols) as url,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as client,
        ):
            yield Toy(url, made, client, folder)
