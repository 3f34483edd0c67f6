"""Requests of every pair: what is carried, what is dropped, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deeepai.declare import Failure, Reason
from deeepai.translators.chat.anthropic import version

from .samples import PDF, PNG, REQUESTS, SCHEMA
from .world import PAIRS, judge_request, request_of, translate, translator

Body = dict[str, Any]


def body(source: str, **more: Any) -> Body:
    short: dict[str, Body] = {
        "openai": {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
        "responses": {"model": "m", "input": "Hi"},
        "anthropic": {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]},
        "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    }
    return short[source] | more


def saying(source: str, *parts: Body) -> Body:
    content = list(parts)
    if source == "responses":
        return body(source, input=[{"role": "user", "content": content}])
    if source == "gemini":
        return body(source, contents=[{"role": "user", "parts": content}])
    return body(source, messages=[{"role": "user", "content": content}])


def refused(source: str, target: str, given: Body, model: str = "") -> Failure:
    with pytest.raises(Failure) as caught:
        translate(source, target, given, model or None)
    assert caught.value.kind is Reason.INVALID
    return caught.value


@pytest.mark.parametrize("name", REQUESTS)
def test_the_samples_are_what_their_vendor_says(name: str) -> None:
    judge_request(name, REQUESTS[name])


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_same_request_in_every_format(source: str, target: str) -> None:
    given = dict(REQUESTS[source])
    if target == "responses":
        for name in ("stop", "stop_sequences"):
            given.pop(name, None)
        if source == "gemini":
            given["generationConfig"] = {"maxOutputTokens": 300, "temperature": 0.5}
    made = translate(source, target, given)
    judge_request(target, made)
    wanted: Body = dict(REQUESTS[target])
    if target == "anthropic":
        wanted["system"] = "You are a helpful assistant."
    if target == "responses":
        wanted["store"] = False
        wanted["input"] = [dict(item) for item in wanted["input"]]
        wanted["input"][1] = {"role": "assistant", "content": "Let me look."}
        del wanted["input"][2]["id"]
    if target == "gemini":
        parts = wanted["contents"][1]["parts"]
        signed = parts[1] | {"thoughtSignature": "skip_thought_signature_validator"}
        wanted["contents"] = [
            wanted["contents"][0],
            {"role": "model", "parts": [parts[0], signed]},
            wanted["contents"][2],
        ]
    if source == "responses":
        wanted.pop("stop", None)
        wanted.pop("stop_sequences", None)
        if target == "gemini":
            wanted["generationConfig"] = {"maxOutputTokens": 300, "temperature": 0.5}
    if source == "responses" and target == "openai":
        made["messages"][1]["content"][1]["image_url"].pop("detail")
    assert made == wanted


@pytest.mark.parametrize("source", ["openai", "responses", "anthropic"])
def test_a_stream_of_openai_always_brings_its_usage(source: str) -> None:
    for target in ("openai", "responses", "anthropic", "gemini"):
        if target == source:
            continue
        made = translate(source, target, body(source, stream=True))
        judge_request(target, made)
        assert made.get("stream", target == "gemini") is True
        if target == "openai":
            assert made["stream_options"] == {"include_usage": True}


def test_the_stream_of_gemini_is_in_its_path() -> None:
    streaming = translator("gemini", "openai", stream=True)
    assert streaming.request(request_of(body("gemini")), "gpt-4o")["stream"] is True
    assert "stream" not in translator("gemini", "openai").request(request_of(body("gemini")), "gpt-4o")
    to_gemini = translator("openai", "gemini")
    assert (to_gemini.target, to_gemini.stream_target) == ("gemini.generateContent", "gemini.streamGenerateContent")


# Refused ---------------------------------------------------------------------------------------------------------

ALONE: list[tuple[str, Body, str]] = [
    ("openai", {"n": 2}, "n"),
    ("openai", {"logprobs": True}, "logprobs"),
    ("openai", {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}, "modalities"),
    ("openai", {"functions": [{"name": "f"}]}, "functions"),
    ("openai", {"response_format": {"type": "grammar"}}, "response_format"),
    ("openai", {"tools": [{"type": "function"}]}, "tools"),
    ("openai", {"tool_choice": {"type": "all"}}, "tool_choice"),
    ("openai", {"messages": [{"role": "wizard", "content": "Hi"}]}, "messages"),
    ("openai", {"temperature": "hot"}, "temperature"),
    ("openai", {"stop": 3}, "stop"),
    ("responses", {"previous_response_id": "resp_1"}, "previous_response_id"),
    ("responses", {"conversation": "conv_1"}, "conversation"),
    ("responses", {"background": True}, "background"),
    ("responses", {"prompt": {"id": "pmpt_1"}}, "prompt"),
    ("responses", {"top_logprobs": 3}, "top_logprobs"),
    ("responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, "input"),
    ("responses", {"text": {"format": {"type": "grammar"}}}, "text.format"),
    ("responses", {"tool_choice": ["web_search"]}, "tool_choice"),
    ("anthropic", {"container": "container_1"}, "container"),
    ("anthropic", {"tool_choice": {"type": "some"}}, "tool_choice"),
    ("anthropic", {"output_config": {"format": {"type": "xml"}}}, "output_config.format"),
    ("gemini", {"cachedContent": "cachedContents/1"}, "cachedContent"),
    ("gemini", {"generationConfig": {"candidateCount": 2}}, "generationConfig.candidateCount"),
    ("gemini", {"generationConfig": {"responseLogprobs": True}}, "generationConfig.responseLogprobs"),
    ("gemini", {"generationConfig": {"responseModalities": ["IMAGE"]}}, "generationConfig.responseModalities"),
    ("gemini", {"generationConfig": {"responseMimeType": "text/x.enum"}}, "generationConfig.responseMimeType"),
]


@pytest.mark.parametrize(("source", "more", "param"), ALONE)
def test_what_only_one_format_has_is_refused_by_name(source: str, more: Body, param: str) -> None:
    for one, target in PAIRS:
        if one == source:
            assert refused(source, target, body(source, **more)).param == param


@pytest.mark.parametrize("source", REQUESTS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"tools": "all"},
        {"tools": [3]},
        {"messages": 3, "input": 3, "contents": 3},
        {"messages": [{"role": "user", "content": 5}], "input": [5], "contents": [{"parts": 5}]},
        {"tool_choice": 5, "toolConfig": 5},
        {"response_format": 5, "text": 5, "output_config": 5, "generationConfig": 5},
    ],
)
def test_a_field_of_the_wrong_type_is_the_callers_fault(source: str, wrong: Body) -> None:
    for one, target in PAIRS:
        if one == source:
            refused(source, target, body(source, **wrong))


def test_a_schema_without_a_floor_is_the_callers_fault() -> None:
    schema = '{"type":"object","properties":{"a":' * 2000 + "{}" + "}}" * 2000
    request = request_of({})
    request.raw = f'{{"messages":[],"tools":[{{"type":"function","function":{{"parameters":{schema}}}}}]}}'.encode()
    with pytest.raises(Failure) as caught:
        translator("openai", "anthropic").request(request, "claude-opus-4-5")
    assert caught.value.kind is Reason.INVALID


def test_each_target_refuses_what_it_cannot_carry() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    assert "audio" in refused("openai", "anthropic", saying("openai", sound)).message
    assert "audio" in refused("openai", "responses", saying("openai", sound)).message
    kept = {"type": "file", "file": {"file_id": "file-1"}}
    assert refused("openai", "anthropic", saying("openai", kept)).param == "messages"
    assert refused("openai", "gemini", saying("openai", kept)).param == "messages"
    for target in ("anthropic", "gemini", "responses"):
        assert refused("openai", target, body("openai", logit_bias={"50256": -100})).param == "logit_bias"
    assert refused("openai", "responses", body("openai", stop=["END"])).param == "stop"
    film = {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}}
    assert "video" in refused("gemini", "openai", saying("gemini", film)).message
    stored = {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/1"}}
    assert refused("gemini", "anthropic", saying("gemini", stored)).param == "contents.parts.fileData"
    local = {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}
    refused("openai", "anthropic", saying("openai", local))


# Dropped ---------------------------------------------------------------------------------------------------------

VENDORS_OWN: list[tuple[str, Body]] = [
    ("openai", {"web_search_options": {"search_context_size": "low"}}),
    ("openai", {"modalities": ["text"], "audio": {"voice": "alloy", "format": "wav"}}),
    ("openai", {"function_call": "auto", "functions": []}),
    ("openai", {"tools": [{"type": "web_search"}], "tool_choice": "required"}),
    ("responses", {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}, "include": []}),
    ("responses", {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}], "tool_choice": "required"}),
    ("anthropic", {"mcp_servers": [{"type": "url", "url": "https://mcp.example.com", "name": "x"}]}),
    ("anthropic", {"container": {"skills": [{"type": "anthropic", "skill_id": "pptx"}]}}),
    ("anthropic", {"tools": [{"type": "web_search_20250305", "name": "web_search"}], "tool_choice": {"type": "any"}}),
    ("gemini", {"tools": [{"googleSearch": {}}], "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
    (
        "gemini",
        {"generationConfig": {"speechConfig": {"languageCode": "de-DE"}, "imageConfig": {"aspectRatio": "1:1"}}},
    ),
]


@pytest.mark.parametrize(("source", "more"), VENDORS_OWN)
def test_what_only_the_vendor_can_do_is_left_out(source: str, more: Body) -> None:
    for one, target in PAIRS:
        if one == source:
            made = translate(source, target, body(source, **more))
            judge_request(target, made)
            assert not {"tools", "tool_choice", "toolConfig"} & set(made)


ORPHANS: dict[str, Body] = {
    "openai": {"messages": [{"role": "tool", "tool_call_id": "x", "content": "18 degrees"}]},
    "responses": {"input": [{"type": "function_call_output", "call_id": "x", "output": "18 degrees"}]},
    "anthropic": {
        "messages": [
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "18 degrees"}]}
        ]
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"is": "18 degrees"}}}]}
        ]
    },
}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_result_without_its_call_is_told_in_words(source: str, target: str) -> None:
    made = translate(source, target, body(source, **ORPHANS[source]))
    judge_request(target, made)
    said = json.dumps(made)
    assert "Result of an earlier call of " in said
    assert "18 degrees" in said
    assert not [word for word in ("tool_call_id", "call_id", "tool_use_id", "functionResponse") if word in said]


# Carried ---------------------------------------------------------------------------------------------------------


def test_sound_reaches_gemini_and_comes_back() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    made = translate("openai", "gemini", saying("openai", sound))
    judge_request("gemini", made)
    assert made["contents"][0]["parts"] == [{"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}]
    assert translate("gemini", "openai", made)["messages"][0]["content"] == [sound]


def test_documents_travel() -> None:
    url = f"data:application/pdf;base64,{PDF}"
    given = saying("openai", {"type": "file", "file": {"filename": "a.pdf", "file_data": url}})
    block = translate("openai", "anthropic", given)["messages"][0]["content"][0]
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    assert block == {"type": "document", "source": source, "title": "a.pdf"}
    file = translate("openai", "responses", given)["input"][0]["content"][0]
    assert file == {"type": "input_file", "filename": "a.pdf", "file_data": url}
    part = translate("openai", "gemini", given)["contents"][0]["parts"][0]
    assert part == {"inlineData": {"mimeType": "application/pdf", "data": PDF}}
    back = translate("anthropic", "openai", saying("anthropic", block))
    assert back["messages"][0]["content"] == given["messages"][0]["content"]
    notes = {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,d29yZHM="}}
    block = translate("openai", "anthropic", saying("openai", notes))["messages"][0]["content"][0]
    assert block["source"] == {"type": "text", "media_type": "text/plain", "data": "words"}
    text = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}
    assert translate("anthropic", "openai", saying("anthropic", text))["messages"][0]["content"] == "words"


def test_addresses_travel() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png?x=1", "detail": "low"}}
    given = saying("openai", picture)
    block = translate("openai", "anthropic", given)["messages"][0]["content"][0]
    assert block == {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png?x=1"}}
    part = translate("openai", "gemini", given)["contents"][0]["parts"][0]
    assert part == {"fileData": {"fileUri": "https://example.com/a.png?x=1", "mimeType": "image/png"}}
    image = translate("openai", "responses", given)["input"][0]["content"][0]
    assert image == {"type": "input_image", "image_url": "https://example.com/a.png?x=1", "detail": "low"}
    assert translate("responses", "openai", saying("responses", image))["messages"][0]["content"] == [picture]
    link = {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}
    file = translate("anthropic", "responses", saying("anthropic", link))["input"][0]["content"][0]
    assert file == {"type": "input_file", "file_url": "https://example.com/a.pdf"}
    refused("anthropic", "openai", saying("anthropic", link))


def test_anthropic_wants_turns_in_order() -> None:
    call = {"id": "call.1", "type": "function", "function": {"name": "f", "arguments": ""}}
    given = body(
        "openai",
        messages=[
            {"role": "system", "content": "One."},
            {"role": "assistant", "content": "Hello", "tool_calls": [call, call | {"id": "c2"}]},
            {"role": "tool", "tool_call_id": "call.1", "content": "1"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "2"}]},
            {"role": "user", "content": "A"},
            {"role": "user", "content": "B"},
            {"role": "developer", "content": "Two."},
            {"role": "assistant", "content": ""},
        ],
    )
    made = translate("openai", "anthropic", given)
    judge_request("anthropic", made)
    assert made["system"] == "One.\n\nTwo."
    assert made["max_tokens"] == 4096
    assert [message["role"] for message in made["messages"]] == ["user", "assistant", "user"]
    id = made["messages"][1]["content"][1]["id"]
    assert id.startswith("call_1_")
    assert [block["type"] for block in made["messages"][2]["content"]] == ["tool_result"] * 2 + ["text"] * 2
    assert made["messages"][2]["content"][0]["tool_use_id"] == id
    alone = translate("openai", "anthropic", body("openai", messages=[{"role": "system", "content": "Only me."}]))
    assert alone["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Only me."}]}]
    assert "system" not in alone


def test_pictures_of_a_tool_follow_its_words() -> None:
    given = body(
        "anthropic",
        messages=[
            {"role": "user", "content": "Draw"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "draw", "input": {}}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "is_error": True,
                        "content": [
                            {"type": "text", "text": "half done"},
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                        ],
                    }
                ],
            },
        ],
    )
    messages = translate("anthropic", "openai", given)["messages"]
    assert messages[2] == {"role": "tool", "tool_call_id": "t1", "content": "half done"}
    assert messages[3]["content"][0]["type"] == "image_url"
    response = translate("anthropic", "gemini", given)["contents"][2]["parts"][0]["functionResponse"]
    assert (response["name"], response["response"]) == ("draw", {"error": "half done"})
    assert response["parts"][0]["inlineData"]["data"] == PNG
    beside = translate("anthropic", "gemini", given, "gemini-2.5-flash")["contents"][2]["parts"]
    assert [list(part) for part in beside] == [["functionResponse"], ["inlineData"]]
    output = translate("anthropic", "responses", given)["input"][2]["output"]
    assert [one["type"] for one in output] == ["input_text", "input_image"]


def test_calls_of_gemini_without_ids_are_matched_by_name_and_order() -> None:
    def call(name: str) -> Body:
        return {"functionCall": {"name": name, "args": {}}}

    def result(name: str, output: str) -> Body:
        return {"functionResponse": {"name": name, "response": {"output": output}}}

    turns = [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [call("f"), call("g"), call("f")]},
        {"role": "function", "parts": [result("g", "G"), result("f", "F1"), result("f", "F2")]},
        {"role": "model", "parts": [call("f")]},
        {"role": "user", "parts": [result("f", "F3")]},
    ]
    messages = translate("gemini", "openai", body("gemini", contents=turns))["messages"]
    calls = [one["id"] for message in messages for one in message.get("tool_calls") or ()]
    assert len(set(calls)) == 4
    answers = {message["tool_call_id"]: message["content"] for message in messages if message["role"] == "tool"}
    assert answers == {calls[0]: "F1", calls[1]: "G", calls[2]: "F2", calls[3]: "F3"}


def test_an_empty_part_of_gemini_s_is_left_out() -> None:
    turn = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}, {}]}
    result = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "1"}}}]}
    said = {"role": "user", "parts": [{"text": "Hi"}]}
    messages = translate("gemini", "openai", body("gemini", contents=[said, turn, result]))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert not messages[1].get("content")


def test_gemini_is_read_in_snake_case_too() -> None:
    given: Body = {
        "system_instruction": {"parts": [{"text": "Short."}]},
        "contents": [{"parts": [{"text": "Hi"}, {"inline_data": {"mime_type": "image/png", "data": PNG}}]}],
        "generation_config": {
            "max_output_tokens": 9,
            "stop_sequences": ["."],
            "thinking_config": {"thinking_budget": 0},
        },
        "tools": [{"function_declarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}],
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
    }
    made = translate("gemini", "openai", given)
    judge_request("openai", made)
    assert made["messages"][0] == {"role": "system", "content": "Short."}
    assert made["max_tokens"] == 9
    assert made["stop"] == ["."]
    assert made["reasoning_effort"] == "none"
    assert made["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert made["tool_choice"] == {"type": "function", "function": {"name": "f"}}


def test_schemas_of_google_become_json_schema() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "a": {"type": "STRING", "nullable": True},
            "b": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "1"},
            "c": {"anyOf": [{"type": "NUMBER"}, {"type": "BOOLEAN"}]},
        },
        "propertyOrdering": ["a", "b", "c"],
        "required": ["a"],
    }
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    made = translate("gemini", "openai", body("gemini", generationConfig=config))
    judge_request("openai", made)
    assert made["response_format"]["json_schema"]["schema"] == {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"]},
            "b": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
            "c": {"anyOf": [{"type": "number"}, {"type": "boolean"}]},
        },
        "required": ["a"],
    }


def test_json_by_a_schema() -> None:
    open_schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}}}
    named = {"name": "thing", "schema": {"$schema": "x"} | open_schema, "strict": False}
    given = body("openai", response_format={"type": "json_schema", "json_schema": named})
    made = translate("openai", "anthropic", given)
    judge_request("anthropic", made)
    schema = made["output_config"]["format"]["schema"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["a"]["items"]["additionalProperties"] is False
    config = translate("openai", "gemini", given)["generationConfig"]
    assert config == {"responseMimeType": "application/json", "responseJsonSchema": open_schema}
    assert translate("openai", "responses", given)["text"]["format"] == {"type": "json_schema", **named}
    loose = body("openai", response_format={"type": "json_object"})
    assert "JSON" in translate("openai", "anthropic", loose)["system"]
    assert translate("openai", "gemini", loose)["generationConfig"] == {"responseMimeType": "application/json"}


CHOICES: list[tuple[Any, Any, Any, Any]] = [
    ("auto", {"type": "auto"}, {"mode": "AUTO"}, "auto"),
    ("none", {"type": "none"}, {"mode": "NONE"}, "none"),
    ("required", {"type": "any"}, {"mode": "ANY"}, "required"),
    (
        {"type": "function", "function": {"name": "f"}},
        {"type": "tool", "name": "f"},
        {"mode": "ANY", "allowedFunctionNames": ["f"]},
        {"type": "function", "name": "f"},
    ),
]


@pytest.mark.parametrize(("choice", "anthropic", "gemini", "responses"), CHOICES)
def test_the_choice_of_a_tool(choice: Any, anthropic: Any, gemini: Any, responses: Any) -> None:
    tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("f", "g")]
    given = body("openai", tools=tools, tool_choice=choice)
    assert translate("openai", "anthropic", given)["tool_choice"] == anthropic
    assert translate("openai", "gemini", given)["toolConfig"]["functionCallingConfig"] == gemini
    assert translate("openai", "responses", given)["tool_choice"] == responses
    made = translate("openai", "anthropic", given | {"parallel_tool_calls": False})
    judge_request("anthropic", made)
    if choice != "none":
        assert made["tool_choice"] == anthropic | {"disable_parallel_tool_use": True}


def test_a_choice_among_some_tools() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("f", "g", "h")]
    allowed = {"mode": "required", "tools": tools[:2]}
    given = body("openai", tools=tools, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    made = translate("openai", "anthropic", given)
    assert [tool["name"] for tool in made["tools"]] == ["f", "g"]
    assert made["tool_choice"] == {"type": "any"}
    assert translate("openai", "responses", given)["tool_choice"]["mode"] == "required"
    calling = translate("openai", "gemini", given)["toolConfig"]["functionCallingConfig"]
    assert calling == {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}


# Thinking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-3-7-sonnet-20250219", (3, 7)),
        ("claude-sonnet-4-20250514", (4, 0)),
        ("claude-opus-4-1-20250805", (4, 1)),
        ("claude-sonnet-4-6", (4, 6)),
        ("claude-opus-5", (5, 0)),
        ("anthropic/claude-opus-4-8", (4, 8)),
        ("claude-mythos-preview", (99, 0)),
        ("house-model", (4, 5)),
    ],
)
def test_versions_of_claude(model: str, expected: tuple[int, int]) -> None:
    assert version(model) == expected


def test_effort_becomes_what_a_model_takes() -> None:
    given = body("openai", reasoning_effort="high", max_completion_tokens=60000, temperature=0.2)
    new = translate("openai", "anthropic", given, "claude-opus-5")
    judge_request("anthropic", new)
    assert new["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert new["output_config"] == {"effort": "high"}
    old = translate("openai", "anthropic", given, "claude-sonnet-4-5")
    judge_request("anthropic", old)
    assert old["thinking"] == {"type": "enabled", "budget_tokens": 24576}
    assert "temperature" not in old
    assert "temperature" not in new
    google = translate("openai", "gemini", given)["generationConfig"]["thinkingConfig"]
    assert google == {"thinkingLevel": "HIGH", "includeThoughts": True}
    google = translate("openai", "gemini", given, "gemini-2.5-flash")["generationConfig"]["thinkingConfig"]
    assert google == {"thinkingBudget": 24576, "includeThoughts": True}
    assert "thinkingConfig" not in translate("openai", "gemini", given, "gemini-2.0-flash")["generationConfig"]
    answered = translate("openai", "responses", given, "gpt-5")
    judge_request("responses", answered)
    assert answered["reasoning"] == {"effort": "high"}
    assert answered["include"] == ["reasoning.encrypted_content"]


def test_relays_own_words_for_thinking_are_read() -> None:
    def effort(**more: Any) -> str:
        return translate("openai", "responses", body("openai", **more), "gpt-5")["reasoning"]["effort"]

    assert effort(reasoning={"effort": "low"}) == "low"
    assert effort(reasoning={"max_tokens": 20000}) == "high"
    assert effort(thinking={"type": "enabled", "budget_tokens": 8000}) == "medium"
    assert effort(thinking={"type": "disabled"}) == "none"


def test_a_budget_fits_its_limit() -> None:
    small = translate(
        "openai", "anthropic", body("openai", reasoning_effort="high", max_tokens=4096), "claude-opus-4-5"
    )
    assert small["thinking"]["budget_tokens"] == 2048
    tiny = translate("openai", "anthropic", body("openai", reasoning_effort="high", max_tokens=1000), "claude-opus-4-5")
    assert "thinking" not in tiny
    free = translate("openai", "anthropic", body("openai", reasoning_effort="low"), "claude-opus-4-5")
    assert free["max_tokens"] == free["thinking"]["budget_tokens"] + 4096


def test_a_forced_call_goes_without_thinking_at_anthropic() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    given = body("openai", reasoning_effort="high", tools=tools, tool_choice="required", max_tokens=60000)
    assert "thinking" not in translate("openai", "anthropic", given, "claude-opus-4-5")
    assert "thinking" not in translate("openai", "anthropic", given, "claude-opus-5")
    assert "thinking" in translate("openai", "anthropic", given | {"tool_choice": "auto"}, "claude-opus-5")


def test_budgets_become_efforts() -> None:
    for budget, effort in ((1024, "low"), (10000, "medium"), (31999, "high")):
        thinking = {"type": "enabled", "budget_tokens": budget}
        given = body("anthropic", thinking=thinking, max_tokens=40000)
        assert translate("anthropic", "openai", given, "gpt-5")["reasoning_effort"] == effort
        assert translate("anthropic", "responses", given, "gpt-5")["reasoning"] == {"effort": effort, "summary": "auto"}
    given = body("anthropic", thinking={"type": "disabled"})
    assert translate("anthropic", "gemini", given)["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW"}
    given = body("anthropic", thinking={"type": "adaptive"}, output_config={"effort": "max"})
    assert translate("anthropic", "openai", given, "gpt-5")["reasoning_effort"] == "max"


def test_sampling_goes_where_it_is_taken() -> None:
    given = body("openai", temperature=1.6, top_p=0.9, seed=3, presence_penalty=0.5, user="u1", metadata={"a": "b"})
    assert translate("openai", "anthropic", given)["temperature"] == 1
    assert "top_p" not in translate("openai", "anthropic", given)
    assert translate("openai", "anthropic", given)["metadata"] == {"user_id": "u1"}
    assert "temperature" not in translate("openai", "anthropic", given, "claude-opus-4-7")
    config = translate("openai", "gemini", given)["generationConfig"]
    assert config == {"temperature": 1.6, "topP": 0.9, "seed": 3, "presencePenalty": 0.5}
    plain = translate("openai", "responses", given)
    assert (plain["temperature"], plain["top_p"], plain["safety_identifier"]) == (1.6, 0.9, "u1")
    assert "temperature" not in translate("openai", "responses", given, "gpt-5.1")
    thinker = translate("anthropic", "openai", body("anthropic", temperature=0.3), "o3")
    assert "temperature" not in thinker
    assert thinker["max_completion_tokens"] == 100
    assert translate("openai", "responses", body("openai", max_tokens=5))["max_output_tokens"] == 16
