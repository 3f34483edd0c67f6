"""Large bodies through the gateway and straight to the upstream: `python -m bench.bulk` from the project's folder.

Prints, for each sort of body, how long one takes either way, and how much the largest process of the gateway grows.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.contenders.deeepai import DeeepAI
from bench.process import Child, NotReady, stop_all

BLOCK = 256 * 1024
TIMES = 6
AT_ONCE = 4


@dataclass(frozen=True)
class Case:
    """One sort of call; `body` is sent as it is."""

    name: str
    path: str
    kind: str
    body: bytes


def cases() -> list[Case]:
    boundary = "bulk-bench"
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    ).encode()
    end = f"\r\n--{boundary}--\r\n".encode()
    multipart = f"multipart/form-data; boundary={boundary}"
    many = {"model": "text-embedding-3-small", "input": ["The food was delicious."] * 1000}
    image = {"model": "gpt-image-1", "prompt": "a lighthouse", "size": "1024x1024", "quality": "high"}
    return [
        Case("embeddings, 1,000 inputs", "/v1/embeddings", "application/json", json.dumps(many).encode()),
        Case("image answer, 20 MB", "/v1/images/generations", "application/json", json.dumps(image).encode()),
        Case("upload, 10 MB", "/v1/audio/transcriptions", multipart, form + b"\x00" * 10_000_000 + end),
        Case("upload, 30 MB", "/v1/audio/transcriptions", multipart, form + b"\x00" * 30_000_000 + end),
    ]


def call(port: int, case: Case, token: str) -> float:
    """Make one call, reading in blocks; return its seconds."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", case.path, case.body, {"content-type": case.kind, "authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    while answer.read(BLOCK):
        pass
    connection.close()
    if answer.status != 200:
        raise NotReady(f"{case.name}: HTTP {answer.status}")
    return time.perf_counter() - started


def peak(child: Child) -> int:
    """Return the largest peak of a process's memory, in bytes."""
    found = 0
    for pid in child.processes():
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                found = max(found, int(line.split()[1]) * 1024)
    return found


def measure(case: Case, gateway: DeeepAI, upstream: int, token: str) -> str:
    call(upstream, case, "none")
    direct = statistics.median(call(upstream, case, "none") for _ in range(TIMES))
    call(gateway.port, case, token)
    before = gateway.child.weight().largest
    for pid in gateway.child.processes():
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    through = statistics.median(call(gateway.port, case, token) for _ in range(TIMES))
    alone = peak(gateway.child) - before
    threads = [threading.Thread(target=call, args=(gateway.port, case, token)) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = peak(gateway.child) - before
    return (
        f"| {case.name} | {direct * 1000:.0f} ms | {through * 1000:.0f} ms | {through / direct:.2f} "
        f"| {alone / 1e6:+.0f} MB | {together / 1e6:+.0f} MB |"
    )


def main() -> int:
    try:
        upstream = Child("bulk", [sys.executable, "-m", "bench.upstreams.bulk"])
        deadline = time.monotonic() + 20
        while not (text := upstream.log.read_text().strip()):
            if time.monotonic() > deadline or not upstream.alive:
                raise NotReady(f"the upstream does not start: {upstream.tail()}")
            time.sleep(0.05)
        gateway = DeeepAI()
        gateway.start(int(text))
        token = json.loads((gateway.folder / "data" / "first-start.json").read_text())["live_token"]
        print(f"| body | direct | gateway | ratio | peak over idle, one at a time | {AT_ONCE} at once |")
        print("|---|---|---|---|---|---|")
        for case in cases():
            print(measure(case, gateway, int(text), token), flush=True)
    except NotReady as fault:
        print(fault, file=sys.stderr)
        return 1
    finally:
        stop_all()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
