"""Java clients against the gateway: the vendors' own, and LangChain4j and Spring AI over the JDK's client."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.clients.programs import BUILT, CHAT, COMPILES, Lines, build, cases, drive, judge, needs
from tests.stack import Gateway

pytestmark = COMPILES
FOLDER = Path(__file__).parent / "java"
CLIENTS = {
    "openai-java": (*CHAT, "structured", "models", "errors"),
    "openai-java responses": CHAT,
    "anthropic-java": (*CHAT, "structured", "count", "models", "errors"),
    "google-genai": (*CHAT, "structured", "count", "models", "errors"),
    "langchain4j openai": (*CHAT, "structured", "errors"),
    "langchain4j anthropic": (*CHAT, "structured", "errors"),
    "spring-ai": (*CHAT, "errors"),
}
MEDIA = {
    "openai-java": ("embeddings", "image"),
    "google-genai": ("embeddings",),
    "langchain4j openai": ("embeddings",),
}


def program() -> list[str]:
    needs("java", "javac", "mvn")
    built = BUILT / "java"
    build(["mvn", "-B", "-q", "--strict-checksums", f"-Dbuilt={built}", "process-classes"], FOLDER)
    classpath = (built / "classpath").read_text()
    return ["java", "-cp", f"{built / 'classes'}{os.pathsep}{classpath}", "clients.Main"]


@pytest.fixture(scope="module")
def lines(gateway: Gateway) -> Lines:
    return drive(program(), gateway)


@pytest.mark.parametrize(("client", "model", "step"), cases(CLIENTS, MEDIA))
def test_java(lines: Lines, client: str, model: str, step: str) -> None:
    judge(lines, client, model, step)
