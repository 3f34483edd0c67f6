"""Requests that the vendors' own documents allow are taken, and the answers are what those documents promise."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jsonschema.protocols import Validator

from tests.operator import rows
from tests.stack import Gateway
from tests.support.http import Got, call
from tests.support.pictures import png, png_base64
from tests.support.until import until
from tests.wire import people
from tests.wire.calls import BOUNDARY, form

SPECS = Path(__file__).parents[1] / "specs"
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say this is a test!"}]}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
V2 = "/v2beta/stable-image"
V1 = "/v1/generation/{engine_id}"


# Schemas -----------------------------------------------------------------------------------------------------------


@functools.cache
def spec(name: str) -> dict[str, Any]:
    """Load a document, in the words of JSON Schema; documents of OpenAPI 3.1 have some words of 3.0 left too."""
    found = _modern(json.loads((SPECS / f"{name}.json").read_text()))
    if name == "openai":
        # Alternatives that the document calls exclusive are not: a message with its type left out fits several.
        found = _inclusive(found)
    if name == "stability":
        # The document asks for a field of v1's errors that it does not describe, and that its own examples lack.
        found["components"]["schemas"]["Error"]["required"].remove("status")
    return found


def _inclusive(node: Any) -> Any:
    if isinstance(node, list):
        return [_inclusive(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {"anyOf" if key == "oneOf" else key: _inclusive(value) for key, value in node.items()}


def _modern(node: Any) -> Any:
    """Say OpenAPI 3.0's `nullable` and boolean exclusive limits as JSON Schema 2020-12 does; bytes are no strings."""
    if isinstance(node, list):
        return [_modern(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _modern(value) for key, value in node.items()}
    if made.pop("nullable", False) is True:
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list):
            made["enum"] = [*made["enum"], None]
    for side, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if made.get(side) is True:
            made[side] = made.pop(limit)
        elif made.get(side) is False:
            del made[side]
    return made


def validator(name: str, schema: Any) -> Validator:
    document = spec(name)
    whole = {**schema, "components": document["components"]}
    return jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())


def operation(name: str, method: str, path: str) -> dict[str, Any]:
    return spec(name)["paths"][path][method.lower()]


def resolved(name: str, node: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference in the document."""
    while "$ref" in node:
        found: Any = spec(name)
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def allows(name: str, method: str, path: str, body: Any, kind: str = "application/json") -> None:
    """Check that the vendor's document allows a body."""
    declared = resolved(name, operation(name, method, path)["requestBody"])["content"]
    validator(name, declared[kind]["schema"]).validate(body)


def promised(name: str, method: str, path: str, got: Got) -> None:
    """Check that an answer is one of those that the vendor's document promises."""
    answers = operation(name, method, path)["responses"]
    assert str(got.status) in answers, f"{method} {path} answered {got.status}: {got.body[:300]!r}"
    content = resolved(name, answers[str(got.status)]).get("content", {})
    kind = got.headers["content-type"]
    plain = kind.partition(";")[0]
    schema = content.get(kind, content.get(plain, {})).get("schema")
    if plain == "application/json":
        assert schema is not None, f"{kind} is not promised, only {list(content)}"
        validator(name, schema).validate(got.json)
    elif content:
        assert kind in content or plain in content, f"{kind} is not promised, only {list(content)}"


def post(gateway: Gateway, path: str, body: Any, key: str = people.READER) -> Got:
    return call(gateway, "POST", path, body, key)


# OpenAI ------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.chat.completions")
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"n": 2, "temperature": 0.3, "seed": 7, "user": "somebody", "stop": ["."]},
        {"max_completion_tokens": 5, "logprobs": True, "top_logprobs": 2},
        {"tools": [WEATHER], "tool_choice": "required"},
        {"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "hello, as JSON"}]},
    ],
)
def test_chat(wire: Gateway, more: dict[str, Any]) -> None:
    body = {**CHAT, **more}
    allows("openai", "POST", "/chat/completions", body)
    got = post(wire, "/v1/chat/completions", body)
    assert got.status == 200, got.body
    promised("openai", "POST", "/chat/completions", got)


