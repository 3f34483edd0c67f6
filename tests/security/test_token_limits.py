"""A limit on a token is lifted by whoever set it, or by somebody higher: operator, owner, user."""

from __future__ import annotations

from typing import Any

import pytest

from tests.control.conftest import API
from tests.security.test_membership import firm

LIMITS: dict[str, Any] = {
    "budget": "1",
    "models": ["gpt-4o*"],
    "ips": ["10.0.0.0/8"],
    "rpm": 5,
    "concurrency": 2,
    "expires_at": "2090-01-01T00:00:00Z",
}


async def people(api: API) -> tuple[str, dict[str, str]]:
    """Make an organisation with an owner and a member; return the account, and keys by level."""
    keys = {"operator": api.key, "owner": await api.make_user("olga"), "user": await api.make_user("mia")}
    return await firm(api, "olga", ("mia", "member")), keys


async def made(api: API, account: str, key: str | None, **more: Any) -> str:
    body = {"account_id": account, "user_id": api.users["mia"][0], **more}
    answer = await api("POST", "/tokens", body, key=key)
    assert answer.status == 201, answer
    return answer.body["token"]["id"]


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(("setter", "lifter"), [("operator", "owner"), ("operator", "user"), ("owner", "user")])
@pytest.mark.parametrize("at_once", [True, False])
async def test_nobody_lifts_the_limit_of_somebody_higher(
    api: API, name: str, setter: str, lifter: str, at_once: bool
) -> None:
    account, keys = await people(api)
    limit = {name: LIMITS[name]}
    token = await made(api, account, keys[setter] if at_once else keys["user"], **(limit if at_once else {}))
    if not at_once:
        assert (await api("PATCH", f"/tokens/{token}", limit, key=keys[setter])).status == 200
    for body in ({name: None}, {name: None, "name": "other"}):
        refused = await api("PATCH", f"/tokens/{token}", body, key=keys[lifter])
        assert (refused.status, refused.body["error"]["param"]) == (403, name)
    shown = (await api("GET", f"/tokens/{token}")).body
    assert (shown["limits_by"][name], shown["name"]) == (setter, "live")
    assert (await api("PATCH", f"/tokens/{token}", {"name": "other"}, key=keys[lifter])).status == 200
    assert (await api("PATCH", f"/tokens/{token}", {name: None}, key=keys[setter])).status == 200
    assert (await api("PATCH", f"/tokens/{token}", limit, key=keys[lifter])).status == 200
    assert (await api("PATCH", f"/tokens/{token}", {name: None}, key=keys[lifter])).status == 200


@pytest.mark.parametrize(("setter", "lifters"), [("operator", ("owner", "user")), ("owner", ("user",)), ("user", ())])
async def test_a_disabled_token_stays_so_until_whoever_did_it_says(
    api: API, setter: str, lifters: tuple[str, ...]
) -> None:
    account, keys = await people(api)
    token = await made(api, account, keys["user"])
    assert (await api("PATCH", f"/tokens/{token}", {"status": "disabled"}, key=keys[setter])).status == 200
    for lifter in lifters:
        assert (await api("PATCH", f"/tokens/{token}", {"status": "enabled"}, key=keys[lifter])).status == 403
        # Disabled once more is no lifting, and takes nothing over.
        assert (await api("PATCH", f"/tokens/{token}", {"status": "disabled"}, key=keys[lifter])).status == 200
        assert (await api("PATCH", f"/tokens/{token}", {"status": "enabled"}, key=keys[lifter])).status == 403
    assert (await api("PATCH", f"/tokens/{token}", {"status": "enabled"}, key=keys[setter])).status == 200


async def test_a_limit_may_be_made_tighter_and_not_wider_again(api: API) -> None:
    account, keys = await people(api)
    token = await made(api, account, keys["operator"], budget="5", rpm=10)
    assert (await api("PATCH", f"/tokens/{token}", {"budget": "2", "rpm": 3}, key=keys["user"])).status == 200
    for body in ({"budget": "6"}, {"rpm": 11}, {"rpm": 4}, {"budget": None}):
        assert (await api("PATCH", f"/tokens/{token}", body, key=keys["user"])).status == 403, body
    assert (await api("GET", f"/tokens/{token}")).body["limits_by"] == {"budget": "operator", "rpm": "operator"}


async def test_a_member_with_limits_makes_no_further_tokens(api: API) -> None:
    account, keys = await people(api)
    token = await made(api, account, keys["owner"], budget="1")
    for _ in range(2):
        refused = await api("POST", "/tokens", {"account_id": account}, key=keys["user"])
        assert refused.status == 403
        await api("DELETE", f"/tokens/{token}", key=keys["user"])
    assert (await api("POST", "/tokens", {}, key=keys["user"])).status == 201  # of the own account


async def test_who_is_removed_enables_nothing_when_back(api: API) -> None:
    account, keys = await people(api)
    token = await made(api, account, keys["user"])
    path = f"/accounts/{account}/members/{api.users['mia'][0]}"
    assert (await api("DELETE", path, key=keys["owner"])).status == 204
    assert (await api("PATCH", f"/tokens/{token}", {"status": "enabled"}, key=keys["user"])).status == 404
    await api("PUT", path, {"role": "member"})
    assert (await api("PATCH", f"/tokens/{token}", {"status": "enabled"}, key=keys["user"])).status == 403
    assert (await api("PATCH", f"/tokens/{token}", {"status": "enabled"}, key=keys["owner"])).status == 200


async def test_a_users_own_limits_are_the_users(api: API) -> None:
    ann = await api.make_user("ann")
    answer = await api("POST", "/tokens", LIMITS, key=ann)
    token = answer.body["token"]["id"]
    assert set(answer.body["token"]["limits_by"].values()) == {"owner"}
    assert (await api("PATCH", f"/tokens/{token}", dict.fromkeys(LIMITS), key=ann)).status == 200
    assert (await api("GET", f"/tokens/{token}", key=ann)).body["limits_by"] == {}
