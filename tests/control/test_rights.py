"""What a user may do is what lies in the user's accounts; the rest looks as if it were not there."""

from __future__ import annotations

from deeepai.control.sections import SECTIONS
from tests.control.conftest import API


async def test_administrators_operations_are_closed_to_users(api: API) -> None:
    key = await api.make_user("ann")
    closed = [route for routes in SECTIONS.values() for route in routes if route.role == "admin"]
    assert len(closed) > 15
    for route in closed:
        path = route.path.replace("{id}", "x").replace("{key*}", "x").replace("{key}", "x")
        answer = await api(route.method, path, {} if route.body else None, key=key)
        assert (answer.status, answer.code) == (403, "access_denied"), route.path


async def test_tokens_of_others_are_not_there(api: API) -> None:
    ann, bob = await api.make_user("ann"), await api.make_user("bob")
    made = await api("POST", "/tokens", {"name": "mine"}, key=ann)
    assert made.status == 201
    token_id = made.body["token"]["id"]
    assert made.body["token"]["account_id"] == api.users["ann"][1]
    assert made.body["token"]["user_id"] == api.users["ann"][0]
    assert made.body["key"].startswith("sk-")
    for method, path, body in (
        ("GET", f"/tokens/{token_id}", None),
        ("PATCH", f"/tokens/{token_id}", {"name": "yours"}),
        ("DELETE", f"/tokens/{token_id}", None),
    ):
        assert (await api(method, path, body, key=bob)).status == 404
    assert (await api("GET", "/tokens", key=bob)).body["data"] == []
    assert (await api("GET", f"/tokens?account_id={api.users['ann'][1]}", key=bob)).body["data"] == []
    taken = await api("POST", "/tokens", {"name": "x", "account_id": api.users["ann"][1]}, key=bob)
    assert taken.status == 404
    assert [token["name"] for token in (await api("GET", "/tokens", key=ann)).body["data"]] == ["mine"]
    assert made.body["key"] not in str((await api("GET", f"/tokens/{token_id}", key=ann)).body)


async def test_nobody_chooses_the_own_price(api: API) -> None:
    ann = await api.make_user("ann")
    assert (await api("PUT", "/price-groups/vip", {"multiplier": "0.1"})).status == 200
    made = await api("POST", "/tokens", {"name": "x", "price_group": "vip"}, key=ann)
    assert (made.status, made.body["error"]["param"]) == (403, "price_group")
    token_id = (await api("POST", "/tokens", {"name": "x"}, key=ann)).body["token"]["id"]
    assert (await api("PATCH", f"/tokens/{token_id}", {"price_group": "vip"}, key=ann)).status == 403
    assert (await api("PATCH", f"/tokens/{token_id}", {"price_group": "vip"})).status == 200


async def test_accounts_of_others_are_not_there(api: API) -> None:
    ann, bob = await api.make_user("ann"), await api.make_user("bob")
    account = api.users["ann"][1]
    for path in ("", "/balance", "/ledger", "/members"):
        assert (await api("GET", f"/accounts/{account}{path}", key=bob)).status == 404
        assert (await api("GET", f"/accounts/{account}{path}", key=ann)).status == 200
    seen = await api("GET", "/accounts", key=bob)
    assert [each["id"] for each in seen.body["data"]] == [api.users["bob"][1]]
    joined = await api("PUT", f"/accounts/{account}/members/{api.users['bob'][0]}", {"role": "owner"}, key=bob)
    assert joined.status == 404


async def test_members_have_their_roles(api: API) -> None:
    ann, bob, cat = await api.make_user("ann"), await api.make_user("bob"), await api.make_user("cat")
    firm = (await api("POST", "/accounts", {"name": "firm", "owner_id": api.users["ann"][0]})).body["id"]
    members = f"/accounts/{firm}/members"
    for name, key, role in (("bob", bob, "member"), ("cat", cat, "admin")):
        assert (await api("PUT", f"{members}/{api.users[name][0]}", {"role": role}, key=ann)).status == 200
        assert (await api("POST", f"/invitations/{firm}", key=key)).status == 200
    # A plain member manages nothing, an administrator of the account makes no owner.
    assert (await api("PUT", f"{members}/{api.users['bob'][0]}", {"role": "owner"}, key=bob)).status == 403
    assert (await api("PUT", f"{members}/{api.users['cat'][0]}", {"role": "owner"}, key=cat)).status == 403
    assert (await api("GET", f"/accounts/{firm}/ledger", key=bob)).status == 403
    assert (await api("GET", f"/accounts/{firm}/balance", key=bob)).status == 200
    of_ann = await api("POST", "/tokens", {"name": "a", "account_id": firm}, key=ann)
    of_bob = await api("POST", "/tokens", {"name": "b", "account_id": firm}, key=bob)
    assert of_bob.body["token"]["user_id"] == api.users["bob"][0]
    other = {"name": "c", "account_id": firm, "user_id": api.users["ann"][0]}
    assert (await api("POST", "/tokens", other, key=bob)).status == 403
    names = {key: [t["name"] for t in (await api("GET", "/tokens", key=key)).body["data"]] for key in (ann, bob, cat)}
    assert names == {ann: ["a", "b"], bob: ["b"], cat: ["a", "b"]}
    assert (await api("DELETE", f"/tokens/{of_ann.body['token']['id']}", key=bob)).status == 404
    assert (await api("DELETE", f"{members}/{api.users['bob'][0]}", key=cat)).status == 204
    assert (await api("GET", f"/accounts/{firm}/balance", key=bob)).status == 404
    gone = await api("GET", f"/tokens/{of_bob.body['token']['id']}", key=ann)
    assert gone.body["status"] == "disabled"
