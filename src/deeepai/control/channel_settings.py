"""What a channel's settings may hold: the gateway's own, its transport's, its protocol's; a typo is no setting."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from ..accounts.channels import CommonSettings, check_part
from ..declare import Failure, Protocol, Reason
from ..upstream import transports


def faults(settings: Mapping[str, Any], protocol: Protocol, words: Collection[str] = ()) -> Iterator[Failure]:
    """Yield what is wrong with a channel's settings: INVALID, each with the setting's name.

    Parameters
    ----------
    words : collection of str
        Further settings, all of them texts.
    """
    plain: dict[str, Any] = msgspec.to_builtins(settings)
    parts: list[type[msgspec.Struct]] = [CommonSettings, protocol.settings]
    try:
        transport = transports.named(plain, protocol.name)
    except Failure as failure:
        yield failure
        plain = {name: value for name, value in plain.items() if name != "transport"}
    else:
        if transport is not None:
            parts.append(transport.settings)
    known = {field.encode_name for part in parts for field in msgspec.structs.fields(part)}.union(words)
    for name in plain:
        if name not in known:
            yield _unknown(name, known)
    for part in parts:
        try:
            check_part(plain, part)
        except Failure as failure:
            yield failure
    for name in words:
        if not isinstance(plain.get(name, ""), str):
            yield Failure(Reason.INVALID, f"settings.{name} must be a text", param=f"settings.{name}")


def _unknown(name: str, known: Collection[str]) -> Failure:
    nearest = difflib.get_close_matches(name, sorted(known), 1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(sorted(known))}"
    return Failure(Reason.INVALID, f"There is no setting {name!r} here; {hint}", param=f"settings.{name}")
