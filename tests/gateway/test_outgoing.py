"""Requests as they leave: nothing of a caller's leads elsewhere, and bodies change only where they must."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeepai.accounts.models import Channel
from deeepai.declare import DROP, Call, Facts, Failure, Reason
from deeepai.gateway import outgoing
from tests.gateway.asgi import operation, protocol, request
from tests.gateway.channels import channel


def build(
    given: Call[Any],
    *,
    to: Channel | None = None,
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    model: str = "m",
    raw: bytes = b"{}",
    **more: Any,
) -> outgoing.Outgoing:
    asked = request(given, headers, params=params)
    asked.raw = raw
    return outgoing.build(protocol(given, **more), given, asked, to or channel("a"), Facts(model, model))


def test_paths_are_filled_in_below_the_base() -> None:
    found = build(
        operation(upstream_template="/v1/{model}/{id}"),
        to=channel("a", base_url="http://up.example/base/"),
        params={"id": "7"},
        model="org/model:free",
    )
    assert found.url == "http://up.example/base/v1/org/model:free/7"


HOSTILE = ["../admin", "..", ".", "a/../../b", "a?x=1", "a#b", "a b", "a\r\nx: y", "%2e%2e", "é", "a/./b", "a%2Fb"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("way", ["param", "model", "place"])
def test_a_callers_words_lead_to_no_other_path(value: str, way: str) -> None:
    given = operation(
        upstream_template="/v1/{id}/end",
        upstream_path={
            "param": None,
            "model": lambda request, facts: "/v1/{model}/end",
            "place": lambda request, facts: f"/v1/{facts.model}/end",
        }[way],
    )
    try:
        found = build(given, to=channel("a", base_url="http://up.example"), params={"id": value}, model=value)
    except Failure as failure:
        found, refused = None, failure
    if found is None:
        assert refused.kind is Reason.NOT_FOUND
        assert ".." in value or "./" in value or value == "."
        return
    assert found.url.startswith("http://up.example/v1/")
    assert found.url.endswith("/end")
    assert not set(found.url) & set("?# \r\n")
    assert found.url.isascii()
    assert {".", ".."}.isdisjoint(found.url.split("/"))


def test_the_channels_credential_goes_out_and_the_callers_stays() -> None:
    found = build(
        operation(headers=lambda request, facts: {"x-own": facts.requested_model}),
        to=channel("a", credential="theirs", settings={"headers": {"x-extra": "1"}}),
        headers={"authorization": "Bearer ours", "x-version": "2", "cookie": "c", "content-type": "application/json"},
        forward_headers=("x-version",),
    )
    assert found.headers == {
        "authorization": "Bearer theirs",
        "x-version": "2",
        "x-own": "m",
        "x-extra": "1",
        "content-type": "application/json",
    }
    assert "authorization" not in build(operation(), to=channel("a", credential=None)).headers


def test_without_changes_the_bytes_pass() -> None:
    raw = b' {"model" : "m", "x": 1.0, "x": 2} '
    assert build(operation(patch=lambda request, facts: {}), raw=raw).body == raw


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD"])
def test_some_methods_have_no_body(method: str) -> None:
    assert build(operation(method=method), raw=b"").body is None


def test_changes_touch_their_keys_only() -> None:
    raw = '{"a": 1.50, "big": 123456789012345678901234567890, "text": "\\u00e9é", "drop": 1, "model": "x"}'.encode()
    found = build(
        operation(patch=lambda request, facts: {"model": facts.model, "drop": DROP, "none": DROP, "new": [1]}), raw=raw
    )
    assert (
        found.body == '{"a":1.50,"big":123456789012345678901234567890,"text":"\\u00e9é","model":"m","new":[1]}'.encode()
    )


@pytest.mark.parametrize("raw", [b"[]", b"{", b"1"])
def test_only_an_object_can_be_changed(raw: bytes) -> None:
    with pytest.raises(Failure) as raised:
        build(operation(patch=lambda request, facts: {"a": 1}), raw=raw)
    assert raised.value.kind is Reason.INVALID


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), JSON, max_size=5),
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), JSON, min_size=1, max_size=3),
)
def test_a_changed_body_means_what_it_should(before: dict[str, Any], changes: dict[str, Any]) -> None:
    asked = request(operation())
    asked.raw = msgspec.json.encode(before)
    raw, kind = outgoing.rewrite(asked, changes)
    assert kind == "application/json"
    assert msgspec.json.decode(raw) == before | changes
