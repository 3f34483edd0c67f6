"""Asks a channel's upstream one cheap question, to tell whether its address and credential are good."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

import msgspec

from ..accounts.models import Channel
from ..declare import Answer, Protocol, UpstreamCall
from ..logs import redact
from ..upstream import Client, UpstreamError, credentials, transports

PATIENCE: Final = 15.0
"""Seconds for the whole answer."""
SHOWN: Final = 200
"""Characters of the upstream's own words that are shown."""
READ: Final = 1 << 16
"""Bytes of them that are read: cut only after the credential is out, or half of it might stay."""


async def probe(client: Client, protocol: Protocol, channel: Channel) -> tuple[bool, float, str | None]:
    """Send the protocol's probe to a channel.

    Returns
    -------
    tuple
        Whether it answered well; after how many ms; what was wrong, never with the credential in it.
    """
    ask = protocol.probe or UpstreamCall("/")
    url = ask.path if ask.path.startswith("http") else channel.base_url.rstrip("/") + ask.path
    headers = {**ask.headers, **credentials.headers(protocol, channel)}
    extra = channel.settings.get("headers")
    if isinstance(extra, dict):
        headers |= extra
    body = None
    if ask.json is not None:
        body, headers["content-type"] = msgspec.json.encode(ask.json), "application/json"
    limits = replace(channel.limits, first_byte=min(channel.limits.first_byte, PATIENCE), whole=PATIENCE)
    started = time.perf_counter()
    try:
        answer = await transports.client_for(client, channel).ask(ask.method, url, headers, body, limits)
    except UpstreamError as fault:
        return False, _ms(started), _clean(str(fault), channel)
    ms = _ms(started)
    if protocol.channel_fault(answer):
        return False, ms, _clean(f"the account was refused: {_said(answer)}", channel)
    # Without a probe of the protocol's own only the address and the credential can be judged.
    if answer.status < 400 or (protocol.probe is None and answer.status < 500):
        return True, ms, None
    return False, ms, _clean(_said(answer), channel)


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def _said(answer: Answer) -> str:
    text = " ".join(answer.body[:READ].decode("utf-8", "replace").split())
    return f"status {answer.status}: {text}" if text else f"status {answer.status}"


def _clean(text: str, channel: Channel) -> str:
    if channel.credential:
        text = text.replace(channel.credential, "…")
    text = redact(text)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
