"""Any client reaches any model: each official SDK, through each translator, to an upstream of another format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as google_errors
from google.genai import types

from tests.operator import rows, usage_row
from tests.stack import Gateway, Sandbox

UPSTREAMS = {
    "chat": ("openai", "/openai/v1", "gpt-4o-mini", ["chat.completions"]),
    "responses": ("openai", "/openai/v1", "gpt-4o-mini", ["responses*"]),
    "anthropic": ("anthropic", "/anthropic", "claude-haiku-4-5", None),
    "gemini": ("gemini", "/gemini", "gemini-2.5-flash", None),
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
WORDS = "Say this is a test!"


@pytest.fixture(scope="module")
def crossing(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose models live each at an upstream of one format alone."""
    pieces: list[str] = []
    for name, (protocol, path, model, operations) in UPSTREAMS.items():
        limited = f"settings = {{ operations = {json.dumps(operations)} }}\n" if operations else ""
        pieces.append(
            f'[[channels]]\nname = "only {name}"\nprotocol = "{protocol}"\nbase_url = "{sandbox.url}{path}"\n'
            f'credential = "sk-upstream"\nmodels = ["m-{name}"]\nmodel_map = {{ "m-{name}" = "{model}" }}\n{limited}\n'
            f'[prices."m-{name}"]\nper_million = {{ input = "1", cached = "0.5", output = "10" }}\n\n'
        )
    made = Gateway(Path(tmp_path_factory.mktemp("crossing")), sandbox, toml="".join(pieces)).start()
    yield made
    made.stop()


@dataclass
class Said:
    """What a client understood of an answer."""

    text: str = ""
    input: int = 0
    output: int = 0
    stop: str = ""
    request_id: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


class Broken(Exception):
    """A stream said itself that it broke off."""


class Client:
    """One SDK, seen alike."""

    failure: type[Exception]
    missing: type[Exception]

    def ask(self, model: str, words: str, **more: Any) -> Said:
        raise NotImplementedError

    def stream(self, model: str, words: str) -> Said:
        raise NotImplementedError

    def call(self, model: str, words: str) -> Said:
        """Ask with a tool that must be used; then answer as the tool, and return what is said at last."""
        raise NotImplementedError

    def structured(self, model: str) -> Said:
        raise NotImplementedError


class Chat(Client):
    failure, missing = openai.RateLimitError, openai.NotFoundError

    def __init__(self, gateway: Gateway) -> None:
        self.sdk = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0)

    def _said(self, raw: Any) -> Said:
        answer = raw.parse()
        choice = answer.choices[0]
        calls = [(one.function.name, json.loads(one.function.arguments)) for one in choice.message.tool_calls or ()]
        usage = answer.usage
        return Said(
            choice.message.content or "",
            usage.prompt_tokens,
            usage.completion_tokens,
            choice.finish_reason,
            raw.headers["x-request-id"],
            calls,
        )

    def ask(self, model: str, words: str, **more: Any) -> Said:
        messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": words}]
        return self._said(
            self.sdk.chat.completions.with_raw_response.create(model=model, messages=messages, **more)  # pyright: ignore[reportArgumentType, reportCallIssue]
        )

    def stream(self, model: str, words: str) -> Said:
        said = Said()
        chunks = self.sdk.chat.completions.create(
            model=model,
            messages=[{"role": "system", "content": "Be kind."}, {"role": "user", "content": words}],
            stream=True,
            stream_options={"include_usage": True},
        )
        said.request_id = chunks.response.headers["x-request-id"]
        for chunk in chunks:
            for choice in chunk.choices:
                said.text += choice.delta.content or ""
                said.stop = choice.finish_reason or said.stop
            if chunk.usage is not None:
                said.input, said.output = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
        return said

    def call(self, model: str, words: str) -> Said:
        tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
        messages: list[Any] = [{"role": "user", "content": words}]
        first = self.sdk.chat.completions.create(model=model, messages=messages, tools=tools, tool_choice="required")
        asked = first.choices[0].message
        messages += [asked.to_dict(), {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": "sunny"}]  # pyright: ignore[reportOptionalSubscript]
        said = self._said(
            self.sdk.chat.completions.with_raw_response.create(model=model, messages=messages, tools=tools)
        )
        said.calls = [(one.function.name, json.loads(one.function.arguments)) for one in asked.tool_calls or ()]  # pyright: ignore[reportAttributeAccessIssue]
        return said

    def structured(self, model: str) -> Said:
        form: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
        return self.ask(model, WORDS, response_format=form)


class Responses(Client):
    failure, missing = openai.RateLimitError, openai.NotFoundError

    def __init__(self, gateway: Gateway) -> None:
        self.sdk = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0)

    def _said(self, answer: Any, request_id: str) -> Said:
        calls = [(one.name, json.loads(one.arguments)) for one in answer.output if one.type == "function_call"]
        usage = answer.usage
        return Said(answer.output_text, usage.input_tokens, usage.output_tokens, answer.status, request_id, calls)

    def ask(self, model: str, words: str, **more: Any) -> Said:
        raw = self.sdk.responses.with_raw_response.create(
            model=model, input=words, instructions="Be kind.", store=False, **more
        )
        return self._said(raw.parse(), raw.headers["x-request-id"])

    def stream(self, model: str, words: str) -> Said:
        events = self.sdk.responses.create(model=model, input=words, instructions="Be kind.", stream=True, store=False)
        text, said = "", Said()
        for event in events:
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type == "error":
                raise Broken(event.message)
            elif event.type == "response.failed":
                assert event.response.error is not None
                raise Broken(event.response.error.message)
            elif event.type == "response.completed":
                said = self._said(event.response, events.response.headers["x-request-id"])
        assert said.text == text
        return said

    def call(self, model: str, words: str) -> Said:
        tools: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]
        given: list[Any] = [{"role": "user", "content": words}]
        first = self.sdk.responses.create(model=model, input=given, tools=tools, tool_choice="required", store=False)
        (use,) = [one for one in first.output if one.type == "function_call"]
        given += [*(one.to_dict() for one in first.output)]
        given.append({"type": "function_call_output", "call_id": use.call_id, "output": "sunny"})
        raw = self.sdk.responses.with_raw_response.create(model=model, input=given, tools=tools, store=False)
        said = self._said(raw.parse(), raw.headers["x-request-id"])
        said.calls = [(use.name, json.loads(use.arguments))]
        return said

    def structured(self, model: str) -> Said:
        form: Any = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
        return self.ask(model, WORDS, text=form)


