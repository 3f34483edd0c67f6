"""The pool: a bounded number of processes, each with one job at a time, whose time and memory are bounded."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from ..worker.process import frame
from .job import Job

_LENGTH: Final = struct.Struct(">I")
_LOOK_SECONDS: Final = 0.25
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_decode = msgspec.msgpack.Decoder().decode

Tell = Callable[[int, Mapping[str, Any] | None], None]


class Crashed(Exception):
    """A job's process has ended, by itself or because the job took more than it may; see `Job` for `code`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class _Process:
    """A process and the line to it."""

    def __init__(self, packs: Path) -> None:
        self.modules = set[str]()
        """What it has loaded."""
        ours, theirs = socket.socketpair()
        run = "from deeepai.engines.jobs.process import main; main()"
        # On this thread: the kernel ends the child with the thread that started it.
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", run, str(packs), str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__,
                pass_fds=(theirs.fileno(),),
                # One job has one core: there are as many processes as cores that are to be used.
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            )
        self._ours = ours
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def work(self, job: Job, tell: Tell) -> dict[str, Any]:
        """Have a job done; return its end."""
        if self._line is None:
            self._line = await asyncio.open_connection(sock=self._ours)
        reader, writer = self._line
        asked = {"job": job.id, "module": job.module, "request": job.request, "folder": str(job.folder)}
        writer.write(frame(asked))
        await writer.drain()
        while True:
            head = await reader.readexactly(_LENGTH.size)
            body = _decode(await reader.readexactly(_LENGTH.unpack(head)[0]))
            if "end" in body:
                self.modules.add(job.module)
                return body["end"]
            tell(body["progress"], body["told"])

    def resident(self) -> int:
        """Return the bytes of memory that it has."""
        try:
            return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError, ValueError):
            return 0

    def kill(self) -> None:
        """End it at once."""
        if self._line is not None:
            self._line[1].close()
        else:
            self._ours.close()
        self._process.kill()
        self._process.wait()


class Pool:
    """Processes that do jobs.

    Parameters
    ----------
    packs : Path
        The packs folder.
    memory : int
        Bytes that a process may have resident.
    """

    def __init__(self, packs: Path, memory: int) -> None:
        self._packs, self._memory = packs, memory
        self._idle: list[_Process] = []
        self._busy = set[_Process]()

    @property
    def processes(self) -> int:
        """How many there are."""
        return len(self._idle) + len(self._busy)

    async def run(self, job: Job, tell: Tell) -> dict[str, Any]:
        """Do a job in a process that is free, or a new one; as many as are called at once run at once.

        Raises
        ------
        Crashed
        """
        process = self._take(job.module)
        self._busy.add(process)
        try:
            working = asyncio.ensure_future(process.work(job, tell))
            end = await self._watched(process, job, working)
        except BaseException:
            process.kill()
            raise
        else:
            self._idle.append(process)
            return end
        finally:
            self._busy.discard(process)

    def close(self) -> None:
        """End all processes."""
        for process in (*self._idle, *self._busy):
            process.kill()
        self._idle.clear()

    def _take(self, module: str) -> _Process:
        """Return one that knows the module already, else any, else a new one."""
        best = next((process for process in self._idle if module in process.modules), None)
        if best is None and self._idle:
            best = self._idle[0]
        if best is None:
            return _Process(self._packs)
        self._idle.remove(best)
        return best

    async def _watched(self, process: _Process, job: Job, working: asyncio.Future[dict[str, Any]]) -> dict[str, Any]:
        end = asyncio.get_running_loop().time() + job.seconds
        try:
            while not working.done():
                await asyncio.wait((working,), timeout=_LOOK_SECONDS)
                if working.done():
                    break
                if process.resident() > self._memory:
                    raise Crashed("memory", "The job needs more memory than it may have.")
                if asyncio.get_running_loop().time() > end:
                    raise Crashed("timeout", f"The job took more than {job.seconds:g} seconds.")
            try:
                return working.result()
            except (OSError, asyncio.IncompleteReadError):
                raise Crashed("crashed", "The engine's process ended.") from None
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
                await working
