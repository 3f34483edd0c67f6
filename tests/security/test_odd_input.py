"""Odd digits, numbers, texts and addresses from outside end in a clear refusal, and in nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from deeepai.declare import whole
from deeepai.protocols.gemini.common import count
from deeepai.settings import Settings, SettingsError
from deeepai.tasks.hosts import address, is_local, same_host
from tests.control.conftest import API
from tests.gateway.channels import channel
from tests.stack import Gateway
from tests.support.http import call, post

ODD = ("²", "٣", "①", "9" * 5000, "-1", "+1", "1_0", " 1", "1 ", "", "0x1", "1e3", "1.0")


@pytest.mark.parametrize("text", ODD)
def test_only_plain_digits_are_a_number(text: str) -> None:
    assert whole(text) is None
    assert count(text, 7) == (999_999_999_999 if text.startswith("9") else 7)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/assets/x/0?sig=a&exp=%C2%B2", 403),
        (f"/assets/x/0?sig=a&exp={'9' * 5000}", 403),
        ("/assets/x/0?sig=%ED%A0%80&exp=99999999999", 403),
        ("/assets/x/%C2%B2?sig=a", 404),
        ("/assets/x/99999999999999999999", 404),
        (f"/assets/x/{'9' * 5000}", 404),
        ("/mj/image/x?sig=a&exp=%C2%B2", 403),
        ("/v1beta/models?pageSize=%C2%B2", 200),  # Google takes its own size for one that is none
        (f"/v1beta/models?pageSize={'9' * 5000}", 200),
        ("/v1/videos?limit=%D9%A3", 400),
        (f"/v1/videos?limit={'9' * 5000}", 400),
        ("/kling/v1/videos/text2video?pageNum=%D9%A3", 400),
        (f"/kling/v1/videos/text2video?pageSize={'9' * 5000}", 400),
    ],
)
def test_odd_numbers_in_addresses(gateway: Gateway, path: str, status: int) -> None:
    got = call(gateway, "GET", path, key=gateway.live)
    assert got.status == status, got.body


@pytest.mark.parametrize("value", ["²", "9" * 5000, "٣"])
@pytest.mark.parametrize("name", ["maxOutputTokens", "candidateCount"])
def test_odd_numbers_in_a_body(gateway: Gateway, name: str, value: str) -> None:
    body = {"contents": "hi", "generationConfig": {name: value}}
    assert post(gateway, "/v1beta/models/gemini-2.5-flash:generateContent", body).status < 500


@pytest.mark.parametrize("model", ["gpt-4o\r\nx-evil: 1", "gpt-4o\n", "gpt\x00-4o", "gpt-4o\x7f", "gpt‮-4o"])
@pytest.mark.parametrize("stands_in", [False, True])
def test_a_model_is_named_in_one_line(gateway: Gateway, model: str, stands_in: bool) -> None:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    if stands_in:
        body |= {"model": "gpt-4o-mini", "models": [model]}
    got = post(gateway, "/v1/chat/completions", body)
    assert (got.status, got.json["error"]["param"]) == (404, "model")


@pytest.mark.parametrize("amount", ["sNaN", "NaN", "Infinity", "-sNaN123", "1e999999", "0.0000000001"])
async def test_odd_amounts(api: API, amount: str) -> None:
    account = api.users["root"][1]
    token = (await api("POST", "/tokens", {})).body["token"]["id"]
    for method, path, body in (
        ("PATCH", f"/tokens/{token}", {"budget": amount}),
        ("POST", f"/accounts/{account}/grants", {"amount": amount}),
        ("POST", "/codes", {"amount": amount}),
        ("PUT", "/price-groups/x", {"multiplier": amount}),
        ("PUT", "/prices/x", {"entry": {"per_call": amount}}),
    ):
        if path == "/prices/x" and amount.startswith("0."):
            continue  # prices are finer than money
        assert (await api(method, path, body)).status == 422, path


@pytest.mark.parametrize("name", ["initial_credit", "debt_bound"])
@pytest.mark.parametrize("amount", ["sNaN", "NaN", "Infinity", "-1"])
def test_odd_amounts_in_settings(name: str, amount: str) -> None:
    with pytest.raises(SettingsError):
        Settings.load({f"DEEEPAI_{name.upper()}": amount})


@pytest.mark.parametrize("db", ["sqlite", "postgresql"], indirect=True)
async def test_no_text_holds_a_nul(api: API) -> None:
    token = (await api("POST", "/tokens", {})).body["token"]["id"]
    for method, path, body in (
        ("PATCH", f"/tokens/{token}", {"name": "a\0b"}),
        ("PATCH", f"/tokens/{token}", {"models": ["a\0b"]}),
        ("POST", "/tokens", {"name": "a\0b"}),
        ("POST", "/users", {"name": "a\0b"}),
        ("POST", "/users", {"name": "fine", "email": "a\0b"}),
        ("POST", "/accounts", {"name": "a\nb"}),
        ("POST", f"/accounts/{api.users['root'][1]}/grants", {"amount": "1", "note": "a\0b"}),
        ("POST", "/login", {"name": "a\0b", "password": "x"}),
        ("POST", "/codes/redeem", {"code": "a\0b"}),
        ("GET", "/tokens?account_id=a%00b", None),
        ("GET", "/usage?model=a%00b", None),
        ("GET", "/tokens/a%00b", None),
        ("PUT", "/aliases/a%00b", {"target": "x"}),
        ("PUT", "/aliases/ab", {"target": "x\0"}),
    ):
        assert (await api(method, path, body)).status in (404, 422), (method, path, body)
    assert (await api("PATCH", f"/tokens/{token}", {"name": "a\\u0000b"})).status == 200  # six letters, and no NUL


async def test_a_body_of_this_api_says_a_thing_once(api: API) -> None:
    head = {"content-type": "application/json"}
    twice = await api("POST", "/tokens", headers=head, data=b'{"name":"a","name":"b"}')
    assert twice.status in (400, 422)


# Where a credential goes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example?x.bfl.ai/",
        "https://evil.example#.bfl.ai/",
        "https://evil.example:443?.bfl.ai/x",
        "https://evil.example\\.bfl.ai/x",
        "https://evil.example\\@api.bfl.ai/x",
        "https://api.bfl.ai@evil.example/x",
        "https://api.bfl.ai:x@evil.example/x",
        "https://evil.example/.bfl.ai/",
        "https://evilbfl.ai/x",
        "https://api.bfl.ai.evil.example/x",
        "https://evil.example%2f.bfl.ai/x",
        "https://evil.example;.bfl.ai/x",
        "https://evil.example\t.bfl.ai/x",
        "http://api.bfl.ai/x",
        "https://api.bfl.ai:8443/x",
        "HTTPS://evil.example/x",
    ],
)
def test_a_credential_goes_to_the_vendors_hosts_alone(url: str) -> None:
    made = address(channel("c", protocol="flux", base_url="https://api.bfl.ai"), url)
    assert made.startswith("https://api.bfl.ai/")
    assert "evil" not in made.partition("://")[2].partition("/")[0]


@pytest.mark.parametrize(
    ("base", "url", "goes"),
    [
        ("https://api.bfl.ai", "https://api.eu1.bfl.ai/v1/get_result?id=1", True),
        ("https://api.bfl.ai", "https://API.BFL.AI/v1/x", True),
        ("https://api.bfl.ai:443", "https://api.us1.bfl.ai/x", True),
        ("https://mine.vercel.app", "https://theirs.vercel.app/x", False),
        ("https://relay.co.uk", "https://other.co.uk/x", False),
        ("https://a.relay.example", "https://b.relay.example/x", False),
        ("https://a.relay.example/v1", "https://a.relay.example/x", True),
        ("http://127.0.0.1:5000", "http://127.0.0.1:6000/x", False),
        ("http://10.0.0.1", "http://10.0.0.2/x", False),
    ],
)
def test_which_other_hosts_are_the_vendors_own(base: str, url: str, goes: bool) -> None:
    assert (address(channel("c", protocol="flux", base_url=base), url) == url) is goes


def test_what_is_on_this_machine() -> None:
    assert all(map(is_local, ("http://127.0.0.1:1/x", "http://localhost", "http://[::1]:5/x")))
    assert not any(map(is_local, ("http://localhost.evil.example/x", "http://127.evil.example?", "https://a\\b", "")))
    assert same_host("http://a.example", "http://a.example:80/x")
    assert not same_host("https://b.example", "https://a.example?.b.example")


# Who serves ----------------------------------------------------------------------------------------------------------


async def test_which_upstream_serves_is_the_operators_own_affair(api: API) -> None:
    ann = await api.make_user("ann")
    await api("PUT", "/price-groups/vip", {"multiplier": "0.1"})
    await api("PUT", "/price-groups/hers", {"multiplier": "0.5"})
    await api("PATCH", f"/accounts/{api.users['ann'][1]}", {"price_group": "hers"})
    assert (await api("GET", "/usage/totals?by=channel_id", key=ann)).status == 403
    assert (await api("GET", "/usage?channel_id=x", key=ann)).status == 403
    assert (await api("GET", "/usage/totals?channel_id=x&by=day", key=ann)).status == 403
    assert (await api("GET", "/aliases", key=ann)).status == 403
    shown = (await api("GET", "/price-groups", key=ann)).body["data"]
    assert [group["name"] for group in shown] == ["hers"]
    assert len((await api("GET", "/price-groups")).body["data"]) >= 2


def test_a_task_does_not_tell_its_customer_who_does_it(gateway: Gateway) -> None:
    made = gateway.cli("users", "add", "plain", "--password", "a plain password", "--credit", "5")
    assert made.returncode == 0, made.stderr
    session = call(gateway, "POST", "/api/login", {"name": "plain", "password": "a plain password"}).json["token"]
    key = call(gateway, "POST", "/api/tokens", {}, session).json["key"]
    post(gateway, "/flux/v1/flux-dev", {"prompt": "a cat"}, key)
    (listed,) = call(gateway, "GET", "/api/tasks", key=session).json["data"]
    shown = call(gateway, "GET", f"/api/tasks/{listed['id']}", key=session).json
    assert (listed["channel_id"], shown["channel_id"], shown["upstream_id"], shown["snapshot"]) == (None,) * 4
