"""Anthropic's messages, stood in for: texts, thinking, tools, structured outputs, streams, counts, batches, models.

Source: Anthropic's API reference and errors page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from ...media.words import count_of, instance_of, reply_to, tokens_of
from ...tools import next_tool
from ...vendor import Answer, Call, Refusal, Route, Stream, Vendor, bearer, digest_of, json_answer
from .batches import routes as batch_routes
from .common import error, invalid, missing, page, request_id, time_at, versioned
from .refusals import Rule, blocks_of, check_counted, check_message

MODELS: Mapping[str, tuple[str, str]] = {
    "claude-opus-4-5": ("Claude Opus 4.5", "2025-11-01T00:00:00Z"),
    "claude-sonnet-4-5": ("Claude Sonnet 4.5", "2025-09-29T00:00:00Z"),
    "claude-haiku-4-5": ("Claude Haiku 4.5", "2025-10-15T00:00:00Z"),
}
CONTEXT = 200_000
_SECOND = "2026-10-21"
_IMAGE_TOKENS = 1600
FAILURE = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'


def _refuse(call: Call, why: Refusal) -> Answer:
    match why.kind:
        case "unauthorized":
            return error(call, 401, "invalid x-api-key")
        case "moderated":
            return error(call, 400, "Output blocked by content filtering policy")
        case "rate_limited":
            wait = str(call.triggers.integer("rate-limit", 1))
            return error(call, 429, "This request would exceed your rate limit.", {"retry-after": wait})
        case "server_error":
            status = why.status if why.status != 503 else 529
            return error(call, status, "Overloaded" if status == 529 else "Internal server error")
        case "bad_request" | "not_found" | "too_large":
            return error(call, why.status, why.message)


def _credential(request: web.Request) -> str:
    return request.headers.get("x-api-key", "") or bearer(request)


# What was asked ----------------------------------------------------------------------------------------------------


def _model(call: Call, body: Mapping[str, Any]) -> str:
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise invalid(call, "model: Field required")
    if not name.startswith(("claude-", "sandbox-")):
        raise missing(call, f"model: {name}")
    return name


def _checked(call: Call, check: Rule) -> dict[str, Any]:
    versioned(call)
    body = call.json
    check(call, body)
    if call.request.headers["anthropic-version"] >= _SECOND:
        _check_second(call, body)
    return body


def _check_second(call: Call, body: Mapping[str, Any]) -> None:
    """Refuse what the second version of the API takes no more."""
    for name in ("temperature", "top_p", "top_k"):
        if name in body:
            raise invalid(call, f"{name}: Extra inputs are not permitted")
    for number, message in enumerate(body["messages"]):
        for block in blocks_of(message["content"]):
            if message["role"] == "assistant" and block.get("type") == "document":
                raise invalid(call, f"messages.{number}: documents stand in messages of the user's")
            if message["role"] == "user" and block.get("type") == "text" and block.get("citations"):
                raise invalid(call, f"messages.{number}: citations stand in messages of the assistant's")


def _said(blocks: Sequence[Mapping[str, Any]]) -> str:
    found: list[str] = []
    for block in blocks:
        if block.get("type") == "text":
            found.append(str(block.get("text", "")))
        elif block.get("type") == "tool_result":
            found.append("the tool's answer: " + _said(blocks_of(block.get("content") or "")))
    return " ".join(found)


def _prompt_tokens(body: Mapping[str, Any]) -> int:
    tokens = count_of(_said(blocks_of(body.get("system") or "")))
    for message in body["messages"]:
        for block in blocks_of(message["content"]):
            if block.get("type") == "text":
                tokens += count_of(str(block.get("text", "")))
            elif block.get("type") in ("image", "document"):
                tokens += _IMAGE_TOKENS
            else:
                tokens += count_of(msgspec.json.encode(block).decode())
    if body.get("tools"):
        tokens += count_of(msgspec.json.encode(body["tools"]).decode())
    return tokens


def _tool(call: Call, body: Mapping[str, Any], last: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    tools = [tool for tool in body.get("tools") or () if isinstance(tool.get("input_schema"), dict)]
    choice: Mapping[str, Any] = body.get("tool_choice") or {"type": "auto"}
    if not tools or choice.get("type") == "none":
        return None
    if choice.get("type") == "tool":
        named = next((tool for tool in tools if tool.get("name") == choice.get("name")), None)
        if named is None:
            raise invalid(call, f"Tool '{choice.get('name')}' not found in provided tools")
        return named
    answered = any(block.get("type") == "tool_result" for block in last)
    if choice.get("type") != "any" and (answered or "[tool]" not in _said(last)):
        return None
    wanted = next_tool([tool["name"] for tool in tools], _called(body["messages"]))
    return next(tool for tool in tools if tool["name"] == wanted)


def _called(messages: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names of the tools that were used since the user last said something."""
    called: set[str] = set()
    for message in reversed(messages):
        blocks = blocks_of(message["content"])
        if message["role"] == "user" and not any(block.get("type") == "tool_result" for block in blocks):
            break
        called |= {block["name"] for block in blocks if block.get("type") == "tool_use"}
    return called


