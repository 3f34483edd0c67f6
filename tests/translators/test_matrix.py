"""What of a request each pair of formats carries: the matrix of docs/translators-matrix.md, which this writes.

WRITE_MATRIX=1 python -m pytest tests/translators/test_matrix.py
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deeepai.declare import Failure

from .samples import PDF, PNG, SCHEMA
from .test_fitting import LONG, called, history, tool
from .test_requests import body, saying
from .test_streams import (
    COUNTED,
    CREATED,
    DONE,
    ENDINGS,
    FAILED,
    FORMS,
    ITEMS,
    TAILS,
    chunk,
    ending,
    errors,
    said,
    sse,
    text_of,
)
from .world import NAMES, judge_events, judge_request, read_stream, run, translate

Body = dict[str, Any]
PAGE = Path(__file__).parents[2] / "docs" / "translators-matrix.md"
HEAD = """# What the chat translators carry

Written by `tests/translators/test_matrix.py`; the words stand in [Translators](translators.md). Each column is a
caller's format → an upstream's; each row a thing that a request may hold. **yes**: the upstream gets it in its own
form; *dropped*: it goes without; *refused*: 400 that names the field; –: the caller's format has no words for it.

"""
SHORT = {"openai": "chat", "responses": "responses", "anthropic": "messages", "gemini": "gemini"}
URL = "https://example.com/a.png"

Said = tuple[str, list[tuple[str, Any]]]
"""Text, and calls with their arguments."""
Case = tuple[str, dict[str, Body], str]
"""What it is, a request of each format that has it, and what the upstream's request must then hold."""


def _config(**config: Any) -> Body:
    return body("gemini", generationConfig=config)


def _choice(name: str) -> dict[str, Body]:
    chosen: dict[str, Body] = {
        "openai": {"tool_choice": {"type": "function", "function": {"name": name}}},
        "responses": {"tool_choice": {"type": "function", "name": name}},
        "anthropic": {"tool_choice": {"type": "tool", "name": name}},
        "gemini": {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [name]}}},
    }
    return {source: body(source, tools=[tool(source, name, SCHEMA)], **chosen[source]) for source in NAMES}


def _files(url: bool, media_type: str, data: str) -> dict[str, Body]:
    """A picture or document in each format's words."""
    address = URL if url else f"data:{media_type};base64,{data}"
    picture = media_type == "image/png"
    where = {"fileData": {"fileUri": URL, "mimeType": media_type}}
    inline = {"inlineData": {"mimeType": media_type, "data": data}}
    source = {"type": "url", "url": URL} if url else {"type": "base64", "media_type": media_type, "data": data}
    chat: Body = {"type": "image_url", "image_url": {"url": address}}
    item: Body = {"type": "input_image", "image_url": address}
    if not picture:
        chat = {"type": "file", "file": {"filename": "a.pdf", "file_data": address}}
        item = {"type": "input_file"} | ({"file_url": URL} if url else {"filename": "a.pdf", "file_data": address})
    requests = {
        "openai": saying("openai", chat),
        "responses": saying("responses", item),
        "anthropic": saying("anthropic", {"type": "image" if picture else "document", "source": source}),
        "gemini": saying("gemini", where if url else inline),
    }
    if url and not picture:
        del requests["openai"]
    return requests


def _format(schema: Body) -> dict[str, Body]:
    return {
        "openai": body(
            "openai", response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        ),
        "responses": body("responses", text={"format": {"type": "json_schema", "name": "x", "schema": schema}}),
        "anthropic": body("anthropic", output_config={"format": {"type": "json_schema", "schema": schema}}),
        "gemini": _config(responseMimeType="application/json", responseJsonSchema=schema),
    }


SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
CASES: tuple[Case, ...] = (
    ("system text", {
        "openai": body("openai", messages=[{"role": "system", "content": "Be short"}]),
        "responses": body("responses", instructions="Be short"), "anthropic": body("anthropic", system="Be short"),
        "gemini": body("gemini", systemInstruction={"parts": [{"text": "Be short"}]})}, "Be short"),
    ("limit of output", {
        "openai": body("openai", max_tokens=777), "responses": body("responses", max_output_tokens=777),
        "anthropic": body("anthropic", max_tokens=777), "gemini": _config(maxOutputTokens=777)}, "777"),
    ("temperature", {name: body(name, temperature=0.375) for name in NAMES[:3]} | {
        "gemini": _config(temperature=0.375)}, "0.375"),
    ("top_k", {"anthropic": body("anthropic", top_k=7531), "gemini": _config(topK=7531)}, "7531"),
    ("stop sequences", {
        "openai": body("openai", stop=["THE END"]), "anthropic": body("anthropic", stop_sequences=["THE END"]),
        "gemini": _config(stopSequences=["THE END"])}, "THE END"),
    ("seed", {"openai": body("openai", seed=7531), "gemini": _config(seed=7531)}, "7531"),
    ("logit_bias", {"openai": body("openai", logit_bias={"50256": -100})}, "50256"),
    ("several answers", {"openai": body("openai", n=2), "gemini": _config(candidateCount=2)}, ": 2"),
    ("log probabilities", {
        "openai": body("openai", logprobs=True), "responses": body("responses", top_logprobs=3),
        "gemini": _config(responseLogprobs=True)}, "logprobs"),
    ("picture, bytes", _files(url=False, media_type="image/png", data=PNG), PNG),
    ("picture, address", _files(url=True, media_type="image/png", data=""), URL),
    ("document, bytes", _files(url=False, media_type="application/pdf", data=PDF), PDF),
    ("document, address", _files(url=True, media_type="application/pdf", data=""), URL),
    ("sound", {
        "openai": saying("openai", SOUND),
        "gemini": saying("gemini", {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}})}, "UklGRg=="),
    ("functions", {name: body(name, tools=[tool(name, "get_weather", SCHEMA)]) for name in NAMES}, "get_weather"),
    ("functions with long names", {name: body(name, tools=[tool(name, LONG, SCHEMA)]) for name in NAMES}, LONG[:40]),
    ("functions without a schema", {name: body(name, tools=[tool(name, "f", {})]) for name in NAMES}, '"object"'),
    ("choice of a function", _choice("get_weather"), "get_weather"),
    ("custom tools", {
        "openai": body("openai", tools=[{"type": "custom", "custom": {"name": "apply_patch"}}]),
        "responses": body("responses", tools=[{"type": "custom", "name": "apply_patch"}])}, "apply_patch"),
    ("tools in namespaces", {"responses": body("responses", tools=[
        {"type": "namespace", "name": "agents", "tools": [tool("responses", "spawn", SCHEMA)]}])}, "agents__spawn"),
    ("tools of the vendor's own", {
        "responses": body("responses", tools=[{"type": "web_search"}]),
        "anthropic": body("anthropic", tools=[{"type": "web_search_20250305", "name": "web_search"}]),
        "gemini": body("gemini", tools=[{"googleSearch": {}}])}, "earch"),
    ("calls and results", {
        name: history(name, *called(name, "f", result="18 degrees")) for name in NAMES}, "18 degrees"),
    ("calls without results", {name: history(name, called(name, "f")[0]) for name in NAMES}, "(no result)"),
    ("cut arguments in the history", {
        name: history(name, *called(name, "f", arguments='{"a": 1')) for name in NAMES[:2]}, "_raw"),
    ("JSON by a schema", _format(SCHEMA), "Name of the city"),
    ("thinking", {
        "openai": body("openai", reasoning_effort="high"), "responses": body("responses", reasoning={"effort": "high"}),
        "anthropic": body("anthropic", thinking={"type": "adaptive"}, output_config={"effort": "high"}),
        "gemini": _config(thinkingConfig={"thinkingLevel": "HIGH"})}, "high"),
    ("marks for the cache", {
        "openai": saying("openai", {"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}),
        "anthropic": saying("anthropic", {"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}})},
     "ephemeral"),
    ("user", {
        "openai": body("openai", user="user-7531"), "responses": body("responses", user="user-7531"),
        "anthropic": body("anthropic", metadata={"user_id": "user-7531"})}, "user-7531"),
    ("state at the upstream", {
        "responses": body("responses", conversation="resp_7531"),
        "anthropic": body("anthropic", container="resp_7531"),
        "gemini": body("gemini", cachedContent="resp_7531")}, "resp_7531"),
)  # fmt: skip


def outcome(source: str, target: str, request: Body, sign: str) -> str:
    """What becomes of a request, in the matrix's words."""
    try:
        made = translate(source, target, request)
    except Failure as failure:
        return f"*refused*: `{failure.param or failure.message}`"
    judge_request(target, made)
    return "**yes**" if sign.lower() in json.dumps(made).lower() else "*dropped*"


def matrix() -> str:
    pairs = [(source, target) for source in NAMES for target in NAMES if source != target]
    lines = [
        "| | " + " | ".join(f"{SHORT[source]} → {SHORT[target]}" for source, target in pairs) + " |",
        "| --- " * (len(pairs) + 1) + "|",
    ]
    for what, requests, sign in CASES:
        cells = [
            outcome(source, target, requests[source], sign) if source in requests else "–" for source, target in pairs
        ]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return HEAD + "\n".join(lines) + "\n"


ANSWERS = """
## Answers

Streams as upstreams send them, and what a caller of each format hears: **right**, the whole answer with its calls and
one end; *an error*: one, with the words that follow. A caller of the upstream's own format gets its events as they
are (–).

"""


def _streams() -> Iterator[tuple[str, str, list[bytes], str | Said]]:
    """Yield what an upstream's stream is like, its format, its events, and the text and calls, or an error's words."""
    for name, events, calls in FORMS:
        text = "Hi" if name.startswith("whole calls") else ""
        events = [*events, chunk({}, "tool_calls"), COUNTED]
        yield f"calls: {name}", "openai", sse(*events, DONE), (text, calls)
    for name, events in ENDINGS:
        yield f"ends {name}", "openai", sse(*events), ("Hello", [])
    for name, events, text, calls in ITEMS:
        yield name, "responses", sse(CREATED, *events), (text, calls)
    for name, events in TAILS:
        yield f"ends {name}", "gemini", sse(*events), ("Hello", [])
    for target, reason in FAILED:
        yield f"ends with `{reason}`", target, ending(target, reason)[1], f"The model stopped: {reason}"


def _heard(source: str, target: str, events: list[bytes], wanted: str | Said) -> str:
    shown = run(source, target, events)
    if isinstance(wanted, str):
        assert errors(shown) == 1, (source, target, events)
        assert wanted in shown[-1].decode()
        return f"*an error*: {wanted}"
    judge_events(source, shown)
    read = read_stream(source, shown)
    assert (text_of(read).strip(), said(read)) == wanted, (source, target, events)
    assert errors(shown) == 0
    return "**right**"


def answers() -> str:
    lines = [
        "| upstream | its stream | " + " | ".join(SHORT[source] for source in NAMES) + " |",
        "| --- " * (len(NAMES) + 2) + "|",
    ]
    for what, target, events, wanted in _streams():
        cells = ["–" if source == target else _heard(source, target, events, wanted) for source in NAMES]
        lines.append(f"| {SHORT[target]} | {what} | " + " | ".join(cells) + " |")
    return ANSWERS + "\n".join(lines) + "\n"


def test_the_matrix_is_what_the_translators_do() -> None:
    found = matrix() + answers()
    if os.environ.get("WRITE_MATRIX"):
        PAGE.write_text(found)
    assert PAGE.read_text() == found


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_each_case_holds_its_sign(case: Case) -> None:
    what, requests, sign = case
    for request in requests.values():
        if what not in ("functions without a schema", "calls without results", "cut arguments in the history"):
            shown = json.dumps(request).lower()
            assert sign.lower() in shown or all(word in shown for word in sign.lower().split("__")), what
