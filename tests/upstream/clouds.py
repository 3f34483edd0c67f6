"""Clouds on loopback that check what they are sent: signatures, tokens, paths."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serve every path; give the URL."""
    app = web.Application()

    async def every(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app.router.add_route("*", "/{path:.*}", every)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


# Google --------------------------------------------------------------------------------------------------------------

_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = _key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = _key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def service_account(url: str) -> str:
    """A service account's key, as Google writes it to a file."""
    return json.dumps(
        {
            "type": "service_account",
            "client_email": "gateway@project.iam.gserviceaccount.com",
            "private_key": PRIVATE,
            "token_uri": f"{url}/token",
        },
        indent=2,
    )


def granted(form: str, url: str) -> dict[str, Any] | None:
    """Return the claims of a token request, where its signature is good."""
    fields = parse_qs(form)
    if fields.get("grant_type") != ["urn:ietf:params:oauth:grant-type:jwt-bearer"]:
        return None
    try:
        return dict(jwt.decode(fields["assertion"][0], certs=PUBLIC, audience=f"{url}/token"))
    except ValueError:
        return None


# Amazon --------------------------------------------------------------------------------------------------------------

ACCESS, SECRET, REGION = "AKIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG", "eu-central-1"


def well_signed(request: web.Request, body: bytes) -> bool:
    """Sign the request again, over what it says is signed, and compare."""
    given = request.headers.get("authorization", "")
    if not given.startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS}/"):
        return False
    names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    if not {"host", "x-amz-date"} <= set(names):
        return False
    stamp = request.headers["x-amz-date"]
    if abs(time.time() - time.mktime(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) + time.timezone) > 300:
        return False
    again = AWSRequest(
        request.method,
        f"http://{request.host}{request.raw_path}",
        data=body,
        headers={name: request.headers[name] for name in names if name not in ("x-amz-date",)},
    )
    again.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(ACCESS, SECRET), "bedrock", REGION)
    again.headers["X-Amz-Date"] = stamp
    canonical = signer.canonical_request(again)
    signature = signer.signature(signer.string_to_sign(again, canonical), again)
    return given.endswith(f"Signature={signature}")


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of `vnd.amazon.eventstream`."""
    packed = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack(">I", zlib.crc32(message))


def chunk(event: dict[str, Any]) -> bytes:
    """An event of the vendor's, as Amazon frames it."""
    inner = base64.b64encode(json.dumps(event).encode()).decode()
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps({"bytes": inner, "p": "abcd"}).encode())


def exception(kind: str, message: str) -> bytes:
    """An error within a stream."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())


EVENTS: tuple[dict[str, Any], ...] = (
    {
        "type": "message_start",
        "message": {
            "id": "msg_bdrk_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-haiku",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 9, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "世界"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 4},
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9}},
)
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku",
    "content": [{"type": "text", "text": "Hello 世界"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 4},
}


async def poured(request: web.Request, data: bytes, piece: int, kind: str) -> web.StreamResponse:
    """Send bytes in pieces of a size, so that frames are cut anywhere."""
    response = web.StreamResponse(headers={"content-type": kind})
    await response.prepare(request)
    for start in range(0, len(data), piece):
        await response.write(data[start : start + piece])
        await asyncio.sleep(0)
    await response.write_eof()
    return response
