"""Who calls: where keys stand, from where, and until when."""

from __future__ import annotations

import dataclasses

import pytest

from deeepai.accounts import addresses
from deeepai.accounts.keys import digest as stored_digest
from deeepai.accounts.models import Token
from deeepai.declare import Failure, Reason
from deeepai.gateway import keys
from deeepai.storage.ids import now_ms
from tests.gateway.asgi import operation, protocol, request

TOKEN = Token(
    id="t",
    account_id="a",
    user_id=None,
    name="t",
    mode="live",
    enabled=True,
    expires_at=None,
    budget=None,
    models=None,
    ips=None,
    rpm=None,
    concurrency=None,
    price_group="default",
)
PLACES = {
    "key_headers": ("x-key", "x-other"),
    "key_queries": ("key",),
    "key_placeholders": ("none-here",),
    "key_schemes": ("token",),
}


@pytest.mark.parametrize(
    ("headers", "query", "key"),
    [
        ({"authorization": "Bearer k1"}, "", "k1"),
        ({"authorization": "bearer  k1 "}, "", "k1"),
        ({"authorization": "k1"}, "", "k1"),
        ({"authorization": "Token k1"}, "", "k1"),
        ({"authorization": "Basic k1"}, "", "Basic k1"),
        ({"authorization": "Bearer k1", "x-key": "k2"}, "key=k3", "k1"),
        ({"authorization": "Bearer none-here", "x-key": "k2"}, "", "k2"),
        ({"authorization": "Bearer none-here-"}, "", "none-here-"),
        ({"authorization": "Bearer ", "x-other": "Bearer k2"}, "", "k2"),
        ({"x-key": "", "x-other": "k2"}, "", "k2"),
        ({}, "key=k%2B3", "k+3"),
    ],
)
def test_a_key_is_found_where_clients_put_it(headers: dict[str, str], query: str, key: str) -> None:
    assert keys.find_key(request(operation(), headers, query=query), protocol(**PLACES)) == key


@pytest.mark.parametrize(
    ("headers", "query"),
    [({}, ""), ({"authorization": ""}, ""), ({"authorization": "Bearer"}, "key="), ({"x-unknown": "k"}, "token=k")],
)
def test_without_a_key_nobody_is_authenticated(headers: dict[str, str], query: str) -> None:
    found = request(operation(), headers, query=query)
    if headers.get("authorization") == "Bearer":
        # Not a scheme and nothing else: taken for a key that nobody has.
        assert keys.find_key(found, protocol(**PLACES)) == "Bearer"
        return
    with pytest.raises(Failure) as raised:
        keys.find_key(found, protocol(**PLACES))
    assert raised.value.kind is Reason.UNAUTHENTICATED


def test_what_is_looked_up_is_what_is_stored() -> None:
    for key in ("sk-abc", "é", "\udcff"):
        assert len(keys.digest(key)) == 64
    assert keys.digest("sk-abc") == stored_digest("sk-abc")
    assert keys.digest("sk-abc") != keys.digest("sk-abd")


def refusal(token: Token | None, ip: str = "203.0.113.9") -> Reason:
    with pytest.raises(Failure) as raised:
        keys.check(token, ip)
    return raised.value.kind


def test_unknown_disabled_and_expired_tokens_are_refused() -> None:
    assert refusal(None) is Reason.UNAUTHENTICATED
    assert refusal(dataclasses.replace(TOKEN, enabled=False)) is Reason.UNAUTHENTICATED
    assert refusal(dataclasses.replace(TOKEN, expires_at=now_ms())) is Reason.UNAUTHENTICATED
    alive = dataclasses.replace(TOKEN, expires_at=now_ms() + 60_000)
    assert keys.check(alive, "203.0.113.9") is alive


@pytest.mark.parametrize(
    ("ips", "ip", "fine"),
    [
        (("203.0.113.0/24",), "203.0.113.9", True),
        (("203.0.113.9",), "203.0.113.9", True),
        (("203.0.113.9",), "::ffff:203.0.113.9", True),
        (("203.0.113.9",), "203.0.113.10", False),
        (("2001:db8::/32", "10.0.0.0/8"), "2001:db8::7", True),
        (("2001:db8::/32",), "10.0.0.1", False),
        ((), "10.0.0.1", False),
        (("0.0.0.0/0",), "", False),
        (("0.0.0.0/0",), "nonsense", False),
    ],
)
def test_a_list_of_addresses_is_kept(ips: tuple[str, ...], ip: str, fine: bool) -> None:
    token = dataclasses.replace(TOKEN, ips=ips)
    if fine:
        assert keys.check(token, ip) is token
    else:
        assert refusal(token, ip) is Reason.FORBIDDEN


PROXIES = ("10.0.0.0/8",)


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("203.0.113.9", ["1.2.3.4"], (), "203.0.113.9"),  # nobody is trusted
        ("203.0.113.9", ["1.2.3.4"], PROXIES, "203.0.113.9"),  # the peer is not
        ("10.0.0.1", [], PROXIES, "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4"], PROXIES, "1.2.3.4"),
        ("10.0.0.1", ["9.9.9.9, 1.2.3.4"], PROXIES, "1.2.3.4"),  # the first is the caller's own claim
        ("10.0.0.1", ["9.9.9.9, 1.2.3.4, 10.0.0.2"], PROXIES, "1.2.3.4"),  # two proxies
        ("10.0.0.1", ["9.9.9.9", "1.2.3.4", "10.0.0.2"], PROXIES, "1.2.3.4"),
        ("10.0.0.1", ["9.9.9.9, nonsense"], PROXIES, "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], PROXIES, "10.0.0.3"),
        ("10.0.0.1", ["::ffff:1.2.3.4"], PROXIES, "::ffff:102:304"),
        ("::ffff:10.0.0.1", ["1.2.3.4"], PROXIES, "1.2.3.4"),
        ("not an address", ["1.2.3.4"], PROXIES, "not an address"),
    ],
)
def test_a_callers_address_is_what_trusted_proxies_saw(
    peer: str, forwarded: list[str], trusted: tuple[str, ...], address: str
) -> None:
    assert addresses.caller(peer, forwarded, trusted) == address
