"""What is judged is what is sent: nothing reaches a vendor that says a thing twice, or in other letters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeepai.declare import Failure, said_once
from deeepai.protocols.anthropic.bodies import BatchBody, MessagesBody
from deeepai.protocols.gemini.bodies import GenerateBody
from deeepai.protocols.openai.chat import ChatBody
from deeepai.protocols.openai.realtime_meter import RealtimeMeter
from tests.stack import Gateway
from tests.support.http import Got, call, post
from tests.wire.shapes import MANNERS

CHAT = b'"messages":[{"role":"user","content":"hi"}]'
HEAD = {"content-type": "application/json"}

ODD: list[tuple[str, str, bytes]] = [
    ("openai", "/v1/chat/completions", b'{"model":"gpt-4o-mini",%s,"model":"gpt-4o"}' % CHAT),
    ("openai", "/v1/chat/completions", b'{"model":"gpt-4o-mini",%s,"mod\\u0065l":"gpt-4o"}' % CHAT),
    ("openai", "/v1/chat/completions", b'{"model":"gpt-4o-mini",%s,"Model":"gpt-4o"}' % CHAT),
    ("openai", "/v1/chat/completions", '{"model":"gpt-4o-mini","ſtream":true,'.encode() + CHAT + b"}"),
    ("openai", "/v1/chat/completions", b'{"model":"gpt-4o-mini",%s,"max_tokens":5,"max_tokens":50000}' % CHAT),
    ("openai", "/v1/chat/completions", b'{"model":"gpt-4o-mini",%s,"temperature":0,"temperature":1}' % CHAT),
    (
        "openai",
        "/v1/chat/completions",
        b'{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true,"include_usage":false},%s}'
        % CHAT,
    ),
    ("openai", "/v1/completions", b'{"model":"gpt-3.5-turbo-instruct","prompt":"hi","n":1,"n":100}'),
    ("openai", "/v1/responses", b'{"model":"gpt-4o","input":"hi","max_output_tokens":16,"Max_Output_Tokens":90000}'),
    ("openai", "/v1/embeddings", b'{"model":"text-embedding-3-small","input":"hi","input":"ho"}'),
    ("openai", "/v1/images/generations", b'{"model":"gpt-image-1","prompt":"a","n":1,"N":9}'),
    ("openai", "/v1/videos", b'{"model":"sora-2","prompt":"a","seconds":"4","seconds":"12"}'),
    ("anthropic", "/v1/messages", b'{"model":"claude-haiku-4-5","max_tokens":9,"max_tokens":90000,%s}' % CHAT),
    (
        "anthropic",
        "/v1/messages",
        b'{"model":"claude-haiku-4-5","max_tokens":9,"tools":[{"type":"a","name":"a"},'
        b'{"type":"advisor_20260301","name":"b","model":"claude-haiku-4-5","model":"claude-opus-4-7"}],%s}' % CHAT,
    ),
    (
        "anthropic",
        "/v1/messages/batches",
        b'{"requests":[{"custom_id":"a","params":{"model":"claude-haiku-4-5","max_tokens":9,%s}},'
        b'{"custom_id":"b","params":{"model":"claude-haiku-4-5","max_tokens":9,"max_tokens":64000,%s}}]}'
        % (CHAT, CHAT),
    ),
    (
        "gemini",
        "/v1beta/models/gemini-2.5-flash:generateContent",
        b'{"contents":"hi","generationConfig":{"maxOutputTokens":5},"generation_config":{"maxOutputTokens":60000}}',
    ),
    (
        "gemini",
        "/v1beta/models/gemini-2.5-flash:generateContent",
        b'{"contents":"hi","generationConfig":{"maxOutputTokens":5,"max_output_tokens":60000}}',
    ),
    ("flux", "/flux/v1/flux-pro-1.1", b'{"prompt":"a","width":256,"width":1440}'),
    ("midjourney", "/mj/submit/imagine", b'{"prompt":"a --fast","prompt":"a --turbo"}'),
    ("kling", "/kling/v1/videos/text2video", b'{"model_name":"kling-v1","prompt":"a","duration":"5","Duration":"10"}'),
]


@pytest.mark.parametrize(("protocol", "path", "body"), ODD, ids=range(len(ODD)))
def test_a_body_that_is_read_in_two_ways_is_refused(gateway: Gateway, protocol: str, path: str, body: bytes) -> None:
    assert gateway.sandbox is not None
    newest = gateway.sandbox.newest()
    got = post(gateway, path, body, headers=HEAD)
    MANNERS[protocol].refuses(got, "wrong type")
    assert "ambiguous" in got.body.decode()
    assert not [sent for sent in gateway.sandbox.since(newest) if sent["method"] == "POST"]


def test_what_nobody_judges_may_be_odd(gateway: Gateway) -> None:
    body = (
        b'{"model":"gpt-4o-mini","metadata":{"a_b":"1","ab":"2","Model":"x"},"messages":[{"role":"user","content":"hi",'
        b'"name":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object",'
        b'"properties":{"model":{"type":"string"},"Model":{"type":"string"}}}}}]}'
    )
    assert post(gateway, "/v1/chat/completions", body, headers=HEAD).status == 200


# Forms ---------------------------------------------------------------------------------------------------------------


def form(*parts: tuple[str, str]) -> tuple[bytes, dict[str, str]]:
    """Write a form of heads and values."""
    pieces = "".join(f"--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n" for head, value in parts)
    return f"{pieces}--b--\r\n".encode(), {"content-type": "multipart/form-data; boundary=b"}


PNG = ('name="image"; filename="a.png"\r\nContent-Type: image/png', "png")
MODEL, PROMPT = ('name="model"', "gpt-image-1"), ('name="prompt"', "a cat")


@pytest.mark.parametrize(
    "odd",
    [
        ('name="model"', "dall-e-2"),
        ('name="Model"', "dall-e-2"),
        ('name="prompt"', "a dog"),
        ('name="n"; filename="n.txt"', "10"),
        ('name="user"; name="model"', "dall-e-2"),
        ("name=\"user\"; name*=utf-8''model", "dall-e-2"),
        ('name="user"\r\nContent-Disposition: form-data; name="model"', "dall-e-2"),
    ],
)
def test_a_form_that_is_read_in_two_ways_is_refused(gateway: Gateway, odd: tuple[str, str]) -> None:
    assert gateway.sandbox is not None
    newest = gateway.sandbox.newest()
    body, head = form(MODEL, PROMPT, PNG, odd)
    got = post(gateway, "/v1/images/edits", body, headers=head)
    MANNERS["openai"].refuses(got, "wrong type")
    assert not [sent for sent in gateway.sandbox.since(newest) if sent["method"] == "POST"]


def test_lists_and_files_of_a_form_may_come_again(gateway: Gateway) -> None:
    image = ('name="image[]"; filename="a.png"\r\nContent-Type: image/png', "png")
    body, head = form(MODEL, PROMPT, image, image)
    got = post(gateway, "/v1/images/edits", body, headers=head)
    assert "ambiguous" not in got.body.decode()


# Lines of a batch ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini","max_tokens":5,'
        b'"max_tokens":90000,%s}}' % CHAT,
        b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini","MODEL":"gpt-4o",'
        b"%s}}" % CHAT,
        b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini",%s},'
        b'"body":{"model":"gpt-4o",%s}}' % (CHAT, CHAT),
    ],
)
def test_a_line_that_is_read_in_two_ways_is_refused(gateway: Gateway, line: bytes) -> None:
    body, head = form(('name="purpose"', "batch"), ('name="file"; filename="a.jsonl"', line.decode()))
    file = post(gateway, "/v1/files", body, headers=head).json["id"]
    wanted = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    got = post(gateway, "/v1/batches", wanted)
    MANNERS["openai"].refuses(got, "wrong type")
    assert "ambiguous" in got.body.decode()


# Queries -------------------------------------------------------------------------------------------------------------


def test_a_query_that_is_read_in_two_ways_is_refused(gateway: Gateway) -> None:
    got: Got = call(gateway, "GET", "/v1/files?limit=1&limit=10000", key=gateway.live)
    MANNERS["openai"].refuses(got, "wrong type")
    assert call(gateway, "GET", "/v1/files?limit=1&limit=1", key=gateway.live).status == 200


# Events --------------------------------------------------------------------------------------------------------------


def test_events_of_a_session_say_a_thing_once() -> None:
    meter = RealtimeMeter("gpt-realtime", "gpt-realtime", lambda model: None)
    for event in (
        '{"type":"input_audio_buffer.clear","type":"session.update","session":{"model":"x"}}',
        '{"type":"session.update","Type":"response.create","session":{}}',
        '{"type":"session.update","session":{"Model":"gpt-5"}}',
        '{"type":"session.update","session":{"model":"gpt-realtime"},"session":{"model":"gpt-5"}}',
        '{"type":"session.update","session":{"audio":{"input":{"transcription":{"model":"a","model":"b"}}}}}',
        '{"type":"response.create","response":{"instructions":"a","instructions":"b"}}',
    ):
        with pytest.raises(Failure):
            meter.sent(event)


# The check alone -----------------------------------------------------------------------------------------------------

names = st.sampled_from(["model", "Model", "n", "x", "y", "max_tokens", "MAX_TOKENS", "stream", "messages"])
values = st.sampled_from([b"1", b'"model"', b'{"model":1,"model":2}', b"[]", b'[{"a":1,"a":2}]', b"null", b'"a\\"b"'])


@given(st.lists(st.tuples(names, values), max_size=8), st.sampled_from([b"", b" ", b"\n\t"]))
def test_a_name_is_ambiguous_where_it_is_said_again_or_in_other_letters(
    members: list[tuple[str, bytes]], space: bytes
) -> None:
    raw = b"," + space
    raw = space + b"{" + raw.join(b'"%s"%s:%s' % (name.encode(), space, value) for name, value in members) + b"}"
    said = [name for name, _ in members]
    declared = {"model", "n", "max_tokens", "stream", "messages"}
    odd = len(set(said)) < len(said) or any(name.lower() in declared and name not in declared for name in said)
    for _ in range(2):  # what is remembered says the same
        if odd:
            with pytest.raises(Failure):
                said_once(ChatBody, raw)
        else:
            said_once(ChatBody, raw)


@pytest.mark.parametrize(
    ("kind", "raw", "name"),
    [
        (BatchBody, {"requests": [{"custom_id": "a", "params": {"model": "m", "Model": "n"}}]}, "Model"),
        (MessagesBody, {"thinking": {}, "tools": [{"type": "a"}, {"type": "b", "Max_uses": 1}]}, "Max_uses"),
        (GenerateBody, {"generation_config": {"candidateCount": 1, "candidate_count": 5}}, "candidate_count"),
        (GenerateBody, {"cachedContent": "a", "cached_content": "b"}, "cached_content"),
    ],
)
def test_which_name_it_is(kind: Any, raw: dict[str, Any], name: str) -> None:
    with pytest.raises(Failure) as refused:
        said_once(kind, json.dumps(raw).encode())
    assert refused.value.param == name
