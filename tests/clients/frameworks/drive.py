"""Drives what programs are written with instead of a vendor's client; prints a line of JSON for each step.

Runs in an environment of its own: GATEWAY=… TOKEN=… WORDS=… python drive.py MODEL…
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

# By default LiteLLM would fetch its prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from agents import Agent as OpenAIAgent
from agents import (
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from llm.default_plugins.openai_models import Chat
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.openai import OpenAIResponsesModel as ResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

URL, KEY = os.environ["GATEWAY"], os.environ["TOKEN"]
WORDS = os.environ["WORDS"]
USE_TOOL = f"[tool] {WORDS}"

set_tracing_disabled(True)


class Place(BaseModel):
    """A place and how warm it is."""

    city: str
    degrees: int


def weather(city: str, degrees: int) -> str:
    """Tell the weather of a city."""
    return "sunny"


def seen(text: str, given: int, written: int, calls: list[tuple[str, dict[str, Any]]] | None = None) -> dict[str, Any]:
    made = [{"name": name, "arguments": arguments} for name, arguments in calls or ()]
    return {"text": text, "input": given, "output": written, "calls": made}


class Client:
    """One way to a model."""

    def chat(self, model: str) -> Any: ...
    def stream(self, model: str) -> Any: ...
    def tools(self, model: str) -> Any: ...
    def structured(self, model: str) -> Any: ...


class LangChain(Client):
    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make

    def _seen(self, *messages: AIMessage) -> Any:
        usages = [message.usage_metadata for message in messages]
        calls = [(call["name"], call["args"]) for message in messages for call in message.tool_calls]
        given, written = (sum(usage[name] for usage in usages) for name in ("input_tokens", "output_tokens"))
        return seen(messages[-1].text, given, written, calls)

    def chat(self, model: str) -> Any:
        return self._seen(self._make(model).invoke(WORDS))

    def stream(self, model: str) -> Any:
        first, *others = self._make(model).stream(WORDS)
        for chunk in others:
            first += chunk
        return self._seen(first)

    def tools(self, model: str) -> Any:
        agent = create_agent(self._make(model), tools=[weather])
        messages = agent.invoke({"messages": [{"role": "user", "content": USE_TOOL}]})["messages"]
        return self._seen(*(message for message in messages if isinstance(message, AIMessage)))

    def structured(self, model: str) -> Any:
        return self._make(model).with_structured_output(Place).invoke(WORDS).model_dump()


class PydanticAI(Client):
    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make

    def _seen(self, result: Any, text: str) -> Any:
        calls = [
            (part.tool_name, part.args_as_dict())
            for message in result.all_messages()
            if isinstance(message, ModelResponse)
            for part in message.parts
            if isinstance(part, ToolCallPart)
        ]
        usage = result.usage
        return seen(text, usage.input_tokens, usage.output_tokens, calls)

    def chat(self, model: str) -> Any:
        result = Agent(self._make(model)).run_sync(WORDS)
        return self._seen(result, result.output)

    def stream(self, model: str) -> Any:
        result = Agent(self._make(model)).run_stream_sync(WORDS)
        text = "".join(result.stream_text(delta=True, debounce_by=None))
        return self._seen(result, text)

    def tools(self, model: str) -> Any:
        result = Agent(self._make(model), tools=[weather]).run_sync(USE_TOOL)
        return self._seen(result, result.output)

    def structured(self, model: str) -> Any:
        return Agent(self._make(model), output_type=Place).run_sync(WORDS).output.model_dump()


class OpenAIAgents(Client):
    def __init__(self, kind: Callable[..., Any]) -> None:
        self._kind = kind

    def _agent(self, model: str, **more: Any) -> Any:
        client = AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
        settings = ModelSettings(include_usage=True, store=False)
        return OpenAIAgent(name="a", model=self._kind(model, client), model_settings=settings, **more)

    def _seen(self, result: Any) -> Any:
        usage = result.context_wrapper.usage
        calls = [item.raw_item for item in result.new_items if item.type == "tool_call_item"]
        named = [(call.name, json.loads(call.arguments)) for call in calls]
        return seen(result.final_output, usage.input_tokens, usage.output_tokens, named)

    def chat(self, model: str) -> Any:
        return self._seen(Runner.run_sync(self._agent(model), WORDS))

    def stream(self, model: str) -> Any:
        async def run() -> Any:
            result = Runner.run_streamed(self._agent(model), WORDS)
            async for _ in result.stream_events():
                pass
            return result

        return self._seen(asyncio.run(run()))

    def tools(self, model: str) -> Any:
        return self._seen(Runner.run_sync(self._agent(model, tools=[function_tool(weather)]), USE_TOOL))

    def structured(self, model: str) -> Any:
        return Runner.run_sync(self._agent(model, output_type=Place), WORDS).final_output.model_dump()


class LiteLLM(Client):
    def __init__(self, provider: str, base: str) -> None:
        self._provider, self._base = provider, base

    def _ask(self, model: str, messages: list[Any], **more: Any) -> Any:
        return litellm.completion(
            f"{self._provider}/{model}", messages, api_base=self._base, api_key=KEY, num_retries=0, **more
        )

    def _seen(self, answer: Any) -> Any:
        usage, message = answer.usage, answer.choices[0].message
        calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()]
        return seen(message.content or "", usage.prompt_tokens, usage.completion_tokens, calls)

    def chat(self, model: str) -> Any:
        return self._seen(self._ask(model, [{"role": "user", "content": WORDS}]))

    def stream(self, model: str) -> Any:
        chunks = self._ask(
            model, [{"role": "user", "content": WORDS}], stream=True, stream_options={"include_usage": True}
        )
        return self._seen(litellm.stream_chunk_builder(list(chunks)))

    def tools(self, model: str) -> Any:
        function = {"name": "weather", "parameters": Place.model_json_schema()}
        tools = [{"type": "function", "function": function}]
        messages: list[Any] = [{"role": "user", "content": USE_TOOL}]
        first = self._ask(model, messages, tools=tools)
        messages.append(first.choices[0].message)
        calls = first.choices[0].message.tool_calls
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]
        return self._seen(first) | {"text": self._seen(self._ask(model, messages, tools=tools))["text"]}

    def structured(self, model: str) -> Any:
        answer = self._ask(model, [{"role": "user", "content": WORDS}], response_format=Place)
        return json.loads(answer.choices[0].message.content)


class Llm(Client):
    def _model(self, model: str) -> Any:
        return Chat(model, key=KEY, model_name=model, api_base=f"{URL}/v1", supports_schema=True, supports_tools=True)

    def _seen(self, response: Any) -> Any:
        usage = response.usage()
        return seen(response.text(), usage.input, usage.output)

    def chat(self, model: str) -> Any:
        return self._seen(self._model(model).prompt(WORDS, stream=False))

    def stream(self, model: str) -> Any:
        return self._seen(self._model(model).prompt(WORDS, stream=True))

    def tools(self, model: str) -> Any:
        responses = list(self._model(model).chain(USE_TOOL, tools=[weather], stream=True).responses())
        calls = [(call.name, call.arguments) for response in responses for call in response.tool_calls()]
        usages = [response.usage() for response in responses]
        return seen(responses[-1].text(), sum(u.input for u in usages), sum(u.output for u in usages), calls)

    def structured(self, model: str) -> Any:
        return json.loads(self._model(model).prompt(WORDS, schema=Place, stream=False).text())


def openai_provider() -> OpenAIProvider:
    return OpenAIProvider(base_url=f"{URL}/v1", api_key=KEY)


CLIENTS: Mapping[str, Client] = {
    "langchain openai": LangChain(
        lambda model: ChatOpenAI(model=model, base_url=f"{URL}/v1", api_key=KEY, max_retries=0, stream_usage=True)
    ),
    "langchain responses": LangChain(
        lambda model: ChatOpenAI(model=model, base_url=f"{URL}/v1", api_key=KEY, max_retries=0, use_responses_api=True)
    ),
    "langchain anthropic": LangChain(
        lambda model: ChatAnthropic(model=model, base_url=URL, api_key=KEY, max_retries=0, max_tokens=500)
    ),
    "langchain google": LangChain(
        lambda model: ChatGoogleGenerativeAI(model=model, base_url=URL, google_api_key=KEY, max_retries=1)
    ),
    "pydantic-ai openai": PydanticAI(lambda model: OpenAIChatModel(model, provider=openai_provider())),
    "pydantic-ai responses": PydanticAI(lambda model: ResponsesModel(model, provider=openai_provider())),
    "pydantic-ai anthropic": PydanticAI(
        lambda model: AnthropicModel(model, provider=AnthropicProvider(base_url=URL, api_key=KEY))
    ),
    "pydantic-ai google": PydanticAI(
        lambda model: GoogleModel(model, provider=GoogleProvider(base_url=URL, api_key=KEY))
    ),
    "openai-agents openai": OpenAIAgents(OpenAIChatCompletionsModel),
    "openai-agents responses": OpenAIAgents(OpenAIResponsesModel),
    "litellm openai": LiteLLM("openai", f"{URL}/v1"),
    "litellm anthropic": LiteLLM("anthropic", URL),
    "litellm gemini": LiteLLM("gemini", f"{URL}/v1beta"),
    "llm": Llm(),
}


def show(client: str, model: str, step: str, run: Callable[[str], Any]) -> None:
    line: dict[str, Any] = {"client": client, "model": model, "step": step}
    try:
        line["seen"] = run(model)
    except Exception as error:
        line["error"] = repr(error)
    print(json.dumps(line), flush=True)


def embeddings(_model: str) -> list[int]:
    client = OpenAIEmbeddings(model="text-embedding-3-small", base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
    return [len(vector) for vector in client.embed_documents(["one", "two"])]


for name, client in CLIENTS.items():
    for model in sys.argv[1:]:
        show(name, model, "chat", client.chat)
        show(name, model, "stream", client.stream)
        show(name, model, "tools", client.tools)
        show(name, model, "structured", client.structured)
show("langchain openai", "", "embeddings", embeddings)
