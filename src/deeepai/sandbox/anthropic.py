"""Anthropic's messages, stood in for: texts, thinking, tools, structured outputs, streams, counts, models.

Source: Anthropic's API reference and errors page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from .vendor import Answer, Call, Refusal, RefusedError, Route, Stream, Vendor, bearer, digest_of, json_answer
from .words import count_of, instance_of, reply_to, tokens_of

MODELS: Mapping[str, tuple[str, str]] = {
    "claude-opus-4-5": ("Claude Opus 4.5", "2025-11-01T00:00:00Z"),
    "claude-sonnet-4-5": ("Claude Sonnet 4.5", "2025-09-29T00:00:00Z"),
    "claude-haiku-4-5": ("Claude Haiku 4.5", "2025-10-15T00:00:00Z"),
}
CONTEXT = 200_000
_IMAGE_TOKENS = 1600
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
FAILURE = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'


def _error(call: Call, status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    kind = _ERRORS.get(status, "api_error")
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": _request_id(call)}
    return json_answer(body, status, headers)


def _request_id(call: Call) -> str:
    return "req_" + digest_of("request", call.fingerprint(), call.started).hex()[:24]


def _invalid(call: Call, message: str) -> RefusedError:
    return RefusedError(_error(call, 400, message))


def _refuse(call: Call, why: Refusal) -> Answer:
    match why.kind:
        case "unauthorized":
            return _error(call, 401, "invalid x-api-key")
        case "moderated":
            return _error(call, 400, "Output blocked by content filtering policy")
        case "rate_limited":
            wait = str(call.triggers.integer("rate-limit", 1))
            return _error(call, 429, "This request would exceed your rate limit.", {"retry-after": wait})
        case "server_error":
            status = why.status if why.status != 503 else 529
            return _error(call, status, "Overloaded" if status == 529 else "Internal server error")
        case "bad_request" | "not_found" | "too_large":
            return _error(call, why.status, why.message)


def _credential(request: web.Request) -> str:
    return request.headers.get("x-api-key", "") or bearer(request)


# What was asked ----------------------------------------------------------------------------------------------------


def _model(call: Call, body: Mapping[str, Any]) -> str:
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise _invalid(call, "model: Field required")
    if not name.startswith(("claude-", "sandbox-")):
        raise RefusedError(_error(call, 404, f"model: {name}"))
    return name


def _checked(call: Call) -> dict[str, Any]:
    if not call.request.headers.get("anthropic-version"):
        raise _invalid(call, "anthropic-version: header is required")
    body = call.json
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _invalid(call, "messages: at least one message is required")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
            raise _invalid(call, f"messages.{number}.role: Input should be 'user' or 'assistant'")
        if not isinstance(message.get("content"), str | list):
            raise _invalid(call, f"messages.{number}.content: Input should be a valid string or list")
    return body


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _said(blocks: Sequence[Mapping[str, Any]]) -> str:
    found: list[str] = []
    for block in blocks:
        if block.get("type") == "text":
            found.append(str(block.get("text", "")))
        elif block.get("type") == "tool_result":
            found.append("the tool's answer: " + _said(_blocks(block.get("content") or "")))
    return " ".join(found)


def _prompt_tokens(body: Mapping[str, Any]) -> int:
    tokens = count_of(_said(_blocks(body.get("system") or "")))
    for message in body["messages"]:
        for block in _blocks(message["content"]):
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
            raise _invalid(call, f"Tool '{choice.get('name')}' not found in provided tools")
        return named
    answered = any(block.get("type") == "tool_result" for block in last)
    return tools[0] if choice.get("type") == "any" or ("[tool]" in _said(last) and not answered) else None


def _content(call: Call, body: Mapping[str, Any], limit: int) -> tuple[list[dict[str, Any]], str, int]:
    """Return the answer's blocks, why it stops, and its tokens."""
    digest = digest_of(body["model"], msgspec.json.encode(body["messages"]))
    last = _blocks(body["messages"][-1]["content"])
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
    body = _checked(call)
    name = _model(call, body)
    limit = body.get("max_tokens")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise _invalid(call, "max_tokens: Field required" if limit is None else "max_tokens: must be at least 1")
    temperature = body.get("temperature")
    if temperature is not None and not (isinstance(temperature, int | float) and 0 <= temperature <= 1):
        raise _invalid(call, "temperature: range: 0..1")
    prompt = _prompt_tokens(body)
    if prompt > CONTEXT:
        raise _invalid(call, f"prompt is too long: {prompt} tokens > {CONTEXT} maximum")
    blocks, reason, output = _content(call, body, limit)
    sequence = blocks[-1].pop("stop", None)
    cached = min(prompt, call.triggers.integer("cached", 0))
    marked = b'"cache_control"' in call.body and not cached
    usage: dict[str, Any] = {
        "input_tokens": 0 if marked else prompt - cached,
        "cache_creation_input_tokens": prompt if marked else 0,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": prompt if marked else 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    }
    head: dict[str, Any] = {
        "id": "msg_" + call.world.ids.hex(24),
        "type": "message",
        "role": "assistant",
        "model": name,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1},
    }
    if body.get("stream"):
        return Stream(_events(call, head, blocks, reason, sequence, output), FAILURE)
    await call.work(0.3 + 0.02 * output)
    whole = {**head, "content": blocks, "stop_reason": reason, "stop_sequence": sequence, "usage": usage}
    if "no-usage" in call.triggers:
        del whole["usage"]
    return json_answer(whole)


