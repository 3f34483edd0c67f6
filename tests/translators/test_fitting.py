"""The last step of a request: schemas, names, ids, order, white space and thinking as the next vendor takes them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .samples import SCHEMA
from .test_requests import body
from .world import PAIRS, answer_of, asking, judge_request, payloads, run, translate, translator

Body = dict[str, Any]
TARGETS = ["openai", "responses", "anthropic", "gemini"]
LONG = "mcp__a_very_long_server_name__and_a_very_long_tool_name_that_is_longer_than_64"
NAMES = {
    "openai": r"[a-zA-Z0-9_-]{1,64}",
    "responses": r"[a-zA-Z0-9_-]{1,64}",
    "anthropic": r"[a-zA-Z0-9_-]{1,128}",
    "gemini": r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}",
}


def tool(source: str, name: str, schema: Any = None, **more: Any) -> Body:
    if source == "openai":
        function = {"name": name} | ({} if schema is None else {"parameters": schema}) | more
        return {"type": "function", "function": function}
    if source == "responses":
        return {"type": "function", "name": name, "parameters": schema} | more
    if source == "anthropic":
        return {"name": name, "input_schema": {"type": "object"} if schema is None else schema} | more
    return {"functionDeclarations": [{"name": name, "parametersJsonSchema": schema}]}


def tools_of(target: str, made: Body) -> list[tuple[str, Body]]:
    if target == "openai":
        return [(one["function"]["name"], one["function"]["parameters"]) for one in made["tools"]]
    if target == "responses":
        return [(one["name"], one["parameters"]) for one in made["tools"]]
    if target == "anthropic":
        return [(one["name"], one["input_schema"]) for one in made["tools"]]
    return [(one["name"], one.get("parametersJsonSchema")) for one in made["tools"][0]["functionDeclarations"]]


def sent(source: str, target: str, schema: Any) -> Body:
    made = translate(source, target, body(source, tools=[tool(source, "f", schema)]))
    judge_request(target, made)
    return tools_of(target, made)[0][1]


# Schemas ---------------------------------------------------------------------------------------------------------

A = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
B = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
ODD: list[tuple[Any, Body]] = [
    ({}, {"type": "object", "properties": {}}),
    ({"type": "object"}, {"type": "object", "properties": {}}),
    ({"type": None, "properties": None, "required": None}, {"type": "object", "properties": {}}),
    ({"properties": A["properties"]}, {"type": "object", "properties": A["properties"]}),
    (A | {"required": None}, {"type": "object", "properties": A["properties"]}),
    (A | {"required": True}, {"type": "object", "properties": A["properties"]}),
    (A | {"type": ["object", "null"]}, A),
    ({"anyOf": [A, B]}, {"type": "object", "properties": B["properties"], "required": ["a"]}),
    ({"oneOf": [A, {"type": "null"}]}, A),
    ({"type": "object", "allOf": [A, B]}, B),
    ({"$ref": "#/$defs/X", "$defs": {"X": A}}, A | {"$defs": {"X": A}}),
    (
        {"type": "object", "properties": {"l": {"type": "array"}, "m": {"type": "ARRAY", "items": None}}},
        {"type": "object", "properties": {"l": {"type": "array", "items": {}}, "m": {"type": "array", "items": {}}}},
    ),
    (
        {"type": "object", "properties": {"x": {"type": "any"}, "y": None, "z": {"type": "float", "enum": None}}},
        {"type": "object", "properties": {"x": {}, "y": {}, "z": {"type": "number"}}},
    ),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("schema", "wanted"), ODD)
def test_odd_schemas_become_an_object(target: str, schema: Any, wanted: Body) -> None:
    for source in TARGETS:
        if source != target and not (source == "gemini" and schema is None):
            assert sent(source, target, schema) == wanted


def test_words_of_old_drafts_become_those_of_new_ones() -> None:
    old = {
        "type": "object",
        "properties": {
            "n": {"type": "number", "minimum": 1, "exclusiveMinimum": True, "maxLength": "7"},
            "t": {"type": "array", "items": [{"type": "string"}, {"type": "number"}]},
            "u": {"type": "string", "nullable": True},
        },
    }
    made = sent("openai", "anthropic", old)["properties"]
    assert made["n"] == {"type": "number", "minimum": 1, "exclusiveMinimum": 1, "maxLength": 7}
    assert made["t"] == {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]}
    assert made["u"] == {"type": ["string", "null"]}


def test_gemini_gets_the_words_that_it_knows() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "c": {"const": "x"},
            "d": {"type": "string", "format": "uri", "pattern": "^h", "default": "h"},
            "e": {"oneOf": [{"type": "string"}, {"type": "number", "exclusiveMinimum": 0}]},
            "f": {"allOf": [A, {"description": "Both"}]},
            "g": {"$ref": "#/definitions/G", "description": "G"},
            "h": {"enum": ["a", None, True, 2]},
        },
        "patternProperties": {"^x": {}},
        "required": ["c", "gone"],
        "definitions": {"G": {"type": "object", "additionalProperties": False}},
    }
    assert sent("openai", "gemini", schema) == {
        "type": "object",
        "properties": {
            "c": {"enum": ["x"]},
            "d": {"type": "string"},
            "e": {"anyOf": [{"type": "string"}, {"type": "number", "minimum": 0}]},
            "f": A | {"description": "Both"},
            "g": {"$ref": "#/$defs/G"},
            "h": {"enum": ["a", 2]},
        },
        "required": ["c"],
        "$defs": {"G": {"type": "object", "additionalProperties": False}},
    }


def test_strict_is_asked_only_of_schemas_that_are() -> None:
    optional = SCHEMA | {"properties": SCHEMA["properties"] | {"unit": {"type": "string"}}}
    for schema, strict in ((SCHEMA, True), (optional, False), ({"type": "object"}, False)):
        made = translate("anthropic", "openai", body("anthropic", tools=[tool("anthropic", "f", schema, strict=True)]))
        assert made["tools"][0]["function"].get("strict", False) is strict
        given = body("anthropic", output_config={"format": {"type": "json_schema", "schema": schema}})
        assert translate("anthropic", "openai", given)["response_format"]["json_schema"]["strict"] is strict
        assert translate("anthropic", "responses", given)["text"]["format"]["strict"] is strict


def test_claude_is_told_limits_in_words() -> None:
    number = {"type": "integer", "minimum": 1, "maximum": 9, "description": "How many"}
    schema = {"type": "object", "properties": {"n": number, "l": {"type": "array", "items": {}, "minItems": 3}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    made = translate("openai", "anthropic", body("openai", response_format=form))
    properties = made["output_config"]["format"]["schema"]["properties"]
    assert properties["n"] == {"type": "integer", "description": 'How many\n\n{"minimum":1,"maximum":9}'}
    assert properties["l"] == {"type": "array", "items": {}, "description": '{"minItems":3}'}
    strict = translate("openai", "anthropic", body("openai", tools=[tool("openai", "f", schema, strict=True)]))
    assert strict["tools"][0]["input_schema"]["properties"]["n"]["description"].endswith('{"minimum":1,"maximum":9}')
    assert strict["tools"][0]["input_schema"]["additionalProperties"] is False


# Names and ids ---------------------------------------------------------------------------------------------------


def called(source: str, name: str, id: str = "c1", arguments: Any = "{}", result: str = "ok") -> list[Body]:
    """A call and its result in a caller's history."""
    if source == "openai":
        function = {"name": name, "arguments": arguments}
        return [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": id, "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": id, "content": result},
        ]
    if source == "responses":
        return [
            {"type": "function_call", "call_id": id, "name": name, "arguments": arguments},
            {"type": "function_call_output", "call_id": id, "output": result},
        ]
    if source == "anthropic":
        return [
            {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": name, "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": result}]},
        ]
    return [
        {"role": "model", "parts": [{"functionCall": {"id": id, "name": name, "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": id, "name": name, "response": {"output": result}}}]},
    ]


def history(source: str, *turns: Body) -> Body:
    field = {"responses": "input", "gemini": "contents"}.get(source, "messages")
    first: Body = (
        {"role": "user", "parts": [{"text": "Hi"}]} if source == "gemini" else {"role": "user", "content": "Hi"}
    )
    return body(source, **{field: [first, *turns]})


def pairs_of(target: str, made: Body) -> tuple[list[tuple[str, str]], list[str]]:
    """The calls (id, name) of a request, and the ids of its results, each in their order."""
    found: list[tuple[str, str]] = []
    results: list[str] = []
    if target == "openai":
        for message in made["messages"]:
            found += [(call["id"], call["function"]["name"]) for call in message.get("tool_calls") or ()]
            results += [message["tool_call_id"]] if message["role"] == "tool" else []
    elif target == "responses":
        found = [(item["call_id"], item["name"]) for item in made["input"] if item.get("type") == "function_call"]
        results = [item["call_id"] for item in made["input"] if item.get("type") == "function_call_output"]
    else:
        parts: list[Body] = [
            part
            for turn in (made.get("messages") or made["contents"])
            for part in (turn.get("content") or turn["parts"])
        ]
        for part in parts:
            if part.get("type") == "tool_use":
                found.append((part["id"], part["name"]))
            elif part.get("type") == "tool_result":
                results.append(part["tool_use_id"])
            elif "functionCall" in part:
                found.append((part["functionCall"]["id"], part["functionCall"]["name"]))
            elif "functionResponse" in part:
                assert part["functionResponse"]["name"] in [name for _, name in found]
                results.append(part["functionResponse"]["id"])
    return found, results


def answering(target: str, name: str) -> tuple[Body, list[bytes]]:
    """An answer of a vendor's that calls a tool, and its stream."""
    if target == "openai":
        call = {"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": "{}"}}
        whole: Body = {"id": "c", "choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
        events = [
            {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
        ]
    elif target == "responses":
        item = {"type": "function_call", "id": "f", "call_id": "c1", "name": name, "arguments": "{}"}
        whole = {"id": "resp_1", "status": "completed", "output": [item], "usage": {}}
        events = [{"type": "response.completed", "response": whole}]
    elif target == "anthropic":
        block = {"type": "tool_use", "id": "c1", "name": name, "input": {"a": 1}}
        whole = {"id": "msg_1", "content": [block], "stop_reason": "tool_use", "usage": {}}
        events = [
            {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 1}}},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            {"type": "message_stop"},
        ]
    else:
        part = {"functionCall": {"id": "c1", "name": name, "args": {}}}
        whole = {"responseId": "r", "candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}
        events = [whole]
    return whole, [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("name", [LONG, LONG * 2, "a b/c", "1x", "größe", "ok-name"])
def test_names_of_tools_fit_and_come_back(source: str, target: str, name: str) -> None:
    tools = [tool(source, name, SCHEMA), tool(source, name + "2", SCHEMA)]
    given = history(source, *called(source, name)) | {"tools": tools}
    made = translate(source, target, given)
    fitting = [sent for sent, _ in tools_of(target, made)]
    assert all(re.fullmatch(NAMES[target], each) for each in fitting)
    assert len(set(fitting)) == 2
    assert pairs_of(target, made)[0][0][1] == fitting[0]
    whole, events = answering(target, fitting[0])
    answer = translator(source, target).answer(asking(source, tools=tools), answer_of(whole))
    assert json.dumps(name)[1:-1] in json.dumps(json.loads(answer))
    shown = run(source, target, [*events, b"data: [DONE]\n\n"] if target == "openai" else events, tools=tools)
    assert json.dumps(name) in json.dumps(payloads(shown))
    assert fitting[0] == name or json.dumps(fitting[0]) not in json.dumps(payloads(shown)[1:-1])


def test_a_chosen_tool_is_chosen_by_its_new_name() -> None:
    tools = [tool("anthropic", LONG, SCHEMA), tool("anthropic", "b", SCHEMA)]
    given = body("anthropic", tools=tools, tool_choice={"type": "tool", "name": LONG})
    made = translate("anthropic", "openai", given)
    assert made["tool_choice"]["function"]["name"] == made["tools"][0]["function"]["name"]
    gone = translate("anthropic", "openai", given | {"tool_choice": {"type": "tool", "name": "gone"}})
    assert "tool_choice" not in gone


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_ids_of_calls_fit_and_are_their_own(source: str, target: str) -> None:
    ids = ["x" * 90, "x" * 89 + "y", "c.1 /", "again", "again", ""]
    if source == "gemini":
        ids.pop()
    turns = [turn for id in ids for turn in called(source, "f", id)]
    made = translate(source, target, history(source, *turns))
    found, results = pairs_of(target, made)
    assert [id for id, _ in found] == results
    assert len(set(results)) == len(ids)
    most = {"openai": 40, "responses": 64, "anthropic": 64, "gemini": 128}[target]
    assert all(0 < len(id) <= most for id in results)
    if target == "anthropic":
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", id) for id in results)


def test_mistral_gets_its_nine_letters() -> None:
    made = translate("anthropic", "openai", history("anthropic", *called("anthropic", "f", "toolu_1")), "mistral-large")
    (id, _), *others = pairs_of("openai", made)[0]
    assert re.fullmatch(r"[a-zA-Z0-9]{9}", id)
    assert not others
    assert pairs_of("openai", made)[1] == [id]


# Order -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["openai", "anthropic", "gemini"])
def test_a_result_follows_its_call(target: str) -> None:
    call, result = called("responses", "f")
    note = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "note"}]}
    made = translate("responses", target, history("responses", call, note, {"role": "user", "content": "Wait"}, result))
    judge_request(target, made)
    turns: list[Body] = made.get("messages") or made["contents"]
    place = next(number for number, turn in enumerate(turns) if turn["role"] in ("assistant", "model"))
    after = json.dumps(turns[place + 1])
    assert "ok" in after if target == "openai" else after.index("ok") < after.index("Wait")
    assert turns[place + 1]["role"] == ("tool" if target == "openai" else "user")
    assert "note" in json.dumps(made)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_call_without_a_result_gets_one(source: str, target: str) -> None:
    call, _ = called(source, "f", "c1")
    made = translate(source, target, history(source, call, *called(source, "f", "c2")))
    found, results = pairs_of(target, made)
    assert [id for id, _ in found] == results
    assert len(results) == 2
    assert "(no result)" in json.dumps(made)


