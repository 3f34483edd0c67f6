"""OpenAI: chat, completions, embeddings, models; the images are in `images`.

Source: OpenAI's OpenAPI document 2.3.0. A token is counted for each four bytes of text.
"""

from __future__ import annotations

import base64
import math
import random
import time
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...media.words import count_of, instance_of, reply_to, tokens_of
from ...tools import next_tool
from ...vendor import Answer, Call, Refusal, Route, Stream, Vendor, bearer, digest_of, json_answer
from . import (
    assistants,
    audio,
    batches,
    images,
    misc,
    objects,
    pictures_in_chat,
    realtime,
    responses,
    vectors,
    videos,
)
from .common import error, invalid, model_of, request_headers, tier_of
from .refusals import check_chat, check_completion

MODELS: Mapping[str, int] = {
    "babbage-002": 1692634615,
    "chatgpt-4o-latest": 1723515131,
    "dall-e-2": 1698798177,
    "dall-e-3": 1698785189,
    "davinci-002": 1692634301,
    "gpt-3.5-turbo": 1677610602,
    "gpt-3.5-turbo-instruct": 1692901427,
    "gpt-4": 1687882411,
    "gpt-4.1": 1744316542,
    "gpt-4.1-mini": 1744318173,
    "gpt-4o": 1715367049,
    "gpt-4o-mini": 1721172741,
    "gpt-5": 1754425777,
    "gpt-5-mini": 1754425928,
    "gpt-image-1": 1745517030,
    "gpt-image-1-mini": 1758845821,
    "o1": 1734375816,
    "o3": 1744225308,
    "o4-mini": 1744225351,
    "sandbox-chat": 1700000000,
    "text-embedding-3-large": 1705953180,
    "text-embedding-3-small": 1705948997,
    "text-embedding-ada-002": 1671217299,
}
DIMENSIONS: Mapping[str, int] = {"text-embedding-3-large": 3072}
"""Length of a vector where it is not 1536."""
CONTEXT = 128_000
"""Tokens that a prompt may have."""
CONTEXTS: Mapping[str, int] = {"gpt-4": 8_192, "gpt-3.5-turbo": 16_385}
"""Where it is less."""
IMAGE_TOKENS = 85
FILE_TOKENS = 512
TEXT_FAILURE = (
    b'data: {"error":{"message":"The server had an error while processing your request.","type":"server_error",'
    b'"param":null,"code":null}}\n\n'
)
DONE = b"data: [DONE]\n\n"


async def models(call: Call) -> Answer:
    """`GET /v1/models`."""
    return json_answer({"object": "list", "data": [_model(name) for name in MODELS]})


async def model(call: Call) -> Answer:
    """`GET /v1/models/{id}`."""
    return json_answer(_model(model_of(call, "any", call.params["id"])))


async def chat(call: Call) -> Answer | Stream:
    """`POST /v1/chat/completions`."""
    body = call.json
    name = model_of(call, "chat", body.get("model"))
    check_chat(body, name)
    messages: list[dict[str, Any]] = body["messages"]
    prompt_tokens = sum(_tokens_in(message) for message in messages)
    if body.get("tools"):
        prompt_tokens += count_of(msgspec.json.encode(body["tools"]).decode())
    context = CONTEXTS.get(name, CONTEXT)
    if prompt_tokens > context:
        raise invalid(
            f"This model's maximum context length is {context} tokens. However, your messages resulted in "
            f"{prompt_tokens} tokens.",
            "messages",
            "context_length_exceeded",
        )
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    digest = digest_of(name, messages, body.get("seed"))
    choices = [_choice(call, digest_of(digest, index), limit) for index in range(body.get("n") or 1)]
    for index, choice in enumerate(choices):
        choice["index"] = index
    usage = _usage(call, prompt_tokens, sum(len(choice["tokens"]) for choice in choices))
    head = {
        "id": f"chatcmpl-{call.world.ids.hex(29)}",
        "object": "chat.completion",
        "created": int(call.world.clock.wall()),
        "model": pictures_in_chat.answered_as(name),
        "service_tier": tier_of(body),
        "system_fingerprint": "fp_sandbox",
    }
    whole = {**head, "choices": [_whole_choice(call, choice) for choice in choices]}
    if body.get("store"):
        objects.keep_completion(call, {**whole, "usage": usage}, messages)
    if body.get("stream"):
        return _chat_stream(call, head, choices, usage)
    await call.work(0.3 + 0.02 * usage["completion_tokens"])
    return json_answer(whole if "no-usage" in call.triggers else {**whole, "usage": usage})


