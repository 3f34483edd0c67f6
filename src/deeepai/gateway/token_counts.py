"""Counts of a request's tokens, where the model's own vendor has none to tell in the caller's format."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import quicktok

from ..declare import Call, Counting, Reply
from . import candidates
from .core import Core
from .exchange import Exchange
from .settlement import Outcome, usage_row

_ENCODING: Final = "o200k_base"


def wanted(core: Core, x: Exchange, operation: Call[Any]) -> Counting[Any] | None:
    """Return how to count, where nobody else does and the model would answer."""
    counting = operation.counting
    if counting is None or candidates.serving(core, x, x.model):
        return None
    answers = f"{x.protocol.name}.{counting.of}" in core.models.operations(x.caller, x.model)
    return counting if answers else None


async def answer(core: Core, x: Exchange, counting: Counting[Any]) -> None:
    """Count here, as near as one vendor's tokens come to another's."""
    text = counting.text(x.request)
    tokens = await asyncio.to_thread(quicktok.get_encoding(_ENCODING).count, text)
    core.ledger.record(usage_row(x, Outcome(), 200))
    await x.reply(Reply(counting.answer(tokens)))
