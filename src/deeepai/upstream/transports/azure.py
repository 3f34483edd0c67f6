"""Azure OpenAI: OpenAI's protocol at a resource of one's own.

Settings: an `api_version` that is a date chooses the older form, in which the model is a deployment in the address; the
newer form is `/openai/v1`, whose `api_version` may be left out or is a word such as `preview`. `auth` is `key` (the
default: the credential is a key), `token` (the credential is an access token) or `entra` (the credential is JSON with
tenant_id, client_id and client_secret, by which tokens are fetched); `token_url` and `scope` replace Entra's address
and what the token is for, as the sovereign clouds need it.

Source: Azure OpenAI's REST reference, data plane; the openai package's `AzureOpenAI`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from msgspec import UNSET, UnsetType

from ...accounts.models import Channel
from ..client import Client, Response
from ..errors import NotSent
from .base import Sending, Tokens, ask_token

_SCOPE: Final = "https://cognitiveservices.azure.com/.default"
_TOKEN_URL: Final = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
DEPLOYED: Final = (
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/images/generations",
    "/images/edits",
    "/audio/transcriptions",
    "/audio/translations",
    "/audio/speech",
)
"""Paths that stand below a deployment in the older form; the others stand beside the deployments."""
DATED: Final = (
    "chat.completions",
    "completions",
    "embeddings",
    "images.generations",
    "images.edits",
    "audio.*",
    "responses.*",
    "realtime",
    "realtime.*",
    "files.*",
    "batches.*",
    "vector_stores.*",
)
NEWER: Final = (
    *DATED,
    "chat.completions.*",
    "conversations.*",
    "containers.*",
    "videos.create",
    "videos.remix",
    "video.generations",
)


class Entra(msgspec.Struct):
    """An application's credential."""

    tenant_id: str
    client_id: str
    client_secret: str


class AzureSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a channel's settings may hold for the transport."""

    api_version: str | UnsetType = UNSET
    auth: Literal["key", "token", "entra"] | UnsetType = UNSET
    token_url: str | UnsetType = UNSET
    scope: str | UnsetType = UNSET


class Azure:
    """The transport."""

    carries: tuple[str, ...] = ("openai",)
    settings: type[msgspec.Struct] = AzureSettings

    def __init__(self) -> None:
        self._tokens = Tokens()

    def operations(self, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return what either form has; videos and what chats store are in the newer one only."""
        return DATED if _version(settings)[:1].isdigit() else NEWER

    async def prepare(self, client: Client, channel: Channel, sending: Sending) -> str:
        """Put the credential and the path as Azure wants them."""
        settings = channel.settings
        sending.headers.pop("authorization", None)
        auth = settings.get("auth", "key")
        if channel.credential and auth == "key":
            sending.headers["api-key"] = channel.credential
        elif channel.credential:
            token = await self._token(client, channel) if auth == "entra" else channel.credential
            sending.headers["authorization"] = f"Bearer {token}"
        base, version = channel.base_url.rstrip("/"), _version(settings)
        path, mark, query = sending.path.partition("?")
        if not version:
            return f"{base}/openai/v1{path}{mark}{query}"
        below = ""
        pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "api-version"]
        if not version[0].isdigit():
            below = "/v1"
        elif path in DEPLOYED:
            if not sending.model:
                raise NotSent("the request names no model")
            below = f"/deployments/{quote(sending.model, safe='')}"
        elif path == "/realtime":
            pairs = [*(pair for pair in pairs if pair[0] != "model"), ("deployment", sending.model)]
        query = urlencode([*pairs, ("api-version", version)], quote_via=quote)
        return f"{base}/openai{below}{path}?{query}"

    def receive(self, sending: Sending, response: Response) -> Response:
        """Return the answer, which is OpenAI's own."""
        del sending
        return response

    async def _token(self, client: Client, channel: Channel) -> str:
        async def fetch() -> tuple[str, float]:
            try:
                known = msgspec.json.decode(channel.credential or "", type=Entra)
            except msgspec.DecodeError:
                raise NotSent("the credential is not JSON with tenant_id, client_id and client_secret") from None
            form: dict[str, Any] = {
                "grant_type": "client_credentials",
                "client_id": known.client_id,
                "client_secret": known.client_secret,
                "scope": channel.settings.get("scope") or _SCOPE,
            }
            url = channel.settings.get("token_url") or _TOKEN_URL.format(tenant=quote(known.tenant_id, safe=""))
            return await ask_token(client, channel, url, urlencode(form).encode())

        return await self._tokens.get(channel, fetch)


def _version(settings: Mapping[str, Any]) -> str:
    return str(settings.get("api_version") or "")
