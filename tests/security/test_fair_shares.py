"""Whatever one account has under way, others get their share: of channels' places, of callbacks, of the engines."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deeepai.accounts.limits import Limiter
from deeepai.accounts.vault import Vault
from deeepai.control.bootstrap import ENGINE_ACCOUNT
from deeepai.engines.openai_wire import WireError
from deeepai.engines.turns import ACCOUNT, HEADER, Turns
from deeepai.engines.worker import MOST_WAITING, Worker
from deeepai.gateway import outgoing
from deeepai.safe_fetch import SafeFetch
from deeepai.storage.board import Board
from deeepai.storage.connect import open_database
from deeepai.storage.database import Database, Tx
from deeepai.storage.ids import new_id, now_ms
from deeepai.tasks.outbox import MOST, PER_ACCOUNT, PER_HOST, Outbox
from deeepai.tasks.secrets import webhook_secret
from tests.gateway import callers
from tests.gateway.asgi import operation, protocol
from tests.gateway.channels import channel
from tests.servers import new_postgresql
from tests.support.until import until_async

# Channels' places --------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def taken(limiter: Limiter, account: str, places: int, tries: int = 20) -> int:
    return sum(limiter.enter_shared("channel", account, places) for _ in range(tries))


def test_an_account_that_is_alone_has_all_places() -> None:
    limiter = Limiter(clock=Clock(), share=0.75)
    assert taken(limiter, "alice", 8) == 8


@pytest.mark.parametrize(("places", "most"), [(1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (10, 8)])
def test_an_account_has_its_share_while_another_asks(places: int, most: int) -> None:
    clock = Clock()
    limiter = Limiter(clock=clock, share=0.75)
    assert limiter.enter_shared("channel", "bob", places)
    limiter.leave_shared("channel", "bob")
    clock.now += 599
    assert taken(limiter, "alice", places) == most
    assert limiter.enter_shared("channel", "bob", places) is (places > 1)


def test_who_was_refused_is_waited_for() -> None:
    limiter = Limiter(clock=Clock(), share=0.75)
    assert taken(limiter, "alice", 3) == 3
    assert not limiter.enter_shared("channel", "bob", 3)
    limiter.leave_shared("channel", "alice")
    assert taken(limiter, "alice", 3) == 0
    assert limiter.enter_shared("channel", "bob", 3)


def test_who_has_not_asked_for_long_is_not_waited_for() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock, share=0.75)
    assert taken(limiter, "bob", 4, 1) == 1
    limiter.leave_shared("channel", "bob")
    clock.now += 700
    assert taken(limiter, "alice", 4) == 4


def test_a_refusal_takes_nothing() -> None:
    limiter = Limiter(clock=Clock(), share=0.5)
    assert taken(limiter, "bob", 4, 1) == 1
    assert taken(limiter, "alice", 4) == 2
    assert (limiter.running("channel"), limiter.running("channel/alice")) == (3, 2)


def test_other_channels_are_not_meant() -> None:
    limiter = Limiter(clock=Clock(), share=0.5)
    assert limiter.enter_shared("other", "bob", 4)
    assert taken(limiter, "alice", 4) == 4


def test_workers_know_who_asked_elsewhere(tmp_path: Path) -> None:
    clock = Clock()
    boards = [Board(tmp_path), Board(tmp_path)]
    one, other = (Limiter(clock=clock, board=board, share=0.75) for board in boards)
    assert taken(one, "alice", 8, 4) == 4
    assert other.enter_shared("channel", "bob", 8)
    assert taken(one, "alice", 8) == 2
    assert taken(other, "alice", 8) == 0
    assert taken(other, "bob", 8) == 1
    for board in boards:
        board.close()


# Callbacks ---------------------------------------------------------------------------------------------------------


class Receiver:
    """Keeps those waiting that call `/never`, and notes who reached `/now`."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.came: list[str] = []
        self.end = asyncio.Event()

    async def never(self, request: web.Request) -> web.Response:
        self.kept.append(request.headers["webhook-id"])
        await self.end.wait()
        return web.Response()

    async def now(self, request: web.Request) -> web.Response:
        self.came.append(request.headers["webhook-id"])
        return web.Response()


