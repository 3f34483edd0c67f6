"""Certificates towards callers: which protocol a handshake chooses, and what follows when the files change."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from deeepai import tls
from tests.server.test_http1 import App, served
from tests.support.certificates import Certificate
from tests.support.http2 import Peer


def options(files: Certificate) -> dict[str, Any]:
    return {
        "ssl_certfile": str(files.path),
        "ssl_keyfile": str(files.key),
        "ssl_context_factory": tls.context_of,
    }


async def connect(app: App, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    port = app.servers[0].servers[0].sockets[0].getsockname()[1]
    return await asyncio.open_connection("127.0.0.1", port, ssl=context)


@pytest.mark.parametrize(
    ("protocols", "chosen"), [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None), (("h3",), None)]
)
async def test_the_handshake_chooses(tmp_path: Path, protocols: tuple[str, ...], chosen: str | None) -> None:
    files = Certificate.make(tmp_path)
    async with served(**options(files)) as (app, _):
        reader, writer = await connect(app, files.trusted(*protocols))
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == chosen
        if chosen == "h2":
            peer = Peer(reader, writer)
            peer.begin()
            assert (await peer.get("/")).body == b"ok"
        else:
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        assert app.scopes[0]["scheme"] == "https"
        writer.close()


async def test_a_certificate_that_is_changed_is_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = Certificate.make(tmp_path)
    old = before.trusted("h2")
    async with served(**options(before)) as (app, _):
        kept = Peer(*await connect(app, old))
        kept.begin()
        before.path.write_text("half a certif")
        (await connect(app, old))[1].close()
        assert "cannot be read" in caplog.text
        now = Certificate.make(tmp_path)
        with pytest.raises(ssl.SSLError):
            await connect(app, old)
        _, writer = await connect(app, now.trusted("h2"))
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        writer.close()
        assert (await kept.get("/")).body == b"ok"
        kept.writer.close()


def test_key_and_certificate_may_lie_in_one_file(tmp_path: Path) -> None:
    files = Certificate.make(tmp_path)
    files.path.write_bytes(files.path.read_bytes() + files.key.read_bytes())
    tls.Certificate(files.path, None)


@pytest.mark.parametrize("wrong", ["nowhere", "mismatched", "password"])
def test_what_cannot_be_used_is_an_error(tmp_path: Path, wrong: str) -> None:
    files = Certificate.make(tmp_path)
    if wrong == "nowhere":
        files.key.unlink()
    elif wrong == "mismatched":
        (tmp_path / "other").mkdir()
        shutil.copy(Certificate.make(tmp_path / "other").key, files.key)
    else:
        key = load_pem_private_key(files.key.read_bytes(), None)
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(OSError, match=r"key|PEM|No such"):
        tls.Certificate(files.path, files.key)
