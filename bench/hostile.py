"""What bodies made to do harm cost: the longest stop of the gateway's event loop, and the memory that they take.

    python -m bench.hostile [NAME …]

A gateway with the sandbox is started for each; a free test token sends the input while `/healthz` is asked without a
pause. The stop is the longest wait for that answer. What a busy machine adds is in it, so that the most CPU time of the
loop's own thread within one wait is told beside it: what another thread holds up is not in that.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from tests.stack import Gateway, Sandbox, channels

MB: Final = 1 << 20
_CHAT: Final = "/v1/chat/completions"
_JSON: Final = {"content-type": "application/json"}
_GZIP: Final = {**_JSON, "content-encoding": "gzip"}


@dataclass(frozen=True)
class Input:
    """What is sent, how often at once, and where to."""

    body: Callable[[], bytes]
    times: int = 1
    path: str = _CHAT
    headers: tuple[tuple[str, str], ...] = tuple(_JSON.items())


def _packed(body: bytes) -> bytes:
    return gzip.compress(body, 6)


def _chat(content: bytes) -> bytes:
    return b'{"model":"gpt-4o","messages":[{"role":"user","content":' + content + b"}]}"


def _filled(item: bytes, size: int) -> bytes:
    return b"[" + b",".join([item] * (size // (len(item) + 1))) + b"]"


def _messages(size: int) -> bytes:
    return b'{"model":"gpt-4o","messages":' + _filled(b'{"role":"user","content":"a"}', size) + b"}"


def _keys(count: int) -> bytes:
    return _chat(b'"a"')[:-1] + b',"z":{' + b",".join(b'"%d":1' % number for number in range(count)) + b"}}"


def _extra(value: bytes) -> bytes:
    return _chat(b'"a"')[:-1] + b',"metadata":{"z":' + value + b"}}"


def _mask(side: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.effect_noise((side, side), 90).convert("RGBA").save(file, "PNG", compress_level=1)
    return file.getvalue()


def _form(*parts: tuple[str, str, bytes]) -> bytes:
    lines: list[bytes] = []
    for name, filename, data in parts:
        named = f'; filename="{filename}"\r\nContent-Type: image/png' if filename else ""
        lines.append(f'--x\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + data + b"\r\n")
    return b"".join(lines) + b"--x--\r\n"


def _edit(model: str, picture: bytes, mask: bytes) -> bytes:
    return _form(
        ("model", "", model.encode()), ("prompt", "", b"a"), ("image", "a.png", picture), ("mask", "m.png", mask)
    )


_FORM: Final = (("content-type", "multipart/form-data; boundary=x"),)
_RESPONSES: Final = "/v1/responses"
INPUTS: Final[dict[str, Input]] = {
    "nothing": Input(lambda: _chat(b'"a"')),
    "30 gzips of 31 MB": Input(
        lambda: _packed(_chat(b'"' + b"a" * (31 * MB) + b'"')), 30, headers=tuple(_GZIP.items())
    ),
    "the same, held": Input(
        lambda: _packed(_chat(b'"[sandbox:slow=8]' + b"a" * (31 * MB) + b'"')), 30, headers=tuple(_GZIP.items())
    ),
    "gzips of small messages": Input(lambda: _packed(_messages(30 * MB)), 4, headers=tuple(_GZIP.items())),
    "30 of 1 MB of small messages": Input(lambda: _packed(_messages(MB - 99)), 30, headers=tuple(_GZIP.items())),
    "1 MB of empty lists": Input(lambda: _extra(_filled(b"[]", MB - 999)), 30),
    "a million ids": Input(
        lambda: b'{"model":"gpt-4o","input":' + _filled(b'{"file_id":"a0"}', 21 * MB) + b"}", path=_RESPONSES
    ),
    "60 kB of ids": Input(
        lambda: b'{"model":"gpt-4o","input":' + _filled(b'{"file_id":"a0"}', 60_000) + b"}", 30, _RESPONSES
    ),
    "deep nesting": Input(lambda: _extra(b"[" * (10 * MB) + b"]" * (10 * MB))),
    "nesting of 900": Input(lambda: _extra(b"[" * 900 + b"]" * 900), 30),
    "huge number": Input(lambda: _extra(b"9" * (30 * MB))),
    "numbers of 4000 digits": Input(lambda: _extra(_filled(b"9" * 4000, 30 * MB))),
    "slow floats": Input(lambda: _extra(_filled(b"1.2345678901234567e-300", 30 * MB))),
    "1 MB of slow floats": Input(lambda: _extra(_filled(b"1.2345678901234567e-300", MB - 999)), 10),
    "a million keys": Input(lambda: _keys(1_000_000)),
    "300,000 tokens": Input(
        lambda: b'{"model":"text-embedding-3-small","input":[' + _filled(b"12345", 1_800_000) + b"]}",
        4,
        "/v1/embeddings",
    ),
    "escapes": Input(lambda: _chat(b'"' + b"\\n" * (15 * MB) + b'"')),
    "half surrogates": Input(lambda: _chat(b'"' + b"\\ud800" * 600_000 + b'"'), 2),
    "12 MB with an emoji": Input(lambda: _chat(b'"' + b"a" * (11 * MB) + "😀".encode() + b'"'), 4),
    "pictures of 20 MB": Input(lambda: _chat(b'[{"type":"text","text":"' + b"A" * (20 * MB) + b'"}]'), 4),
    "20 MB, translated": Input(
        lambda: _chat(b'"' + b"A" * (20 * MB) + b'"').replace(b"gpt-4o", b"claude-sonnet-4-5"), 2
    ),
    "small messages, translated": Input(lambda: _messages(MB).replace(b"gpt-4o", b"claude-sonnet-4-5"), 4),
    "form of 120 MB": Input(
        lambda: _edit("gpt-image-1", b"a" * (120 * MB), b"a"), path="/v1/images/edits", headers=_FORM
    ),
    "form of line ends": Input(
        lambda: _edit("gpt-image-1", b"\r" * (20 * MB), b"\r\n--" * MB), path="/v1/images/edits", headers=_FORM
    ),
    "mask of 4 megapixels, translated": Input(
        lambda: _edit("ideogram-V_3", _mask(64), _mask(2048)), 4, "/v1/images/edits", _FORM
    ),
    "form of 30 MB, translated": Input(
        lambda: _edit("ideogram-V_3", b"a" * (30 * MB), _mask(64)), 2, "/v1/images/edits", _FORM
    ),
}


@dataclass
class Found:
    """What an input cost."""

    stop: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    statuses: tuple[int, ...] = ()


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def _ran(pid: int) -> float:
    """Return the CPU time of a process's first thread, s."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def _gateway_process(parent: int) -> int:
    """Return the process that serves: of the supervisor's children, the one that is no engine and no sandbox."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"sandbox" not in command and b"engines" not in command:
            return int(child)
    return parent


async def _watch(url: str, pid: int, found: Found, begun: asyncio.Event) -> None:
    """Ask for `/healthz` again and again."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    reader, writer = await asyncio.open_connection(host, port)
    before = _resident(pid)
    begun.set()
    while True:
        asked, ran = time.perf_counter(), _ran(pid)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        await reader.readuntil(b"ok")
        found.stop = max(found.stop, time.perf_counter() - asked)
        found.cpu = max(found.cpu, _ran(pid) - ran)
        found.memory = max(found.memory, _resident(pid) - before)
        await asyncio.sleep(0.001)