async def completions(call: Call) -> Answer | Stream:
    """`POST /v1/completions`."""
    body = call.json
    name = model_of(call, "chat", body.get("model"))
    prompt = body.get("prompt", "<|endoftext|>")
    if not isinstance(prompt, str | list) or prompt == []:
        raise invalid("Invalid 'prompt': expected a text or an array.", "prompt", "invalid_type")
    check_completion(body, name)
    prompts: list[Any] = [prompt] if isinstance(prompt, str) or isinstance(prompt[0], int) else prompt
    count = body.get("n") or 1
    if (body.get("best_of") or count) < count:
        raise invalid("You requested that best_of be less than n.", "best_of", "invalid_value")
    limit = body["max_tokens"] if body.get("max_tokens") is not None else 16
    pieces: list[tuple[list[str], str]] = []
    for one in prompts:
        said = one if isinstance(one, str) else f"{len(one)} tokens"
        for index in range(count):
            text = reply_to(said, digest_of(name, one, index, body.get("seed")), _wanted(call))
            tokens, reason = _limited(text, body.get("stop"), limit)
            pieces.append(([*tokens_of(said), *tokens] if body.get("echo") else tokens, reason))
    prompt_tokens = sum(count_of(one) if isinstance(one, str) else len(one) for one in prompts)
    usage = _usage(call, prompt_tokens, sum(len(tokens) for tokens, _ in pieces))
    head = {
        "id": f"cmpl-{call.world.ids.hex(29)}",
        "object": "text_completion",
        "created": int(call.world.clock.wall()),
        "model": name,
        "system_fingerprint": "fp_sandbox",
    }
    wants = body.get("logprobs")
    if body.get("stream"):
        chunks: list[dict[str, Any]] = []
        for index, (tokens, reason) in enumerate(pieces):
            chunks += [_text_choice(index, [token], None, wants) for token in tokens]
            chunks.append(_text_choice(index, [], reason, None))
        return _stream(call, head, chunks, usage)
    await call.work(0.3 + 0.02 * usage["completion_tokens"])
    choices = [_text_choice(index, tokens, reason, wants) for index, (tokens, reason) in enumerate(pieces)]
    whole = {**head, "choices": choices}
    return json_answer(whole if "no-usage" in call.triggers else {**whole, "usage": usage})