@asynccontextmanager
async def served(receiver: Receiver) -> AsyncGenerator[TestServer]:
    app = web.Application()
    app.router.add_post("/never", receiver.never)
    app.router.add_post("/now", receiver.now)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        yield server
    finally:
        receiver.end.set()
        await server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/a.db" if request.param == "sqlite" else await new_postgresql()
    made = await open_database(url)
    yield made
    await made.close()


@pytest.fixture
async def outbox(db: Database) -> AsyncIterator[Outbox]:
    fetch = SafeFetch([ipaddress.ip_network("127.0.0.0/8")])
    made = Outbox(db, fetch, lambda account: webhook_secret(b"m" * 32, account), Vault(b"v" * 32))
    yield made
    await made.stop()
    await fetch.close()


async def put(db: Database, account: str, url: str, count: int = 1) -> list[str]:
    """Store callbacks that are due, the first the longest."""
    ids = [new_id("msg_") for _ in range(count)]

    async def work(tx: Tx) -> None:
        for number, one in enumerate(ids):
            await tx.execute(
                "INSERT INTO outbox (id, task_id, account_id, url, body, state, next_at, created_at) "
                "VALUES ($1, $1, $2, $3, '{}', 'pending', $4, $4)",
                *(one, account, url, now_ms() - 60_000 + number),
            )

    await db.write(work)
    return ids


async def tried(db: Database, account: str) -> int:
    row = await db.read(lambda tx: tx.fetch("SELECT SUM(attempts) AS n FROM outbox WHERE account_id = $1", account))
    return int(row[0]["n"] or 0)


async def test_callbacks_that_nobody_answers_hold_up_no_other_account(db: Database, outbox: Outbox) -> None:
    receiver = Receiver()
    async with served(receiver) as server:
        await put(db, "eve", str(server.make_url("/never")), 300)
        outbox.look()
        await until_async(lambda: len(receiver.kept), lambda count: count >= PER_ACCOUNT)
        (bobs,) = await put(db, "bob", str(server.make_url("/now")))
        outbox.look()
        await until_async(lambda: list(receiver.came))
        assert receiver.came == [bobs]
        # Not one of eve's had ended before.
        assert (len(receiver.kept), await tried(db, "eve")) == (PER_ACCOUNT, 0)


async def test_each_account_has_its_first_before_one_has_its_last(db: Database, outbox: Outbox) -> None:
    receiver = Receiver()
    async with served(receiver) as server:
        eves = await put(db, "eve", str(server.make_url("/now")), 40)
        (bobs,) = await put(db, "bob", str(server.make_url("/now")))
        outbox.look()
        await until_async(lambda: len(receiver.came), lambda count: count == 41)
        assert receiver.came.index(bobs) <= PER_ACCOUNT
        assert sorted(receiver.came) == sorted([*eves, bobs])


async def test_a_look_while_an_account_has_no_room_ends_nothing(db: Database, outbox: Outbox) -> None:
    receiver = Receiver()
    async with served(receiver) as server:
        await put(db, "eve", str(server.make_url("/never")), PER_ACCOUNT)
        outbox.look()
        await until_async(lambda: len(receiver.kept), lambda count: count == PER_ACCOUNT)
        waiting = await put(db, "eve", str(server.make_url("/now")))
        for _ in range(3):
            outbox.look()
            await tried(db, "eve")
        receiver.end.set()
        await until_async(lambda: list(receiver.came))
        assert receiver.came == waiting


