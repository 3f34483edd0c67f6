"""Go clients against the gateway: OpenAI's, Anthropic's and Google's own, and the one of most programs before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.programs import BUILT, CHAT, COMPILES, DRILL, MODELS, Lines, build, cases, drive, judge, needs
from tests.stack import Gateway

pytestmark = [COMPILES, DRILL]
FOLDER = Path(__file__).parent / "go"
CLIENTS = {
    "openai-go": (*CHAT, "structured", "models", "errors"),
    "openai-go responses": (*CHAT, "errors"),
    "anthropic-sdk-go": (*CHAT, "structured", "count", "models", "errors"),
    "genai": (*CHAT, "structured", "count", "models", "errors"),
    "go-openai": (*CHAT, "models", "errors"),
}
BOTH = ("embeddings", "image")
MEDIA = {"openai-go": BOTH, "genai": BOTH, "go-openai": BOTH}


def program() -> list[str]:
    needs("go")
    # Without optimisation it compiles in three quarters of the time.
    build(["go", "build", "-buildvcs=false", "-gcflags=all=-N -l", "-o", str(BUILT / "go"), "."], FOLDER)
    return [str(BUILT / "go")]


@pytest.fixture(scope="module")
def lines(gateway: Gateway) -> Lines:
    return drive(program(), gateway)


@pytest.mark.parametrize(("client", "model", "step"), cases(CLIENTS, MEDIA))
def test_go(lines: Lines, client: str, model: str, step: str) -> None:
    judge(lines, client, model, step)


@pytest.fixture(scope="module")
def broken(gateway: Gateway) -> Lines:
    return drive(program(), gateway, words="[sandbox:fail-midway] Say this")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_stream_that_breaks_off_is_an_error(broken: Lines, client: str, model: str) -> None:
    assert broken[client, model, "stream"]["error"]
