"""OpenAI's responses and conversations: deterministic text, tools, the whole sequence of stream events, background."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...media.draw import Picture, render
from ...media.words import count_of, instance_of, reply_to, tokens_of
from ...tools import next_tool
from ...vendor import Answer, Call, RefusedError, Route, Stream, digest_of, json_answer
from .common import error, invalid, model_of, tier_of
from .objects import delete, find, metadata_of, new_id, now, page, shelf
from .response_refusals import check_items, check_response
from .vectors import search

BACKGROUND_SECONDS = 10.0
"""Job seconds that a response in the background takes."""
IMAGE_TOKENS = 85
"""Of a picture that is given."""
FILE_TOKENS = 512
"""Of a document that is given."""
FAILURE = (
    b'event: error\ndata: {"type":"error","code":"server_error","message":"The server had an error while processing '
    b'your request.","param":null,"sequence_number":99}\n\n'
)


# Input -------------------------------------------------------------------------------------------------------------


def text_of(item: Mapping[str, Any]) -> str:
    """Return the text of an input item."""
    content = item.get("content", item.get("output", ""))
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content or () if isinstance(part, dict))


def _given(call: Call) -> list[dict[str, Any]]:
    """Return the input as items with ids.

    Raises
    ------
    RefusedError
        400, 404
    """
    given: Any = call.json.get("input", [])
    if isinstance(given, str):
        part = {"type": "input_text", "text": given}
        given = [{"type": "message", "role": "user", "content": [part]}]
    if not isinstance(given, list):
        raise invalid("Invalid type for 'input'.", "input", "invalid_type")
    items: list[dict[str, Any]] = []
    item: dict[str, Any]
    for item in given:
        if item.get("type") == "item_reference":
            items.append(find(call, "item", item.get("id"), "Item"))
            continue
        for part in item["content"] if isinstance(item.get("content"), list) else ():
            if part.get("file_id") is not None:
                find(call, "file", part["file_id"], "File", "file_id")
        items.append({"type": "message", "id": new_id(call, "msg_"), **item})
    return items


def _before(call: Call) -> list[dict[str, Any]]:
    body = call.json
    if body.get("previous_response_id"):
        name = body["previous_response_id"]
        found = shelf(call, "response").get(name)
        if found is None:
            message = f"Previous response with id '{name}' not found."
            raise RefusedError(error(400, message, param="previous_response_id", code="previous_response_not_found"))
        return [*found["context"], *found["input"], *found["value"]["output"]]
    conversation = body.get("conversation")
    if conversation is not None:
        name = conversation.get("id") if isinstance(conversation, dict) else conversation
        return list(find(call, "conversation", name, "Conversation")["items"])
    return []


# Output ------------------------------------------------------------------------------------------------------------


def _message(call: Call, text: str, annotations: list[dict[str, Any]]) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}
    return {
        "type": "message",
        "id": new_id(call, "msg_"),
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def _output(call: Call, items: list[dict[str, Any]], digest: bytes) -> list[dict[str, Any]]:
    body = call.json
    tools: list[dict[str, Any]] = body.get("tools") or []
    last = items[-1] if items else {}
    said = next((text_of(one) for one in reversed(items) if one.get("role") == "user"), "")
    output: list[dict[str, Any]] = []
    if "reasoning" in call.triggers:
        output.append({"type": "reasoning", "id": new_id(call, "rs_"), "summary": []})
    tool = _tool_called(body, items)
    if tool is not None:
        arguments = msgspec.json.encode(instance_of(tool.get("parameters") or {"type": "object"})).decode()
        call_id = "call_" + digest.hex()[:24]
        made = {"type": "function_call", "id": new_id(call, "fc_"), "call_id": call_id, "name": tool["name"]}
        return [*output, {**made, "arguments": arguments, "status": "completed"}]
    annotations: list[dict[str, Any]] = []
    for one in tools:
        if str(one.get("type")).startswith("web_search"):
            action = {"type": "search", "query": said, "sources": []}
            output.append(
                {"type": "web_search_call", "id": new_id(call, "ws_"), "status": "completed", "action": action}
            )
        elif one.get("type") == "file_search":
            results = [found for name in one.get("vector_store_ids") or () for found in search(call, name, said, 5)]
            output.append(
                {
                    "type": "file_search_call",
                    "id": new_id(call, "fs_"),
                    "status": "completed",
                    "queries": [said],
                    "results": None,
                }
            )
            annotations += [
                {"type": "file_citation", "index": 0, "file_id": found["file_id"], "filename": found["filename"]}
                for found in results[:1]
            ]
        elif one.get("type") == "image_generation":
            output.append(_drawn(call, one, said, digest))
    form: dict[str, Any] = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        text = msgspec.json.encode(instance_of(form.get("schema", {}))).decode()
    elif form.get("type") == "json_object":
        text = msgspec.json.encode({"test_mode": True, "echo": said[:160]}).decode()
    else:
        heard = f"the tool's answer: {text_of(last)}" if last.get("type") == "function_call_output" else said
        tokens = call.triggers.integer("tokens", 0) if "tokens" in call.triggers else None
        text = reply_to(heard, digest, tokens)
    return [*output, _message(call, text, annotations)]


def _tool_called(body: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    tools = {tool["name"]: tool for tool in body.get("tools") or () if tool.get("type") == "function"}
    choice = body.get("tool_choice") or "auto"
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = [tool.get("name") for tool in choice.get("tools") or ()]
        tools = {name: tool for name, tool in tools.items() if name in allowed}
        choice = choice.get("mode") or "auto"
    if isinstance(choice, dict) and choice.get("type") == "function":
        if choice.get("name") not in tools:
            raise invalid("Tool choice 'function' not found in 'tools' parameter.", "tool_choice", "invalid_value")
        return tools[choice["name"]]
    start = next((place for place in range(len(items), 0, -1) if items[place - 1].get("role") == "user"), 0)
    asked = start == len(items) and bool(items) and "[tool]" in text_of(items[-1])
    if not tools or not (choice == "required" or (choice == "auto" and asked)):
        return None
    called = {item["name"] for item in items[start:] if item.get("type") == "function_call"}
    return tools[next_tool(list(tools), called)]


def _drawn(call: Call, tool: dict[str, Any], said: str, digest: bytes) -> dict[str, Any]:
    asked = tool.get("size") or "auto"
    size = "1024x1024" if asked == "auto" else str(asked)
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and 1 <= int(width) <= 4096 and 1 <= int(height) <= 4096):
        raise invalid(f"Invalid value: '{size}'.", "tools[0].size", "invalid_value")
    quality = tool.get("quality") or "auto"
    return {
        "type": "image_generation_call",
        "id": new_id(call, "ig_"),
        "status": "completed",
        "action": "generate",
        "background": "opaque",
        "output_format": "png",
        "quality": "medium" if quality == "auto" else quality,
        "result": b64encode(render(Picture(int(width), int(height), said, digest))).decode(),
        "revised_prompt": said,
        "size": size,
    }


def _tokens_in(item: Mapping[str, Any]) -> int:
    counted = count_of(text_of(item))
    held = item.get("content", item.get("output"))
    for part in held if isinstance(held, list) else ():
        if part.get("type") == "input_image":
            counted += IMAGE_TOKENS
        elif part.get("type") == "input_file":
            counted += FILE_TOKENS
    return counted


def _usage(call: Call, items: list[dict[str, Any]], output: list[dict[str, Any]]) -> dict[str, Any]:
    counted = sum(_tokens_in(item) for item in items) + count_of(str(call.json.get("instructions") or ""))
    reasoning = call.triggers.integer("reasoning", 0)
    written = reasoning + sum(count_of(text_of(item) or item.get("arguments", "")) for item in output)
    return {
        "input_tokens": counted,
        "input_tokens_details": {
            "cached_tokens": min(counted, call.triggers.integer("cached", 0)),
            "cache_write_tokens": 0,
        },
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": counted + written,
    }


def _value(call: Call, name: str) -> dict[str, Any]:
    """Return a response that has just begun."""
    body = call.json
    conversation = body.get("conversation")
    if isinstance(conversation, str):
        conversation = {"id": conversation}
    return {
        "id": new_id(call, "resp_"),
        "object": "response",
        "created_at": now(call),
        "status": "in_progress",
        "background": bool(body.get("background")),
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": name,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "conversation": conversation,
        "reasoning": {"effort": None, "summary": None},
        "store": body.get("store") is not False,
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "service_tier": tier_of(body),
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation") or "disabled",
        "usage": None,
        **({"user": body["user"]} if body.get("user") else {}),
        "metadata": metadata_of(body),
    }


def _limited(call: Call, whole: dict[str, Any]) -> None:
    limit = call.json.get("max_output_tokens")
    last = whole["output"][-1]
    if limit is None or last["type"] != "message" or whole["usage"]["output_tokens"] <= limit:
        return
    part = last["content"][0]
    part["text"] = "".join(tokens_of(part["text"])[:limit])
    last["status"] = "incomplete"
    whole |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    whole["usage"] |= {
        "output_tokens": limit,
        "total_tokens": whole["usage"]["input_tokens"] + limit,
    }


# Operations --------------------------------------------------------------------------------------------------------


async def create(call: Call) -> Answer | Stream:
    """`POST /v1/responses`."""
    body = call.json
    name = model_of(call, "chat", body.get("model"))
    if body.get("input") is None and body.get("prompt") is None and not body.get("conversation"):
        raise invalid("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    check_response(body, name)
    context, given = _before(call), _given(call)
    check_items([*context, *given])
    begun = _value(call, name)
    items = [*context, *given]
    output = _output(call, items, digest_of(name, [text_of(item) for item in items]))
    whole: dict[str, Any] = {**begun, "status": "completed", "output": output, "usage": _usage(call, items, output)}
    _limited(call, whole)
    if "no-usage" in call.triggers:
        whole["usage"] = None
    background = bool(body.get("background"))
    if background and not whole["store"]:
        raise invalid("Background responses must be stored.", "background", "invalid_value")
    kept: dict[str, Any] = {"value": whole, "input": given, "context": context, "ready": 0.0, "begun": begun}
    if background:
        kept["ready"] = call.world.clock.now() + BACKGROUND_SECONDS
        if "never-finish" in call.triggers:
            kept["ready"] = float("inf")
        if "fail-midway" in call.triggers:
            fault = {"code": "server_error", "message": "The work failed midway."}
            whole |= {"status": "failed", "error": fault, "output": [], "usage": None}
    if whole["store"]:
        shelf(call, "response")[whole["id"]] = kept
        for item in (*given, *whole["output"]):
            shelf(call, "item")[item["id"]] = item
    if whole["conversation"] is not None:
        conversation = find(call, "conversation", whole["conversation"]["id"], "Conversation")
        conversation["items"] += [*given, *whole["output"]]
    if body.get("stream"):
        return Stream(_events(begun, whole), FAILURE)
    if background:
        return json_answer({**begun, "status": "queued"})
    await call.work(0.3 + 0.02 * (whole["usage"] or {}).get("output_tokens", 20))
    return json_answer(whole)


def _state(call: Call, kept: dict[str, Any]) -> dict[str, Any]:
    if call.world.clock.now() >= kept["ready"]:
        return kept["value"]
    early = kept["ready"] - call.world.clock.now() > BACKGROUND_SECONDS / 2
    return {**kept["begun"], "status": "queued" if early else "in_progress"}


def _kept(call: Call) -> dict[str, Any]:
    name = call.params["id"]
    found = shelf(call, "response").get(name)
    if found is None:
        raise RefusedError(error(404, f"Response with id '{name}' not found.", param=None))
    return found


async def _get(call: Call) -> Answer | Stream:
    kept, query = _kept(call), call.request.query
    if query.get("stream") == "true":
        after = int(query.get("starting_after", "-1"))
        return Stream(_events(kept["begun"], kept["value"])[after + 1 :], FAILURE)
    return json_answer(_state(call, kept))


async def _delete(call: Call) -> Answer:
    _kept(call)
    return delete(call, "response", call.params["id"], "Response", "response")


async def _cancel(call: Call) -> Answer:
    kept = _kept(call)
    if not kept["begun"]["background"]:
        raise invalid("Only responses in the background can be cancelled.", None)
    if call.world.clock.now() < kept["ready"]:
        kept["value"] = {**kept["begun"], "status": "cancelled"}
        kept["ready"] = 0.0
    return json_answer(kept["value"])


async def _input_items(call: Call) -> Answer:
    return page(call, _kept(call)["input"])


async def _input_tokens(call: Call) -> Answer:
    model_of(call, "chat", call.json.get("model"))
    items = [*_before(call), *_given(call)]
    return json_answer({"object": "response.input_tokens", "input_tokens": _usage(call, items, [])["input_tokens"]})


async def _compact(call: Call) -> Answer:
    model_of(call, "chat", call.json.get("model"))
    items = [*_before(call), *_given(call)]
    made = {"type": "compaction", "id": new_id(call, "cmp_"), "encrypted_content": digest_of(items).hex()}
    await call.work(0.5)
    usage = {**_usage(call, items, []), "output_tokens": 16}
    usage["total_tokens"] = usage["input_tokens"] + 16
    return json_answer(
        {
            "id": new_id(call, "resp_"),
            "object": "response.compaction",
            "created_at": now(call),
            "output": [made],
            "usage": usage,
        }
    )


# Streams -----------------------------------------------------------------------------------------------------------


def _events(begun: dict[str, Any], whole: dict[str, Any]) -> list[bytes]:
    """Return the native sequence of events."""
    events: list[bytes] = []

    def add(kind: str, **rest: Any) -> None:
        value = {"type": kind, "sequence_number": len(events), **rest}
        events.append(f"event: {kind}\n".encode() + b"data: " + msgspec.json.encode(value) + b"\n\n")

    add("response.created", response=begun)
    if begun["background"]:
        add("response.queued", response={**begun, "status": "queued"})
    add("response.in_progress", response=begun)
    for index, item in enumerate(whole["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        add("response.output_item.added", output_index=index, item=_opened(item))
        if item["type"] == "function_call":
            for token in tokens_of(item["arguments"]):
                add("response.function_call_arguments.delta", **at, delta=token)
            add("response.function_call_arguments.done", **at, name=item["name"], arguments=item["arguments"])
        elif item["type"] in ("file_search_call", "web_search_call", "image_generation_call"):
            for state in ("in_progress", "generating" if item["type"][:5] == "image" else "searching", "completed"):
                add(f"response.{item['type']}.{state}", **at)
        elif item["type"] == "message":
            part = item["content"][0]
            at["content_index"] = 0
            add("response.content_part.added", **at, part={**part, "text": "", "annotations": []})
            for token in tokens_of(part["text"]):
                add("response.output_text.delta", **at, delta=token, logprobs=[])
            for number, note in enumerate(part["annotations"]):
                add("response.output_text.annotation.added", **at, annotation_index=number, annotation=note)
            add("response.output_text.done", **at, text=part["text"], logprobs=[])
            add("response.content_part.done", **at, part=part)
        add("response.output_item.done", output_index=index, item=item)
    add(f"response.{whole['status']}", response=whole)
    return events


def _opened(item: dict[str, Any]) -> dict[str, Any]:
    opened = {**item, "status": "in_progress"}
    if item["type"] == "message":
        opened["content"] = []
    if item["type"] == "function_call":
        opened["arguments"] = ""
    return opened


# Conversations -----------------------------------------------------------------------------------------------------


def _items(call: Call, given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, list) or len(given) > 20:
        raise invalid("Invalid 'items': an array of at most 20 is expected.", "items", "invalid_type")
    items: list[dict[str, Any]] = []
    for item in given:
        content = item.get("content")
        if isinstance(content, str):
            content = [{"type": "input_text", "text": content}]
        whole: dict[str, Any] = {
            "type": "message",
            "status": "completed",
            **item,
            "id": new_id(call, "msg_"),
            "content": content,
        }
        shelf(call, "item")[whole["id"]] = whole
        items.append(whole)
    return items


def _conversation(call: Call) -> dict[str, Any]:
    return find(call, "conversation", call.params["id"], "Conversation", None)


async def _create_conversation(call: Call) -> Answer:
    body = call.json if call.body else {}
    name = new_id(call, "conv_")
    value = {"id": name, "object": "conversation", "created_at": now(call), "metadata": metadata_of(body)}
    shelf(call, "conversation")[name] = {"value": value, "items": _items(call, body.get("items") or [])}
    return json_answer(value)


async def _get_conversation(call: Call) -> Answer:
    return json_answer(_conversation(call)["value"])


async def _update_conversation(call: Call) -> Answer:
    value = _conversation(call)["value"]
    value["metadata"] = metadata_of(call.json)
    return json_answer(value)


async def _delete_conversation(call: Call) -> Answer:
    return delete(call, "conversation", call.params["id"], "Conversation", "conversation.deleted")


async def _add_items(call: Call) -> Answer:
    found = _conversation(call)
    items = _items(call, call.json.get("items"))
    found["items"] += items
    return page(call, items, order="asc")


async def _list_items(call: Call) -> Answer:
    return page(call, _conversation(call)["items"])


def _item(call: Call) -> dict[str, Any]:
    for item in _conversation(call)["items"]:
        if item["id"] == call.params["item"]:
            return item
    raise RefusedError(error(404, f"Item with id '{call.params['item']}' not found.", param=None))


async def _get_item(call: Call) -> Answer:
    return json_answer(_item(call))


async def _delete_item(call: Call) -> Answer:
    _conversation(call)["items"].remove(_item(call))
    return json_answer(_conversation(call)["value"])


ROUTES = (
    Route("POST", "/v1/responses", create),
    Route("POST", "/v1/responses/input_tokens", _input_tokens),
    Route("POST", "/v1/responses/compact", _compact),
    Route("GET", "/v1/responses/{id}", _get),
    Route("DELETE", "/v1/responses/{id}", _delete),
    Route("POST", "/v1/responses/{id}/cancel", _cancel),
    Route("GET", "/v1/responses/{id}/input_items", _input_items),
    Route("POST", "/v1/conversations", _create_conversation),
    Route("GET", "/v1/conversations/{id}", _get_conversation),
    Route("POST", "/v1/conversations/{id}", _update_conversation),
    Route("DELETE", "/v1/conversations/{id}", _delete_conversation),
    Route("POST", "/v1/conversations/{id}/items", _add_items),
    Route("GET", "/v1/conversations/{id}/items", _list_items),
    Route("GET", "/v1/conversations/{id}/items/{item}", _get_item),
    Route("DELETE", "/v1/conversations/{id}/items/{item}", _delete_item),
)