def _server_tool(call: Call, body: Mapping[str, Any], last: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the use of a tool that the vendor runs itself, and what came of it."""
    if "[tool]" not in _said(last):
        return []
    kinds = [str(tool.get("type", "")) for tool in body.get("tools") or ()]
    name = "srvtoolu_" + call.world.ids.hex(24)
    for kind in kinds:
        if kind.startswith("web_search_"):
            result = {
                "type": "web_search_result",
                "title": "A page about it",
                "url": "https://example.com/about",
                "encrypted_content": digest_of(kind).hex(),
                "page_age": "2 days",
            }
            used = {"type": "server_tool_use", "id": name, "name": "web_search", "input": {"query": "about it"}}
            return [used, {"type": "web_search_tool_result", "tool_use_id": name, "content": [result]}]
        if kind.startswith("code_execution_"):
            done = {"type": "code_execution_result", "stdout": "2\n", "stderr": "", "return_code": 0, "content": []}
            used = {"type": "server_tool_use", "id": name, "name": "code_execution", "input": {"code": "print(1 + 1)"}}
            return [used, {"type": "code_execution_tool_result", "tool_use_id": name, "content": done}]
    return []


def _container(call: Call, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the container in which code runs: the one that is named, or a new one."""
    known: dict[str, Any] = call.world.shelves[call.owner, "container"]
    asked = body.get("container")
    name = asked.get("id") if isinstance(asked, dict) else asked
    if name is not None and name not in known:
        raise invalid(call, f"container: '{name}' was not found")
    tools = [str(tool.get("type", "")) for tool in body.get("tools") or ()]
    if name is None and not any(kind.startswith("code_execution_") for kind in tools):
        return None
    if name is None:
        name = "container_" + call.world.ids.hex(24)
    known[name] = {"id": name, "expires_at": time_at(call.world.clock.wall() + 1800)}
    return known[name]


def _content(call: Call, body: Mapping[str, Any], limit: int) -> tuple[list[dict[str, Any]], str, int]:
    """Return the answer's blocks, why it stops, and its tokens."""
    digest = digest_of(body["model"], msgspec.json.encode(body["messages"]))
    last = blocks_of(body["messages"][-1]["content"])
    blocks: list[dict[str, Any]] = []
    tokens = 0
    thinking: Mapping[str, Any] = body.get("thinking") or {}
    if thinking.get("type") in ("enabled", "adaptive"):
        text = f"The user says: {_said(last)[:80]}. This is test mode, so there is little to think about."
        blocks.append({"type": "thinking", "thinking": text, "signature": "c2FuZGJveA" + digest.hex()})
        tokens += count_of(text)
    tool = _tool(call, body, last)
    if tool is not None:
        given = instance_of(tool["input_schema"])
        blocks.append({"type": "tool_use", "id": "toolu_" + digest.hex()[:24], "name": tool["name"], "input": given})
        return blocks, "tool_use", tokens + count_of(msgspec.json.encode(given).decode())
    blocks += _server_tool(call, body, last)
    form: Mapping[str, Any] = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    if form.get("type") == "json_schema":
        text = msgspec.json.encode(instance_of(form.get("schema") or {})).decode()
    else:
        text = reply_to(_said(last), digest, call.triggers.integer("tokens", 0) or None)
    reason, sequence = "end_turn", None
    for stop in body.get("stop_sequences") or ():
        if stop in text:
            text, reason, sequence = text.partition(stop)[0], "stop_sequence", stop
    pieces = tokens_of(text)
    room = max(0, limit - tokens)
    if len(pieces) > room:
        pieces, reason = pieces[:room], "max_tokens"
    if "moderated-output" in call.triggers:
        pieces, reason = [], "refusal"
    blocks.append({"type": "text", "text": "".join(pieces)})
    if sequence is not None:
        blocks[-1]["stop"] = sequence
    return blocks, reason, tokens + len(pieces)


# Operations --------------------------------------------------------------------------------------------------------


async def messages(call: Call) -> Answer | Stream:
    """`POST /v1/messages`."""
    name = _model(call, call.json)
    body = _checked(call, check_message)
    limit: int = body["max_tokens"]
    prompt = _prompt_tokens(body)
    if prompt > CONTEXT:
        raise invalid(call, f"prompt is too long: {prompt} tokens > {CONTEXT} maximum")
    container = _container(call, body)
    blocks, reason, output = _content(call, body, limit)
    sequence = blocks[-1].pop("stop", None)
    cached = min(prompt, call.triggers.integer("cached", 0))
    marked = b'"cache_control"' in call.body and not cached
    written, hour = prompt if marked else 0, b'"1h"' in call.body
    searches = sum(block["type"] == "web_search_tool_result" for block in blocks)
    usage: dict[str, Any] = {
        "input_tokens": 0 if marked else prompt - cached,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0 if hour else written,
            "ephemeral_1h_input_tokens": written if hour else 0,
        },
        "output_tokens": output,
        "server_tool_use": {"web_search_requests": searches, "web_fetch_requests": 0} if searches else None,
        "inference_geo": body.get("inference_geo") or "global",
        "service_tier": "standard",
    }
    if body.get("speed"):
        usage["speed"] = body["speed"]
    advisors = [tool for tool in body.get("tools") or () if str(tool.get("type", "")).startswith("advisor_")]
    if advisors:
        advice = {"type": "advisor_message", "model": advisors[0]["model"], "input_tokens": prompt, "output_tokens": 20}
        usage["iterations"] = [{"type": "message", "input_tokens": prompt, "output_tokens": output}, advice]
    head: dict[str, Any] = {
        "id": "msg_" + call.world.ids.hex(24),
        "type": "message",
        "role": "assistant",
        "model": name,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1, "server_tool_use": None, "iterations": None},
    }
    told = (
        *("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"),
        *("server_tool_use", "iterations"),
    )
    end = {key: usage[key] for key in told if usage.get(key) is not None}
    delta = {"stop_reason": reason, "stop_sequence": sequence}
    if container is not None:
        delta["container"] = container
    if body.get("stream"):
        silent = "no-usage" in call.triggers
        return Stream(_events(head, blocks, {"delta": delta} if silent else {"delta": delta, "usage": end}), FAILURE)
    await call.work(0.3 + 0.02 * output)
    whole = {**head, "content": blocks, **delta, "usage": usage}
    if "no-usage" in call.triggers:
        del whole["usage"]
    return json_answer(whole)