async def test_a_host_that_never_answers_holds_up_no_other_host(db: Database, outbox: Outbox) -> None:
    receiver = Receiver()
    async with served(receiver) as server:
        for number in range(MOST // PER_ACCOUNT + 1):
            await put(db, f"account-{number}", str(server.make_url("/never")), PER_ACCOUNT)
        outbox.look()
        await until_async(lambda: len(receiver.kept), lambda count: count == PER_HOST)
        async with also_at(server, "127.0.0.2") as port:
            (bobs,) = await put(db, "bob", f"http://127.0.0.2:{port}/now")
            outbox.look()
            await until_async(lambda: list(receiver.came))
        assert receiver.came == [bobs]
        assert len(receiver.kept) == PER_HOST


@asynccontextmanager
async def also_at(server: TestServer, host: str) -> AsyncGenerator[int]:
    """Serve at another of this machine's addresses, too; the port is told."""
    assert server.runner is not None
    listening = socket.create_server((host, 0))
    await web.SockSite(server.runner, listening).start()
    yield listening.getsockname()[1]


# Engines -----------------------------------------------------------------------------------------------------------


async def test_accounts_take_turns_at_an_engine() -> None:
    turns, order = Turns(1, 100), list[str]()

    async def work(account: str) -> None:
        ACCOUNT.set(account)
        async with turns.turn():
            order.append(account)
            await asyncio.sleep(0)

    await turns.enter()
    tasks = [asyncio.create_task(work(name)) for name in [*["alice"] * 30, "bob", "carol", "bob"]]
    await asyncio.sleep(0)
    turns.leave()
    await asyncio.gather(*tasks)
    assert order[:6] == ["alice", "bob", "carol", "alice", "bob", "alice"]
    assert order.count("alice") == 30


async def test_who_leaves_a_queue_takes_no_turn() -> None:
    turns, order = Turns(1, 100), list[int]()

    async def work(number: int) -> None:
        async with turns.turn():
            order.append(number)

    await turns.enter()
    tasks = [asyncio.create_task(work(number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    turns.leave()
    tasks[0].cancel()
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [3]
    async with asyncio.timeout(60), turns.turn():
        pass


async def test_one_account_does_not_fill_an_engines_queue() -> None:
    turns = Turns(1, 3)
    await turns.enter()

    async def wait(account: str) -> None:
        ACCOUNT.set(account)
        async with turns.turn():
            pass

    alices = [asyncio.create_task(wait("alice")) for _ in range(4)]
    bobs = asyncio.create_task(wait("bob"))
    await asyncio.sleep(0)
    turns.leave()
    *others, last = await asyncio.gather(*alices, return_exceptions=True)
    await bobs
    assert others == [None] * 3
    assert isinstance(last, WireError)
    assert last.status == 429


async def test_accounts_take_turns_at_a_process(tmp_path: Path) -> None:
    worker, order = Worker("tests.engines.toy_engine", tmp_path), list[str]()

    async def work(account: str) -> None:
        ACCOUNT.set(account)
        async for _ in worker.run({"do": "count", "to": 1}):
            order.append(account)

    try:
        async with aclosing(worker.run({"do": "tick"})) as ticks:
            await anext(ticks)
            alices = [asyncio.create_task(work("alice")) for _ in range(MOST_WAITING)]
            await asyncio.sleep(0)
            bobs = asyncio.create_task(work("bob"))
            await asyncio.sleep(0)
        await asyncio.gather(*alices, bobs)
    finally:
        await asyncio.to_thread(worker.close)
    assert order.index("bob") == 1


@pytest.mark.parametrize("told", [True, False])
def test_an_upstream_learns_whose_request_it_is_where_its_channel_says_so(told: bool) -> None:
    given, settings = operation(), {"account_header": ENGINE_ACCOUNT} if told else {}
    x, to = callers.exchange(given), channel("a", settings=settings)
    out = outgoing.build(protocol(given), given, x.request, to, outgoing.facts(x, to, "m"))
    assert out.headers.get(HEADER) == (x.caller.account_id if told else None)
