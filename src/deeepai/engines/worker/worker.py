"""A process of its own for native libraries: what they do neither holds up the program nor can end it.

Jobs queue; one runs at a time, for it uses all the cores that it may. A caller's leaving stops a job at its next piece.
The process starts with the first job, and its memory is free again when it is closed.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from ..openai_wire import WireError
from ..turns import Turns
from .process import frame

MOST_WAITING: Final = 16
"""Jobs of one account."""
_STOP_SECONDS: Final = 5.0
_LENGTH: Final = struct.Struct(">I")
_decode = msgspec.msgpack.Decoder().decode


class Worker:
    """One process.

    Parameters
    ----------
    module : str
        Full name of the module whose `Engine` does the work.
    folder : Path
        The packs folder.
    """

    def __init__(self, module: str, folder: Path) -> None:
        self._module, self._folder = module, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._answers: dict[int, asyncio.Queue[dict[str, Any] | None]] = {}
        self._turns = Turns(1, MOST_WAITING)
        self._running: int | None = None
        """The job whose turn it is."""
        self._last = 0
        self._starting: asyncio.Task[asyncio.StreamWriter] | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """`ready` or `idle`: whether the process runs."""
        return "idle" if self._writer is None else "ready"

    def close(self) -> None:
        """End the process; all jobs must have ended or been left."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    async def run(self, request: dict[str, Any]) -> AsyncGenerator[Any]:
        """Yield the pieces of an answer; close the generator to stop the job.

        Raises
        ------
        WireError
            400 for what the engine refuses, 429 when too many wait, 500 if it fails.
        """
        await self._turns.enter()
        self._last += 1
        job, answers = self._last, asyncio.Queue[dict[str, Any] | None]()
        self._answers[job], self._running = answers, job
        ended = False
        try:
            writer = await self._line()
            writer.write(frame({"job": job, "request": request}))
            await writer.drain()
            while (body := await answers.get()) is not None:
                if "piece" in body:
                    yield body["piece"]
                    continue
                ended = True
                if refused := body["end"].get("refused"):
                    message, param, code = refused
                    raise WireError(400, message, param=param, code=code)
                if body["end"]:
                    raise WireError(500, "The engine failed.")
                return
            ended = True
            raise WireError(500, "The engine's process ended.")
        except ConnectionError:
            ended = True
            raise WireError(500, "The engine's process ended.") from None
        finally:
            del self._answers[job]
            self._over(job)
            if not ended and self._writer is not None:
                self._writer.write(frame({"stop": job}))

    def _over(self, job: int) -> None:
        """End a job's turn, once: with its work, however slowly its pieces are read."""
        if self._running == job:
            self._running = None
            self._turns.leave()

    async def _line(self) -> asyncio.StreamWriter:
        """Return the way to the process, which is started if there is none."""
        if self._writer is not None:
            return self._writer
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start())
        # A caller who leaves meanwhile does not take it from the others.
        return await asyncio.shield(self._starting)

    async def _start(self) -> asyncio.StreamWriter:
        if self._process is not None:
            await asyncio.to_thread(self.close)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.to_thread(self._spawn, theirs.fileno())
        reader, writer = await asyncio.open_connection(sock=ours)
        self._writer, self._pump = writer, asyncio.create_task(self._read(reader, writer))
        return writer

    def _spawn(self, descriptor: int) -> subprocess.Popen[bytes]:
        run = "from deeepai.engines.worker.process import main; main()"
        command = [sys.executable, "-c", run, self._module, str(self._folder)]
        # Its output goes to the log: on the program's own, somebody may wait for the address.
        return subprocess.Popen(
            [*command, str(descriptor)],
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__,
            pass_fds=(descriptor,),
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand on what comes. It is always read, so that a slow caller holds nobody up."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(_LENGTH.size)
                body = _decode(await reader.readexactly(_LENGTH.unpack(head)[0]))
                if answers := self._answers.get(body["job"]):
                    answers.put_nowait(body)
                if "end" in body:
                    self._over(body["job"])
        writer.close()
        if self._writer is writer:
            self._writer = None
            for answers in self._answers.values():
                answers.put_nowait(None)
