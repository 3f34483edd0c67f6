"""A program that the supervisor keeps running: a process group of its own, so that what it started ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .lifeline import die_with_parent

_LISTENING = re.compile(rb"listening on http://[^:]+:(\d+)")
_FIRST_BACK_OFF, _LONGEST_BACK_OFF = 0.2, 10.0
_STEADY_SECONDS = 1.0
"""One that served for so long is started again at once; what ends sooner, ever later."""
_LOOK_SECONDS = 0.1
END_SECONDS = 5.0

Say = Callable[[str], None]
STANDBY = "--standby"
"""Flag of a process that has all it needs, and waits for a line on its standard input before it serves."""


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
    answers : callable, optional
        Looks whether it serves, where it does not print that line.
    inherits : sequence of int
        Open files that it is given.
    standby : bool
        Whether the process of its next life is started beforehand, once it is ready.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    environ: Mapping[str, str]
    say: Say
    port: int = 0
    announces: bool = True
    grace: float = END_SECONDS
    answers: Callable[[], Awaitable[bool]] | None = None
    inherits: Sequence[int] = ()
    standby: bool = False
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    restarts: int = 0
    _process: asyncio.subprocess.Process | None = None
    _next: asyncio.subprocess.Process | None = None
    _ending: bool = False
    _serves_since: float | None = None
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

    async def prepare(self) -> None:
        """Have the next life wait, if there is to be one."""
        if self.standby and self._next is None and not self._ending:
            self._next = await self._exec(STANDBY)

    async def _spawn(self) -> None:
        process, self._next = self._next, None
        if process is not None and process.stdin is not None and process.returncode is None:
            process.stdin.write(b"\n")
            self._process = process
        else:
            self._process = await self._exec()

    async def _exec(self, *flags: str) -> asyncio.subprocess.Process:
        parent = os.getpid()

        def before_exec() -> None:
            die_with_parent(signal.SIGTERM, parent)

        return await asyncio.create_subprocess_exec(
            *self.command(self.port),
            *flags,
            stdin=asyncio.subprocess.PIPE if flags else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if self.announces else None,
            env=self.environ,
            start_new_session=True,
            preexec_fn=before_exec,
            pass_fds=self.inherits,
        )

    async def _keep(self) -> None:
        back_off = 0.0
        while True:
            process, self._serves_since = self._process, None
            assert process is not None
            reader = asyncio.create_task(self._look() if process.stdout is None else self._listen(process.stdout))
            code = await process.wait()
            # What the program had started must not keep its port.
            self._signal(signal.SIGKILL)
            reader.cancel()
            if self._ending:
                return
            if self._serves_since is not None and time.monotonic() - self._serves_since > _STEADY_SECONDS:
                back_off = 0.0
            self.say(f"{self.name} ended ({_reason(code)}); it starts again in {back_off:.1f} s")
            await asyncio.sleep(back_off)
            back_off = min(max(back_off * 2, _FIRST_BACK_OFF), _LONGEST_BACK_OFF)
            self.restarts += 1
            await self._spawn()
            if self.ready.is_set():
                await self.prepare()

    async def _look(self) -> None:
        while self.answers is not None:
            if await self.answers():
                self._serves_since = time.monotonic()
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _listen(self, output: asyncio.StreamReader) -> None:
        with contextlib.suppress(ValueError):  # a line without end
            while line := await output.readline():
                found = _LISTENING.search(line)
                if found:
                    self._serves_since = time.monotonic()
                if found and not self.ready.is_set():
                    self.port = int(found[1])
                    self.ready.set()
                elif not found:
                    self.say(f"{self.name}: {line.decode('utf-8', 'replace').rstrip()}")

    def _signal(self, number: int) -> None:
        _signal(self._process, number)

    def kill(self) -> None:
        """End it and what it started at once."""
        self._ending = True
        self._signal(signal.SIGKILL)
        _signal(self._next, signal.SIGKILL)

    async def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL after the grace time."""
        self._ending = True
        # It holds what it was given, such as the address.
        _signal(self._next, signal.SIGKILL)
        if self._next is not None:
            await self._next.wait()
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
            await asyncio.wait([self._keeper], timeout=END_SECONDS)


def _signal(process: asyncio.subprocess.Process | None, number: int) -> None:
    if process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def _reason(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
