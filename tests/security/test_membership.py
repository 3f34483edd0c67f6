"""Nobody is made a member unasked, nobody's money moves by a membership, and owners are changed by owners only."""

from __future__ import annotations

import asyncio

import pytest

from tests.control.conftest import API


async def firm(api: API, owner: str, *others: tuple[str, str]) -> str:
    """Make an organisation's account, as an operator does."""
    account = (await api("POST", "/accounts", {"name": "firm", "owner_id": api.users[owner][0]})).body["id"]
    for name, role in others:
        assert (await api("PUT", f"/accounts/{account}/members/{api.users[name][0]}", {"role": role})).status == 200
    return account


def member(api: API, account: str, name: str) -> str:
    return f"/accounts/{account}/members/{api.users[name][0]}"


async def roles(api: API, account: str) -> dict[str, str]:
    listed = await api("GET", f"/accounts/{account}/members")
    return {each["name"]: each["role"] for each in listed.body["data"]}


async def test_an_invitation_is_accepted_or_it_is_nothing(api: API) -> None:
    olga, mia = await api.make_user("olga"), await api.make_user("mia")
    account = api.users["olga"][1]
    invited = await api("PUT", member(api, account, "mia"), {"role": "admin"}, key=olga)
    assert [each["name"] for each in invited.body["data"]] == ["olga"]
    assert [(each["name"], each["role"]) for each in invited.body["invited"]] == [("mia", "admin")]
    assert (await api("GET", f"/accounts/{account}", key=mia)).status == 404
    offers = (await api("GET", "/invitations", key=mia)).body["data"]
    assert [(each["account_id"], each["account"], each["role"]) for each in offers] == [(account, "olga", "admin")]
    assert (await api("DELETE", f"/invitations/{account}", key=mia)).status == 204
    assert (await api("POST", f"/invitations/{account}", key=mia)).status == 404
    await api("PUT", member(api, account, "mia"), {"role": "member"}, key=olga)
    assert (await api("POST", f"/invitations/{account}", key=mia)).status == 200
    assert (await api("POST", f"/invitations/{account}", key=mia)).status == 404
    assert await roles(api, account) == {"olga": "owner", "mia": "member"}
    # A role of somebody who is a member already needs no asking; whoever is one may leave.
    assert (await api("PUT", member(api, account, "mia"), {"role": "admin"}, key=olga)).status == 200
    assert (await api("DELETE", member(api, account, "mia"), key=mia)).status == 204
    assert await roles(api, account) == {"olga": "owner"}


async def test_an_invitation_is_withdrawn_and_ends_with_its_makers_rights(api: API) -> None:
    olga, adam, mia = [await api.make_user(name) for name in ("olga", "adam", "mia")]
    account = await firm(api, "olga", ("adam", "admin"))
    await api("PUT", member(api, account, "mia"), {"role": "member"}, key=adam)
    assert (await api("DELETE", member(api, account, "mia"), key=olga)).status == 204
    assert (await api("POST", f"/invitations/{account}", key=mia)).status == 404
    await api("PUT", member(api, account, "mia"), {"role": "member"}, key=adam)
    await api("PUT", member(api, account, "adam"), {"role": "member"}, key=olga)
    assert (await api("POST", f"/invitations/{account}", key=mia)).status == 404


async def test_a_membership_moves_nobodys_money(api: API) -> None:
    olga = await api.make_user("olga")
    await api.make_user("zoe")
    mia = await api.make_user("mia")
    own = api.users["mia"][1]
    # Older than the own account, and a person's: neither makes it mia's.
    await api("PUT", member(api, api.users["olga"][1], "mia"), {"role": "owner"}, key=olga)
    await api("POST", f"/invitations/{api.users['olga'][1]}", key=mia)
    assert (await api("POST", "/tokens", {}, key=mia)).body["token"]["account_id"] == own
    code = (await api("POST", "/codes", {"amount": "5"})).body["data"][0]["code"]
    assert (await api("POST", "/codes/redeem", {"code": code}, key=mia)).body["account_id"] == own


async def test_whoever_has_no_account_of_the_own_is_asked(api: API) -> None:
    made = await api("POST", "/users", {"name": "bare", "password": "a good password", "account": False})
    api.users["bare"] = (made.body["user"]["id"], "")
    bare = await api.login("bare", "a good password")
    await api.make_user("olga")
    first = await firm(api, "olga", ("bare", "member"))
    assert (await api("POST", "/tokens", {}, key=bare)).body["token"]["account_id"] == first
    await firm(api, "olga", ("bare", "member"))
    asked = await api("POST", "/tokens", {}, key=bare)
    assert (asked.status, asked.body["error"]["param"]) == (422, "account_id")


async def test_owners_are_changed_by_owners_only(api: API) -> None:
    olga, adam = await api.make_user("olga"), await api.make_user("adam")
    await api.make_user("otto")
    account = await firm(api, "olga", ("adam", "admin"), ("otto", "owner"))
    for name in ("olga", "otto"):
        assert (await api("PUT", member(api, account, name), {"role": "member"}, key=adam)).status == 403
        assert (await api("DELETE", member(api, account, name), key=adam)).status == 403
    assert (await api("PUT", member(api, account, "adam"), {"role": "owner"}, key=adam)).status == 403
    assert (await api("PUT", member(api, account, "otto"), {"role": "admin"}, key=olga)).status == 200
    assert await roles(api, account) == {"olga": "owner", "adam": "admin", "otto": "admin"}


@pytest.mark.parametrize("way", ["demote", "remove", "leave"])
async def test_the_last_owner_stays(api: API, way: str) -> None:
    olga = await api.make_user("olga")
    account = await firm(api, "olga")
    key = None if way == "remove" else olga
    body = {"role": "member"} if way == "demote" else None
    got = await api("PUT" if way == "demote" else "DELETE", member(api, account, "olga"), body, key=key)
    assert got.status == 409
    assert await roles(api, account) == {"olga": "owner"}


@pytest.mark.parametrize("db", ["sqlite", "postgresql"], indirect=True)
async def test_of_two_owners_who_remove_each_other_one_stays(api: API) -> None:
    olga, otto = await api.make_user("olga"), await api.make_user("otto")
    account = await firm(api, "olga", ("otto", "owner"))
    await asyncio.gather(
        api("DELETE", member(api, account, "otto"), key=olga), api("DELETE", member(api, account, "olga"), key=otto)
    )
    assert list((await roles(api, account)).values()) == ["owner"]
