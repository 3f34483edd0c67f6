"""Clouds on loopback that check what they are sent: signatures, tokens, paths."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import threading
import time
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from deeepai.accounts.models import Channel, Limits
from deeepai.upstream import Client, Pieces
from deeepai.upstream.transports import client_for
from tests.support.until import PATIENCE

LIMITS = Limits()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncGenerator[str]:
    """Serve every path; give the URL."""
    app = web.Application(client_max_size=64 << 20)

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


@contextmanager
def serving_apart(handler: Handler) -> Generator[str]:
    """Serve in a thread, for tests that wait; give the URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    cloud = serving(handler)
    try:
        yield asyncio.run_coroutine_threadsafe(cloud.__aenter__(), loop).result(PATIENCE)
    finally:
        asyncio.run_coroutine_threadsafe(cloud.__aexit__(None, None, None), loop).result(70)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class Seen:
    """Answers `reply` to everything, and remembers what came."""

    def __init__(self, reply: Any = None) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.reply = reply if reply is not None else {"ok": True}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.raw_path, headers, body))
        return web.json_response(self.reply)


async def post(client: Client, to: Channel, path: str, body: Any, model: str = "", **headers: str) -> Any:
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = body if isinstance(body, bytes | Pieces) else json.dumps(body).encode()
    return await client_for(client, to, model).ask("POST", to.base_url + path, sent, raw, LIMITS)


# Microsoft -----------------------------------------------------------------------------------------------------------

RESOURCE_KEY = "azure-key"
BELOW_DEPLOYMENTS = {
    *("/completions", "/chat/completions", "/embeddings", "/images/generations", "/images/edits"),
    *("/audio/speech", "/audio/transcriptions", "/audio/translations"),
}
_PASSED = {"content-type", "content-disposition"}


class Azure:
    """A resource of Azure OpenAI before a stand-in for OpenAI: it judges addresses and keys as Azure does.

    Attributes
    ----------
    seen : list of str
        Methods and addresses, below the resource.
    """

    def __init__(self, openai_url: str, deployments: dict[str, str]) -> None:
        self.openai_url = openai_url
        self.deployments = deployments
        self.seen: list[str] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.raw_path}")
        if "authorization" in request.headers or request.headers.get("api-key") != RESOURCE_KEY:
            return _refused(401, "401", "Access denied due to invalid subscription key or wrong API endpoint.")
        target = self._target(request)
        if target is None:
            return _refused(404, "404", "Resource not found")
        path, query, model = target
        if model is not None and model not in self.deployments:
            return _refused(404, "DeploymentNotFound", "The API deployment for this resource does not exist.")
        if request.headers.get("upgrade", "").lower() == "websocket":
            beta = not request.path.startswith("/openai/v1/")
            return await self._socket(request, f"{path}?model={self.deployments[model or '']}", beta=beta)
        body = await request.read()
        if request.headers.get("content-type", "") == "application/json" and b'"model"' in body:
            asked: dict[str, Any] = json.loads(body)
            body = json.dumps({**asked, "model": self.deployments[model or asked["model"]]}).encode()
        return await self._http(request, path + (f"?{query}" if query else ""), body)

    def _target(self, request: web.Request) -> tuple[str, str, str | None] | None:
        """Return OpenAI's path, the query that it knows, and the deployment that the address names."""
        pairs = dict(request.query)
        if request.path.startswith("/openai/v1/"):
            path, model = request.path.removeprefix("/openai/v1"), None
            if path == "/realtime":
                model = pairs.get("model", "")
        else:
            path = request.path.removeprefix("/openai")
            version = pairs.pop("api-version", "")
            if not version.startswith("20") or path.startswith("/videos"):
                return None
            model = pairs.get("deployment", "") if path == "/realtime" else None
            if path.startswith("/deployments/"):
                model, _, rest = path.removeprefix("/deployments/").partition("/")
                path = f"/{rest}"
            if (path in BELOW_DEPLOYMENTS or path == "/realtime") == (model is None):
                return None
        return path, urlencode(pairs), model

    async def _http(self, request: web.Request, path: str, body: bytes) -> web.StreamResponse:
        headers = {"authorization": "Bearer sk-openai"}
        if "content-type" in request.headers:
            headers["content-type"] = request.headers["content-type"]
        async with (
            ClientSession(auto_decompress=False) as session,
            session.request(request.method, self.openai_url + path, data=body, headers=headers) as answer,
        ):
            passed = {name: value for name, value in answer.headers.items() if name.lower() in _PASSED}
            return web.Response(status=answer.status, body=await answer.read(), headers=passed)

    async def _socket(self, request: web.Request, path: str, *, beta: bool) -> web.StreamResponse:
        near = web.WebSocketResponse()
        headers = {"authorization": "Bearer sk-openai"} | ({"openai-beta": "realtime=v1"} if beta else {})
        async with (
            ClientSession() as session,
            session.ws_connect(self.openai_url + path, headers=headers) as far,
        ):
            await near.prepare(request)
            await asyncio.wait(
                [asyncio.ensure_future(_copy(near, far)), asyncio.ensure_future(_copy(far, near))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            await near.close()
        return near


async def _copy(
    source: web.WebSocketResponse | ClientWebSocketResponse, target: web.WebSocketResponse | ClientWebSocketResponse
) -> None:
    async for message in source:
        if message.type is WSMsgType.TEXT and not target.closed:
            await target.send_str(message.data)
    await target.close()


def _refused(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


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