def test_a_system_message_stays_where_the_model_takes_it() -> None:
    turns = [
        {"role": "system", "content": "A"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "system", "content": "B"},
        {"role": "user", "content": "three"},
        {"role": "assistant", "content": "four"},
        {"role": "user", "content": "five"},
        {"role": "developer", "content": "C"},
    ]
    new = translate("openai", "anthropic", body("openai", messages=turns), "claude-opus-4-8")
    judge_request("anthropic", new)
    assert new["system"] == "A"
    roles = [message["role"] for message in new["messages"]]
    assert roles == ["user", "assistant", "user", "system", "assistant", "user", "system"]
    assert new["messages"][3]["content"] == [{"type": "text", "text": "B"}]
    old = translate("openai", "anthropic", body("openai", messages=turns), "claude-opus-4-7")
    assert old["system"] == "A\n\nB\n\nC"
    end = translate("openai", "anthropic", body("openai", messages=turns[:4]), "claude-opus-4-8")
    assert [message["role"] for message in end["messages"]] == ["user", "assistant", "user"]


# Words, arguments, thinking, caches ------------------------------------------------------------------------------


def test_claude_gets_no_text_without_words() -> None:
    turns = [{"role": "user", "content": " \n"}, {"role": "assistant", "content": "So I say \n"}]
    made = translate("openai", "anthropic", body("openai", messages=turns))
    assert made["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "..."}]},
        {"role": "assistant", "content": [{"type": "text", "text": "So I say"}]},
    ]
    blank = history(
        "openai", *called("openai", "f", result=" "), {"role": "user", "content": [{"type": "text", "text": " "}]}
    )
    result = translate("openai", "anthropic", blank | {"stop": ["\n", "END"]})
    assert result["messages"][2]["content"] == [{"type": "tool_result", "tool_use_id": "c1"}]
    assert result["stop_sequences"] == ["END"]


