"""Nobody keeps somebody else from signing in: wrong passwords are counted where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from deeepai.accounts import addresses
from tests.operator import rows
from tests.stack import Gateway
from tests.support.http import Got, call

PASSWORD = "a good password"
USERS = tuple(f"user-{number}" for number in range(6))
numbers = count(1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = Path(tmp_path_factory.mktemp("login"))
    users = [f'[[users]]\nname = "{name}"\npassword = "{PASSWORD}"\n' for name in USERS]
    (folder / "deeepai.toml").write_text("\n".join(users))
    gateway = Gateway(folder, env={"DEEEPAI_TRUSTED_PROXIES": "127.0.0.1/32"}).start()
    yield gateway
    gateway.stop()


def sign_in(gateway: Gateway, name: str, address: str, password: str = PASSWORD) -> Got:
    body = {"name": name, "password": password}
    return call(gateway, "POST", "/api/login", body, headers={"x-forwarded-for": address})


def elsewhere() -> str:
    return f"203.0.{next(numbers) // 250}.{next(numbers) % 250 + 1}"


def wrong(gateway: Gateway, name: str, places: list[str]) -> list[int]:
    with ThreadPoolExecutor(8) as pool:
        return [got.status for got in pool.map(lambda place: sign_in(gateway, name, place, "a guess"), places)]


def test_guesses_from_everywhere_shut_nobody_out(place: Gateway) -> None:
    assert sign_in(place, USERS[0], "198.51.100.7").status == 200
    assert set(wrong(place, USERS[0], [elsewhere() for _ in range(24)])) == {401}
    assert sign_in(place, USERS[0], "198.51.100.7").status == 200
    assert sign_in(place, USERS[0], "198.51.100.200").status == 200  # from a new place, too


def test_guesses_from_one_place_are_refused_and_others_are_not(place: Gateway) -> None:
    statuses = wrong(place, USERS[1], ["192.0.2.9"] * 8)
    assert (statuses.count(401), statuses.count(429)) == (5, 3)
    assert sign_in(place, USERS[1], "192.0.2.9").status == 429
    assert sign_in(place, USERS[1], "192.0.2.10").status == 200


def test_a_users_id_is_no_other_name(place: Gateway) -> None:
    (user,) = rows(place, "SELECT id FROM users WHERE name = ?", USERS[2])
    assert wrong(place, USERS[2], ["192.0.2.20"] * 5) == [401] * 5
    assert sign_in(place, user["id"], "192.0.2.20").status == 429


def test_an_ipv6_network_is_one_place(place: Gateway) -> None:
    statuses = wrong(place, USERS[3], [f"2001:db8:1:2::{number:x}" for number in range(1, 9)])
    assert (statuses.count(401), statuses.count(429)) == (5, 3)
    assert sign_in(place, USERS[3], "2001:db8:1:3::1").status == 200


def test_one_place_does_not_try_every_name(place: Gateway) -> None:
    statuses = [sign_in(place, f"nobody-{number}", "192.0.2.40", "a guess").status for number in range(25)]
    assert statuses[:20] == [401] * 20
    assert set(statuses[20:]) == {429}


def test_where_one_has_signed_in_one_is_not_taken_for_a_stranger(place: Gateway) -> None:
    """Not by what others try from the same network, nor by a few slips of one's own."""
    home = "192.0.2.50"
    assert sign_in(place, USERS[4], home).status == 200
    for number in range(25):
        sign_in(place, f"another-{number}", home, "a guess")
    assert wrong(place, USERS[4], [home] * 6) == [401] * 6
    assert sign_in(place, USERS[4], home).status == 200


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_networks(address: str, network: str) -> None:
    assert addresses.network(address) == network
