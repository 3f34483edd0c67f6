from __future__ import annotations

import asyncio

import pytest

from .conftest import API, PASSWORD


async def test_a_login_opens_and_a_logout_closes(api: API) -> None:
    key = await api.login("root")
    me = await api("GET", "/me", key=key)
    assert (me.status, me.body["user"]["name"], me.body["user"]["role"]) == (200, "root", "admin")
    assert "password" not in me.body["user"]
    assert (await api("POST", "/logout", key=key)).status == 204
    after = await api("GET", "/me", key=key)
    assert (after.status, after.code, after.headers["WWW-Authenticate"]) == (401, "invalid_session", "Bearer")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": "Bearer session-guess"},
        {"authorization": "Basic cm9vdDpyb290"},
        {"authorization": "Bearer ' OR 1=1 --"},
    ],
)
async def test_without_a_good_key_nothing_opens(api: API, headers: dict[str, str]) -> None:
    api.key = ""
    for method, path in (("GET", "/me"), ("GET", "/users"), ("POST", "/tokens"), ("DELETE", "/channels/x")):
        answer = await api(method, path, headers=headers)
        assert answer.status == 401
        assert set(answer.body["error"]) == {"code", "message", "param"}


async def test_wrong_names_and_passwords_look_the_same(api: API) -> None:
    await api.make_user("ann")
    api.key = ""
    wrong = await api("POST", "/login", {"name": "ann", "password": "guess"})
    nobody = await api("POST", "/login", {"name": "nobody", "password": "guess"})
    assert (wrong.status, wrong.body) == (nobody.status, nobody.body)
    assert (wrong.status, wrong.code) == (401, "wrong_password")


async def test_guessing_is_throttled_for_one_name_alone(api: API) -> None:
    await api.make_user("ann")
    await api.make_user("bob")
    api.key = ""
    tries = [api("POST", "/login", {"name": "ann", "password": f"guess {number}"}) for number in range(24)]
    statuses = sorted([(await answer).status for answer in asyncio.as_completed(tries)])
    assert statuses.count(429) >= 1
    assert set(statuses) <= {401, 429}
    # The right password does not open either, until the minute is over.
    late = await api("POST", "/login", {"name": "ann", "password": PASSWORD})
    assert (late.status, late.headers["Retry-After"]) == (429, "60")
    assert await api.login("bob")


async def test_a_disabled_user_is_out_at_once(api: API) -> None:
    key = await api.make_user("ann")
    user_id, _ = api.users["ann"]
    assert (await api("PATCH", f"/users/{user_id}", {"status": "disabled"})).status == 200
    assert (await api("GET", "/me", key=key)).status == 401
    assert (await api("POST", "/login", {"name": "ann", "password": PASSWORD})).status == 401


async def test_a_new_password_ends_all_sessions(api: API) -> None:
    key = await api.make_user("ann")
    wrong = await api("PUT", "/me/password", {"old": "guess", "new": "another one"}, key=key)
    assert wrong.status == 401
    short = await api("PUT", "/me/password", {"old": PASSWORD, "new": "short"}, key=key)
    assert (short.status, short.body["error"]["param"]) == (422, "new")
    assert (await api("PUT", "/me/password", {"old": PASSWORD, "new": "another one"}, key=key)).status == 204
    assert (await api("GET", "/me", key=key)).status == 401
    assert await api.login("ann", "another one")


async def test_access_keys_are_for_scripts(api: API) -> None:
    ann = await api.make_user("ann")
    made = await api("POST", "/access-keys", {"name": "ci"}, key=ann)
    assert made.status == 201
    script = made.body["key"]
    assert script.startswith("access-")
    assert (await api("GET", "/me", key=script)).body["user"]["name"] == "ann"
    listed = await api("GET", "/access-keys", key=ann)
    assert [key["name"] for key in listed.body["data"]] == ["ci"]
    assert script not in str(listed.body)
    # Not another user's to delete, not even an administrator's.
    assert (await api("DELETE", f"/access-keys/{made.body['id']}")).status == 404
    assert (await api("DELETE", f"/access-keys/{made.body['id']}", key=ann)).status == 204
    assert (await api("GET", "/me", key=script)).status == 401


async def test_an_expired_access_key_opens_nothing(api: API) -> None:
    made = await api("POST", "/access-keys", {"name": "ci", "expires_at": "2020-01-01T00:00:00Z"})
    assert (await api("GET", "/me", key=made.body["key"])).status == 401
