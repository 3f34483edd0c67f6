"""Forms that are larger than what the gateway holds: they arrive whole, also at the second channel."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.plugins import coverage_results
from tests.stack import Gateway
from tests.support.forms import parse_multipart
from tests.support.http import call

SOUND = random.Random(3).randbytes(6_000_000)
SIZES = (8_000_000, 32_000_000)


class Vendor:
    """A transcriber that remembers what it was sent; one under `/broken` takes all and answers 503."""

    def __init__(self) -> None:
        self.forms: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                parts = parse_multipart(raw, self.headers["content-type"])
                seen = {
                    part.name: hashlib.sha256(part.data).hexdigest() if part.filename is not None else part.text
                    for part in parts
                }
                outer.forms.append((self.path, seen))
                broken = self.path.startswith("/broken")
                body = json.dumps({"error": {"message": "busy"}} if broken else {"text": "hello"}).encode()
                self.send_response(503 if broken else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    made = Vendor()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def place(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    made = Gateway(Path(tmp_path_factory.mktemp("forms")))
    made.data.mkdir(parents=True, exist_ok=True)
    channel = '[[channels]]\nname = "{0}"\nprotocol = "openai"\nbase_url = "{1}/{0}"\ncredential = "sk-up"\n'
    first = channel.format("broken", vendor.url) + 'priority = 9\nmodels = ["twice"]\nmodel_map = {twice = "inner"}\n\n'
    second = channel.format("fine", vendor.url) + 'models = ["whisper-1", "twice"]\n'
    prices = '\n[prices.twice]\nper_second = "0.0001"\n'
    (made.data / "deeepai.toml").write_text(first + second + prices)
    made.start()
    coverage_results.watch(made.url)
    yield made
    proof = made.cli("ledger", "verify")
    made.stop()
    assert proof.returncode == 0, proof.stdout


def upload(place: Gateway, model: str, sound: bytes) -> Any:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + sound + b"\r\n"
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + model.encode() + b"\r\n--b--\r\n"
    )
    kind = {"content-type": "multipart/form-data; boundary=b"}
    return call(place, "POST", "/v1/audio/transcriptions", form, place.live, kind)


@pytest.mark.operation("openai.audio.transcriptions")
def test_a_form_arrives_whole_at_the_channel_that_takes_it(place: Gateway, vendor: Vendor) -> None:
    vendor.forms.clear()
    got = upload(place, "twice", SOUND)
    assert got.status == 200, got.body
    digest = hashlib.sha256(SOUND).hexdigest()
    assert vendor.forms == [
        ("/broken/audio/transcriptions", {"file": digest, "model": "inner"}),
        ("/fine/audio/transcriptions", {"file": digest, "model": "twice"}),
    ]
    assert list((place.data / "spool").iterdir()) == []


def peak(place: Gateway) -> int:
    """Return the most memory that a process of the gateway had, in bytes."""
    assert place.process is not None
    found = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        if int(fields["PPid"]) == place.process.pid:
            found = max(found, int(fields["VmHWM"].split()[0]) * 1024)
    return found


def test_memory_does_not_grow_with_the_size(place: Gateway) -> None:
    assert upload(place, "whisper-1", b"\0" * SIZES[0]).status == 200
    before = peak(place)
    assert upload(place, "whisper-1", b"\0" * SIZES[1]).status == 200
    assert peak(place) - before < (SIZES[1] - SIZES[0]) / 4
