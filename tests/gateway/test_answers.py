"""What a caller sees of an upstream's answer: its headers, its refusals, and which answers are not held."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from deeepai.declare import Answer, CallTranslator, Failure, Reason
from deeepai.gateway import answers
from deeepai.gateway.answers import passthrough
from deeepai.gateway.attempts import Refusal, Taken, Verdict
from deeepai.gateway.exchange import Exchange
from deeepai.gateway.translation import Translated
from deeepai.upstream import Response
from tests.gateway.asgi import operation
from tests.gateway.callers import exchange

SENT = {
    "content-type": "application/problem+json",
    "retry-after": "7",
    "retry-after-ms": "7000",
    "x-told": "yes",
    "set-cookie": "a=1",
    "server": "vendor",
}


def watched(**protocol: Any) -> tuple[Exchange, list[dict[str, Any]]]:
    """Return an exchange, and what it sends."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    x = exchange(operation())
    x.send, x.protocol = send, replace(x.protocol, **protocol)
    return x, sent


async def test_a_refusal_passes_with_its_wait_and_the_protocols_own_headers_only() -> None:
    x, sent = watched(answer_headers=("x-told",))
    await answers.refuse(x, Refusal(Answer(429, SENT, b'{"why": "busy"}'), Verdict.ELSEWHERE))
    start, body = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert (start["status"], body["body"]) == (429, b'{"why": "busy"}')
    del headers["x-request-id"], headers["x-deeepai-overhead-ms"]
    assert headers == {
        "content-type": "application/problem+json",
        "content-length": "15",
        "x-told": "yes",
        "retry-after": "7",
        "retry-after-ms": "7000",
    }


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (b'{"why": "busy"}', b'{"why": "busy"}'),
        (b'{"why": "raw \x01 control", "n": NaN}', b'{"why":"raw \\u0001 control","n":null}'),
        (b'{"why": "half \\ud83d"}', '{"why":"half \ufffd"}'.encode()),
        (b"\xef\xbb\xbf{}", b"{}"),
        (b"no JSON", b"no JSON"),
        (b"", b""),
    ],
)
async def test_a_refusal_that_strict_readers_do_not_take_is_mended(said: bytes, seen: bytes) -> None:
    x, sent = watched()
    await answers.refuse(x, Refusal(Answer(400, {"content-type": "application/json"}, said), Verdict.CALLER))
    assert sent[1]["body"] == seen


async def test_a_translated_refusal_has_the_callers_own_shape_and_its_wait() -> None:
    x, sent = watched()
    translator = cast("CallTranslator", _Translator())
    translated = Translated(x.protocol, x.operation, x.request, translator)
    await answers.refuse(x, Refusal(Answer(429, SENT, b'{"why": "busy"}'), Verdict.ELSEWHERE, translated))
    start, body = sent
    headers = dict(start["headers"])
    assert (start["status"], json.loads(body["body"])) == (429, {"error": "as it was", "why": "rate_limit_exceeded"})
    assert (headers[b"retry-after"], headers[b"content-type"]) == (b"7", b"application/json")


class _Translator:
    def error(self, answer: Answer) -> Failure:
        return Failure(Reason.RATE_LIMITED, "as it was")


class _Response:
    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"content-type": "audio/mpeg"}, True),
        ({"content-type": "application/json", "content-length": str(passthrough.LARGE + 1)}, True),
        ({"content-type": "application/json", "content-length": str(passthrough.LARGE)}, False),
        ({"content-type": "application/json"}, False),
        ({"content-length": "many"}, False),
        ({}, False),
    ],
)
def test_what_is_large_or_no_json_passes_where_nothing_in_it_is_to_be_changed(
    headers: Mapping[str, str], passes: bool
) -> None:
    def wanted(x: Exchange, translated: Translated | None = None) -> bool:
        taken = Taken(cast("Any", None), cast("Any", None), cast("Response", _Response(headers)), translated)
        return passthrough.wanted(x, taken)

    x = exchange(operation(passthrough=True))
    assert wanted(x) is passes
    assert not wanted(x, Translated(x.protocol, x.operation, x.request, cast("CallTranslator", _Translator())))
    assert not wanted(exchange(operation(passthrough=False)))
    x.recording = True
    assert not wanted(x)