def _event(value: Mapping[str, Any]) -> bytes:
    return b"event: " + value["type"].encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"


def _events(
    call: Call, head: dict[str, Any], blocks: list[dict[str, Any]], reason: str, sequence: str | None, output: int
) -> list[bytes]:
    silent = "no-usage" in call.triggers
    if silent:
        head = {key: value for key, value in head.items() if key != "usage"}
    found = [_event({"type": "message_start", "message": head})]
    for index, block in enumerate(blocks):
        kind = block["type"]
        empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}[kind]
        found.append(_event({"type": "content_block_start", "index": index, "content_block": {**block, **empty}}))
        if index == 0:
            found.append(_event({"type": "ping"}))
        if kind == "tool_use":
            pieces = tokens_of(msgspec.json.encode(block["input"]).decode())
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        elif kind == "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in tokens_of(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        else:
            deltas = [{"type": "text_delta", "text": piece} for piece in tokens_of(block["text"])]
        found += [_event({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas]
        found.append(_event({"type": "content_block_stop", "index": index}))
    end: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": sequence}}
    if not silent:
        end["usage"] = {"output_tokens": output}
    return [*found, _event(end), _event({"type": "message_stop"})]


async def count_tokens(call: Call) -> Answer:
    """`POST /v1/messages/count_tokens`."""
    body = _checked(call)
    _model(call, body)
    return json_answer({"input_tokens": _prompt_tokens(body)})


def _card(name: str) -> dict[str, Any]:
    shown, created = MODELS[name]
    return {"type": "model", "id": name, "display_name": shown, "created_at": created}


async def models(call: Call) -> Answer:
    """`GET /v1/models`."""
    names = list(MODELS)
    return json_answer(
        {"data": [_card(name) for name in names], "has_more": False, "first_id": names[0], "last_id": names[-1]}
    )


async def model(call: Call) -> Answer:
    """`GET /v1/models/{id}`."""
    name = call.params["id"]
    if name not in MODELS:
        raise RefusedError(_error(call, 404, f"model: {name}"))
    return json_answer(_card(name))


VENDOR = Vendor(
    name="anthropic",
    routes=(
        Route("POST", "/v1/messages", messages),
        Route("POST", "/v1/messages/count_tokens", count_tokens),
        Route("GET", "/v1/models", models),
        Route("GET", "/v1/models/{id}", model),
    ),
    credential=_credential,
    refuse=_refuse,
    headers=lambda call: {"request-id": _request_id(call)},
    at_root=False,
)
