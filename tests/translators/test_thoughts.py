"""Thoughts and their signatures come back to the upstream that made them, whatever format the caller speaks."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from deeepai.translators.chat import FORMATS
from deeepai.translators.chat.common import seal, unseal
from deeepai.translators.chat.model import Thinking, ToolCall

from .samples import STREAMS, WHOLE
from .world import MODELS, PAIRS, answer_of, asking, payloads, read_stream, request_of, run, translate, translator

Body = dict[str, Any]
SIGNATURES = {
    "openai": "",
    "anthropic": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h",
    "gemini": "EjQKMgEMOdbHfake",
    "responses": "gAAAAABo",
}


def next_request(source: str, answer: Body, **asked: Any) -> Body:
    """What a caller sends who takes an answer up into the conversation and answers the calls of tools."""
    first = json.loads(asking(source, **asked).raw)
    if source == "openai":
        message = answer["choices"][0]["message"]
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "18"} for call in message["tool_calls"]]
        return first | {"messages": [*first["messages"], message, *results]}
    if source == "responses":
        items = answer["output"]
        results = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": "18"}
            for item in items
            if item["type"] == "function_call"
        ]
        return first | {"input": [{"role": "user", "content": "Hi"}, *items, *results]}
    if source == "anthropic":
        blocks = answer["content"]
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": "18"}
            for block in blocks
            if block["type"] == "tool_use"
        ]
        said = [{"role": "assistant", "content": blocks}, {"role": "user", "content": results}]
        return first | {"messages": [*first["messages"], *said]}
    content = answer["candidates"][0]["content"]
    results = [
        {"functionResponse": {"id": call["id"], "name": call["name"], "response": {"output": "18"}}}
        for call in (part.get("functionCall") for part in content["parts"])
        if call
    ]
    return first | {"contents": [*first["contents"], content, {"role": "user", "parts": results}]}


def check_what_the_upstream_gets(target: str, made: Body) -> None:
    if target == "openai":
        message = made["messages"][1]
        assert message["reasoning_content"] == "Two cities."
        assert [call["id"] for call in message["tool_calls"]] == ["call_a", "call_b"]
    elif target == "anthropic":
        assert made["messages"][1]["content"] == [
            block if block["type"] != "text" else {"type": "text", "text": block["text"]}
            for block in WHOLE["anthropic"]["content"]
        ]
    elif target == "gemini":
        calls = [part for part in made["contents"][1]["parts"] if "functionCall" in part]
        assert [part.get("thoughtSignature") for part in calls] == [SIGNATURES["gemini"], None]
    else:
        reasoning = WHOLE["responses"]["output"][0]
        assert [item for item in made["input"] if item.get("type") == "reasoning"] == [reasoning]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_thoughts_come_back_to_who_thought_them(source: str, target: str) -> None:
    answer = json.loads(translator(source, target).answer(asking(source), answer_of(WHOLE[target])))
    assert SIGNATURES[target] == "" or f'"{SIGNATURES[target]}"' not in json.dumps(answer)
    check_what_the_upstream_gets(target, translate(source, target, next_request(source, answer)))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_thoughts_of_a_stream_come_back_too(source: str, target: str) -> None:
    read = read_stream(source, run(source, target, STREAMS[target]))
    if source == "gemini":
        # A caller keeps the parts of all events, in pieces.
        chunks = payloads(run(source, target, STREAMS[target]))
        parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
        answer: Body = {"candidates": [{"content": {"role": "model", "parts": parts}}]}
        apart = next_request(source, answer)
        apart["contents"][1:2] = [chunk["candidates"][0]["content"] for chunk in chunks]
        check_what_the_upstream_gets(target, translate(source, target, apart))
    else:
        # What was read holds sealed signatures, as a caller keeps them: they are written again as they are.
        answer = FORMATS[source].write_answer(read, "asked-model", {})
        answer = json.loads(json.dumps(answer), object_hook=lambda found: _unsealed_once(found, source))
    check_what_the_upstream_gets(target, translate(source, target, next_request(source, answer)))


def _unsealed_once(found: Body, source: str) -> Body:
    for name in ("signature", "data", "encrypted_content"):
        if isinstance(found.get(name), str):
            thinking = unseal(found[name], "", "none")
            assert thinking.origin in (source, "none")
            if thinking.origin == source:
                found[name] = thinking.signature
    return found


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_thoughts_of_another_upstream_are_left_out(source: str, target: str) -> None:
    answer = json.loads(translator(source, target).answer(asking(source), answer_of(WHOLE[target])))
    other = next(name for name in WHOLE if name not in (source, target))
    made = json.dumps(translate(source, other, next_request(source, answer)))
    assert "Two cities." not in made
    assert SIGNATURES[target] == "" or SIGNATURES[target] not in made


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair[0] in ("anthropic", "gemini")])
def test_thoughts_that_were_not_shown_come_back_with_their_call(source: str, target: str) -> None:
    asked: Body = {"thinking": None} if source == "anthropic" else {"generationConfig": {}}
    body = json.loads(json.dumps(WHOLE[target]))
    # Without the word between thoughts and call.
    if target == "anthropic":
        del body["content"][1]
    elif target == "responses":
        del body["output"][1]
    elif target == "openai":
        body["choices"][0]["message"]["content"] = None
    answer = json.loads(translator(source, target).answer(asking(source, **asked), answer_of(body)))
    assert "Two cities." not in json.dumps(answer)
    made = translate(source, target, next_request(source, answer, **asked))
    if target == "anthropic":
        assert made["messages"][1]["content"] == body["content"]
    else:
        check_what_the_upstream_gets(target, made)


def test_only_the_call_after_the_thoughts_is_signed() -> None:
    for target in ("anthropic", "responses"):
        events = payloads(run("gemini", target, without_words(target), generationConfig={}))
        parts = [part for event in events for part in event["candidates"][0]["content"]["parts"]]
        signed = ["thoughtSignature" in part for part in parts if "functionCall" in part]
        assert signed == [True, False]


def without_words(target: str) -> list[bytes]:
    """The sample's stream without the word between the thoughts and the call."""
    if target == "anthropic":
        return [event for event in STREAMS[target] if b'"index": 1' not in event]
    return [event for event in STREAMS[target] if b'"output_index": 1' not in event]


