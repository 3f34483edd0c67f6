"""Answers by a schema keep to it, or the schema is refused by the name of what the grammar would pass over."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import openai
import pytest
from openai import OpenAI

from .conftest import CHAT

ASK: Any = [{"role": "user", "content": "Tell me of the people, the places and the numbers that you know."}]


def of(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), **more}


KEPT: list[dict[str, Any]] = [
    of({"name": {"type": "string", "minLength": 3, "maxLength": 5}}, additionalProperties=False),
    of({"age": {"type": "integer", "minimum": 17, "exclusiveMaximum": 21}}),
    of({"code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}}),
    of({"day": {"type": "string", "format": "date"}, "id": {"type": "string", "format": "uuid"}}),
    of({"names": {"type": "array", "items": {"type": "string", "maxLength": 4}, "minItems": 2, "maxItems": 3}}),
    of({"pair": {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "integer", "maximum": 9}]}}),
    of({"kind": {"enum": ["a", 1, None]}, "always": {"const": {"x": [1, 2]}}}),
    of({"either": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 3, "maximum": 4}]}}),
    of({"all": {"allOf": [of({"a": {"type": "boolean"}}), of({"b": {"type": "null"}})]}}),
    of({"it": {"$ref": "#/$defs/it"}}, **{"$defs": {"it": of({"deep": {"type": ["boolean", "null"]}})}}),
    of({"open": {"type": "object", "additionalProperties": {"type": "boolean"}}}),
]
PASSED_OVER: list[tuple[str, dict[str, Any]]] = [
    ("not", of({"a": {"type": "string", "not": {"const": "x"}}})),
    ("if", of({"a": {"type": "boolean"}}, **{"if": {"required": ["a"]}, "then": {}})),
    ("dependentRequired", of({"a": {"type": "boolean"}}, dependentRequired={"a": ["b"]})),
    ("patternProperties", {"type": "object", "patternProperties": {"^x": {"type": "boolean"}}}),
    ("propertyNames", {"type": "object", "propertyNames": {"maxLength": 3}}),
    ("minProperties", {"type": "object", "minProperties": 2}),
    ("uniqueItems", of({"a": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}})),
    ("contains", of({"a": {"type": "array", "contains": {"const": 7}}})),
    ("multipleOf", of({"a": {"type": "integer", "multipleOf": 7}})),
    ("minimum", of({"a": {"type": "number", "minimum": 0.5}})),
    ("maxLength", of({"a": {"type": "string", "pattern": "^a+$", "maxLength": 3}})),
    ("required", {"anyOf": [of({"a": {"type": "null"}})], "required": ["b"]}),
    ("minLength", of({"a": {"$ref": "#/$defs/a", "minLength": 4}}, **{"$defs": {"a": {"type": "string"}}})),
]


@pytest.mark.parametrize("schema", KEPT, ids=lambda schema: next(iter(schema["properties"])))
def test_an_answer_keeps_to_its_schema(client: OpenAI, schema: dict[str, Any]) -> None:
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    for seed in range(2):
        got = client.chat.completions.create(
            model=CHAT, messages=ASK, response_format=wanted, max_tokens=200, temperature=1.5, seed=seed
        )
        assert got.choices[0].finish_reason == "stop"
        jsonschema.validate(json.loads(got.choices[0].message.content or ""), schema)


@pytest.mark.parametrize(("keyword", "schema"), PASSED_OVER)
def test_what_the_grammar_passes_over_is_refused_by_name(client: OpenAI, keyword: str, schema: dict[str, Any]) -> None:
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    with pytest.raises(openai.BadRequestError, match=repr(keyword)) as caught:
        client.chat.completions.create(model=CHAT, messages=ASK, response_format=wanted, max_tokens=50)
    assert caught.value.param == "response_format"


def test_a_tool_promises_its_schema_only_where_it_is_strict(client: OpenAI) -> None:
    function: Any = {"name": "f", "parameters": of({"a": {"type": "integer", "multipleOf": 7}})}
    for strict in (False, True):
        tools: Any = [{"type": "function", "function": {**function, "strict": strict}}]
        ask: Any = {"model": CHAT, "messages": ASK, "tools": tools, "tool_choice": "required", "max_tokens": 40}
        if strict:
            with pytest.raises(openai.BadRequestError, match="multipleOf"):
                client.chat.completions.create(**ask)
        else:
            assert client.chat.completions.create(**ask).choices
