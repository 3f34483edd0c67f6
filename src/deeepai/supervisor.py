"""`deeepai serve`: starts the engines' program, the sandbox's and the gateway, and keeps them running until a signal.

Each is a process group of its own, so that what it started ends with it; none outlives this process, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

from .accounts.vault import Vault
from .control import bootstrap, presets
from .control.config_file import Applier, ConfigError
from .engines import PackError, catalogue
from .lifeline import die_with_parent
from .money.ledger import Ledger
from .money.prices import PriceBook
from .protocols import PROTOCOLS
from .settings import HANDOVER, Settings
from .storage.connect import open_database
from .storage.database import Database
from .tls import Certificate

PACK: Final = "smollm2-135m"
_LISTENING = re.compile(rb"listening on http://[^:]+:(\d+)")
_FIRST_BACK_OFF, _LONGEST_BACK_OFF = 0.2, 10.0
_STEADY_SECONDS = 30.0
_READY_SECONDS = 60.0
_MEMORY: Final = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_ARENA_MAX": "2"}
"""Has glibc give the memory of large bodies back when they are done."""
_END_SECONDS = 5.0
_LOOK_SECONDS = 0.25

Say = Callable[[str], None]
Stamp = tuple[int, int, int] | None
"""What tells a file's versions apart; None where there is none."""


class StartError(Exception):
    """Why nothing could be started."""


@dataclass(slots=True, eq=False)
class Child:
    """One program.

    Attributes
    ----------
    command : callable
        Its command line for a port; 0 before the system has chosen one.
    port : int
        Kept over restarts.
    announces : bool
        Whether it prints the line that tells its port.
    grace : float
        Seconds between SIGTERM and SIGKILL.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    environ: Mapping[str, str]
    say: Say
    port: int = 0
    announces: bool = True
    grace: float = _END_SECONDS
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    restarts: int = 0
    _process: asyncio.subprocess.Process | None = None
    _ending: bool = False
    _keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it, and start it again whenever it ends."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    async def _spawn(self) -> None:
        parent = os.getpid()

        def before_exec() -> None:
            die_with_parent(signal.SIGTERM, parent)

        self._process = await asyncio.create_subprocess_exec(
            *self.command(self.port),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if self.announces else None,
            env=self.environ,
            start_new_session=True,
            preexec_fn=before_exec,
        )

    async def _keep(self) -> None:
        back_off = _FIRST_BACK_OFF
        while True:
            process, started = self._process, time.monotonic()
            assert process is not None
            reader = asyncio.create_task(self._listen(process.stdout)) if process.stdout is not None else None
            code = await process.wait()
            # What the program had started must not keep its port.
            self._signal(signal.SIGKILL)
            if reader is not None:
                reader.cancel()
            if self._ending:
                return
            if time.monotonic() - started > _STEADY_SECONDS:
                back_off = _FIRST_BACK_OFF
            self.say(f"{self.name} ended ({_reason(code)}); it starts again in {back_off:.1f} s")
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, _LONGEST_BACK_OFF)
            self.restarts += 1
            await self._spawn()

    async def _listen(self, output: asyncio.StreamReader) -> None:
        with contextlib.suppress(ValueError):  # a line without end
            while line := await output.readline():
                found = _LISTENING.search(line)
                if found and not self.ready.is_set():
                    self.port = int(found[1])
                    self.ready.set()
                elif not found:
                    self.say(f"{self.name}: {line.decode('utf-8', 'replace').rstrip()}")

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End it and what it started at once."""
        self._ending = True
        self._signal(signal.SIGKILL)

    async def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL after the grace time."""
        self._ending = True
        process = self._process
        if process is None or self._keeper is None:
            return
        if process.returncode is None:
            # To the program alone: it tells what it started, and in good order.
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        else:
            self._keeper.cancel()  # between two lives
        await asyncio.wait([self._keeper], timeout=self.grace)
        if not self._keeper.done():
            self._signal(signal.SIGKILL)
            await asyncio.wait([self._keeper], timeout=_END_SECONDS)


def _reason(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0.

    Raises
    ------
    StartError
        It cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            raise StartError(f"port {port} of {host} cannot be listened on: {fault.strerror}") from None
        return probe.getsockname()[1]


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _lock(folder: Path) -> IO[str]:
    """Keep a second supervisor off the same data folder; the lock goes with the process."""
    file = (folder / "serve.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise StartError(f"another `deeepai serve` uses {folder}") from None
    return file


async def answers(url: str, path: str) -> bool:
    """Tell whether an HTTP GET of that path answers 200, at this machine's own address."""
    address = urlsplit(url)
    host, tls = address.hostname, None
    if address.scheme == "https":
        # The certificate names the host that callers know, and not this address.
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(host, address.port, ssl=tls)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                return (await reader.readline()).split(b" ")[1:2] == [b"200"]
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