def test_a_broken_seal_is_nobodys() -> None:
    whole = seal(Thinking(origin="anthropic", signature="abc"))
    assert base64.b64decode(whole)
    assert unseal(whole, "t", "x") == Thinking(origin="anthropic", text="t", signature="abc")
    assert unseal(whole[:-9], "t", "x").origin == ""
    assert unseal("abc", "t", "x") == Thinking(origin="x", text="t", signature="abc")


def test_redacted_thinking_is_kept_as_it_is() -> None:
    body = WHOLE["anthropic"] | {
        "content": [{"type": "redacted_thinking", "data": "EmwKAhgB"}, *WHOLE["anthropic"]["content"][2:]]
    }
    for source in ("openai", "responses", "gemini"):
        answer = json.loads(translator(source, "anthropic").answer(asking(source), answer_of(body)))
        made = translate(source, "anthropic", next_request(source, answer))
        assert made["messages"][1]["content"] == body["content"]


def test_details_of_a_relay_go_back_to_it() -> None:
    detail = {"type": "reasoning.text", "text": "Hm.", "signature": "s1", "index": 0}
    message = WHOLE["openai"]["choices"][0]["message"] | {"reasoning_content": "Hm.", "reasoning_details": [detail]}
    body = WHOLE["openai"] | {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    answer = json.loads(translator("anthropic", "openai").answer(asking("anthropic"), answer_of(body)))
    made = translate("anthropic", "openai", next_request("anthropic", answer))
    assert made["messages"][1]["reasoning_details"] == [detail]


def test_a_call_of_gemini_keeps_its_id() -> None:
    first = translator("openai", "gemini").answer(asking("openai"), answer_of(WHOLE["gemini"]))
    again = translator("openai", "gemini").answer(asking("openai"), answer_of(WHOLE["gemini"]))
    ids = [call["id"] for call in json.loads(first)["choices"][0]["message"]["tool_calls"]]
    assert ids == ["call_Il0taoSYJ5Cez7IP_0", "call_Il0taoSYJ5Cez7IP_1"]
    assert ids == [call["id"] for call in json.loads(again)["choices"][0]["message"]["tool_calls"]]
    unnamed = WHOLE["gemini"] | {"responseId": None}
    calls = [
        part.id for _ in range(2) for part in FORMATS["gemini"].read_answer(unnamed).parts if isinstance(part, ToolCall)
    ]
    assert len(set(calls)) == 4


def test_a_raw_signature_belongs_to_the_callers_own_format() -> None:
    blocks = WHOLE["anthropic"]["content"]
    given = {
        "model": "m",
        "max_tokens": 10,
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": blocks}],
    }
    made = translator("anthropic", "gemini").request(request_of(given), MODELS["gemini"])
    parts = made["contents"][1]["parts"]
    assert parts[1]["thoughtSignature"] == "skip_thought_signature_validator"
    assert "Two cities." not in json.dumps(made)
