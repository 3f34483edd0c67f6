"""What agents always send, for models of other vendors: custom tools, namespaces, vendors' own tools, their items."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .test_fitting import answering, called, history, tool, tools_of
from .test_requests import body
from .world import answer_of, asking, judge_answer, judge_events, judge_request, payloads, run, translate, translator

Body = dict[str, Any]
OTHERS = ["openai", "anthropic", "gemini"]
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}
SHELL = {"type": "function", "name": "shell", "parameters": {"type": "object", "properties": {}}}
AGENTS = {"type": "namespace", "name": "multi_agent_v1", "description": "Agents", "tools": [SHELL | {"name": "spawn"}]}
SERVER = {
    "type": "namespace",
    "name": "mcp__files__",
    "description": "Files",
    "tools": [SHELL | {"name": "read"}, PATCH | {"name": "patch"}],
}


def names(target: str, made: Body) -> list[str]:
    return [name for name, _ in tools_of(target, made)]


@pytest.mark.parametrize("target", OTHERS)
def test_tools_of_codex_become_functions(target: str) -> None:
    tools = [SHELL, PATCH, {"type": "web_search"}, {"type": "local_shell"}, AGENTS, SERVER]
    made = translate("responses", target, body("responses", tools=tools))
    wanted = ["shell", "apply_patch", "multi_agent_v1__spawn", "mcp__files__read", "mcp__files__patch"]
    assert names(target, made) == wanted
    custom = dict(tools_of(target, made))["apply_patch"]
    assert list(custom["properties"]) == custom["required"] == ["input"]
    assert "start: /.+/" in custom["properties"]["input"]["description"]


DROPPED: list[tuple[str, Body, Any]] = [
    ("responses", {"type": "web_search"}, {"type": "web_search"}),
    ("responses", {"type": "image_generation"}, "required"),
    ("anthropic", {"type": "web_search_20250305", "name": "web_search"}, {"type": "tool", "name": "web_search"}),
    ("anthropic", {"type": "code_execution_20250825", "name": "code_execution"}, {"type": "any"}),
    ("openai", {"type": "builtin_function", "function": {"name": "$web_search"}}, "required"),
    ("gemini", {"googleSearch": {}}, None),
    ("gemini", {"codeExecution": {}}, None),
]


@pytest.mark.parametrize(("source", "own", "choice"), DROPPED)
def test_tools_that_only_the_vendor_can_run_are_left_out(source: str, own: Body, choice: Any) -> None:
    chosen = {} if choice is None else {"tool_choice": choice}
    for target in ("openai", "responses", "anthropic", "gemini"):
        if target == source:
            continue
        alone = translate(source, target, body(source, tools=[own], **chosen))
        assert alone.keys().isdisjoint(("tools", "tool_choice", "toolConfig"))
        beside = translate(source, target, body(source, tools=[own, tool(source, "f", SHELL["parameters"])]))
        assert names(target, beside) == ["f"]


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize(
    ("own", "name", "arguments", "item"),
    [
        (PATCH, "apply_patch", {"input": "*** Begin"}, {"type": "custom_tool_call", "input": "*** Begin"}),
        (PATCH, "apply_patch", {"patch": "*** Begin"}, {"type": "custom_tool_call", "input": "*** Begin"}),
        (PATCH, "apply_patch", {}, {"type": "custom_tool_call", "input": "{}"}),
        (AGENTS, "spawn", {"a": 1}, {"type": "function_call", "namespace": "multi_agent_v1"}),
        (SERVER, "patch", {"input": "x"}, {"type": "custom_tool_call", "namespace": "mcp__files__", "input": "x"}),
    ],
)
def test_calls_come_back_as_codex_knows_them(target: str, own: Body, name: str, arguments: Body, item: Body) -> None:
    flat = next(n for n in names(target, translate("responses", target, body("responses", tools=[own]))) if name in n)
    for sent in (flat, name):
        whole, events = answering(target, sent)
        text = json.dumps(arguments)
        spoken = json.loads(json.dumps([whole, [json.loads(event[6:]) for event in events]]), object_hook=_with(text))
        answer = json.loads(
            translator("responses", target).answer(asking("responses", tools=[own]), answer_of(spoken[0]))
        )
        judge_answer("responses", answer)
        end = [b"data: [DONE]\n\n"] if target == "openai" else []
        stream = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in spoken[1]]
        shown = run("responses", target, [*stream, *end], tools=[own])
        judge_events("responses", shown)
        done = [data["item"] for data in payloads(shown) if data["type"] == "response.output_item.done"]
        for found in (answer["output"], done, payloads(shown)[-1]["response"]["output"]):
            assert len(found) == 1
            assert found[0] | item | {"name": name, "call_id": "c1"} == found[0]
            if item["type"] == "function_call":
                assert json.loads(found[0]["arguments"]) == arguments


def _with(arguments: str) -> Any:
    """Put arguments into calls of each format."""

    def put(found: Body) -> Body:
        for key in ("input", "args"):
            if key in found and "name" in found:
                found[key] = json.loads(arguments)
        if "arguments" in found:
            found["arguments"] = arguments
        return found

    return put


def test_a_custom_tool_of_chat_completions_is_called_as_one() -> None:
    own = {"type": "custom", "custom": {"name": "patch", "description": "Edits"}}
    chosen = {"type": "custom", "custom": {"name": "patch"}}
    made = translate("openai", "anthropic", body("openai", tools=[own], tool_choice=chosen))
    assert made["tool_choice"] == {"type": "tool", "name": "patch"}
    whole, events = answering("anthropic", "patch")
    answer = json.loads(translator("openai", "anthropic").answer(asking("openai", tools=[own]), answer_of(whole)))
    call = answer["choices"][0]["message"]["tool_calls"][0]
    assert call == {"id": "c1", "type": "custom", "custom": {"name": "patch", "input": '{"a":1}'}}
    deltas = [data["choices"][0]["delta"] for data in payloads(run("openai", "anthropic", events, tools=[own]))[:-1]]
    assert [delta["tool_calls"] for delta in deltas if "tool_calls" in delta] == [[{"index": 0} | call]]
    said = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
    ]
    again = translate("openai", "gemini", history("openai", *said))
    assert again["contents"][1]["parts"][0]["functionCall"]["args"] == {"input": '{"a":1}'}


@pytest.mark.parametrize("target", OTHERS)
def test_histories_of_codex_pass(target: str) -> None:
    items: list[Body] = [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Secret thought"}]},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "apply_patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done"},
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "c2",
            "name": "spawn",
            "namespace": "agents",
            "arguments": "{}",
        },
        {"type": "function_call_output", "call_id": "c2", "output": "ok"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "local_shell_call", "id": "ls_1", "call_id": "c3", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "ls_1", "output": "a"},
        {"type": "compaction", "encrypted_content": "gAAA"},
        {"role": "user", "content": "On"},
    ]
    shown = json.dumps(translate("responses", target, history("responses", *items)))
    assert "*** Begin" in shown
    assert "agents__spawn" in shown
    assert "Secret thought" not in shown
    assert "gAAA" not in shown


@pytest.mark.parametrize("target", ["openai", "responses", "gemini"])
def test_histories_of_claude_code_pass(target: str) -> None:
    blocks: list[Body] = [
        {"type": "text", "text": "Searching."},
        {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []},
        {"type": "compaction", "content": "We spoke of cats."},
    ]
    found = {"type": "search_result", "title": "Cats", "source": "s", "content": [{"type": "text", "text": "purr"}]}
    said = [{"role": "assistant", "content": blocks}, {"role": "user", "content": [found]}]
    shown = json.dumps(translate("anthropic", target, history("anthropic", *said)))
    assert "We spoke of cats." in shown
    assert "purr" in shown
    assert "srv_1" not in shown


def test_code_that_gemini_ran_is_told_as_text() -> None:
    parts = [{"executableCode": {"language": "PYTHON", "code": "1+1"}}, {"codeExecutionResult": {"output": "2"}}]
    made = translate("gemini", "openai", history("gemini", {"role": "model", "parts": parts}))
    assert made["messages"][1]["content"] == "```\n1+1\n```2"


def test_a_choice_of_a_tool_in_a_namespace_is_kept() -> None:
    chosen = {"type": "function", "name": "spawn", "namespace": "multi_agent_v1"}
    made = translate("responses", "openai", body("responses", tools=[AGENTS], tool_choice=chosen))
    assert made["tool_choice"]["function"]["name"] == "multi_agent_v1__spawn"


def test_calls_and_results_of_both_kinds_answer_each_other() -> None:
    both = [*called("responses", "f", "c1")]
    custom = [
        {"type": "custom_tool_call", "call_id": "c2", "name": "p", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "y"},
    ]
    made = translate("responses", "openai", history("responses", both[0], custom[0], both[1], custom[1]))
    assert [message["role"] for message in made["messages"]] == ["user", "assistant", "tool", "tool"]


@pytest.mark.parametrize("target", ["openai", "anthropic", "gemini"])
def test_items_of_a_response_become_turns(target: str) -> None:
    given = body(
        "responses",
        input=[
            {"role": "user", "content": "Hi"},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "2"}]},
        ],
    )
    made = translate("responses", target, given)
    judge_request(target, made)
    turns = made["contents"] if target == "gemini" else made["messages"]
    assert len(turns) == (4 if target == "openai" else 3)