@pytest.mark.parametrize("source", ["openai", "responses"])
@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ('{"a": 1', {"_raw": '{"a": 1'}),
        ("null", {}),
        ("[1]", {"_raw": "[1]"}),
        ("", {}),
        (None, {}),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_arguments_of_the_history_go_on_as_an_object(source: str, arguments: Any, wanted: Body) -> None:
    given = history(source, *called(source, "f", arguments=arguments))
    assert translate(source, "anthropic", given)["messages"][1]["content"][0]["input"] == wanted
    assert translate(source, "gemini", given)["contents"][1]["parts"][0]["functionCall"]["args"] == wanted
    if source == "openai":
        text = translate(source, "responses", given)["input"][1]["arguments"]
    else:
        text = translate(source, "openai", given)["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(text) == wanted


def test_thinking_begins_only_with_a_turn() -> None:
    turns = history("openai", *called("openai", "f"))["messages"]
    given = body("openai", messages=turns, reasoning_effort="high", max_tokens=8000)
    assert "thinking" not in translate("openai", "anthropic", given, "claude-sonnet-4-5")
    assert translate("openai", "anthropic", given, "claude-opus-4-6")["thinking"]["type"] == "adaptive"
    more = [{"role": "assistant", "content": "Sunny."}, {"role": "user", "content": "And?"}]
    over = given | {"messages": [*turns, *more]}
    assert translate("openai", "anthropic", over, "claude-sonnet-4-5")["thinking"]["type"] == "enabled"
    begun = given | {"messages": [*turns, more[0]]}
    assert "thinking" not in translate("openai", "anthropic", begun, "claude-sonnet-4-5")
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "Eq"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
    ]
    answer = {"id": "m", "content": blocks, "stop_reason": "tool_use", "usage": {}}
    message = json.loads(translator("openai", "anthropic").answer(asking("openai"), answer_of(answer)))["choices"][0]
    carried = history("openai", message["message"], {"role": "tool", "tool_call_id": "t1", "content": "ok"})
    carried |= {"reasoning_effort": "high", "max_tokens": 8000}
    assert translate("openai", "anthropic", carried, "claude-sonnet-4-5")["thinking"]["type"] == "enabled"


