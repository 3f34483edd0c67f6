"""Azure OpenAI: OpenAI's protocol at a resource of one's own.

Settings: `api_version` chooses the older form, in which the model is a deployment in the path; without it the newer
`/openai/v1` is used. `auth` is `key` (the default: the credential is a key), `token` (the credential is an access
token) or `entra` (the credential is JSON with tenant_id, client_id and client_secret, by which tokens are fetched);
`token_url` replaces Entra's address, for the sovereign clouds.

Source: Azure OpenAI's REST reference, data plane inference; the openai package's `AzureOpenAI`.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from ...accounts.models import Channel
from ..client import Client, Response
from ..errors import NotSent
from .base import Sending, Tokens, ask_token, text_of

_SCOPE: Final = "https://cognitiveservices.azure.com/.default"
_TOKEN_URL: Final = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
_FORM_MODEL: Final = re.compile(rb'name="model"[^\r]*\r\n(?:[^\r]+\r\n)*\r\n([^\r]+)')
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


class Entra(msgspec.Struct):
    """An application's credential."""

    tenant_id: str
    client_id: str
    client_secret: str


class Azure:
    """The transport."""

    carries: tuple[str, ...] = ("openai",)
    operations: tuple[str, ...] = ("chat.*", "completions", "embeddings", "images.*", "audio.*")
    needs: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._tokens = Tokens()

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
        base, version = channel.base_url.rstrip("/"), settings.get("api_version")
        path, mark, query = sending.path.partition("?")
        if not version:
            return f"{base}/openai/v1{path}{mark}{query}"
        query = f"{query}&" if query else ""
        below = f"/deployments/{quote(_model(sending), safe='')}" if path in DEPLOYED else ""
        return f"{base}/openai{below}{path}?{query}api-version={quote(str(version), safe='')}"

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
                "scope": _SCOPE,
            }
            url = channel.settings.get("token_url") or _TOKEN_URL.format(tenant=quote(known.tenant_id, safe=""))
            return await ask_token(client, channel, url, urlencode(form).encode())

        return await self._tokens.get(channel, fetch)


def _model(sending: Sending) -> str:
    if sending.headers.get("content-type", "").startswith("multipart/"):
        found = _FORM_MODEL.search(sending.body or b"")
        if found is None:
            raise NotSent("the request names no model")
        return found[1].decode("utf-8", "replace")
    return text_of(sending.json().get("model"))