def _send(url: str, token: str, given: Input) -> None:
    """Send an input from a process of its own; print the statuses."""

    async def one(session: aiohttp.ClientSession, body: bytes) -> int:
        headers = {**dict(given.headers), "authorization": f"Bearer {token}"}
        async with session.post(url + given.path, data=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def send_all() -> list[Any]:
        body = given.body()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(120)) as session:
            return await asyncio.gather(*(one(session, body) for _ in range(given.times)), return_exceptions=True)

    print(json.dumps([each if isinstance(each, int) else 0 for each in asyncio.run(send_all())]))


async def _measured(gateway: Gateway, name: str) -> Found:
    assert gateway.process is not None
    found, begun = Found(), asyncio.Event()
    pid = _gateway_process(gateway.process.pid)
    watch = asyncio.create_task(_watch(gateway.url, pid, found, begun))
    await begun.wait()
    token = gateway.first_start()["test_token"]
    sender = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.hostile", "--send", gateway.url, token, name), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await sender.communicate()
    await asyncio.sleep(0.2)
    watch.cancel()
    found.statuses = tuple(json.loads(said))
    return found


def main() -> None:
    """Measure what is named, or all; print a table."""
    if sys.argv[1:2] == ["--send"]:
        url, token, name = sys.argv[2:]
        _send(url, token, INPUTS[name])
        return
    sandbox = Sandbox().start()
    print(
        "| input | answers | longest stop, ms | CPU of the loop, ms | memory, MB |\n|---|---|---|---|---|", flush=True
    )
    try:
        for name in sys.argv[1:] or INPUTS:
            with tempfile.TemporaryDirectory() as folder:
                toml = channels(sandbox.url).replace('name = "', 'mode = "test"\nname = "tested-')
                gateway = Gateway(Path(folder), sandbox, toml=toml).start()
                try:
                    found = asyncio.run(_measured(gateway, name))
                finally:
                    gateway.stop()
            counts = {status: found.statuses.count(status) for status in sorted(set(found.statuses))}
            answers = ", ".join(f"{count} × {status}" for status, count in counts.items())
            times = f"{found.stop * 1000:.0f} | {found.cpu * 1000:.0f}"
            print(f"| {name} | {answers} | {times} | {found.memory / 1e6:.0f} |", flush=True)
    finally:
        sandbox.stop()


if __name__ == "__main__":
    main()