@pytest.mark.operation("openai.chat.completions")
@pytest.mark.parametrize("asked", [False, True])
def test_chunks(wire: Gateway, asked: bool) -> None:
    body: dict[str, Any] = {**CHAT, "stream": True}
    if asked:
        body["stream_options"] = {"include_usage": True}
    allows("openai", "POST", "/chat/completions", body)
    got = post(wire, "/v1/chat/completions", body)
    assert got.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix(b"data: ") for line in got.body.split(b"\n\n") if line]
    assert events[-1] == b"[DONE]"
    checker = validator("openai", {"$ref": "#/components/schemas/CreateChatCompletionStreamResponse"})
    for event in events[:-1]:
        checker.validate(_without_nulls(json.loads(event)))


def _without_nulls(chunk: dict[str, Any]) -> dict[str, Any]:
    """Leave out the nulls that the vendor sends in chunks, though its document does not allow them."""
    if chunk.get("usage") is None:
        chunk.pop("usage", None)
    for choice in chunk["choices"]:
        if choice.get("logprobs") is None:
            choice.pop("logprobs", None)
    return chunk


OTHERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": ["one", "two"], "max_tokens": 4}),
    ("/embeddings", {"model": "text-embedding-3-small", "input": ["one", "two"], "dimensions": 8}),
    ("/embeddings", {"model": "text-embedding-3-small", "input": [[1, 2, 3]]}),
    ("/images/generations", {"model": "dall-e-3", "prompt": "a lake", "response_format": "b64_json"}),
    ("/images/generations", {"model": "gpt-image-1", "prompt": "a lake", "output_format": "webp"}),
    ("/images/generations", {"model": "flux-dev", "prompt": "a lake", "size": "1024x1024"}),
)


PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
STATEFUL: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("moderations", "/moderations", {"model": "omni-moderation-latest", "input": "Good morning"}),
    ("responses.create", "/responses", {"model": "gpt-4o-mini", "input": "Say this is a test!"}),
    (
        "responses.create",
        "/responses",
        {
            "model": "gpt-4o-mini",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]}],
            "tools": [{"type": "function", "name": "weather", "parameters": PLACE, "strict": True}],
            "tool_choice": "required",
        },
    ),
    (
        "responses.create",
        "/responses",
        {
            "model": "gpt-4o-mini",
            "input": "A city",
            "text": {"format": {"type": "json_schema", "name": "place", "schema": PLACE, "strict": True}},
        },
    ),
    ("vector_stores.create", "/vector_stores", {"name": "shelf"}),
    ("conversations.create", "/conversations", {"metadata": {"topic": "test"}}),
    (
        "realtime.client_secrets",
        "/realtime/client_secrets",
        {
            "session": {"type": "realtime", "model": "gpt-realtime"},
            "expires_after": {"anchor": "created_at", "seconds": 60},
        },
    ),
)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(path, body, marks=pytest.mark.operation(f"openai.{name}"), id=f"{name} {number}")
        for number, (name, path, body) in enumerate(STATEFUL)
    ],
)
def test_calls_that_leave_something_behind(wire: Gateway, path: str, body: dict[str, Any]) -> None:
    allows("openai", "POST", path, body)
    got = post(wire, f"/v1{path}", body)
    assert got.status == 200, got.body
    promised("openai", "POST", path, got)


@pytest.mark.operation("openai.audio.transcriptions", "openai.audio.speech", "openai.audio.translations")
@pytest.mark.parametrize("kind", ["json", "verbose_json", "text"])
def test_audio(wire: Gateway, kind: str) -> None:
    words = {"model": "tts-1", "input": "hello there", "voice": "alloy", "response_format": "wav"}
    allows("openai", "POST", "/audio/speech", words)
    sound = post(wire, "/v1/audio/speech", words)
    assert sound.status == 200
    for path in ("/audio/transcriptions", "/audio/translations"):
        body = form({"model": "whisper-1", "response_format": kind}, {"file": sound.body})
        head = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        got = call(wire, "POST", f"/v1{path}", body, people.READER, head)
        assert got.status == 200, got.body
        if kind != "text":
            promised("openai", "POST", path, got)