_EMPTY: Mapping[str, Mapping[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
    "server_tool_use": {"input": {}},
}
"""What of a block only its deltas tell."""


def _event(value: Mapping[str, Any]) -> bytes:
    return b"event: " + value["type"].encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"


def _events(head: dict[str, Any], blocks: list[dict[str, Any]], end: Mapping[str, Any]) -> list[bytes]:
    """Return a stream's events; one that ends without usage tells none at its start either."""
    if "usage" not in end:
        head = {key: value for key, value in head.items() if key != "usage"}
    found = [_event({"type": "message_start", "message": head})]
    for index, block in enumerate(blocks):
        kind = block["type"]
        empty = _EMPTY.get(kind, {})
        found.append(_event({"type": "content_block_start", "index": index, "content_block": {**block, **empty}}))
        if index == 0:
            found.append(_event({"type": "ping"}))
        if kind in ("tool_use", "server_tool_use"):
            pieces = tokens_of(msgspec.json.encode(block["input"]).decode())
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        elif kind == "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in tokens_of(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        elif kind == "text":
            deltas = [{"type": "text_delta", "text": piece} for piece in tokens_of(block["text"])]
        else:
            deltas = []
        found += [_event({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas]
        found.append(_event({"type": "content_block_stop", "index": index}))
    return [*found, _event({"type": "message_delta", **end}), _event({"type": "message_stop"})]


async def count_tokens(call: Call) -> Answer:
    """`POST /v1/messages/count_tokens`."""
    _model(call, call.json)
    body = _checked(call, check_counted)
    return json_answer({"input_tokens": _prompt_tokens(body)})


def _card(name: str) -> dict[str, Any]:
    shown, created = MODELS[name]
    return {"type": "model", "id": name, "display_name": shown, "created_at": created}


async def models(call: Call) -> Answer:
    """`GET /v1/models`."""
    versioned(call)
    return page(call, [_card(name) for name in MODELS])


async def model(call: Call) -> Answer:
    """`GET /v1/models/{id}`."""
    name = call.params["id"]
    if name not in MODELS:
        raise missing(call, f"model: {name}")
    return json_answer(_card(name))


VENDOR = Vendor(
    name="anthropic",
    routes=(
        Route("POST", "/v1/messages", messages),
        Route("POST", "/v1/messages/count_tokens", count_tokens),
        *batch_routes(messages),
        Route("GET", "/v1/models", models),
        Route("GET", "/v1/models/{id}", model),
    ),
    credential=_credential,
    credential_headers=("x-api-key",),
    refuse=_refuse,
    headers=lambda call: {"request-id": request_id(call)},
    at_root=False,
)
