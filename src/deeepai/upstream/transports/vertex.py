"""Google Vertex AI: Gemini's protocol and Anthropic's, in a project of one's own.

Settings: `project`, and `location` (by default `global`). The credential is a service account's key, JSON, by which
tokens are fetched, or an access token.

Source: Vertex AI's REST reference; the google-genai package and the anthropic package's `AnthropicVertex`; RFC 7523
for the token.
"""

from __future__ import annotations

import asyncio
import importlib
import re
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...accounts.models import Channel
from ..client import Client, Response
from ..errors import NotSent
from .base import Sending, Tokens, ask_token, is_true, text_of
from .vertex_forms import convert, operation

VERSION: Final = "vertex-2023-10-16"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_HOST: Final = "aiplatform.googleapis.com"
_UNITED: Final = ("us", "eu")
"""Locations of several regions, whose hosts are named otherwise."""
_GEMINI: Final = re.compile(r"/v1(?:beta)?/models/(?P<model>[^/:?]+):(?P<verb>\w+)(?P<query>\?.*)?")
_VIDEO: Final = re.compile(r"/v1beta/(?P<name>(?P<model>projects/[^?]+/models/[^/?]+)/operations/[^/?]+)")
_LIFE: Final = 3600
EXTRA: Final = "pip install 'deeepai[vertex]'"
OPERATIONS: Final = (
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
    "predict",
    "predictLongRunning",
    "messages",
    "messages.count_tokens",
)


class VertexSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a channel's settings may hold for the transport."""

    project: Annotated[str, Meta(min_length=1)]
    location: str | UnsetType = UNSET


class Vertex:
    """The transport."""

    carries: tuple[str, ...] = ("gemini", "anthropic")
    settings: type[msgspec.Struct] = VertexSettings

    def __init__(self) -> None:
        self._tokens = Tokens()

    def operations(self, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return what there is of both protocols."""
        del settings
        return OPERATIONS

    async def prepare(self, client: Client, channel: Channel, sending: Sending) -> str:
        """Put the token, the path and the model as Vertex wants them."""
        location = str(channel.settings.get("location") or "global")
        place = f"/v1/projects/{quote(channel.settings['project'], safe='')}/locations/{quote(location, safe='')}"
        path = _path(sending, place)
        for name in ("authorization", "x-goog-api-key", "x-api-key", "anthropic-version"):
            sending.headers.pop(name, None)
        sending.headers["authorization"] = f"Bearer {await self._token(client, channel)}"
        return _base(channel.base_url.rstrip("/"), location) + path

    def receive(self, sending: Sending, response: Response) -> Response:
        """Return the answer, which is the vendor's own."""
        del sending
        return response

    async def _token(self, client: Client, channel: Channel) -> str:
        credential = channel.credential or ""
        if not credential.lstrip().startswith("{"):
            return credential

        async def fetch() -> tuple[str, float]:
            account = _account(credential)
            # RSA takes a millisecond, which the loop has better things to do with.
            assertion = await asyncio.to_thread(_assertion, account)
            form = urlencode({"grant_type": _GRANT, "assertion": assertion}).encode()
            return await ask_token(client, channel, account["token_uri"], form)

        return await self._tokens.get(channel, fetch)


def _path(sending: Sending, place: str) -> str:
    path = sending.path.partition("?")[0]
    if sending.method == "GET":
        if found := _VIDEO.fullmatch(path):
            # The vendor asks for a state by GET, and needs no body for it.
            sending.method, sending.rewrite = "POST", operation
            sending.headers["content-type"] = "application/json"
            sending.body = msgspec.json.encode({"operationName": found["name"]})
            return f"/v1/{found['model']}:fetchPredictOperation"
        if path.startswith("/v1beta/projects/"):
            raise NotSent("this transport knows no such operation")
        # Whether the project can be reached: there is no list of models.
        return place
    if found := _GEMINI.fullmatch(sending.path):
        verb = convert(found["verb"], found["model"], sending)
        return f"{place}/publishers/google/models/{found['model']}:{verb}{found['query'] or ''}"
    if path not in ("/v1/messages", "/v1/messages/count_tokens"):
        raise NotSent(f"this transport does not carry {path}")
    body = sending.json()
    body.setdefault("anthropic_version", VERSION)
    if path == "/v1/messages":
        model, verb = quote(text_of(body.pop("model", None)), safe="@"), "rawPredict"
        if is_true(body.get("stream")):
            verb = "streamRawPredict"
    else:
        model, verb = "count-tokens", "rawPredict"
    sending.body = msgspec.json.encode(body)
    return f"{place}/publishers/anthropic/models/{model}:{verb}"


def _account(credential: str) -> dict[str, Any]:
    try:
        account = msgspec.json.decode(credential, type=dict[str, Any])
    except msgspec.DecodeError:
        account = {}
    if any(not isinstance(account.get(name), str) for name in ("client_email", "private_key", "token_uri")):
        raise NotSent("the credential is not a service account's key")
    return account


def _assertion(account: dict[str, Any]) -> str:
    try:
        crypt: Any = importlib.import_module("google.auth.crypt")
        jwt: Any = importlib.import_module("google.auth.jwt")
    except ImportError:
        raise NotSent(f"this transport needs: {EXTRA}") from None
    try:
        signer = crypt.RSASigner.from_service_account_info(account)
    except ValueError:
        raise NotSent("the service account's private key cannot be read") from None
    now = int(time.time())
    claims = {
        "iss": account["client_email"],
        "aud": account["token_uri"],
        "scope": _SCOPE,
        "iat": now,
        "exp": now + _LIFE,
    }
    return jwt.encode(signer, claims).decode()


def _base(base: str, location: str) -> str:
    """Return the address of a location, where the channel's is Google's own general one."""
    if urlsplit(base).hostname != _HOST or location == "global":
        return base
    if location in _UNITED:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-{_HOST}"