@pytest.mark.operation("openai.responses.create")
def test_events_of_a_response(wire: Gateway) -> None:
    got = post(wire, "/v1/responses", {"model": "gpt-4o-mini", "input": "Say this is a test!", "stream": True})
    lines = [line for line in got.body.split(b"\n") if line.startswith(b"data: {")]
    checker = validator("openai", {"$ref": "#/components/schemas/ResponseStreamEvent"})
    for line in lines:
        event = json.loads(line[6:])
        # As with chunks: the vendor sends nulls that its document does not allow.
        if "response" in event and event["response"]["usage"] is None:
            del event["response"]["usage"]
        checker.validate(event)
    assert json.loads(lines[-1][6:])["type"] == "response.completed"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(*each, marks=pytest.mark.operation(f"openai{each[0].replace('/', '.')}"), id=each[1]["model"])
        for each in OTHERS
    ],
)
def test_other_calls(wire: Gateway, path: str, body: dict[str, Any]) -> None:
    allows("openai", "POST", path, body)
    got = post(wire, f"/v1{path}", body)
    assert got.status == 200, got.body
    promised("openai", "POST", path, got)


@pytest.mark.operation("openai.models.list", "openai.models.get")
def test_models(wire: Gateway) -> None:
    for real, path in (("/v1/models", "/models"), ("/v1/models/dall-e-3", "/models/{model}")):
        got = call(wire, "GET", real, key=people.READER)
        if got.status == 404:
            name = call(wire, "GET", "/v1/models", key=people.READER).json["data"][0]["id"]
            got = call(wire, "GET", f"/v1/models/{name}", key=people.READER)
        assert got.status == 200
        promised("openai", "GET", path, got)


# Black Forest Labs -------------------------------------------------------------------------------------------------


@pytest.mark.operation("flux.generate", "flux.get_result", "flux.credits")
def test_flux(wire: Gateway) -> None:
    slugs = [path for path in spec("bfl")["paths"] if path.startswith("/v1/flux-")]
    assert len(slugs) >= 12
    for path in slugs:
        schema = resolved("bfl", operation("bfl", "POST", path)["requestBody"]["content"]["application/json"]["schema"])
        body: dict[str, Any] = {"prompt": f"a lake for {path}"}
        if "image" in schema.get("required", ()):
            body |= {"image": png_base64(256)}
        if "finetune_id" in schema["properties"]:
            body |= {"finetune_id": "mine"}
        if "top" in schema["properties"]:
            body |= {"top": 64}
        allows("bfl", "POST", path, body)
        got = post(wire, f"/flux{path}", body)
        promised("bfl", "POST", path, got)
        assert got.status == 200, got.body
    polled = call(wire, "GET", f"/flux/v1/get_result?id={got.json['id']}", key=people.READER)
    promised("bfl", "GET", "/v1/get_result", polled)
    until(lambda: rows(wire, "SELECT 1 FROM tasks WHERE id = ? AND finished_at > 0", got.json["id"]))
    done = call(wire, "GET", f"/flux/v1/get_result?id={got.json['id']}", key=people.READER)
    assert done.json["status"] == "Ready"
    promised("bfl", "GET", "/v1/get_result", done)
    promised("bfl", "GET", "/v1/get_result", call(wire, "GET", "/flux/v1/get_result", key=people.READER))
    promised("bfl", "GET", "/v1/credits", call(wire, "GET", "/flux/v1/credits", key=people.READER))
    bad = post(wire, "/flux/v1/flux-dev", {"prompt": 5})
    assert bad.status == 422
    promised("bfl", "POST", "/v1/flux-dev", bad)


