"""Webhooks over the control API: who may have which, what is shown, what is refused; on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import API

both = pytest.mark.parametrize("db", ["sqlite", "postgresql"], indirect=True)
URL = "https://example.com/hook"


async def made(api: API, **more: Any) -> dict[str, Any]:
    answer = await api("POST", "/webhooks", {"url": URL, **more})
    assert answer.status == 201, answer.body
    return answer.body


async def owner(api: API, name: str) -> str:
    """Make a user with an account and become it; return the account's id."""
    user = (await api("POST", "/users", {"name": name})).body
    api.key = await api.login(name, user["password"])
    return user["account_id"]


@both
async def test_from_its_making_to_its_end(api: API) -> None:
    account = await owner(api, "ann")
    new = await made(api, description="mine", events=["task.failed", "task.created", "task.failed"])
    hook, secret = new["webhook"], new["secret"]
    assert secret.startswith("whsec_")
    assert (hook["account_id"], hook["url"], hook["status"], hook["description"]) == (account, URL, "enabled", "mine")
    assert hook["events"] == ["task.created", "task.failed"]
    assert (await api("GET", f"/webhooks/{hook['id']}")).body == hook
    assert secret not in str((await api("GET", "/webhooks")).body)
    (row,) = await api.context.database.read(lambda tx: tx.fetch("SELECT * FROM webhooks"))
    assert secret not in str(dict(row))
    changed = await api(
        "PATCH", f"/webhooks/{hook['id']}", {"url": "https://example.com/other", "events": ["task.started"]}
    )
    assert changed.body == {
        **hook,
        "url": "https://example.com/other",
        "events": ["task.started"],
        "updated_at": changed.body["updated_at"],
    }
    rotated = await api("POST", f"/webhooks/{hook['id']}/rotate", {})
    assert rotated.body["secret"].startswith("whsec_")
    assert rotated.body["secret"] != secret
    sent = await api("POST", f"/webhooks/{hook['id']}/ping")
    again = await api("POST", f"/webhooks/{hook['id']}/ping")
    page = (await api("GET", f"/webhooks/{hook['id']}/deliveries?limit=1")).body
    rest = (await api("GET", f"/webhooks/{hook['id']}/deliveries?cursor={page['next']}")).body
    assert [one["id"] for one in page["data"] + rest["data"]] == [again.body["id"], sent.body["id"]]
    assert {(one["event"], one["state"], one["url"]) for one in page["data"]} == {
        ("webhook.ping", "pending", "https://example.com/other")
    }
    await api("PATCH", f"/webhooks/{hook['id']}", {"url": URL})
    listed = (await api("GET", f"/webhooks/{hook['id']}/deliveries?state=pending&event=webhook.ping")).body["data"]
    assert [one["url"] for one in listed] == [URL, URL], "what is under way goes to where it is now"
    off = await api("PATCH", f"/webhooks/{hook['id']}", {"status": "disabled"})
    assert off.body["status"] == "disabled"
    assert (await api("GET", f"/webhooks/{hook['id']}/deliveries?state=superseded")).body["data"] != []
    for path in ("ping", f"deliveries/{sent.body['id']}/resend"):
        assert (await api("POST", f"/webhooks/{hook['id']}/{path}")).status == 409
    await api("PATCH", f"/webhooks/{hook['id']}", {"status": "enabled"})
    resent = await api("POST", f"/webhooks/{hook['id']}/deliveries/{sent.body['id']}/resend")
    assert resent.body == sent.body
    (pending,) = (await api("GET", f"/webhooks/{hook['id']}/deliveries?state=pending")).body["data"]
    assert pending["id"] == sent.body["id"]
    assert (await api("DELETE", f"/webhooks/{hook['id']}")).status == 204
    for table in ("webhooks", "outbox", "deliveries"):
        assert (
            await api.context.database.read(lambda tx, table=table: tx.fetchval(f"SELECT COUNT(*) FROM {table}")) == 0
        )


@both
async def test_of_nobody_else(api: API) -> None:
    hook = (await made(api, account_id=await owner_account(api)))["webhook"]
    await owner(api, "bob")
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PATCH", "", {"status": "disabled"}),
        ("DELETE", "", None),
        ("POST", "/rotate", {}),
        ("POST", "/ping", None),
        ("GET", "/deliveries", None),
        ("POST", "/deliveries/msg_x/resend", None),
    ]
    for method, path, body in calls:
        assert (await api(method, f"/webhooks/{hook['id']}{path}", body)).status == 404, (method, path)
    assert (await api("GET", "/webhooks")).body["data"] == []
    assert (await api("POST", "/webhooks", {"url": URL, "account_id": hook["account_id"]})).status == 404


async def owner_account(api: API) -> str:
    return (await api("POST", "/users", {"name": "ann"})).body["account_id"]


@both
async def test_plain_members_make_none(api: API) -> None:
    account = (await api("POST", "/accounts", {"name": "acme", "kind": "organisation"})).body["id"]
    member = (await api("POST", "/users", {"name": "ann", "account": False})).body
    await api.context.database.write(
        lambda tx: tx.execute("INSERT INTO members VALUES ($1, $2, 'member')", account, member["user"]["id"])
    )
    hook = (await made(api, account_id=account))["webhook"]
    api.key = await api.login("ann", member["password"])
    refused = await api("POST", "/webhooks", {"url": URL, "account_id": account})
    assert refused.status == 403
    assert (await api("GET", f"/webhooks/{hook['id']}")).status == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "url"),
        ({"url": ""}, "url"),
        ({"url": 5}, "url"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "http://127.0.0.1/hook"}, "url"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": "http://[::1]/"}, "url"),
        ({"url": "https://user:word@example.com/"}, "url"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": ["task.lost"]}, "events[0]"),
        ({"url": URL, "secret": "mine"}, "secret"),
        ({"url": URL, "description": "x" * 201}, "description"),
    ],
)
async def test_what_is_refused(api: API, body: dict[str, Any], param: str) -> None:
    hook = (await made(api, account_id=await owner_account(api)))["webhook"]
    answer = await api("POST", "/webhooks", {"account_id": hook["account_id"], **body})
    assert (answer.status, answer.body["error"]["param"]) == (422, param), answer.body
    if body:
        assert (await api("PATCH", f"/webhooks/{hook['id']}", body)).status == 422
    assert (await api("GET", f"/webhooks/{hook['id']}")).body == hook


@both
async def test_an_account_has_only_so_many(api: API) -> None:
    account = await owner(api, "ann")
    hooks = [(await made(api))["webhook"] for _ in range(10)]
    assert (await api("POST", "/webhooks", {"url": URL})).status == 409
    first = (await api("GET", f"/webhooks?limit=6&account_id={account}")).body
    rest = (await api("GET", f"/webhooks?cursor={first['next']}")).body
    assert first["data"] + rest["data"] == hooks
