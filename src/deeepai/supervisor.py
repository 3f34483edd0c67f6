"""`deeepai serve`: starts the engines' program, the sandbox's and the gateway, and keeps them running until a signal.

None outlives this process, however it ends. The gateway's address is held here: while it starts again, callers wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import signal
import socket
import ssl
import stat
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

from .accounts.channels import NewChannel
from .accounts.opening import open_store
from .accounts.own_channels import Node, arrange
from .accounts.vault import Vault
from .child import END_SECONDS, Child, Say
from .control import applied_files, bootstrap, presets
from .control.config_file import Applier, ConfigError, read
from .engines import PackError, catalogue, tools
from .engines.packs import default_folder
from .money.ledger import Ledger
from .money.prices import PriceBook
from .protocols import PROTOCOLS
from .settings import HANDOVER, PRIVATE, Settings
from .storage.database import Database, DatabaseRefused, DatabaseUnavailable
from .storage.migrations import migrate
from .tls import Certificate

PACK: Final = "smollm2-135m"
_READY_SECONDS = 60.0
_MEMORY: Final = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_ARENA_MAX": "2"}
"""Has glibc give the memory of large bodies back when they are done."""
_BACKLOG: Final = 2048
_LOOK_SECONDS = 0.25

Stamp = tuple[int, int, int] | None
"""What tells a file's versions apart; None where there is none."""


