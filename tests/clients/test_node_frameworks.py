"""What Node programs are written with instead of a vendor's client: Vercel's AI SDK and LangChain.js."""

from __future__ import annotations

import pytest

from tests.clients.programs import MODELS, Lines, cases, drive, judge
from tests.clients.test_node import FOLDER, NODE
from tests.stack import Gateway

STEPS = ("chat", "stream", "tools", "structured")
AI_SDK: dict[str, tuple[str, ...]] = dict.fromkeys(
    ("ai-sdk openai-compatible", "ai-sdk anthropic", "ai-sdk google"), (*STEPS, "streamed tools")
)
LANGCHAIN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("langchain.js openai", "langchain.js responses", "langchain.js google"), STEPS),
    "langchain.js anthropic": ("chat", "tools", "structured"),
}


@pytest.fixture(scope="module")
def ai_sdk(gateway: Gateway) -> Lines:
    return drive([str(NODE), "ai_sdk.mjs"], gateway, FOLDER)


@pytest.fixture(scope="module")
def langchain(gateway: Gateway) -> Lines:
    return drive([str(NODE), "langchain.mjs"], gateway, FOLDER)


@pytest.mark.parametrize(("client", "model", "step"), cases(AI_SDK))
def test_ai_sdk(ai_sdk: Lines, client: str, model: str, step: str) -> None:
    judge(ai_sdk, client, model, step)


@pytest.mark.parametrize(("client", "model", "step"), cases(LANGCHAIN, {"langchain.js openai": ("embeddings",)}))
def test_langchain(langchain: Lines, client: str, model: str, step: str) -> None:
    judge(langchain, client, model, step)


@pytest.mark.parametrize("model", MODELS)
def test_langchain_counts_a_stream_of_anthropic_s_in_its_own_way(langchain: Lines, model: str) -> None:
    """It takes the input from the first event, an estimate of translated models, and adds the output of both ends."""
    whole, streamed = (langchain["langchain.js anthropic", model, step]["seen"] for step in ("chat", "stream"))
    assert streamed["text"] == whole["text"]
    assert streamed["input"] > 0
    assert streamed["output"] - whole["output"] in (0, 1)
