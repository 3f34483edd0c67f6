"""Go clients against the gateway: OpenAI's, Anthropic's and Google's own, and the one of most programs before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.programs import BUILT, CHAT, Lines, build, cases, drive, judge, needs
from tests.stack import Gateway

FOLDER = Path(__file__).parent / "go"
PROGRAM = BUILT / "go"
CLIENTS = {
    "openai-go": (*CHAT, "structured", "models", "errors"),
    "openai-go responses": (*CHAT, "errors"),
    "anthropic-sdk-go": (*CHAT, "structured", "count", "models", "errors"),
    "genai": (*CHAT, "structured", "count", "models", "errors"),
    "go-openai": (*CHAT, "models", "errors"),
}
MEDIA = dict.fromkeys(("openai-go", "genai", "go-openai"), ("embeddings", "image"))


@pytest.fixture(scope="module")
def lines(gateway: Gateway) -> Lines:
    needs("go")
    build(["go", "build", "-o", str(PROGRAM), "."], FOLDER)
    return drive([str(PROGRAM)], gateway)


@pytest.mark.parametrize(("client", "model", "step"), cases(CLIENTS, MEDIA))
def test_go(lines: Lines, client: str, model: str, step: str) -> None:
    judge(lines, client, model, step)
