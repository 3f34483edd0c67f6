"""What Python programs are written with instead of a vendor's client: LangChain, Pydantic AI, LiteLLM and so on.

They ask for other versions of the vendors' clients than the tests here use, so they run in an environment of their own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.programs import Lines, cases, drive, isolated, judge
from tests.stack import Gateway

FOLDER = Path(__file__).parent / "frameworks"
STEPS = ("chat", "stream", "tools", "structured")
CLIENTS: dict[str, tuple[str, ...]] = {
    f"{framework} {provider}": STEPS
    for framework, providers in {
        "langchain": ("openai", "responses", "anthropic", "google"),
        "pydantic-ai": ("openai", "responses", "anthropic", "google"),
        "openai-agents": ("openai", "responses"),
        "litellm": ("openai", "anthropic"),
    }.items()
    for provider in providers
}
CLIENTS["llm"] = STEPS
# It writes the schema into the prompt for models that it does not know as Google's.
CLIENTS["litellm gemini"] = ("chat", "stream", "tools")


@pytest.fixture(scope="module")
def lines(gateway: Gateway) -> Lines:
    return drive(isolated(FOLDER), gateway, FOLDER)


@pytest.mark.parametrize(("client", "model", "step"), cases(CLIENTS, {"langchain openai": ("embeddings",)}))
def test_framework(lines: Lines, client: str, model: str, step: str) -> None:
    judge(lines, client, model, step)