# Stability AI ------------------------------------------------------------------------------------------------------

FORMS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    f"{V2}/generate/ultra": ({"prompt": "a lake", "aspect_ratio": "16:9"}, ()),
    f"{V2}/generate/core": ({"prompt": "a lake", "style_preset": "anime"}, ()),
    f"{V2}/generate/sd3": ({"prompt": "a lake", "model": "sd3.5-large"}, ()),
    f"{V2}/upscale/fast": ({}, ("image",)),
    f"{V2}/upscale/conservative": ({"prompt": "x", "creativity": 0.3}, ("image",)),
    f"{V2}/upscale/creative": ({"prompt": "x"}, ("image",)),
    f"{V2}/edit/erase": ({"prompt": "the document asks for one", "grow_mask": 3}, ("image", "mask")),
    f"{V2}/edit/inpaint": ({"prompt": "x"}, ("image", "mask")),
    f"{V2}/edit/outpaint": ({"left": 32}, ("image",)),
    f"{V2}/edit/search-and-replace": ({"prompt": "x", "search_prompt": "y"}, ("image",)),
    f"{V2}/edit/search-and-recolor": ({"prompt": "x", "select_prompt": "y"}, ("image",)),
    f"{V2}/edit/remove-background": ({"output_format": "webp"}, ("image",)),
    f"{V2}/edit/replace-background-and-relight": ({"background_prompt": "dawn"}, ("subject_image",)),
    f"{V2}/control/sketch": ({"prompt": "x"}, ("image",)),
    f"{V2}/control/structure": ({"prompt": "x"}, ("image",)),
    f"{V2}/control/style": ({"prompt": "x", "fidelity": 0.5}, ("image",)),
}


def test_all_of_stability_s_forms_are_here() -> None:
    declared = {
        path for path, methods in spec("stability")["paths"].items() if path.startswith(V2) and "post" in methods
    }
    assert declared == set(FORMS)


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("accept", ["image/*", "application/json"])
def test_stability(wire: Gateway, path: str, accept: str) -> None:
    fields, names = FORMS[path]
    allows("stability", "POST", path, {**fields, **dict.fromkeys(names, "bytes")}, "multipart/form-data")
    body = form(fields, {name: png(96) for name in names})
    head = {"content-type": f"multipart/form-data; boundary={BOUNDARY}", "accept": accept}
    got = call(wire, "POST", f"/sd{path}", body, people.READER, head)
    assert got.status == 200, got.body
    promised("stability", "POST", path, got)
    bad = call(wire, "POST", f"/sd{path}", form({"seed": "many"}, {}), people.READER, head)
    assert bad.status == 400
    promised("stability", "POST", path, bad)
    if got.headers["content-type"] == "application/json" and "id" in got.json:
        result = call(
            wire, "GET", f"/sd/v2beta/results/{got.json['id']}", key=people.READER, headers={"accept": accept}
        )
        promised("stability", "GET", "/v2beta/results/{id}", result)


@pytest.mark.operation("stability.text-to-image", "stability.engines.list", "stability.user.balance")
def test_stability_v1(wire: Gateway) -> None:
    body = {"text_prompts": [{"text": "a lake", "weight": 0.5}], "width": 1024, "height": 1024, "samples": 1}
    path = f"{V1}/text-to-image"
    allows("stability", "POST", path, body)
    real = path.replace("{engine_id}", "stable-diffusion-xl-1024-v1-0")
    got = post(wire, f"/sd{real}", body)
    assert got.status == 200, got.body
    promised("stability", "POST", path, got)
    promised("stability", "POST", path, post(wire, f"/sd{real}", {}))
    promised("stability", "POST", path, post(wire, f"/sd{real}", body, "sk-wrong"))
    for own in ("/v1/engines/list", "/v1/user/account", "/v1/user/balance"):
        promised("stability", "GET", own, call(wire, "GET", f"/sd{own}", key=people.READER))
