"""Whom a link opens a file to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from deeepai.declare import Failure, Reason
from deeepai.gateway import files
from deeepai.gateway.core import Core
from deeepai.storage.ids import now_ms
from deeepai.tasks.links import SignedLinks
from deeepai.tasks.store import Owner
from tests.gateway.asgi import operation
from tests.gateway.callers import exchange

LINKS = SignedLinks("http://gateway.example", b"s" * 32, 3600)
CORE = cast("Core", SimpleNamespace(links=LINKS))


def asked(query: str) -> Any:
    x = exchange(operation())
    x.request.scope["query_string"] = query.encode()
    return x


def signature(owner: str, *, ended: int) -> dict[str, str]:
    link = LINKS.asset(Owner(owner, "a", "toy", ended, ended), 0)
    return {name: value[0] for name, value in parse_qs(urlsplit(link).query).items()}


def test_a_link_opens_its_own_files_until_it_expires() -> None:
    good = signature("task-1", ended=now_ms())
    query = "&".join(f"{name}={value}" for name, value in good.items())
    assert files.signed(CORE, asked(query), "task-1")
    expired = signature("task-1", ended=now_ms() - 4_000_000)
    wrong = (
        ("task-2", good),
        ("task-1", expired),
        ("task-1", {**good, "exp": str(int(good["exp"]) + 1)}),
        ("task-1", {**good, "sig": good["sig"][::-1]}),
        ("task-1", {"sig": good["sig"]}),
    )
    for owner, given in wrong:
        with pytest.raises(Failure) as fault:
            files.signed(CORE, asked("&".join(f"{name}={value}" for name, value in given.items())), owner)
        assert fault.value.kind is Reason.FORBIDDEN


def test_without_a_signature_nothing_is_opened_and_nothing_refused() -> None:
    assert not files.signed(CORE, asked(""), "task-1")
    assert not files.signed(CORE, asked("sig="), "task-1")
