"""Rust clients against the gateway: OpenAI's types in full, and a client that reads each vendor's format by itself."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.clients.programs import BUILT, CHAT, COMPILES, DRILL, Lines, build, cases, drive, judge, needs
from tests.stack import Gateway

pytestmark = [COMPILES, DRILL]
FOLDER = Path(__file__).parent / "rust"
MANY = (*CHAT, "structured", "models", "errors")
CLIENTS = {
    "async-openai": MANY,
    "async-openai responses": CHAT,
    "genai openai": MANY,
    "genai responses": MANY,
    # It reads the first page of a list alone.
    "genai anthropic": (*CHAT, "structured", "errors"),
    "genai gemini": (*CHAT, "structured", "errors"),
}
MEDIA = {
    "async-openai": ("embeddings", "image"),
    "genai openai": ("embeddings",),
    "genai gemini": ("embeddings",),
}


def toolchains() -> dict[str, str]:
    """Say where rustup's toolchains lie: it looks below HOME, which may be another than the one it lies in itself."""
    beside = Path(shutil.which("cargo") or "").absolute().parent.parent.with_name(".rustup")
    return {"RUSTUP_HOME": str(beside)} if "RUSTUP_HOME" not in os.environ and beside.is_dir() else {}


def program() -> list[str]:
    needs("cargo")
    build(["cargo", "build", "--quiet", "--locked"], FOLDER, CARGO_TARGET_DIR=str(BUILT / "rust"), **toolchains())
    return [str(BUILT / "rust" / "debug" / "clients")]


@pytest.fixture(scope="module")
def lines(gateway: Gateway) -> Lines:
    return drive(program(), gateway)


@pytest.mark.parametrize(("client", "model", "step"), cases(CLIENTS, MEDIA))
def test_rust(lines: Lines, client: str, model: str, step: str) -> None:
    judge(lines, client, model, step)
