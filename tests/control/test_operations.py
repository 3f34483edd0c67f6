from __future__ import annotations

import json
from typing import Any

import pytest

from deeepai.accounts import keys, tokens
from deeepai.control.openapi import openapi_paths
from deeepai.money.audit import verify
from deeepai.storage.ids import now_ms
from deeepai.tasks.secrets import webhook_secret

from .conftest import API

both = pytest.mark.parametrize("db", ["sqlite", "postgresql"], indirect=True)


async def test_paths_and_methods(api: API) -> None:
    for path in ("/nothing", "/tokens/", "/tokens/a/b", "/", "//tokens"):
        assert (await api("GET", path)).status == 404, path
    wrong = await api("PUT", "/tokens")
    assert (wrong.status, wrong.headers["Allow"], wrong.code) == (405, "GET, POST", "method_not_allowed")


@pytest.mark.parametrize(
    ("data", "headers", "status", "code"),
    [
        (b"{", {}, 400, "invalid_json"),
        (b"", {}, 400, "invalid_json"),
        (b"\xff", {}, 400, "invalid_json"),
        (b"[]", {}, 422, "unprocessable"),
        (b"{}", {}, 422, "unprocessable"),
        (b'{"amount": "1", "more": 1}', {}, 422, "unprocessable"),
        (b'{"amount": "1", "count": 0}', {}, 422, "unprocessable"),
        (b'{"amount": "NaN"}', {}, 422, "unprocessable"),
        (b'{"amount": "-1"}', {}, 422, "unprocessable"),
        (b'{"amount": "0"}', {}, 422, "unprocessable"),
        (b'{"amount": "0.0000000001"}', {}, 422, "unprocessable"),
        (b'{"amount": "1"}', {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        (b" " * ((1 << 20) + 1), {}, 413, "request_too_large"),
    ],
)
async def test_bad_bodies(api: API, data: bytes, headers: dict[str, str], status: int, code: str) -> None:
    answer = await api("POST", "/codes", data=data, headers={"content-type": "application/json", **headers})
    assert (answer.status, answer.code) == (status, code), answer.body
    assert isinstance(answer.body["error"]["message"], str)


async def test_a_field_at_fault_is_named(api: API) -> None:
    for body, param in (
        ({"amount": "1", "count": "many"}, "count"),
        ({}, "amount"),
        ({"amount": "1", "expires_at": "2026-01-01"}, "expires_at"),
        ({"amount": "1", "nonsense": 1}, "nonsense"),
    ):
        answer = await api("POST", "/codes", body)
        assert (answer.status, answer.body["error"]["param"]) == (422, param), answer.body
    for path in ("/codes?limit=0", "/codes?limit=x", "/codes?nonsense=1", "/codes?status=lost"):
        assert (await api("GET", path)).status == 422, path
    assert (await api("GET", "/usage?cursor=rubbish")).status == 422


async def test_users(api: API) -> None:
    made = await api("POST", "/users", {"name": "ann"})
    assert made.status == 201
    assert await api.login("ann", made.body["password"])
    user_id = made.body["user"]["id"]
    assert (await api("POST", "/users", {"name": "ann"})).code == "conflict"
    chosen = await api("POST", "/users", {"name": "bob", "password": "correct horse", "account": False})
    assert (chosen.body["password"], chosen.body["account_id"]) == (None, None)
    changed = await api("PATCH", f"/users/{user_id}", {"role": "admin", "email": "a@example.com"})
    assert (changed.body["role"], changed.body["email"]) == ("admin", "a@example.com")
    assert (await api("GET", f"/users/{user_id}")).body == changed.body
    assert (await api("GET", "/users/none")).status == 404
    page = await api("GET", "/users?limit=2")
    rest = await api("GET", f"/users?limit=2&cursor={page.body['next']}")
    assert [user["name"] for user in page.body["data"] + rest.body["data"]] == ["root", "ann", "bob"]
    assert rest.body["next"] is None
    root = api.users["root"][0]
    assert (await api("PATCH", f"/users/{root}", {"status": "disabled"})).code == "conflict"


@both
async def test_grants_and_the_ledger(api: API) -> None:
    account = api.users["root"][1]
    for _ in range(2):
        grant = await api("POST", f"/accounts/{account}/grants", {"amount": "2.50", "reference": "invoice 1"})
        assert (grant.status, grant.body["available"]) == (200, "2.5")
    taken = await api("POST", f"/accounts/{account}/grants", {"amount": -0.5, "note": "back"})
    assert taken.body == {"available": "2", "held": "0", "spent": "0", "currency": "USD"}
    assert (await api("POST", f"/accounts/{account}/grants", {"amount": "0"})).status == 422
    assert (await api("POST", "/accounts/none/grants", {"amount": "1"})).status == 404
    first = await api("GET", f"/accounts/{account}/ledger?limit=1")
    second = await api("GET", f"/accounts/{account}/ledger?limit=1&cursor={first.body['next']}")
    entries = first.body["data"] + second.body["data"]
    assert sorted((entry["kind"], entry["available"], entry["note"]) for entry in entries) == [
        ("adjust", "-0.5", "back"),
        ("grant", "2.5", None),
    ]
    assert (await verify(api.context.database)).ok


async def test_owners_see_what_their_callbacks_are_signed_with(api: API) -> None:
    account = api.users["root"][1]
    shown = await api("GET", f"/accounts/{account}/webhook-secret")
    assert shown.status == 200
    assert shown.body["secret"] == webhook_secret(api.context.vault.derive("webhooks"), account)
    assert (await api("GET", "/accounts/none/webhook-secret")).status == 404


async def test_where_a_vendor_calls_back_that_has_one_address(api: API) -> None:
    made = await api("POST", "/channels", {"name": "pix", "protocol": "pixverse_platform", "credential": "key"})
    assert made.status == 201, made.body
    channel = made.body["id"]
    shown = await api("GET", f"/channels/{channel}/callback")
    assert (shown.status, shown.body["path"][: 17 + len(channel)]) == (200, f"/hooks/channels/{channel}/")
    assert shown.body == (await api("GET", "/channels/pix/callback")).body
    assert (await api("GET", "/channels/none/callback")).status == 404


async def test_a_token_works_from_the_answer_on(api: API) -> None:
    fields: dict[str, Any] = {
        "name": "t",
        "budget": "1.5",
        "models": ["gpt-*"],
        "ips": ["127.0.0.1"],
        "rpm": 5,
        "concurrency": 2,
        "expires_at": "2030-01-01T01:00:00+01:00",
        "mode": "test",
    }
    made = await api("POST", "/tokens", fields)
    assert made.status == 201, made.body
    digest = keys.digest(made.body["key"])
    found = await api.context.directory.token(digest)
    assert found is not None
    assert (found.mode, found.budget, found.models, found.rpm) == ("test", 1_500_000_000, ("gpt-*",), 5)
    token_id = made.body["token"]["id"]
    assert made.body["token"]["expires_at"] == "2030-01-01T00:00:00Z"
    changed = await api("PATCH", f"/tokens/{token_id}", {"budget": None, "models": None, "status": "disabled"})
    assert (changed.body["budget"], changed.body["models"], changed.body["rpm"]) == (None, None, 5)
    found = await api.context.directory.token(digest)
    assert found is not None
    assert not found.enabled
    assert (await api("DELETE", f"/tokens/{token_id}")).status == 204
    assert await api.context.directory.token(digest) is None
    assert (await api("GET", f"/tokens/{token_id}")).status == 404


async def test_channels(api: API) -> None:
    secret = "sk-upstream-000000000000"
    made = await api("POST", "/channels", {"name": "up", "protocol": "openai", "credential": secret})
    assert made.status == 201, made.body
    assert (made.body["has_credential"], made.body["base_url"]) == (True, "https://api.openai.com/v1")
    channel_id = made.body["id"]
    assert [channel.credential for channel in api.context.directory.channels] == [secret]
    for path in ("/channels", f"/channels/{channel_id}", "/channels/up"):
        assert secret not in str((await api("GET", path)).body)
    assert (await api("POST", "/channels", {"name": "up", "protocol": "openai"})).status == 409
    unknown = await api("POST", "/channels", {"name": "x", "protocol": "telegraph"})
    assert (unknown.status, unknown.body["error"]["param"]) == (422, "protocol")
    assert (await api("POST", f"/channels/{channel_id}/disable")).body["status"] == "disabled"
    assert [channel.enabled for channel in api.context.directory.channels] == [False]
    assert (await api("POST", f"/channels/{channel_id}/enable")).body["status"] == "enabled"
    changed = await api("PATCH", f"/channels/{channel_id}", {"priority": 5, "settings": {"whole": 9}})
    assert (changed.body["priority"], api.context.directory.channels[0].limits.whole) == (5, 9)
    assert api.context.directory.channels[0].credential == secret
    tested = await api("POST", f"/channels/{channel_id}/test")
    assert tested.body == {"ok": False, "latency_ms": 12.5, "error": "401"}
    assert [channel.name for channel in api.probed] == ["up"]
    assert (await api("DELETE", f"/channels/{channel_id}")).status == 204
    assert api.context.directory.channels == ()
    assert (await api("DELETE", f"/channels/{channel_id}")).status == 404


async def test_prices_groups_and_aliases(api: API) -> None:
    shipped = (await api("GET", "/prices")).body["data"]
    assert len(shipped) > 20
    assert all(price["source"] and price["date"] for price in shipped)
    key = "vendor/model name"
    set_ = await api("PUT", f"/prices/{key}", {"entry": {"per_call": "0.25", "source": "mine", "date": "2026-01-01"}})
    assert set_.status == 200, set_.body
    own = [price for price in (await api("GET", "/prices")).body["data"] if price["own"]]
    assert [(price["key"], price["entry"]["per_call"]) for price in own] == [(key, "0.25")]
    assert api.context.directory.snapshot.prices[key]["per_call"] == "0.25"
    bad = await api("PUT", "/prices/x", {"entry": {"per_call": "a lot"}})
    assert (bad.status, bad.body["error"]["param"]) == (422, "entry")
    assert (await api("DELETE", f"/prices/{key}")).status == 204
    assert (await api("DELETE", f"/prices/{key}")).status == 404

    assert (await api("PUT", "/price-groups/vip", {"multiplier": "0.8"})).status == 200
    assert (await api("PUT", "/price-groups/vip", {"multiplier": "-1"})).status == 422
    groups = (await api("GET", "/price-groups")).body["data"]
    assert [(group["name"], group["multiplier"]) for group in groups] == [("default", "1"), ("vip", "0.8")]
    assert (await api("DELETE", "/price-groups/vip")).status == 204

    assert (await api("PUT", "/aliases/gpt-4*", {"target": "smollm2"})).status == 200
    assert api.context.directory.snapshot.aliases == {"gpt-4*": "smollm2"}
    assert (await api("PUT", "/aliases/a", {"target": "a"})).status == 422
    assert (await api("DELETE", "/aliases/gpt-4*")).status == 204
    assert api.context.directory.snapshot.aliases == {}


@both
async def test_codes(api: API) -> None:
    ann = await api.make_user("ann")
    made = await api("POST", "/codes", {"amount": "5", "count": 3, "name": "spring"})
    assert (made.status, len({each["code"] for each in made.body["data"]})) == (201, 3)
    one, two, three = made.body["data"]
    got = await api("POST", "/codes/redeem", {"code": one["code"]}, key=ann)
    assert got.body == {"account_id": api.users["ann"][1], "amount": "5"}
    again = await api("POST", "/codes/redeem", {"code": one["code"]}, key=ann)
    assert again.status == 409
    assert (await api("PATCH", f"/codes/{two['id']}", {"status": "disabled"})).status == 204
    assert (await api("POST", "/codes/redeem", {"code": two["code"]}, key=ann)).status == 404
    foreign = {"code": three["code"], "account_id": api.users["root"][1]}
    assert (await api("POST", "/codes/redeem", foreign, key=ann)).status == 404
    assert (await api("PATCH", f"/codes/{one['id']}", {"status": "enabled"})).status == 409
    listed = (await api("GET", "/codes")).body["data"]
    assert sorted(code["status"] for code in listed) == ["disabled", "enabled", "used"]
    assert three["code"] not in str(listed)
    balance = await api("GET", f"/accounts/{api.users['ann'][1]}/balance", key=ann)
    assert balance.body["available"] == "5"
    assert (await verify(api.context.database)).ok
    for number in range(20):
        last = await api("POST", "/codes/redeem", {"code": f"code-{number}"}, key=ann)
    assert last.status == 429


async def add_usage(api: API, request_id: str, name: str, token_id: str, **fields: Any) -> None:
    user_id, account_id = api.users[name]
    values: dict[str, Any] = {
        "request_id": request_id,
        "account_id": account_id,
        "token_id": token_id,
        "user_id": user_id,
        "protocol": "openai",
        "operation": "openai.chat",
        "model": "m",
        "upstream_model": "u",
        "channel_id": "chn_secret",
        "status": 200,
        "cost": 1_000_000,
        "consumed": '{"input": 3}',
        "created_at": now_ms(),
        **fields,
    }
    places = ", ".join(f"${number + 1}" for number in range(len(values)))
    sql = f"INSERT INTO usage ({', '.join(values)}) VALUES ({places})"
    await api.context.database.write(lambda tx: tx.execute(sql, *values.values()))


@both
async def test_usage(api: API) -> None:
    ann = await api.make_user("ann")
    day = 86_400_000
    for number in range(5):
        await add_usage(api, f"ann{number}", "ann", "t1", created_at=day * number, model="m" if number else "n")
    await add_usage(api, "fail", "ann", "t2", status=502, cost=0, created_at=day * 9)
    await add_usage(api, "root", "root", "t3", created_at=day * 5, model="other")

    async def ids(path: str, key: str | None = None) -> list[str]:
        return [row["request_id"] for row in (await api("GET", path, key=key)).body["data"]]

    assert await ids("/usage", ann) == ["fail", "ann4", "ann3", "ann2", "ann1", "ann0"]
    assert len(await ids("/usage")) == 7
    assert await ids("/usage?account_id=" + api.users["root"][1], ann) == []
    assert await ids("/usage?request_id=root", ann) == []
    assert await ids("/usage?failed=true") == ["fail"]
    assert await ids("/usage?failed=false&token_id=t1&model=n") == ["ann0"]
    assert await ids("/usage?status=502") == ["fail"]
    assert await ids("/usage?since=1970-01-03T00:00:00Z&until=1970-01-05T00:00:00Z") == ["ann3", "ann2"]
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await api("GET", f"/usage?limit=2{f'&cursor={cursor}' if cursor else ''}", key=ann)).body
        seen += [row["request_id"] for row in page["data"]]
        cursor = page["next"]
    assert seen == ["fail", "ann4", "ann3", "ann2", "ann1", "ann0"]

    mine = (await api("GET", "/usage?limit=2", key=ann)).body["data"][1]
    assert (mine["cost"], mine["consumed"], mine["channel_id"]) == ("0.001", {"input": 3}, None)
    assert (await api("GET", "/usage?request_id=ann4")).body["data"][0]["channel_id"] == "chn_secret"

    totals = (await api("GET", "/usage/totals", key=ann)).body["data"]
    assert totals == [{"group": None, "requests": 6, "failed": 1, "cost": "0.005"}]
    by_model = (await api("GET", "/usage/totals?by=model")).body["data"]
    assert by_model[0] == {"group": "m", "requests": 5, "failed": 1, "cost": "0.004"}
    by_day = (await api("GET", "/usage/totals?by=day", key=ann)).body["data"]
    assert [total["group"] for total in by_day][:2] == ["1970-01-01", "1970-01-02"]
    assert (await api("GET", "/usage/totals?by=password")).status == 422


async def add_task(api: API, task_id: str, name: str, token_id: str, submitted_at: int) -> None:
    sql = (
        "INSERT INTO tasks (id, protocol, operation, account_id, token_id, channel_id, request_id, model, price_key, "
        "price_group, estimate, state, hook_key, mode, submitted_at, snapshot) VALUES "
        "($1, 'flux', 'flux.generate', $2, $3, 'c', 'r', 'm', 'm', 'default', '{}', 'running', 'h', 'live', $4, '[1]')"
    )
    await api.context.database.write(lambda tx: tx.execute(sql, task_id, api.users[name][1], token_id, submitted_at))


@both
async def test_tasks_and_their_callbacks(api: API) -> None:
    ann = await api.make_user("ann")
    token = (await api("POST", "/tokens", {"name": "t"}, key=ann)).body["token"]["id"]
    await add_task(api, "task-a", "ann", token, 5)
    await add_task(api, "task-b", "ann", token, 6)
    await add_task(api, "task-c", "root", "tok", 7)

    async def ids(path: str, key: str) -> list[str]:
        return [task["id"] for task in (await api("GET", path, key=key)).body["data"]]

    assert await ids("/tasks", ann) == ["task-b", "task-a"]
    assert await ids("/tasks", api.key) == ["task-c", "task-b", "task-a"]
    assert await ids("/tasks?state=succeeded", ann) == []
    assert await ids("/tasks?protocol=flux&model=m&limit=1", ann) == ["task-b"]
    first = await api("GET", "/tasks?limit=1", key=ann)
    assert await ids(f"/tasks?limit=1&cursor={first.body['next']}", ann) == ["task-a"]
    assert (await api("GET", "/tasks/task-a", key=ann)).body["snapshot"] is None
    assert (await api("GET", "/tasks/task-a")).body["snapshot"] == [1]
    for path in ("/tasks/task-c", "/tasks/task-c/callbacks"):
        assert (await api("GET", path, key=ann)).status == 404
    assert (await api("POST", "/tasks/task-c/callbacks/resend", key=ann)).status == 404
    assert (await api("POST", "/tasks/task-a/callbacks/resend", key=ann)).status == 409

    async def callbacks(tx: Any) -> None:
        for number in (1, 2):
            await tx.execute(
                "INSERT INTO outbox (id, task_id, account_id, url, body, state, attempts, created_at) "
                "VALUES ($1, 'task-a', 'x', 'https://example.com', '{}', 'given_up', 2, $2)",
                f"msg{number}",
                number,
            )
            await tx.execute(
                "INSERT INTO deliveries (outbox_id, attempt, status, duration_ms, created_at) "
                "VALUES ($1, 1, 500, 3, 4)",
                f"msg{number}",
            )

    await api.context.database.write(callbacks)
    assert (await api("POST", "/tasks/task-a/callbacks/resend", key=ann)).body == {"resent": 1}
    log = (await api("GET", "/tasks/task-a/callbacks", key=ann)).body["data"]
    assert [(each["id"], each["state"], each["attempts"]) for each in log] == [
        ("msg1", "given_up", 2),
        ("msg2", "pending", 2),
    ]
    assert [each["log"][0]["status"] for each in log] == [500, 500]
    due = await api.context.database.read(lambda tx: tx.fetchval("SELECT next_at FROM outbox WHERE id = 'msg2'"))
    assert due <= now_ms()


async def test_no_answer_holds_a_stored_secret(api: API) -> None:
    made = await api("POST", "/tokens", {"name": "t"})
    stored = await api.context.database.read(lambda tx: tokens.find(tx, keys.digest(made.body["key"])))
    assert stored is not None
    secrets = [made.body["key"], keys.digest(made.body["key"]), "scrypt$", api.key]
    for path in ("/users", "/tokens", "/accounts", "/me", "/access-keys", "/channels"):
        text = json.dumps((await api("GET", path)).body)
        assert not [secret for secret in secrets if secret in text], path


async def test_the_description_is_whole_and_valid() -> None:
    from openapi_spec_validator import validate

    described = openapi_paths()
    validate({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, **described})
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all("401" in operation["responses"] for operation in operations)
