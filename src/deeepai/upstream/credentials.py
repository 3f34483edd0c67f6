"""Headers that carry a channel's credential, computed where a vendor wants that, and kept as long as they are good."""

from __future__ import annotations

import time
from typing import Final

from ..accounts.models import Channel
from ..declare import Protocol

_MARGIN: Final = 60.0
"""Seconds before they expire that computed headers are made anew, or half their time, if that is less."""
_MOST: Final = 10_000
_computed: dict[tuple[str, str], tuple[float, dict[str, str]]] = {}


def headers(protocol: Protocol, channel: Channel) -> dict[str, str]:
    """Return the headers that carry a channel's credential; none, where it has none."""
    credential = channel.credential
    if not credential:
        return {}
    signing = protocol.signing
    if signing is None:
        return dict(protocol.authorize(credential))
    now = time.time()
    until, known = _computed.get((protocol.name, credential), (0.0, {}))
    if now >= until:
        if len(_computed) >= _MOST:
            _computed.clear()
        known = dict(signing.headers(credential, int(now)))
        until = now + signing.seconds - min(_MARGIN, signing.seconds / 2)
        _computed[protocol.name, credential] = (until, known)
    return dict(known)