async def embeddings(call: Call) -> Answer:
    """`POST /v1/embeddings`: unit vectors that follow from the content."""
    body = call.json
    name = model_of(call, "embedding", body.get("model"))
    given = body.get("input")
    if given is None:
        raise invalid("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    inputs: list[Any] = [given] if isinstance(given, str) or (given and isinstance(given[0], int)) else given
    if not isinstance(given, str | list) or not inputs or len(inputs) > 2048 or not all(inputs):
        raise invalid("Invalid 'input': 1 to 2048 items, none of them empty, are allowed.", "input", "invalid_value")
    form = body.get("encoding_format") or "float"
    if form not in {"float", "base64"}:
        raise invalid("Invalid value for 'encoding_format'.", "encoding_format", "invalid_value")
    longest = DIMENSIONS.get(name, 1536)
    dimensions = body.get("dimensions")
    if dimensions is not None and (name == "text-embedding-ada-002" or not 1 <= dimensions <= longest):
        raise invalid(f"Invalid 'dimensions' for {name}.", "dimensions", "invalid_value")
    tokens = sum(count_of(one) if isinstance(one, str) else len(one) for one in inputs)
    await call.work(0.2)
    data: list[dict[str, Any]] = []
    for index, one in enumerate(inputs):
        vector = _vector(digest_of(name, one), longest, dimensions or longest)
        value = base64.b64encode(array("f", vector).tobytes()).decode() if form == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": value})
    answer: dict[str, Any] = {"object": "list", "data": data, "model": name}
    if "no-usage" not in call.triggers:
        answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json_answer(answer)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": MODELS.get(name, 1700000000), "owned_by": "openai"}


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _text_of(message: Mapping[str, Any]) -> str:
    return " ".join(str(part.get("text", "")) for part in _parts(message) if part.get("type") == "text")


def _tokens_in(message: Mapping[str, Any]) -> int:
    kinds = [part.get("type") for part in _parts(message)]
    calls = message.get("tool_calls")
    return (
        count_of(_text_of(message))
        + IMAGE_TOKENS * kinds.count("image_url")
        + FILE_TOKENS * kinds.count("file")
        + (count_of(msgspec.json.encode(calls).decode()) if calls else 0)
    )


def _wanted(call: Call) -> int | None:
    return call.triggers.integer("tokens", 0) if "tokens" in call.triggers else None


def _limited(text: str, stop: Any, limit: int | None) -> tuple[list[str], str]:
    for sequence in [stop] if isinstance(stop, str) else stop or []:
        text = text.partition(sequence)[0]
    tokens = tokens_of(text)
    if limit is not None and len(tokens) > limit:
        return tokens[:limit], "length"
    return tokens, "stop"


def _choice(call: Call, digest: bytes, limit: int | None) -> dict[str, Any]:
    """Return one choice: its tokens, why it ended, and the tool that it calls, if any."""
    body = call.json
    last = body["messages"][-1]
    said = next((_text_of(one) for one in reversed(body["messages"]) if one.get("role") == "user"), "")
    if (tool := _tool_called(body, last, said)) is not None:
        arguments = msgspec.json.encode(instance_of(tool.get("parameters") or {"type": "object"})).decode()
        identity = "call_" + digest.hex()[:24]
        return {"tool": tool["name"], "call_id": identity, "tokens": tokens_of(arguments), "reason": "tool_calls"}
    if "moderated-output" in call.triggers:
        return {"tool": None, "tokens": [], "reason": "content_filter"}
    drawn = pictures_in_chat.pieces(call, body["model"], said, digest)
    if drawn is not None:
        return {"tool": None, "tokens": drawn, "reason": "stop"}
    form: dict[str, Any] = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        text = msgspec.json.encode(instance_of(form.get("json_schema", {}).get("schema", {}))).decode()
    elif form.get("type") == "json_object":
        text = msgspec.json.encode({"test_mode": True, "echo": said[:160]}).decode()
    else:
        heard = f"the tool's answer: {_text_of(last)}" if last.get("role") == "tool" else said
        text = reply_to(heard, digest, _wanted(call))
    tokens, reason = _limited(text, body.get("stop"), limit)
    return {"tool": None, "tokens": tokens, "reason": reason}


def _tool_called(body: Mapping[str, Any], last: Mapping[str, Any], said: str) -> dict[str, Any] | None:
    tools = {tool["function"]["name"]: tool["function"] for tool in body.get("tools") or [] if "function" in tool}
    choice = body.get("tool_choice") or "auto"
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools") or {}
        wanted = [tool.get("function", {}).get("name") for tool in allowed.get("tools") or ()]
        tools = {name: tool for name, tool in tools.items() if name in wanted}
        choice = allowed.get("mode") or "auto"
    if not tools or choice == "none":
        return None
    if isinstance(choice, dict):
        wanted = choice.get("function", {}).get("name")
        if wanted not in tools:
            raise invalid(f"Tool choice 'function' not found in 'tools' parameter: {wanted}", "tool_choice", None)
        return tools[wanted]
    if choice == "required" or ("[tool]" in said and last.get("role") == "user"):
        return tools[next_tool(list(tools), _called(body["messages"]))]
    return None


def _called(messages: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names of the functions that were called since the user's last message."""
    called: set[str] = set()
    for message in reversed(messages):
        if message.get("role") == "user":
            break
        called |= {call["function"]["name"] for call in message.get("tool_calls") or () if "function" in call}
    return called


def _usage(call: Call, prompt: int, completion: int) -> dict[str, Any]:
    triggers = call.triggers
    reasoning = triggers.integer("reasoning", 0)
    completion += reasoning
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": min(prompt, triggers.integer("cached", 0)), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _logprob(token: str, others: int) -> dict[str, Any]:
    value = -(digest_of(token)[0] + 1) / 256
    tops = [(token, value), *((f"{token}~{number}", value - number) for number in range(1, 20))][:others]
    return {
        "token": token,
        "logprob": value,
        "bytes": list(token.encode()),
        "top_logprobs": [{"token": name, "logprob": lp, "bytes": list(name.encode())} for name, lp in tops],
    }


def _logprobs(call: Call, tokens: list[str]) -> dict[str, Any] | None:
    if not call.json.get("logprobs"):
        return None
    others = call.json.get("top_logprobs") or 0
    return {"content": [_logprob(token, others) for token in tokens], "refusal": None}


def _whole_choice(call: Call, choice: dict[str, Any]) -> dict[str, Any]:
    text = "".join(choice["tokens"])
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    if choice["tool"] is not None:
        function = {"name": choice["tool"], "arguments": text}
        message |= {
            "content": None,
            "tool_calls": [{"id": choice["call_id"], "type": "function", "function": function}],
        }
    return {
        "index": choice["index"],
        "message": message,
        "logprobs": None if choice["tool"] else _logprobs(call, choice["tokens"]),
        "finish_reason": choice["reason"],
    }


def _chat_stream(
    call: Call, head: Mapping[str, Any], choices: list[dict[str, Any]], usage: Mapping[str, Any]
) -> Stream:
    chunks: list[dict[str, Any]] = []

    def add(index: int, delta: dict[str, Any], logprobs: Any = None, reason: str | None = None) -> None:
        chunks.append({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason})

    for choice in choices:
        index, tokens = choice["index"], choice["tokens"]
        if choice["tool"] is None:
            add(index, {"role": "assistant", "content": "", "refusal": None})
            for token in tokens:
                add(index, {"content": token}, _logprobs(call, [token]))
        else:
            function = {"name": choice["tool"], "arguments": ""}
            first = {"index": 0, "id": choice["call_id"], "type": "function", "function": function}
            add(index, {"role": "assistant", "content": None, "tool_calls": [first], "refusal": None})
            for token in tokens:
                add(index, {"tool_calls": [{"index": 0, "function": {"arguments": token}}]})
        add(index, {}, None, choice["reason"])
    return _stream(call, {**head, "object": "chat.completion.chunk"}, chunks, usage)


def _stream(call: Call, head: Mapping[str, Any], chunks: list[dict[str, Any]], usage: Mapping[str, Any]) -> Stream:
    asked = bool((call.json.get("stream_options") or {}).get("include_usage")) and "no-usage" not in call.triggers
    extra: dict[str, Any] = {"usage": None} if asked else {}
    events = [_event({**head, "choices": [chunk], **extra}) for chunk in chunks]
    if asked:
        events.append(_event({**head, "choices": [], "usage": usage}))
    return Stream([*events, DONE], TEXT_FAILURE)


def _event(value: Any) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _text_choice(index: int, tokens: list[str], reason: str | None, wants: int | None) -> dict[str, Any]:
    logprobs = None
    if wants is not None:
        each = [_logprob(token, wants) for token in tokens]
        offsets = [sum(map(len, tokens[:number])) for number in range(len(tokens))]
        logprobs = {
            "tokens": tokens,
            "token_logprobs": [one["logprob"] for one in each],
            "top_logprobs": [{top["token"]: top["logprob"] for top in one["top_logprobs"]} for one in each],
            "text_offset": offsets,
        }
    return {"text": "".join(tokens), "index": index, "logprobs": logprobs, "finish_reason": reason}


def _vector(digest: bytes, longest: int, dimensions: int) -> list[float]:
    # Shorter vectors are the head of the long one, made unit length again, as the vendor's are.
    rng = random.Random(digest)
    raw = [rng.gauss(0, 1) for _ in range(longest)][:dimensions]
    length = math.sqrt(sum(value * value for value in raw))
    return [value / length for value in raw]


def _refuse(call: Call, why: Refusal) -> Answer:
    match why.kind:
        case "unauthorized":
            given = bool(bearer(call.request))
            text = "Incorrect API key provided." if given else "You didn't provide an API key."
            return error(401, text, code="invalid_api_key" if given else None)
        case "moderated":
            of_images = "/images/" in call.request.path
            kind = "image_generation_user_error" if of_images else "invalid_request_error"
            text = "Your request was rejected as a result of our safety system."
            return error(400, text, kind=kind, code="content_policy_violation")
        case "rate_limited":
            wait = call.triggers.integer("rate-limit", 1)
            text = f"Rate limit reached for requests. Please try again in {wait}s."
            headers = {"retry-after": str(wait), "retry-after-ms": str(wait * 1000)}
            return error(429, text, kind="requests", code="rate_limit_exceeded", headers=headers)
        case "server_error":
            kind = "server_error" if why.status >= 500 else "invalid_request_error"
            return error(why.status, f"The server had an error while processing your request: {why.message}", kind=kind)
        case "bad_request" | "not_found" | "too_large":
            return error(why.status, why.message)


def _headers(call: Call) -> dict[str, str]:
    taken = int((time.monotonic() - call.started) * 1000)
    return request_headers(call.world.ids.hex(32), taken)


VENDOR = Vendor(
    name="openai",
    routes=(
        Route("GET", "/v1/models", models),
        Route("GET", "/v1/models/{id}", model),
        Route("POST", "/v1/chat/completions", chat),
        Route("POST", "/v1/completions", completions),
        Route("POST", "/v1/embeddings", embeddings),
        *images.ROUTES,
        *audio.ROUTES,
        *misc.ROUTES,
        *videos.ROUTES,
        *realtime.ROUTES,
        *responses.ROUTES,
        *objects.ROUTES,
        *vectors.ROUTES,
        *assistants.ROUTES,
        *batches.routes(
            {
                "/v1/chat/completions": chat,
                "/v1/completions": completions,
                "/v1/embeddings": embeddings,
                "/v1/responses": responses.create,
            }
        ),
    ),
    credential=realtime.credential,
    credential_headers=("sec-websocket-protocol",),
    refuse=_refuse,
    headers=_headers,
)