class StartError(Exception):
    """Why nothing could be started."""


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that has an address; nobody can connect to it yet.

    Raises
    ------
    StartError
        The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as fault:
        listener.close()
        raise StartError(f"port {port} of {host} cannot be listened on: {fault.strerror}") from None
    return listener


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _close(folder: Path) -> None:
    """Close to others what earlier starts left open to them; what is made from now on is closed by the umask."""
    for path in folder.iterdir():
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & PRIVATE and not path.is_symlink():
            # Somebody else's, such as a volume's lost+found, stays as it is.
            with contextlib.suppress(PermissionError):
                path.chmod(mode & ~PRIVATE)


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
        self._node = Node(id="")
        self._listener = socket.socket()
        # Vendors' keys lie encrypted in the store: the programs need none of them.
        hidden = {name for item in PROTOCOLS.values() for name in (item.env_key, *item.env_key_also)}
        hidden |= presets.environment_keys() | {"DEEEPAI_SECRET"}
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
        if self.settings.database and self.settings.asset_store is None and "sqlite:" not in self.settings.database:
            raise StartError(
                "files would lie in this node's own folder, which no other node reads: set DEEEPAI_ASSET_STORE to a "
                "bucket (s3://…), to a folder that all nodes share, or to this folder, where this is the only node"
            )
        folder = self.settings.folder
        os.umask(PRIVATE)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _close(folder)
            lock = _lock(folder)
        except OSError as fault:
            raise StartError(f"{folder} cannot be used as the data folder: {fault.strerror}") from None
        with lock, bound(self.settings.host, self.settings.port) as listener:
            self._listener = listener
            self.settings = self.settings.changed(port=listener.getsockname()[1], data=str(folder))
            opening = asyncio.create_task(open_store(self.settings, wait=self.settings.database_wait, say=self._say))
            stopped = asyncio.create_task(self._stop.wait())
            await asyncio.wait([opening, stopped], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not opening.done():
                opening.cancel()
                await asyncio.gather(opening, return_exceptions=True)
                return
            try:
                database, vault = await opening
            except (DatabaseUnavailable, DatabaseRefused) as fault:
                raise StartError(str(fault)) from None
            await self._serve(database, vault)

    async def _serve(self, database: Database, vault: Vault) -> None:
        ledger = Ledger(database, node="supervisor")
        aside: list[asyncio.Task[None]] = []
        try:
            await ledger.recover()
            told, first = await bootstrap.first_start(database, ledger, self.settings)
            await bootstrap.offer_aliases(database)
            self._node = Node.read(self.settings.node_path)
            applier = Applier(database, vault, ledger, PROTOCOLS, PriceBook.shipped(), node=self._node.id)
            stamp = _stamp(self.settings.config_path)
            if self.settings.config and stamp is None:
                raise StartError(f"{self.settings.config_path} does not exist")
            await self._apply(applier)
            if await self._start_programs(database, vault):
                aside.append(asyncio.create_task(self._watch(applier, stamp)))
                if self.settings.engines:
                    aside.append(asyncio.create_task(self._install_tools()))
                self._greet(told, first=first)
                await self._propose()
                await self._stop.wait()
                self._say("Stopping: open requests have their grace time; Ctrl-C again ends at once")
        except DatabaseUnavailable as fault:
            raise StartError(str(fault)) from None
        finally:
            for task in aside:
                task.cancel()
            await asyncio.gather(*aside, return_exceptions=True)
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
            await self._install(PACK, "The local chat model")
            options = ["--data", str(Path(settings.data) / "engines")]
            options += ["--packs", settings.packs] if settings.packs else []
            for network in settings.allow_private_callbacks:
                options += ["--allow-private", network]
            engines = self._child(
                "engines", lambda port: [python, "-m", "deeepai.engines", "--port", str(port), *options]
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
        await self._arrange(
            database, vault, bootstrap.builtin_channels(PROTOCOLS, _url(engines), _url(sandbox), models)
        )
        return await self._start_gateway()

    async def _arrange(self, database: Database, vault: Vault, builtin: Sequence[NewChannel]) -> None:
        """Have the channels of this node's programs and environment, as this node's own."""
        node = self._node
        wanted = {"builtin": builtin, "environment": bootstrap.environment_channels(PROTOCOLS, os.environ)}
        said = await database.read(lambda tx: arrange(tx, vault, node, wanted))
        for line in said.get("environment", ()):
            self._say(f"From the environment: {line}")
        node.write(self.settings.node_path)
        if database.dialect == "sqlite":
            # No other node, and so no older one, can be at work.
            await migrate(database, after=True)

    async def _install(self, pack: str, what: str) -> None:
        """Install a pack; at once if it is there already."""
        settings = self.settings
        command = [sys.executable, "-m", "deeepai", "engines", "install", pack, "--quiet"]
        if settings.packs:
            command += ["--packs", settings.packs]
        installer = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, env=self._environ, start_new_session=True
        )
        stopped = asyncio.create_task(self._stop.wait())
        ended = asyncio.create_task(installer.wait())
        try:
            await asyncio.wait([stopped, ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            if not ended.done():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(installer.pid, signal.SIGKILL)
            code = await ended
        if code != 0 and not self._stop.is_set():
            self._say(f"{what} is missing; `deeepai engines install {pack}` tries again")

    async def _install_tools(self) -> None:
        """Install what the image tools need, one after another; nothing waits for it."""
        folder = Path(self.settings.packs) if self.settings.packs else None
        wanted = {
            pack.name: (pack.bytes, entry.model)
            for entry in tools(folder)
            if (pack := entry.model.pack) and not pack.installed(folder or default_folder())
        }
        for name, (_, model) in sorted(wanted.items(), key=lambda item: item[1][0]):
            if importlib.util.find_spec(model.package):
                await self._install(name, f"What {model.id} and others need")

    async def _start_gateway(self) -> bool:
        settings = self.settings
        gateway = Child(
            name="gateway",
            command=lambda port: [sys.executable, "-m", "deeepai", "gateway", str(self._listener.fileno())],
            environ={**_MEMORY, **self._environ, HANDOVER: settings.to_json()},
            say=self._say,
            port=settings.port,
            announces=False,
            # The gateway keeps to the grace time itself; this is for when it cannot.
            grace=settings.grace + END_SECONDS,
            answers=lambda: answers(self.settings.local_url, "/healthz"),
            inherits=(self._listener.fileno(),),
            # Of several workers, others serve meanwhile.
            standby=settings.standby and settings.workers == 1,
        )
        self._listener.listen(_BACKLOG)
        self._children.append(gateway)
        await gateway.start()
        if await self._wait(self._until_ready(gateway)):
            gateway.ready.set()
            await gateway.prepare()
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
        # Who comes now is refused at once, and goes to another node.
        self._listener.close()
        # The gateway first: the others answer its open requests.
        for child in reversed(self._children):
            await child.stop()

    # The declarative file

    async def _apply(self, applier: Applier) -> None:
        path, node, database = self.settings.config_path, self._node, applier.database
        try:
            if _stamp(path) is None:
                last = await database.read(applied_files.latest)
                if last is not None:
                    self._say(f"{path.name} is not here; what it declared stays (version {last['serial']})")
                return
            version = applied_files.digest(read(path)[0].text)
            newer = await applied_files.newer(database, node, version)
            if newer is not None:
                self._say(
                    f"{path.name} is older than what counts (version {newer['serial']}, by node {newer['node']}), "
                    "and is left alone; `deeepai config apply` makes it count"
                )
                return
            for line in await applier.apply(path):
                self._say(f"{path.name}: {line}")
            node.file = version
            node.write(self.settings.node_path)
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
