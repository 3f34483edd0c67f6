"""What Google refuses, the sandbox refuses in the same words; what is near it, but right, is taken."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from .conftest import post

KEY = {"x-goog-api-key": "gm-test"}
HELLO: dict[str, Any] = {"role": "user", "parts": [{"text": "hello"}]}
OBJECT: dict[str, Any] = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
JSON = {"responseMimeType": "application/json"}


def declared(parameters: Any = None, name: str = "f", **more: Any) -> dict[str, Any]:
    function = {"name": name, **({"parameters": parameters} if parameters is not None else {}), **more}
    return {"tools": [{"functionDeclarations": [function]}]}


def called(*names: str, signature: str | None = None) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"functionCall": {"name": name, "args": {}}} for name in names]
    if signature:
        parts[0]["thoughtSignature"] = signature
    return {"role": "model", "parts": parts}


def answered(*names: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"functionResponse": {"name": name, "response": {"x": 1}}} for name in names]}


def config(**values: Any) -> dict[str, Any]:
    return {"generationConfig": values}


async def ask(
    http: aiohttp.ClientSession, more: dict[str, Any], status: int = 200, model: str = "gemini-2.5-flash"
) -> Any:
    return await post(
        http, f"/gemini/v1beta/models/{model}:generateContent", {"contents": [HELLO], **more}, status, **KEY
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {**OBJECT, "additionalProperties": False},
            'Invalid JSON payload received. Unknown name "additionalProperties" at '
            "'tools[0].function_declarations[0].parameters': Cannot find field.",
        ),
        (
            {"type": "OBJECT", "properties": {"a": {"anyOf": [{"const": 1}]}}},
            "Unknown name \"const\" at 'tools[0].function_declarations[0].parameters.properties[0].value.any_of[0]'",
        ),
        ({"type": ["OBJECT", "NULL"], "properties": {}}, "Proto field is not repeating, cannot start list."),
        (
            {"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "enum": [1]}}},
            "parameters.properties[0].value.enum[0]' (TYPE_STRING), 1",
        ),
        (
            {"type": "OBJECT", "properties": {"a": {"enum": ["x"]}}},
            "GenerateContentRequest.tools[0].function_declarations[0].parameters.properties[a].enum: only allowed",
        ),
        (
            {"type": "OBJECT", "properties": {"a": {"type": "ARRAY"}}},
            "GenerateContentRequest.tools[0].function_declarations[0].parameters.properties[a].items: missing field.",
        ),
        ({**OBJECT, "required": ["b"]}, "parameters.required[0]: property is not defined"),
        ({"properties": {}}, "functionDeclaration parameters schema should be of type OBJECT"),
    ],
)
async def test_schemas_of_functions(http: aiohttp.ClientSession, parameters: Any, message: str) -> None:
    error = (await ask(http, declared(parameters), 400))["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert message in error["message"]
    named = "fieldViolations" in str(error.get("details"))
    assert named == ("Invalid JSON payload" in error["message"] or "Invalid value" in error["message"])


@pytest.mark.parametrize("name", ["1x", "a b", "a/b", "f" * 65, ""])
async def test_names_of_functions(http: aiohttp.ClientSession, name: str) -> None:
    error = (await ask(http, declared(name=name), 400))["error"]
    assert "function_declarations[0].name: Invalid function name. Must start with a letter" in error["message"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"contents": []}, "contents is not specified"),
        ({"messages": []}, 'Unknown name "messages": Cannot find field.'),
        (config(maxTokens=5), "Unknown name \"maxTokens\" at 'generation_config': Cannot find field."),
        ({"tools": [{"name": "f"}]}, "Unknown name \"name\" at 'tools[0]': Cannot find field."),
        ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
        ({"contents": [{"role": "user", "parts": []}]}, "contents[0].parts: contents.parts must not be empty."),
        ({"contents": [{"parts": [{}]}]}, "contents[0].parts[0].data: required oneof field 'data' must have one"),
        ({"systemInstruction": {"parts": [{}]}}, "system_instruction.parts[0].data: required oneof field 'data'"),
        ({"contents": [HELLO, called(""), answered("f")]}, "function_call.name: Name cannot be empty."),
        ({"contents": [called("f"), answered("f")]}, "that function call turn comes immediately after a user turn"),
        ({"contents": [answered("f")]}, "that function response turn comes immediately after a function call turn."),
        ({"contents": [HELLO, called("f", "g"), answered("f")]}, "is equal to the number of function call parts"),
        (
            {"contents": [HELLO, called("f"), HELLO]},
            "is equal to the number of function call parts of the function call turn.",
        ),
        (config(stopSequences=["1", "2", "3", "4", "5", "6"]), "generation_config.stop_sequences"),
        (config(responseSchema=OBJECT), "generation_config.response_mime_type"),
        (config(**JSON, responseSchema=OBJECT, responseJsonSchema={}), "must be omitted when"),
        (
            {**declared(), **config(**JSON)},
            "Function calling with a response mime type: 'application/json' is unsupported",
        ),
        ({"tools": [*declared()["tools"], {"googleSearch": {}}]}, "Tool use with function calling is unsupported"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "config is set without function_declarations."),
        (
            {**declared(), "toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["f"]}}},
            "should only be set when the function calling mode is ANY or VALIDATED",
        ),
        (config(thinkingConfig={"thinkingLevel": "low"}), "Thinking level is not supported for this model."),
        (config(thinkingConfig={"thinkingBudget": 30_000}), "Please choose a value between 1 and 24576."),
    ],
)
async def test_requests(http: aiohttp.ClientSession, more: dict[str, Any], message: str) -> None:
    error = (await ask(http, more, 400))["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert message in error["message"]


async def test_a_model_that_always_thinks_cannot_be_kept_from_it(http: aiohttp.ClientSession) -> None:
    never = config(thinkingConfig={"thinkingBudget": 0})
    await ask(http, never)
    error = (await ask(http, never, 400, "gemini-2.5-pro"))["error"]
    assert error["message"] == "Budget 0 is invalid. This model only works in thinking mode."


async def test_calls_of_this_turn_are_signed(http: aiohttp.ClientSession) -> None:
    newest = "gemini-3.1-pro-preview"
    first = await ask(http, {"contents": [{"parts": [{"text": "[tool]"}]}], **declared(OBJECT)}, model=newest)
    call = first["candidates"][0]["content"]
    assert call["parts"][0]["thoughtSignature"]
    await ask(http, {"contents": [HELLO, call, answered("f")]}, model=newest)
    unsigned = [HELLO, called("f"), answered("f")]
    error = (await ask(http, {"contents": unsigned}, 400, newest))["error"]
    assert "missing a thought_signature in functionCall parts" in error["message"]
    assert "function call `default_api:f` , position 2." in error["message"]
    await ask(http, {"contents": unsigned})
    over = [*unsigned, {"role": "model", "parts": [{"text": "so"}]}, HELLO]
    await ask(http, {"contents": over}, model=newest)
    parallel = [HELLO, called("f", "g", signature="c2tpcA=="), answered("f", "g")]
    await ask(http, {"contents": parallel}, model=newest)


@pytest.mark.parametrize(
    ("model", "more"),
    [
        (
            "gemini-2.5-flash",
            declared(name="a.b-c:d_1", parametersJsonSchema={"type": "object", "additionalProperties": False}),
        ),
        ("gemini-2.5-flash", declared({"type": "object", "properties": {}})),
        ("gemini-2.5-flash", {"contents": [HELLO, called("f", "g"), {**answered("f", "g"), "role": "function"}]}),
        ("gemini-2.5-flash", config(**JSON, responseSchema={"type": "STRING", "enum": ["x"]})),
        ("gemini-2.5-flash-lite", config(thinkingConfig={"thinkingBudget": -1})),
        ("gemini-3-flash-preview", {**declared(OBJECT), **config(**JSON, thinkingConfig={"thinkingLevel": "low"})}),
        ("gemini-3.5-flash-lite", config(response_mime_type="application/json", max_output_tokens=10)),
    ],
)
async def test_what_is_right_is_taken(http: aiohttp.ClientSession, model: str, more: dict[str, Any]) -> None:
    await ask(http, more, model=model)