class Messages(Client):
    failure, missing = anthropic.RateLimitError, anthropic.NotFoundError

    def __init__(self, gateway: Gateway) -> None:
        self.sdk = anthropic.Anthropic(base_url=gateway.url, api_key=gateway.live, max_retries=0)

    def _said(self, message: Any, request_id: str) -> Said:
        text = "".join(block.text for block in message.content if block.type == "text")
        calls = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
        usage = message.usage
        total = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        return Said(text, total, usage.output_tokens, message.stop_reason, request_id, calls)

    def ask(self, model: str, words: str, **more: Any) -> Said:
        raw = self.sdk.messages.with_raw_response.create(
            model=model, max_tokens=500, system="Be kind.", messages=[{"role": "user", "content": words}], **more
        )
        return self._said(raw.parse(), raw.headers["x-request-id"])

    def stream(self, model: str, words: str) -> Said:
        with self.sdk.messages.stream(
            model=model, max_tokens=500, system="Be kind.", messages=[{"role": "user", "content": words}]
        ) as events:
            text = "".join(events.text_stream)
            said = self._said(events.get_final_message(), events.response.headers["x-request-id"])
        assert said.text == text
        return said

    def call(self, model: str, words: str) -> Said:
        tools: Any = [{"name": "weather", "input_schema": SCHEMA}]
        turns: list[Any] = [{"role": "user", "content": words}]
        first = self.sdk.messages.create(
            model=model, max_tokens=500, messages=turns, tools=tools, tool_choice={"type": "any"}
        )
        (use,) = [block for block in first.content if block.type == "tool_use"]
        turns.append({"role": "assistant", "content": [block.to_dict() for block in first.content]})
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}
        turns.append({"role": "user", "content": [result]})
        raw = self.sdk.messages.with_raw_response.create(model=model, max_tokens=500, messages=turns, tools=tools)
        said = self._said(raw.parse(), raw.headers["x-request-id"])
        said.calls = [(use.name, dict(use.input))]  # pyright: ignore[reportArgumentType, reportCallIssue]
        return said

    def structured(self, model: str) -> Said:
        form: Any = {"format": {"type": "json_schema", "schema": SCHEMA}}
        return self.ask(model, WORDS, output_config=form)


