"""One gateway process, put together: the data plane, the control plane and the pages beside them."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from . import asgi
from .accounts import addresses
from .accounts.directory import Directory, Snapshot
from .accounts.limits import Limiter
from .accounts.models import Channel
from .accounts.opening import open_store
from .accounts.own_channels import Node
from .accounts.vault import VaultError
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
from .gateway.watching import TaskWatch
from .guard import GUARD, Guard
from .health import Check, Health, assets_check, cache_check, database_check, room_check, write_check
from .lifeline import die_with_parent
from .listening import Loop
from .logs import configure, secret_names
from .money.ledger import Ledger
from .money.prices import PriceBook
from .planes import App, Planes
from .protocols import PROTOCOLS
from .safe_fetch import SafeFetch
from .settings import HANDOVER, Settings
from .storage import checks, kept_bytes
from .storage.board import Board
from .storage.cache import open_cache
from .storage.database import Database, DatabaseRefused, StorageFault, Tx
from .storage.ids import now_ms
from .tasks.assets import AssetStore
from .tasks.channel_hints import ChannelHints
from .tasks.files import Bounds, FileKeeper
from .tasks.life import TaskLife, Timing
from .tasks.links import SignedLinks
from .tasks.outbox import Outbox
from .tasks.poller import Poller
from .tasks.retention import Retention, Terms
from .tasks.secrets import webhook_secret
from .translators import CALL_TRANSLATORS, JOB_TRANSLATORS, LOCAL_ANSWERS, REFRAMERS, TASK_TRANSLATORS, TELLERS
from .upstream import Client

log = structlog.get_logger()

_HERE_SECONDS: Final = 5
_COUNTS: Final = 12
_GONE_MS: Final = 20_000
_FORGOTTEN_MS: Final = 86_400_000

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

    def __init__(self, settings: Settings, protocols: Mapping[str, Protocol] = PROTOCOLS) -> None:
        self._settings = settings
        self._guard = Guard(settings)
        self._protocols = dict(protocols)
        self._running: Running | None = None
        self._gateway: Gateway | None = None
        self._checks: list[Check] = []
        self._health = Health(self._checks)
        self._find: Callable[[str], App] = lambda path: self._starting

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        if scope["type"] == "http":
            return self._find(scope["path"])(scope, receive, send)
        if scope["type"] == "lifespan":
            loop = asyncio.get_running_loop()
            if isinstance(loop, Loop):
                self._guard = loop.guard
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
            if isinstance(fault, VaultError | DatabaseRefused | StorageFault):
                log.error("start.failed", reason=str(fault))
            else:
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
        db, vault = await open_store(settings, wait=settings.database_wait, say=log.warning, running=True)
        cache = open_cache(settings.valkey)
        shared = cache if settings.valkey else None
        own = Node.read(settings.node_path)
        directory = Directory(db, vault, shared, own=own.own())
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
            client.only(frozenset(channel.id for channel in snapshot.channels))
            prices.use(snapshot)

        directory.on_change(use)
        await directory.start()
        assets = AssetStore(settings.assets_url)
        links = SignedLinks(settings.url, vault.derive("asset links"), settings.asset_link_ttl)
        fetch = SafeFetch([ipaddress.ip_network(item) for item in settings.allow_private_callbacks])
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
        outbox = Outbox(
            db,
            fetch,
            lambda account: webhook_secret(signing, account),
            vault,
            signers={name: protocol.sign for name, protocol in protocols.items()},
            scale=settings.callback_wait_scale,
        )
        poller = Poller(life, outbox, node=node, tick=settings.poll_tick, own=directory.own.ids)
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
        metrics.cache_up = lambda: cache.up
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
            hints=ChannelHints(db, protocols, vault, dispatcher.by_id),
            poller=poller,
            watch=TaskWatch(db),
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
        if shared is not None:
            jobs.append(asyncio.create_task(_count_nodes(db, own, limiter)))
        self._checks.extend((database_check(db, vault), cache_check(cache), assets_check(assets)))
        self._checks.extend((write_check(db), room_check(settings.stored, settings.disk_reserve)))
        self._running = Running(core, directory, poller, fetch, db, cache.close, jobs, board)
        context = Context(
            database=db,
            ledger=ledger,
            directory=directory,
            vault=vault,
            cache=cache,
            protocols=protocols,
            prices=PriceBook.shipped(),
            probe=probed,
            check_url=fetch.check,
        )
        control = ControlAPI(context, trusted_proxies=settings.trusted_proxies)
        gateway = self._gateway = Gateway(core, settings.trusted_proxies)
        reference = Reference(protocols, TASK_TRANSLATORS)
        pages: dict[str, App] = {
            "/healthz": self._alive,
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

    async def _alive(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _plain(send, 200, b"ok")

    async def _ready(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = await self._health.look()
        await _plain(send, 200 if found.ready else 503, msgspec.json.encode(found) + b"\n", "application/json")

    async def _metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        peer = scope["client"][0] if scope.get("client") else ""
        if not addresses.private(peer, forwarded, self._settings.trusted_proxies):
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
        except StorageFault as fault:
            log.warning("ledger.waits", reason=str(fault))
        except Exception:
            log.exception("ledger.maintenance_failed")


async def _forget(retention: Retention, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await retention.round()
        except StorageFault as fault:
            log.warning("retention.waits", reason=str(fault))
        except Exception:
            log.exception("retention.failed")


async def _watch(db: Database) -> None:
    """Try the database again and again while it takes no write."""
    while True:
        await asyncio.sleep(1)
        if not db.writable:
            fault = await checks.takes_a_write(db)
            log.warning("database.takes_writes_again" if fault is None else "database.takes_no_write", error=fault)


async def _count_nodes(db: Database, node: Node, limiter: Limiter) -> None:
    """Keep count of the gateways, among whom limits are shared out while their cache is gone."""
    # One that is slow to say that it is here is no reason to take its share.
    counts: deque[int] = deque(maxlen=_COUNTS)
    while True:
        now = now_ms()

        async def work(tx: Tx, now: int = now) -> int:
            await tx.execute(
                "INSERT INTO nodes (id, host, seen_at) VALUES ($1, $2, $3) "
                "ON CONFLICT (id) DO UPDATE SET host = excluded.host, seen_at = excluded.seen_at",
                *(node.id, socket.gethostname(), now),
            )
            await tx.execute("DELETE FROM nodes WHERE seen_at < $1", now - _FORGOTTEN_MS)
            return await tx.fetchval("SELECT COUNT(*) FROM nodes WHERE seen_at > $1", now - _GONE_MS)

        try:
            counts.append(await db.write(work))
            limiter.nodes = max(1, *counts)
        except StorageFault:
            log.warning("nodes.not_counted")
        await asyncio.sleep(_HERE_SECONDS)


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
    return Application(settings)
