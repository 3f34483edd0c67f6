"""Messages that Anthropic refuses with 400, and in which words.

Each rule says where it is known from: Anthropic's API reference and guides, or public reports that quote the vendor's
answer. What is not known to be refused is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...vendor import Call
from .common import invalid
from .schemas import fault_of_output, fault_of_tool

Body = Mapping[str, Any]
Rule = Callable[[Call, Body], None]
"""Raises RefusedError for a body that the vendor does not take."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_GUIDE = "https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
_LEAST_BUDGET = 1024
_MOST_MARKS = 4
_VERSION = re.compile(r"claude-[a-z]+-(\d+)(?:-(\d{1,2}))?(?![\d.])")
_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_TOOLS = (
    *("advisor_", "bash_", "code_execution_", "computer_", "mcp_toolset", "memory_", "text_editor_", "tool_search_"),
    *("web_fetch_", "web_search_"),
)
"""How the types of the vendor's own tools begin."""
_PARAMETERS = frozenset(
    (
        *("cache_control", "container", "context_management", "inference_geo", "max_tokens", "mcp_servers", "messages"),
        *("metadata", "model", "output_config", "output_format", "service_tier", "speed", "stop_sequences", "stream"),
        *("system", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p"),
    )
)
_FIELDS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text", "citations", "cache_control"}),
    "image": frozenset({"type", "source", "cache_control"}),
    "document": frozenset({"type", "source", "title", "context", "citations", "cache_control"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "tool_use": frozenset({"type", "id", "name", "input", "caller", "cache_control"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"}),
}
"""Blocks whose fields are all known; of others only the type is looked at."""
_OTHER_BLOCKS = frozenset({"search_result", "container_upload", "compaction", "tool_reference"})
_THOUGHTS = ("thinking", "redacted_thinking")
_MOST_OUTPUT: Sequence[tuple[str, int]] = (
    ("claude-3-5-", 8192),
    ("claude-3-7-", 64_000),
    ("claude-3-", 4096),
    ("claude-opus-4-5", 64_000),
    ("claude-sonnet-4-6", 128_000),
    ("claude-sonnet-4", 64_000),
    ("claude-haiku-4", 64_000),
    ("claude-opus-4-6", 128_000),
    ("claude-opus-4-7", 128_000),
    ("claude-opus-4-8", 128_000),
    ("claude-opus-4", 32_000),
)
"""Tokens that models write at most, by how their names begin. Source: Anthropic's overview of models."""


def version_of(name: str) -> tuple[int, int]:
    """Return a model's version; (0, 0) for one whose name does not tell."""
    found = _VERSION.match(name)
    return (int(found[1]), int(found[2] or 0)) if found is not None and len(found[1]) < 3 else (0, 0)


def blocks_of(content: Any) -> list[dict[str, Any]]:
    """Return a message's content as blocks."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


# Parameters --------------------------------------------------------------------------------------------------------


def _known(call: Call, body: Body) -> None:
    """Refuse what is no parameter: no extra input is permitted, here or in blocks. Source: API reference."""
    for key in body:
        if key not in _PARAMETERS:
            raise invalid(call, f"{key}: Extra inputs are not permitted")
    metadata = body.get("metadata") or {}
    for key in metadata:
        if key != "user_id":
            raise invalid(call, f"metadata.{key}: Extra inputs are not permitted")
    if len(str(metadata.get("user_id") or "")) > 256:
        raise invalid(call, "metadata.user_id: String should have at most 256 characters")


def _lengths(call: Call, body: Body) -> None:
    """Check `max_tokens`. Sources: API reference, overview of models."""
    limit = body.get("max_tokens")
    if limit is None:
        raise invalid(call, "max_tokens: Field required")
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise invalid(call, "max_tokens: Input should be a valid integer")
    if limit < 1:
        raise invalid(call, "max_tokens: Input should be greater than or equal to 1")
    name = str(body.get("model"))
    most = next((tokens for start, tokens in _MOST_OUTPUT if name.startswith(start)), None)
    if most is not None and limit > most:
        text = f"max_tokens: {limit} > {most}, which is the maximum allowed number of output tokens for {name}"
        raise invalid(call, text)


def _sampling(call: Call, body: Body) -> None:
    """Check sampling. Sources: API reference; BerriAI/litellm#15097, cloud-apim/otoroshi-llm-extension#140 (both)."""
    for key in ("temperature", "top_p"):
        value = body.get(key)
        if value is not None and not (isinstance(value, int | float) and 0 <= value <= 1):
            raise invalid(call, f"{key}: range: 0..1")
    version = version_of(str(body.get("model")))
    if version >= (4, 1) and body.get("temperature") is not None and body.get("top_p") is not None:
        text = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        raise invalid(call, text)
    for sequence in body.get("stop_sequences") or ():
        # Source: BerriAI/litellm#3286.
        if not sequence.strip():
            raise invalid(call, "stop_sequences: each stop sequence must contain non-whitespace")


def _thinking(call: Call, body: Body) -> None:
    """Check what thinking wants.

    Sources: Anthropic's guide on extended thinking, themaximalist/llm.js#30 (budget), can1357/oh-my-pi#341 (forced
    tools), openai/openai-agents-python#1704, n8n-io/n8n#22550, anomalyco/opencode#3077 (history without thoughts).
    """
    thinking = body.get("thinking") or {}
    kind = thinking.get("type")
    if kind not in (None, "enabled", "disabled", "adaptive"):
        text = f"thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags"
        raise invalid(call, f"{text}: 'adaptive', 'disabled', 'enabled'")
    if kind in (None, "disabled"):
        return
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise invalid(call, "Thinking may not be enabled when tool_choice forces tool use.")
    if body.get("temperature") not in (None, 1):
        text = "`temperature` may only be set to 1 when thinking is enabled."
        raise invalid(call, f"{text} Please consult our documentation at {_GUIDE}")
    if body.get("top_k") is not None:
        text = "`top_k` must be unset when thinking is enabled."
        raise invalid(call, f"{text} Please consult our documentation at {_GUIDE}")
    if body.get("top_p") is not None and body["top_p"] < 0.95:
        text = "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."
        raise invalid(call, f"{text} Please consult our documentation at {_GUIDE}")
    if kind == "enabled":
        _budget(call, body, thinking.get("budget_tokens"))
        _thoughts(call, body["messages"])


def _budget(call: Call, body: Body, budget: Any) -> None:
    if not isinstance(budget, int):
        raise invalid(call, "thinking.enabled.budget_tokens: Field required")
    if budget < _LEAST_BUDGET:
        text = f"Input should be greater than or equal to {_LEAST_BUDGET}"
        raise invalid(call, f"thinking.enabled.budget_tokens: {text}")
    if "interleaved-thinking" in call.request.headers.get("anthropic-beta", ""):
        return
    if body.get("max_tokens") is not None and budget >= body["max_tokens"]:
        text = "`max_tokens` must be greater than `thinking.budget_tokens`."
        raise invalid(call, f"{text} Please consult our documentation at {_GUIDE}#max-tokens-and-context-window-size")


def _thoughts(call: Call, messages: Sequence[Body]) -> None:
    """Refuse a turn of the assistant's that is not over and does not begin with a thought."""
    last = blocks_of(messages[-1]["content"])
    results = any(block.get("type") == "tool_result" for block in last)
    place = len(messages) - (2 if messages[-1]["role"] == "user" and results else 1)
    if place < 0 or messages[place]["role"] != "assistant":
        return
    first = next((block.get("type") for block in blocks_of(messages[place]["content"])), None)
    if first in _THOUGHTS:
        return
    text = (
        f"messages.{place}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. When "
        "`thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost "
        "set of `tool_use` and `tool_result` blocks). We recommend you include thinking blocks from previous turns. To "
        f"avoid this requirement, disable `thinking`. Please consult our documentation at {_GUIDE}"
    )
    raise invalid(call, text)


def _format(call: Call, body: Body) -> None:
    """Check structured outputs; see `schemas`."""
    config = body.get("output_config") or {}
    for at, form in (("output_config.format", config.get("format")), ("output_format", body.get("output_format"))):
        if form is None:
            continue
        if form.get("type") != "json_schema":
            raise invalid(call, f"{at}.type: Input should be 'json_schema'")
        if (fault := fault_of_output(form.get("schema"))) is not None:
            raise invalid(call, f"{at}.schema: {fault}")


# Tools -------------------------------------------------------------------------------------------------------------


def _tools(call: Call, body: Body) -> None:
    """Check tools.

    Sources: home-assistant/core#147760, anthropics/claude-code#96152 (names), anthropics/claude-code#10687 (twice),
    anthropics/claude-code#49637 (schemas); `schemas`.
    """
    names: set[str] = set()
    for index, tool in enumerate(body.get("tools") or ()):
        kind, at = tool.get("type") or "custom", f"tools.{index}"
        if kind != "custom" and not kind.startswith(_TOOLS):
            text = f"Input tag '{kind}' found using 'type' does not match any of the expected tags"
            raise invalid(call, f"{at}: {text}")
        name = tool.get("name")
        if kind == "custom":
            _custom(call, tool, f"{at}.custom")
        if name is not None and name in names:
            raise invalid(call, "tools: Tool names must be unique.")
        names.add(str(name))


def _custom(call: Call, tool: Body, at: str) -> None:
    name = tool.get("name")
    if not isinstance(name, str):
        raise invalid(call, f"{at}.name: Field required")
    if len(name) > 128:
        raise invalid(call, f"{at}.name: String should have at most 128 characters")
    if _NAME.fullmatch(name) is None:
        raise invalid(call, f"{at}.name: String should match pattern '^{_NAME.pattern}$'")
    if "input_schema" not in tool:
        raise invalid(call, f"{at}.input_schema: Field required")
    if (fault := fault_of_tool(tool["input_schema"])) is not None:
        raise invalid(call, f"{at}.input_schema{fault[0]}: {fault[1]}")


def _marks(call: Call, body: Body) -> None:
    """Count the places where the cache is marked. Sources: tghamm/Anthropic.SDK#50, agentjido/req_llm#480."""
    blocks = [*(body.get("tools") or ()), *blocks_of(body.get("system") or [])]
    for message in body["messages"]:
        blocks += blocks_of(message["content"])
    marks = sum(block.get("cache_control") is not None for block in blocks)
    if marks > _MOST_MARKS:
        text = f"A maximum of {_MOST_MARKS} blocks with cache_control may be provided. Found {marks}."
        raise invalid(call, text)


# Messages ----------------------------------------------------------------------------------------------------------


def _messages(call: Call, body: Body) -> None:
    """Check roles and blocks one by one.

    Sources: API reference, ianarawjo/ChainForge#271 (system), LibreChat-AI/agents PR #124 and
    anthropics/claude-code#59812 (empty texts), screenpipe/screenpipe PR #3252 and maximhq/bifrost#5097 (ids).
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid(call, "messages: at least one message is required")
    for place, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        # From 4.8 on a system message may stand among the others.
        if role == "system" and version_of(str(body.get("model"))) < (4, 8):
            text = 'The Messages API accepts a top-level `system` parameter, not "system" as an input message role.'
            raise invalid(call, f'messages: Unexpected role "system". {text}')
        if role not in ("user", "assistant", "system"):
            raise invalid(call, f"messages.{place}.role: Input should be 'user' or 'assistant'")
        content = message.get("content")
        if not isinstance(content, str | list):
            raise invalid(call, f"messages.{place}.content: Input should be a valid string or list")
        if not content and not (place == len(messages) - 1 and role == "assistant"):
            text = "all messages must have non-empty content except for the optional final assistant message"
            raise invalid(call, f"messages.{place}: {text}")
        for number, block in enumerate(content if isinstance(content, list) else ()):
            _block(call, block, f"messages.{place}.content.{number}")
        _texts(call, content)
    for block in blocks_of(body.get("system") or []):
        if not block.get("text") and isinstance(body["system"], list):
            raise invalid(call, "system: text content blocks must be non-empty")


def _texts(call: Call, content: str | list[Any]) -> None:
    """Refuse empty texts, and blank ones that have no other text beside them."""
    texts = [str(block.get("text", "")) for block in blocks_of(content) if block.get("type") == "text"]
    if isinstance(content, list) and "" in texts:
        raise invalid(call, "messages: text content blocks must be non-empty")
    if content and texts and not any(text.strip() for text in texts):
        raise invalid(call, "messages: text content blocks must contain non-whitespace text")


def _block(call: Call, block: Any, at: str) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str):
        raise invalid(call, f"{at}.type: Field required")
    if kind not in _FIELDS:
        if kind not in _OTHER_BLOCKS and not kind.endswith(("_tool_result", "_tool_use")):
            text = f"Input tag '{kind}' found using 'type' does not match any of the expected tags"
            raise invalid(call, f"{at}: {text}: {', '.join(repr(name) for name in sorted(_FIELDS))}")
        return
    for key in block:
        if key not in _FIELDS[kind]:
            raise invalid(call, f"{at}.{kind}.{key}: Extra inputs are not permitted")
    if kind == "tool_use":
        _id(call, block, "id", f"{at}.tool_use")
        if not isinstance(block.get("input"), dict):
            raise invalid(call, f"{at}.tool_use.input: Input should be a valid dictionary")
    elif kind == "tool_result":
        _id(call, block, "tool_use_id", f"{at}.tool_result")
    elif kind == "image":
        source = block.get("source") or {}
        if source.get("type") == "base64" and source.get("media_type") not in _PICTURES:
            *others, last = [f"'{name}'" for name in _PICTURES]
            text = f"Input should be {', '.join(others)} or {last}"
            raise invalid(call, f"{at}.image.source.base64.media_type: {text}")


def _id(call: Call, block: Body, key: str, at: str) -> None:
    value = block.get(key)
    if not isinstance(value, str):
        raise invalid(call, f"{at}.{key}: Field required")
    if _ID.fullmatch(value) is None:
        raise invalid(call, f"{at}.{key}: String should match pattern '^{_ID.pattern}$'")


def _order(call: Call, body: Body) -> None:
    """Check that tools' uses are answered by what comes next, and by results that come first.

    Sources: Anthropic's guide on tool use, OpenHands/OpenHands#7512, anthropics/claude-code#8210 (uses) and #13460
    (results). Neighbouring messages of one role count as one (API reference).
    """
    used: list[str] = []
    place = 0
    for role, index, blocks in _turns(body["messages"]):
        if role == "user":
            results = [str(block["tool_use_id"]) for block in blocks if block["type"] == "tool_result"]
            _answered(call, place, used, [str(block.get("tool_use_id")) for block in _leading(blocks)])
            for number, block in enumerate(blocks):
                if block["type"] == "tool_result" and block["tool_use_id"] not in used:
                    _unexpected(call, index, number, block["tool_use_id"])
            twice = next((name for name in results if results.count(name) > 1), None)
            if twice is not None:
                text = f"each tool_use must have a single result. Found multiple `tool_result` blocks with id: {twice}"
                raise invalid(call, f"messages.{index}.content.0: {text}")
            used = []
        elif role == "assistant":
            used, place = [str(block["id"]) for block in blocks if block["type"] == "tool_use"], index
            if len(set(used)) < len(used):
                raise invalid(call, f"messages.{index}.content: `tool_use` ids must be unique")
    _answered(call, place, used, [])


def _turns(messages: Sequence[Body]) -> list[tuple[str, int, list[dict[str, Any]]]]:
    turns: list[tuple[str, int, list[dict[str, Any]]]] = []
    for index, message in enumerate(messages):
        if turns and turns[-1][0] == message["role"]:
            turns[-1][2].extend(blocks_of(message["content"]))
        else:
            turns.append((message["role"], index, blocks_of(message["content"])))
    return turns


def _leading(blocks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    count = next((number for number, block in enumerate(blocks) if block["type"] != "tool_result"), len(blocks))
    return list(blocks[:count])


def _answered(call: Call, place: int, used: Sequence[str], answered: Sequence[str]) -> None:
    left = [name for name in used if name not in answered]
    if left:
        text = f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(left)}."
        text = f"{text} Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        raise invalid(call, f"messages.{place}: {text}")


def _unexpected(call: Call, place: int, number: int, name: str) -> None:
    text = f"unexpected `tool_use_id` found in `tool_result` blocks: {name}."
    text = f"{text} Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
    raise invalid(call, f"messages.{place}.content.{number}: {text}")


def _prefill(call: Call, body: Body) -> None:
    """Check an answer that is begun by the caller.

    Sources: tailcallhq/forgecode#1872 (white space), anthropics/claude-code#28478, vercel/ai#12296 (from 4.6 on).
    """
    last = body["messages"][-1]
    if last["role"] != "assistant":
        return
    if version_of(str(body.get("model"))) >= (4, 6):
        text = "This model does not support assistant message prefill. The conversation must end with a user message."
        raise invalid(call, text)
    blocks = blocks_of(last["content"])
    text = str(blocks[-1].get("text", "")) if blocks and blocks[-1].get("type") == "text" else ""
    if text != text.rstrip():
        raise invalid(call, "messages: final assistant content cannot end with trailing whitespace")


_COUNTED: Sequence[Rule] = (_messages, _tools, _order)
_RULES: Sequence[Rule] = (_known, _messages, _lengths, _sampling, _tools, _marks, _order, _prefill, _thinking, _format)


def check_counted(call: Call, body: Body) -> None:
    """Refuse messages to be counted that the vendor refuses.

    Raises
    ------
    RefusedError
        400
    """
    for rule in _COUNTED:
        rule(call, body)


def check_message(call: Call, body: Body) -> None:
    """Refuse a request for a message that the vendor refuses.

    Raises
    ------
    RefusedError
        400
    """
    for rule in _RULES:
        rule(call, body)