class Supervisor:
    """Runs everything.

    Parameters
    ----------
    settings : Settings
        The port may be 0.
    say : callable
        Tells the operator a line.
    """

    def __init__(self, settings: Settings, say: Say) -> None:
        self.settings = settings
        self._say = say
        self._children: list[Child] = []
        self._stop = asyncio.Event()
        # Vendors' keys lie encrypted in the store: the programs need none of them.
        hidden = {name for item in PROTOCOLS.values() for name in (item.env_key, *item.env_key_also)}
        hidden |= presets.environment_keys()
        self._environ = {name: value for name, value in os.environ.items() if name not in hidden}

    async def run(self) -> None:
        """Start everything, and end it in order at the first SIGINT or SIGTERM; at the second, at once.

        Raises
        ------
        StartError
        """
        self._catch_signals()
        if self.settings.tls_cert:
            try:
                Certificate(self.settings.tls_cert, self.settings.tls_key)
            except OSError as fault:
                raise StartError(f"the certificate and its key cannot be used: {fault}") from None
        folder = self.settings.folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _lock(folder):
            port = free_port(self.settings.host, self.settings.port)
            self.settings = self.settings.changed(port=port, data=str(folder))
            vault = Vault.open(self.settings.secret_path)
            database = await open_database(self.settings.database_url)
            ledger = Ledger(database, node="supervisor")
            await ledger.recover()
            watcher: asyncio.Task[None] | None = None
            try:
                told, first = await bootstrap.first_start(database, ledger, self.settings)
                await bootstrap.offer_aliases(database)
                applier = Applier(database, vault, ledger, PROTOCOLS, PriceBook.shipped())
                stamp = _stamp(self.settings.config_path)
                if self.settings.config and stamp is None:
                    raise StartError(f"{self.settings.config_path} does not exist")
                await self._apply(applier)
                if await self._start_programs(database, vault):
                    watcher = asyncio.create_task(self._watch(applier, stamp))
                    self._greet(told, first=first)
                    await self._propose()
                    await self._stop.wait()
                    self._say("Stopping: open requests have their grace time; Ctrl-C again ends at once")
            finally:
                if watcher is not None:
                    watcher.cancel()
                    await asyncio.gather(watcher, return_exceptions=True)
                await self._end_programs()
                await ledger.close()
                await database.close()

    def _catch_signals(self) -> None:
        def caught() -> None:
            if self._stop.is_set():
                for child in self._children:
                    child.kill()
            self._stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, caught)

    # Programs

    def _child(self, name: str, command: Callable[[int], Sequence[str]]) -> Child:
        child = Child(name=name, command=command, environ=self._environ, say=self._say)
        self._children.append(child)
        return child

    async def _start_programs(self, database: Database, vault: Vault) -> bool:
        """Start all; False where a signal came before all were ready."""
        settings, python = self.settings, sys.executable
        engines = sandbox = None
        if settings.engines:
            await self._install_pack()
            packs = ["--packs", settings.packs] if settings.packs else []
            engines = self._child(
                "engines", lambda port: [python, "-m", "deeepai.engines", "--port", str(port), *packs]
            )
        if settings.sandbox:
            speed = ["--speed", str(settings.sandbox_speed)]
            sandbox = self._child(
                "sandbox", lambda port: [python, "-m", "deeepai.sandbox", "--port", str(port), *speed]
            )
        for child in self._children:
            await child.start()
        for child in self._children:
            if not await self._wait(child.ready.wait()):
                if self._stop.is_set():
                    return False
                self._say(f"{child.name} does not get ready; the gateway starts without it")
        models = _engine_models(settings) if engines else ()
        wanted = bootstrap.builtin_channels(PROTOCOLS, _url(engines), _url(sandbox), models)
        await bootstrap.sync_channels(database, vault, wanted, "builtin")
        wanted = bootstrap.environment_channels(PROTOCOLS, os.environ)
        for line in await bootstrap.sync_channels(database, vault, wanted, "environment"):
            self._say(f"From the environment: {line}")
        return await self._start_gateway()

    async def _install_pack(self) -> None:
        settings = self.settings
        command = [sys.executable, "-m", "deeepai", "engines", "install", PACK, "--quiet"]
        if settings.packs:
            command += ["--packs", settings.packs]
        installer = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, env=self._environ, start_new_session=True
        )
        stopped = asyncio.create_task(self._stop.wait())
        ended = asyncio.create_task(installer.wait())
        await asyncio.wait([stopped, ended], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(installer.pid, signal.SIGKILL)
        if await ended != 0 and not self._stop.is_set():
            self._say(f"The local chat model is missing; `deeepai engines install {PACK}` tries again")

    async def _start_gateway(self) -> bool:
        settings = self.settings
        gateway = Child(
            name="gateway",
            command=lambda port: [sys.executable, "-m", "deeepai", "gateway"],
            environ={**_MEMORY, **self._environ, HANDOVER: settings.to_json()},
            say=self._say,
            port=settings.port,
            announces=False,
            # The gateway keeps to the grace time itself; this is for when it cannot.
            grace=settings.grace + _END_SECONDS,
        )
        self._children.append(gateway)
        await gateway.start()
        if await self._wait(self._until_ready(gateway)):
            gateway.ready.set()
            return True
        if self._stop.is_set():
            return False
        raise StartError("the gateway does not get ready; its log says why")

    async def _until_ready(self, gateway: Child) -> None:
        while not await answers(self.settings.local_url, "/readyz"):
            if gateway.restarts > 3:
                raise StartError("the gateway ends as soon as it starts; its log says why")
            await asyncio.sleep(0.05)

    async def _wait(self, coroutine: Coroutine[Any, Any, object]) -> bool:
        """Wait for something, but not for ever, and not after a signal."""
        waiting = asyncio.create_task(coroutine)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([waiting, stopped], timeout=_READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if waiting.done():
            waiting.result()
            return not self._stop.is_set()
        waiting.cancel()
        return False

    async def _end_programs(self) -> None:
        # The gateway first: the others answer its open requests.
        for child in reversed(self._children):
            await child.stop()

    # The declarative file

    async def _apply(self, applier: Applier) -> None:
        path = self.settings.config_path
        try:
            for line in await applier.apply(path):
                self._say(f"{path.name}: {line}")
        except ConfigError as fault:
            self._say(f"{fault}; nothing of the file was applied")

    async def _watch(self, applier: Applier, applied: Stamp) -> None:
        # Looking is cheaper than being told: the folder holds the database, too, which changes all the time.
        seen = applied
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            stamp = _stamp(self.settings.config_path)
            # A file that is just being written is left alone until it rests.
            rests, seen = stamp == seen, stamp
            if rests and stamp != applied:
                applied = stamp
                try:
                    await self._apply(applier)
                except Exception as fault:
                    self._say(f"{self.settings.config_path.name} could not be applied: {fault!r}")

    # What the operator sees

    def _greet(self, told: bootstrap.FirstStart | None, *, first: bool) -> None:
        settings = self.settings
        self._say("")
        self._say(f"DeeepAI listens on {settings.local_url}    API reference: {settings.local_url}/docs")
        if told is None:
            return
        path = bootstrap.first_start_path(settings)
        if first:
            self._say(f"Administrator: {bootstrap.ADMIN}   Password: {told.admin_password}   (also in {path})")
        self._say(f"Live token: {told.live_token}")
        self._say(f"Test token: {told.test_token}   (the sandbox answers; costs nothing)")
        self._say("")
        self._say(_curl(settings.local_url, told.live_token))
        self._say("")

    async def _propose(self) -> None:
        for line in await bootstrap.local_servers(skip=[self.settings.port]):
            self._say(line)


def _engine_models(settings: Settings) -> list[str]:
    """Return what the engines serve: what the quickstart asks for in any case, so that its absence is explained."""
    try:
        entries = catalogue(Path(settings.packs) if settings.packs else None)
        found = [entry.model.id for entry in entries if entry.installed]
    except PackError:
        found = []
    return list(dict.fromkeys((*bootstrap.ENGINE_MODELS, *found)))


def _url(child: Child | None) -> str | None:
    return child.url if child is not None and child.port else None


def _curl(url: str, token: str) -> str:
    body = '{"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "Say this is a test!"}]}'
    return (
        f"curl {url}/v1/chat/completions -H 'Authorization: Bearer {token}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )


def serve(settings: Settings, say: Say) -> None:
    """Run the supervisor until it is told to stop.

    Raises
    ------
    StartError
    """
    asyncio.run(Supervisor(settings, say).run())
