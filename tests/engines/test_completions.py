from __future__ import annotations

from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from .conftest import CHAT

FRANCE = "The capital of France is"


def test_goes_on_with_the_prompt(client: OpenAI):
    got = client.completions.create(model=CHAT, prompt=FRANCE)
    assert got.object == "text_completion"
    assert got.choices[0].text.startswith(" Paris")
    assert got.usage is not None
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (5, 16)
    assert got.choices[0].finish_reason == "length"


def test_prompts_times_choices(client: OpenAI):
    got = client.completions.create(model=CHAT, prompt=[FRANCE, "One two three"], n=2, max_tokens=3)
    assert [choice.index for choice in got.choices] == [0, 1, 2, 3]
    assert got.usage is not None
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (8, 12)


def test_stream(client: OpenAI):
    whole = client.completions.create(model=CHAT, prompt=FRANCE, max_tokens=5)
    chunks = list(
        client.completions.create(
            model=CHAT, prompt=FRANCE, max_tokens=5, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(c.choices[0].text for c in chunks if c.choices) == whole.choices[0].text
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5


def test_echo(client: OpenAI):
    got = client.completions.create(model=CHAT, prompt=FRANCE, max_tokens=1, echo=True)
    assert got.choices[0].text == f"{FRANCE} Paris"
    nothing = client.completions.create(model=CHAT, prompt=FRANCE, max_tokens=0, echo=True)
    assert nothing.choices[0].text == FRANCE
    assert nothing.usage is not None
    assert (nothing.usage.prompt_tokens, nothing.usage.completion_tokens) == (5, 0)


def test_logprobs_in_the_older_format(client: OpenAI):
    got = client.completions.create(model=CHAT, prompt=FRANCE, max_tokens=2, logprobs=2)
    logprobs = got.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens is not None
    assert "".join(logprobs.tokens) == got.choices[0].text
    assert logprobs.text_offset == [0, len(logprobs.tokens[0])]
    assert logprobs.top_logprobs is not None
    assert all(len(top) == 2 for top in logprobs.top_logprobs)


def test_tokens_as_the_prompt(client: OpenAI):
    got = client.completions.create(model=CHAT, prompt=[19556, 905], max_tokens=2)
    assert got.usage is not None
    assert got.usage.prompt_tokens == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": ""},
        {"prompt": []},
        {"prompt": [1, "x"]},
        {"prompt": [10**9]},
        {"suffix": "end"},
        {"best_of": 3},
        {"echo": True, "logprobs": 1},
        {"prompt": "hi " * 6000},
    ],
)
def test_refusals(client: OpenAI, fields: dict[str, Any]):
    with pytest.raises(BadRequestError):
        client.completions.create(**{"model": CHAT, "prompt": "Hi", "max_tokens": 2, **fields})
