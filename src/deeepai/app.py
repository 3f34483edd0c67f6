"""One gateway process, put together: the data plane, the control plane and the pages beside them."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from . import asgi
from .accounts.directory import Directory, Snapshot
from .accounts.limits import Limiter
from .accounts.models import Channel
from .accounts.vault import Vault
from .asgi import Receive, Scope, Send
from .control import presets
from .control.api import ControlAPI
from .control.probe import probe
from .control.reference import Reference
from .control.routes import Context
from .declare import Protocol
from .gateway.body import Intake, Room
from .gateway.core import Core
from .gateway.dispatch import Dispatcher
from .gateway.entry import Gateway
from .gateway.metrics import Metrics, Wire
from .gateway.model_list import ModelList
from .gateway.pricing import Prices
from .gateway.routing import Router
from .gateway.translation import TranslatorIndex, by_source
from .guard import GUARD, Guard
from .lifeline import die_with_parent
from .listening import Loop
from .logs import configure, secret_names
from .money.ledger import Ledger
from .money.prices import PriceBook
from .planes import App, Planes
from .protocols import PROTOCOLS
from .settings import HANDOVER, Settings
from .storage import checks, kept_bytes
from .storage.board import Board
from .storage.cache import open_cache
from .storage.connect import open_database
from .storage.database import Database
from .tasks.assets import AssetStore
from .tasks.files import Bounds, FileKeeper
from .tasks.life import TaskLife, Timing
from .tasks.links import SignedLinks
from .tasks.outbox import Outbox
from .tasks.poller import Poller
from .tasks.retention import Retention, Terms
from .tasks.safe_fetch import SafeFetch
from .tasks.secrets import webhook_secret
from .translators import CALL_TRANSLATORS, JOB_TRANSLATORS, LOCAL_ANSWERS, REFRAMERS, TASK_TRANSLATORS, TELLERS
from .upstream import Client

log = structlog.get_logger()

PARENT = "DEEEPAI_PARENT"
"""Environment name of the process that starts the workers."""


@dataclass(slots=True)
class Running:
    """What must be closed at the end, in this order."""

    core: Core
    directory: Directory
    poller: Poller
    fetch: SafeFetch
    db: Database
    close_cache: Callable[[], Awaitable[None]]
    jobs: list[asyncio.Task[None]]
    checks: Sequence[Callable[[], Awaitable[str | None]]]
    """What must be well for it to be ready."""
    board: Board | None

    async def close(self) -> None:
        """Stop the background work, settle what is open, close everything."""
        for job in self.jobs:
            job.cancel()
        await asyncio.gather(*self.jobs, return_exceptions=True)
        await self.poller.stop()
        await self.core.write_seen()
        await self.core.ledger.close()
        await self.directory.close()
        await self.core.client.close()
        await self.fetch.close()
        await self.close_cache()
        await self.db.close()
        if self.board is not None:
            self.core.metrics.publish()
            self.board.close()


class Application:
    """The ASGI application: starts with its server's lifespan."""

    def __init__(
        self, settings: Settings, protocols: Mapping[str, Protocol] = PROTOCOLS, guard: Guard | None = None
    ) -> None:
        self._settings = settings
        self._guard = guard or Guard(settings)
        self._protocols = dict(protocols)
        self._running: Running | None = None
        self._gateway: Gateway | None = None
        self._find: Callable[[str], App] = lambda path: self._starting

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        if scope["type"] == "http":
            return self._find(scope["path"])(scope, receive, send)
        if scope["type"] == "lifespan":
            # Connections are given it, as the server's state.
            scope.get("state", {})[GUARD] = self._guard
            return self._lifespan(receive, send)
        return self._gateway.socket(scope, receive, send) if self._gateway is not None else _closed(send)

    async def _starting(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _plain(send, 503, b"starting")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except Exception as fault:
            log.exception("start.failed")
            await send({"type": "lifespan.startup.failed", "message": str(fault)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._running is not None:
            await self._running.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        settings, protocols = self._settings, self._protocols
        node = f"{socket.gethostname()}-{os.getpid()}"
        db = await open_database(settings.database_url, synchronous=settings.sqlite_synchronous)
        cache = open_cache(settings.valkey)
        shared = cache if settings.valkey else None
        vault = Vault.open(settings.secret_path)
        directory = Directory(db, vault, shared)
        ledger = Ledger(db, node=node, lease_ttl=settings.lease_ttl, debt_bound=settings.debt_nanos)
        await ledger.recover()
        client = Client()
        board = Board(settings.shared) if settings.workers > 1 else None
        limiter = Limiter(shared, board=board, share=settings.account_share)
        dispatcher = Dispatcher(protocols, limiter)
        prices = Prices()

        warned: set[tuple[str, str | None]] = set()

        def use(snapshot: Snapshot) -> None:
            presets.warn(snapshot.channels, protocols, warned)
            dispatcher.use(snapshot.channels)
            prices.use(snapshot)

        directory.on_change(use)
        await directory.start()
        links = SignedLinks(settings.url, vault.derive("asset links"), settings.asset_link_ttl)
        fetch = SafeFetch([ipaddress.ip_network(item) for item in settings.allow_private_callbacks])
        assets = AssetStore(settings.assets_url)
        settings.spool.mkdir(parents=True, exist_ok=True)
        bounds = Bounds(
            settings.max_fetch,
            lambda mode: settings.quota("files", mode),
            settings.spool,
            settings.local_assets,
            settings.disk_reserve,
        )
        life = TaskLife(
            db=db,
            ledger=ledger,
            protocols=protocols,
            translators=JOB_TRANSLATORS,
            client=client,
            assets=assets,
            files=FileKeeper(db, assets, bounds, lambda kind, why: metrics.unkept(kind, why)),
            fetch=fetch,
            vault=vault,
            links=links,
            timing=Timing(settings.submit_limit, settings.unknown_limit, settings.lease_ttl * 2),
            channel=dispatcher.by_id,
            price=prices.cost,
        )
        signing = vault.derive("webhooks")
        outbox = Outbox(db, fetch, lambda account: webhook_secret(signing, account), scale=settings.callback_wait_scale)
        poller = Poller(life, outbox, node=node, tick=settings.poll_tick)
        room = Room(settings.body_memory, settings.account_share)
        metrics = Metrics(
            lambda: [
                (channel.name, health.inflight, health.cooldown_until > 0, health.latency)
                for channel in dispatcher.channels
                if (health := dispatcher.health.get(channel.id)) is not None
            ],
            lambda: self._gateway.open if self._gateway is not None else 0,
            lambda: Wire(self._guard.open, self._guard.refused, client.unasked, room.held, room.refused),
            *(board, settings.shared),
        )
        router = Router(protocols.values())
        translators = TranslatorIndex.build(protocols, (*CALL_TRANSLATORS, *JOB_TRANSLATORS), LOCAL_ANSWERS)
        task_translators = by_source(TASK_TRANSLATORS)
        core = Core(
            settings=settings,
            db=db,
            router=router,
            task_translators=task_translators,
            translators=translators,
            reframers=REFRAMERS,
            tellers=TELLERS,
            directory=directory,
            limiter=limiter,
            cache=cache,
            prices=prices,
            ledger=ledger,
            dispatcher=dispatcher,
            client=client,
            life=life,
            poller=poller,
            links=links,
            metrics=metrics,
            intake=Intake(settings.max_body, settings.spool, room),
            models=ModelList(dispatcher, directory, prices, translators, task_translators),
        )

        async def probed(channel: Channel) -> tuple[bool, float, str | None]:
            return await probe(client, protocols[channel.protocol], channel)

        jobs = [asyncio.create_task(poller.run()), asyncio.create_task(_maintain(core, settings.lease_ttl / 4))]
        terms = Terms(
            settings.asset_days,
            settings.task_days,
            settings.usage_days,
            settings.test_days,
            lambda mode: settings.quota("files", mode),
        )
        retention = Retention(db, assets, terms, metrics.deleted, pause=settings.lease_ttl)
        jobs += [asyncio.create_task(_watch(db)), asyncio.create_task(_forget(retention, settings.lease_ttl / 4))]
        if board is not None:
            jobs.append(asyncio.create_task(_publish(metrics)))
        stored = settings.stored
        ready = (lambda: checks.takes_a_write(db), lambda: checks.has_room(stored, settings.disk_reserve))
        self._running = Running(core, directory, poller, fetch, db, cache.close, jobs, ready, board)
        context = Context(
            database=db,
            ledger=ledger,
            directory=directory,
            vault=vault,
            cache=cache,
            protocols=protocols,
            prices=PriceBook.shipped(),
            probe=probed,
        )
        control = ControlAPI(context, trusted_proxies=settings.trusted_proxies)
        gateway = self._gateway = Gateway(core, settings.trusted_proxies)
        reference = Reference(protocols, TASK_TRANSLATORS)
        pages: dict[str, App] = {
            "/healthz": self._health,
            "/readyz": self._ready,
            "/metrics": self._metrics,
            "/openapi.json": reference.openapi,
            **dict.fromkeys(("/", "/docs", "/docs/"), reference.page),
        }
        below: dict[str, App] = {"/assets/": gateway.asset, "/hooks/": gateway.hook, "/static/": reference.static}
        self._find = Planes(gateway, router, control, pages, below).find
        # What is alive now stays alive: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)

    async def _health(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _plain(send, 200, b"ok")

    async def _ready(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._running is not None
        faults = [fault for check in self._running.checks if (fault := await check()) is not None]
        await _plain(send, 503 if faults else 200, "; ".join(faults or ["ready"]).encode())

    async def _metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is None or not ipaddress.ip_address(client[0]).is_private:
            await _plain(send, 403, b"metrics are served to private addresses only")
            return
        assert self._running is not None
        core = self._running.core
        with suppress(Exception):
            async with asyncio.timeout(2):
                core.metrics.kept = await core.db.read(kept_bytes.totals)
        await _plain(send, 200, core.metrics.text(), "text/plain; version=0.0.4; charset=utf-8")


async def _maintain(core: Core, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await core.ledger.maintain()
            await core.write_seen()
        except Exception:
            log.exception("ledger.maintenance_failed")


async def _forget(retention: Retention, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await retention.round()
        except Exception:
            log.exception("retention.failed")


async def _watch(db: Database) -> None:
    """Try the database again and again while it takes no write."""
    while True:
        await asyncio.sleep(1)
        if not db.writable:
            fault = await checks.takes_a_write(db)
            log.warning("database.takes_writes_again" if fault is None else "database.takes_no_write", error=fault)


async def _publish(metrics: Metrics) -> None:
    while True:
        await asyncio.sleep(1)
        try:
            metrics.publish()
        except OSError:
            log.exception("metrics.not_shared")


async def _plain(send: Send, status: int, body: bytes, kind: str = "text/plain") -> None:
    await asgi.answer(send, status, body, {}, content_type=kind)


async def _closed(send: Send) -> None:
    await send({"type": "websocket.close"})


def build() -> Application:
    """Build the application of a worker from the settings that its parent handed on."""
    parent = int(os.environ[PARENT]) if PARENT in os.environ else None
    if parent != os.getpid():
        # The parent may be gone before this line; then its number tells.
        die_with_parent(parent=parent)
    settings = Settings.from_json(os.environ[HANDOVER])
    configure(settings, *secret_names(PROTOCOLS.values()))
    loop = asyncio.get_running_loop()
    return Application(settings, guard=loop.guard if isinstance(loop, Loop) else None)
