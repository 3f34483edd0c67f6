from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
from openai import AsyncOpenAI, OpenAI

from .conftest import CHAT

ASK: Any = [{"role": "user", "content": "Say this is a test!"}]
NEVER_ENDING: dict[str, Any] = {
    "model": CHAT,
    "messages": [{"role": "user", "content": "Write a very long story."}],
    "max_tokens": 4000,
    "logit_bias": {"2": -100, "0": -100},  # the tokens that end an answer
}


def test_quickstart(client: OpenAI):
    got = client.chat.completions.create(model=CHAT, messages=ASK)
    assert "this is a test" in (got.choices[0].message.content or "").lower()
    assert got.choices[0].finish_reason == "stop"
    assert got.model == CHAT
    assert got.id.startswith("chatcmpl-")
    assert got.usage is not None
    assert got.usage.prompt_tokens > 10
    assert 4 <= got.usage.completion_tokens <= 12
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens
    assert not {"timings", "__verbose"} & set(got.model_extra or {})


def test_stream_is_the_answer_in_pieces(client: OpenAI):
    whole = client.chat.completions.create(model=CHAT, messages=ASK)
    chunks = list(
        client.chat.completions.create(model=CHAT, messages=ASK, stream=True, stream_options={"include_usage": True})
    )
    assert len({(c.id, c.created, c.model) for c in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert all(c.usage is None for c in chunks[:-1])
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-2].choices[0].finish_reason == "stop"
    text = "".join(c.choices[0].delta.content or "" for c in chunks[:-1])
    assert text == whole.choices[0].message.content


async def test_stream_without_usage_asked_has_none_and_ends_in_done(engines: str):
    body = {"model": CHAT, "messages": ASK, "stream": True, "max_tokens": 3}
    async with aiohttp.ClientSession() as session, session.post(f"{engines}/v1/chat/completions", json=body) as got:
        assert got.content_type == "text/event-stream"
        lines = [line for line in (await got.text()).split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert all(event["choices"] and "usage" not in event for event in events)
    assert events[-1]["choices"][0]["finish_reason"] == "length"


def test_limits_and_stop(client: OpenAI):
    cut = client.chat.completions.create(model=CHAT, messages=ASK, max_completion_tokens=2)
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 2
    stopped = client.chat.completions.create(model=CHAT, messages=ASK, stop=["test"])
    assert stopped.choices[0].finish_reason == "stop"
    assert "test" not in (stopped.choices[0].message.content or "x test")


def test_several_choices_are_all_counted(client: OpenAI):
    one = client.chat.completions.create(model=CHAT, messages=ASK, max_tokens=4)
    three = client.chat.completions.create(model=CHAT, messages=ASK, max_tokens=4, n=3, seed=1, temperature=1.5)
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert three.usage is not None
    assert one.usage is not None
    assert three.usage.prompt_tokens == one.usage.prompt_tokens
    assert three.usage.completion_tokens > 4
    assert len({choice.message.content for choice in three.choices}) > 1


def test_seed(client: OpenAI):
    def ask(seed: int) -> str | None:
        messages: Any = [{"role": "user", "content": "Invent a word."}]
        got = client.chat.completions.create(model=CHAT, messages=messages, temperature=1.5, seed=seed, max_tokens=12)
        return got.choices[0].message.content

    assert ask(7) == ask(7)
    assert len({ask(seed) for seed in range(4)}) > 1


def test_logprobs(client: OpenAI):
    got = client.chat.completions.create(model=CHAT, messages=ASK, logprobs=True, top_logprobs=2, max_tokens=4)
    logprobs = got.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert "".join(token.token for token in logprobs.content) == got.choices[0].message.content
    assert all(len(token.top_logprobs) == 2 and token.logprob <= 0 for token in logprobs.content)
    bare = client.chat.completions.create(model=CHAT, messages=ASK, logprobs=True, max_tokens=2)
    assert bare.choices[0].logprobs is not None
    assert [token.top_logprobs for token in bare.choices[0].logprobs.content or [None]] == [[], []]


def test_json_schema(client: OpenAI):
    person = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    got = client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "Extract: Anna is 31 years old."}],
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": person}},
    )
    assert json.loads(got.choices[0].message.content or "") == {"name": "Anna", "age": 31}


def test_json_object(client: OpenAI):
    got = client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "Answer as JSON: which color is the sky?"}],
        response_format={"type": "json_object"},
        max_tokens=40,
    )
    text = got.choices[0].message.content or ""
    assert text.startswith("{")
    assert got.choices[0].finish_reason == "length" or isinstance(json.loads(text), dict)


def test_roles_and_parts(client: OpenAI):
    messages: Any = [
        {"role": "developer", "content": "You are a helpful assistant."},
        {"role": "user", "content": [{"type": "text", "text": "What is the capital of France?"}]},
    ]
    got = client.chat.completions.create(model=CHAT, messages=messages)
    assert "Paris" in (got.choices[0].message.content or "")


async def test_two_slots_and_a_caller_that_leaves_frees_one(engines: str):
    """Two endless answers hold both slots, a third request waits; it is served as soon as a caller has left."""
    async with AsyncOpenAI(base_url=f"{engines}/v1", api_key="x", max_retries=0) as client:
        endless: Any = [await client.chat.completions.create(**NEVER_ENDING, stream=True) for _ in range(2)]
        third = asyncio.create_task(client.chat.completions.create(model=CHAT, messages=ASK, max_tokens=2))
        for stream in endless:
            for _ in range(15):
                await anext(aiter(stream))
        assert not third.done()
        await endless[0].close()
        assert (await third).usage.completion_tokens == 2
        await endless[1].close()


async def test_leaving_before_the_answer_stops_the_work_too(engines: str):
    async def leave() -> None:
        async with aiohttp.ClientSession() as session:
            asking = asyncio.create_task(session.post(f"{engines}/v1/chat/completions", json=NEVER_ENDING))
            await asyncio.wait({asking}, timeout=0.3)
            assert not asking.done()
            asking.cancel()
            await asyncio.wait({asking})

    async with AsyncOpenAI(base_url=f"{engines}/v1", api_key="x", max_retries=0) as client:

        async def takes(tokens: int) -> float:
            begun = time.monotonic()
            await client.chat.completions.create(**NEVER_ENDING | {"max_tokens": tokens})
            return time.monotonic() - begun

        await takes(1)
        token = await takes(20) / 20
        await asyncio.gather(*(leave() for _ in range(4)))
        assert await takes(2) < 2000 * token, "four answers of 4000 tokens each, two at a time, take four times as long"