class Gemini(Client):
    failure = missing = google_errors.ClientError

    def __init__(self, gateway: Gateway) -> None:
        self.sdk = genai.Client(api_key=gateway.live, http_options=types.HttpOptions(base_url=gateway.url))

    def _said(self, answer: Any) -> Said:
        usage = answer.usage_metadata
        said = Said("", usage.prompt_token_count, usage.candidates_token_count + (usage.thoughts_token_count or 0))
        said.request_id = answer.sdk_http_response.headers["x-request-id"]
        candidate = answer.candidates[0]
        said.stop = str(candidate.finish_reason)
        for part in candidate.content.parts or ():
            said.text += (part.text or "") if not part.thought else ""
            if part.function_call is not None:
                said.calls.append((part.function_call.name, dict(part.function_call.args)))
        return said

    def ask(self, model: str, words: str, **more: Any) -> Said:
        config = types.GenerateContentConfig(system_instruction="Be kind.", **more)
        return self._said(self.sdk.models.generate_content(model=model, contents=words, config=config))

    def stream(self, model: str, words: str) -> Said:
        config = types.GenerateContentConfig(system_instruction="Be kind.")
        text, said = "", Said()
        for chunk in self.sdk.models.generate_content_stream(model=model, contents=words, config=config):
            text += chunk.text or ""
            if chunk.candidates and chunk.candidates[0].finish_reason:
                said = self._said(chunk)
        said.text = text
        return said

    def call(self, model: str, words: str) -> Said:
        declared = types.FunctionDeclaration(name="weather", parameters_json_schema=SCHEMA)
        tools = [types.Tool(function_declarations=[declared])]
        must = types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
        )
        off = types.AutomaticFunctionCallingConfig(disable=True)
        turns: list[Any] = [types.Content(role="user", parts=[types.Part(text=words)])]
        config = types.GenerateContentConfig(tools=tools, tool_config=must, automatic_function_calling=off)
        first = self.sdk.models.generate_content(model=model, contents=turns, config=config)
        content = first.candidates[0].content  # pyright: ignore[reportOptionalSubscript]
        (use,) = list(first.function_calls or ())
        told = types.FunctionResponse(id=use.id, name=use.name, response={"result": "sunny"})
        turns += [content, types.Content(role="user", parts=[types.Part(function_response=told)])]
        again = types.GenerateContentConfig(tools=tools, automatic_function_calling=off)
        said = self._said(self.sdk.models.generate_content(model=model, contents=turns, config=again))
        said.calls = [(use.name or "", dict(use.args or {}))]
        return said

    def structured(self, model: str) -> Said:
        return self.ask(model, WORDS, response_mime_type="application/json", response_json_schema=SCHEMA)


CLIENTS: dict[str, Callable[[Gateway], Client]] = {
    "chat": Chat,
    "responses": Responses,
    "anthropic": Messages,
    "gemini": Gemini,
}
PAIRS = [pytest.param(source, target, id=f"{source} to {target}") for source in CLIENTS for target in UPSTREAMS]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_text_and_its_stream(crossing: Gateway, source: str, target: str) -> None:
    client, model = CLIENTS[source](crossing), f"m-{target}"
    whole = client.ask(model, WORDS)
    assert WORDS in whole.text
    assert whole.input > 0
    assert whole.output > 0
    streamed = client.stream(model, WORDS)
    assert (streamed.text, streamed.stop) == (whole.text, whole.stop)
    assert (streamed.input, streamed.output) == (whole.input, whole.output)
    for said in (whole, streamed):
        row = usage_row(crossing, said.request_id)
        consumed = row["consumed"]
        assert (consumed.get("input", 0) + consumed.get("cached", 0), consumed["output"]) == (said.input, said.output)
        assert row["basis"] == "vendor"
        assert row["cost"] == consumed.get("input", 0) * 1000 + consumed["output"] * 10_000
        assert row["upstream_model"] == UPSTREAMS[target][2]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_tool_and_its_answer(crossing: Gateway, source: str, target: str) -> None:
    said = CLIENTS[source](crossing).call(f"m-{target}", WORDS)
    ((name, arguments),) = said.calls
    assert name == "weather"
    assert set(arguments) == {"city", "degrees"}
    assert "sunny" in said.text


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_structured_output(crossing: Gateway, source: str, target: str) -> None:
    said = CLIENTS[source](crossing).structured(f"m-{target}")
    assert set(json.loads(said.text)) == {"city", "degrees"}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_refusals_come_as_the_sdk_s_own(crossing: Gateway, source: str, target: str) -> None:
    client = CLIENTS[source](crossing)
    with pytest.raises(client.failure):
        client.ask(f"m-{target}", "[sandbox:rate-limit] slower")
    with pytest.raises(client.missing):
        client.ask("m-nowhere", WORDS)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_cut_stream_is_an_error_and_is_charged(crossing: Gateway, source: str, target: str) -> None:
    words = f"[sandbox:cut-stream=9] cut {source} to {target}"
    with pytest.raises((Broken, openai.APIError, anthropic.APIStatusError, google_errors.APIError)):
        CLIENTS[source](crossing).stream(f"m-{target}", words)
    (row,) = rows(crossing, "SELECT * FROM usage ORDER BY created_at DESC, request_id DESC LIMIT 1")
    assert row["error"]
    assert row["cost"] > 0