@pytest.mark.parametrize(
    ("target", "model", "asked", "written"),
    [
        ("openai", "gpt-4o-mini", 64_000, 16_384),
        ("openai", "openai/gpt-4.1", 64_000, 32_768),
        ("openai", "gpt-4o", 100, 100),
        ("openai", "some-model", 64_000, 64_000),
        ("anthropic", "claude-3-5-haiku-latest", 64_000, 8192),
        ("anthropic", "claude-haiku-4-5", 100_000, 64_000),
        ("gemini", "gemini-2.5-flash", 100_000, 65_536),
        ("responses", "gpt-4o", 64_000, 16_384),
    ],
)
def test_no_more_is_asked_for_than_a_model_writes(target: str, model: str, asked: int, written: int) -> None:
    source = "openai" if target == "anthropic" else "anthropic"
    made = translate(source, target, body(source, max_tokens=asked), model)
    judge_request(target, made)
    config = made.get("generationConfig", made)
    key = {"responses": "max_output_tokens", "gemini": "maxOutputTokens"}.get(target, "max_tokens")
    assert config[key] == written


MARK = {"type": "ephemeral", "ttl": "1h"}


def test_marks_for_the_cache_reach_the_models_that_have_one() -> None:
    parts = [{"type": "text", "text": "A", "cache_control": MARK}]
    turns = [{"role": "system", "content": parts}, {"role": "user", "content": parts}, *called("openai", "f")]
    turns[-1] |= {"content": parts}
    given = body("openai", messages=turns, tools=[tool("openai", "f", SCHEMA) | {"cache_control": MARK}])
    made = translate("openai", "anthropic", given)
    judge_request("anthropic", made)
    assert made["system"] == parts
    assert made["messages"][0]["content"] == parts
    assert made["messages"][2]["content"][0]["cache_control"] == MARK
    assert made["tools"][0]["cache_control"] == MARK
    back = translate("anthropic", "openai", made, "anthropic/claude-sonnet-4.5")
    assert [message.get("content") for message in back["messages"]] == [parts, parts, None, parts]
    assert back["tools"][0]["cache_control"] == MARK
    for target in ("openai", "responses", "gemini"):
        assert "cache_control" not in json.dumps(translate("anthropic", target, made))


def test_a_note_for_anthropics_bills_stays_away_from_others() -> None:
    line = "x-anthropic-billing-header: cc_version=2.1.36; cch=abc12;"
    for system in ([{"type": "text", "text": line}, {"type": "text", "text": "You are"}], f"{line}\nYou are"):
        made = translate("anthropic", "openai", body("anthropic", system=system))
        assert made["messages"][0] == {"role": "system", "content": "You are"}
    assert translate("anthropic", "openai", body("anthropic", system=line))["messages"][0]["role"] == "user"
