"""Lists of models: whatever a token may call, by each format's own interfaces, without a word of the operator's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.http import Got, call, post

ANTHROPIC = {"anthropic-version": "2023-06-01"}
GOOGLE = {"x-goog-api-key": "unused"}
TOML = """
[[channels]]
name = "hidden-name"
protocol = "openai"
base_url = "{url}/openai/v1"
credential = "sk-upstream"
models = ["deepseek-*", "deepseek-ai/*", "own-model", "a/b/c"]

[[channels]]
name = "own-server"
protocol = "openai"
base_url = "{url}/openai/v1"
credential = "sk-upstream"
models = ["*"]
price_groups = ["free"]
settings = {{ unpriced = "free" }}

[[channels]]
name = "named"
protocol = "openai"
base_url = "{url}/openai/v1"
credential = "sk-upstream"
models = ["branded"]
settings = {{ owned_by = "our brand" }}

[[aliases]]
name = "fast"
target = "deepseek-chat"

[[aliases]]
name = "lost"
target = "nobody-serves-this"

[groups]
free = 0

[prices."deepseek-mine"]
per_call = "0.1"

[[tokens]]
name = "narrow"
key = "sk-narrow-0000000000000000"
models = ["deepseek-*", "fast"]

[[tokens]]
name = "free"
key = "sk-free-000000000000000000"
price_group = "free"
"""


@pytest.fixture(scope="module")
def shop(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    made = Gateway(Path(tmp_path_factory.mktemp("models")), sandbox, toml=TOML.format(url=sandbox.url)).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()


def ask(gateway: Gateway, path: str, headers: dict[str, str] | None = None, key: str | None = None) -> Got:
    return call(gateway, "GET", path, key=key or gateway.live, headers=headers)


def listed(gateway: Gateway, key: str | None = None) -> dict[str, Any]:
    return {model["id"]: model for model in ask(gateway, "/v1/models", key=key).json["data"]}


@pytest.mark.operation("openai.models.list")
def test_the_list_holds_what_may_be_called(shop: Gateway) -> None:
    models = listed(shop)
    # By patterns of channels and of protocols, the operator's prices, names, and aliases.
    assert {"gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash", "deepseek-chat", "deepseek-reasoner"} <= set(models)
    assert {"deepseek-mine", "own-model", "a/b/c", "fast", "flux-dev", "mj_imagine", "sora-2"} <= set(models)
    assert "lost" not in models
    assert not [name for name in models if "*" in name]
    assert list(models) == sorted(models)


@pytest.mark.operation("openai.models.list")
def test_whose_a_model_is(shop: Gateway) -> None:
    models = listed(shop)
    owners = {name: models[name]["owned_by"] for name in ("gpt-4o", "claude-sonnet-4-5", "deepseek-chat", "fast")}
    assert owners == {
        "gpt-4o": "openai",
        "claude-sonnet-4-5": "anthropic",
        "deepseek-chat": "deepseek",
        "fast": "deepseek",
    }
    assert (models["own-model"]["owned_by"], models["branded"]["owned_by"]) == ("custom", "our brand")
    for path, headers in (("/v1/models", {}), ("/v1/models", ANTHROPIC), ("/v1beta/models?pageSize=1000", {})):
        body = ask(shop, path, headers).body
        assert b"hidden-name" not in body
        assert b"own-server" not in body


def test_no_answer_names_the_operators_organisation(shop: Gateway) -> None:
    answer = post(shop, "/v1/chat/completions", {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
    assert answer.status == 200
    assert "openai-organization" not in answer.headers


def test_a_token_sees_what_it_may_use(shop: Gateway) -> None:
    narrow = listed(shop, "sk-narrow-0000000000000000")
    assert {"fast", "deepseek-chat"} <= set(narrow)
    assert {name for name in narrow if not name.startswith("deepseek-")} == {"fast"}
    assert ask(shop, "/v1/models/gpt-4o", key="sk-narrow-0000000000000000").status == 404


def test_a_server_that_takes_any_name_has_not_all_models(shop: Gateway) -> None:
    free = listed(shop, "sk-free-000000000000000000")
    assert "mistral-large-latest" not in free
    # Yet it would be served, and that is what is asked.
    assert ask(shop, "/v1/models/mistral-large-latest", key="sk-free-000000000000000000").status == 200


@pytest.mark.operation("openai.models.get", "anthropic.models.get", "gemini.models.get")
@pytest.mark.parametrize(
    "name", ["gpt-4o", "gpt-4o-2031-01-01", "deepseek-chat", "deepseek-ai/DeepSeek-V3", "a/b/c", "fast"]
)
@pytest.mark.parametrize("escaped", [False, True])
def test_a_model_is_described_as_long_as_it_would_be_served(shop: Gateway, name: str, escaped: bool) -> None:
    path = name.replace("/", "%2F") if escaped else name
    plain = ask(shop, f"/v1/models/{path}")
    assert (plain.status, plain.json["id"], plain.json["object"]) == (200, name, "model")
    claude = ask(shop, f"/v1/models/{path}", ANTHROPIC)
    assert (claude.status, claude.json["id"], claude.json["type"]) == (200, name, "model")
    for google in (ask(shop, f"/v1/models/{path}", GOOGLE), ask(shop, f"/v1beta/models/{path}")):
        assert (google.status, google.json["name"]) == (200, f"models/{name}")
        methods = ["generateContent", "streamGenerateContent", "countTokens"]
        assert google.json["supportedGenerationMethods"] == methods


@pytest.mark.parametrize("name", ["no-such-model", "no/such-model", "lost"])
def test_a_model_that_nobody_serves(shop: Gateway, name: str) -> None:
    assert ask(shop, f"/v1/models/{name}").json["error"]["code"] == "model_not_found"
    assert ask(shop, f"/v1/models/{name}", ANTHROPIC).json["error"]["type"] == "not_found_error"
    assert ask(shop, f"/v1beta/models/{name}").json["error"]["status"] == "NOT_FOUND"


@pytest.mark.operation("gemini.models.list")
def test_googles_list_says_what_each_model_does(shop: Gateway) -> None:
    models = {
        model["displayName"]: model["supportedGenerationMethods"]
        for model in ask(shop, "/v1beta/models?pageSize=1000").json["models"]
    }
    assert models["gemini-2.5-flash"] == ["generateContent", "streamGenerateContent", "countTokens"]
    assert models["gemini-embedding-001"] == ["embedContent", "batchEmbedContents"]
    assert models["imagen-4.0-generate-001"] == ["predict"]
    assert models["veo-3.1-generate-preview"] == ["predictLongRunning"]
    # By a translator.
    assert "generateContent" in models["gpt-4o"]
    assert models["text-embedding-3-small"] == ["embedContent", "batchEmbedContents"]
    # Nothing of Google's format leads there.
    assert not {"babbage-002", "flux-dev", "whisper-1", "dall-e-3", "mj_imagine", "sd3-large"} & set(models)


@pytest.mark.operation("anthropic.models.list")
def test_anthropics_list_holds_what_answers_messages(shop: Gateway) -> None:
    models = {model["id"] for model in ask(shop, "/v1/models?limit=1000", ANTHROPIC).json["data"]}
    assert {"claude-sonnet-4-5", "gpt-4o", "gemini-2.5-flash", "fast"} <= models
    assert not {"flux-dev", "babbage-002", "whisper-1", "gemini-embedding-001", "imagen-4.0-generate-001"} & models


@pytest.mark.parametrize(
    ("path", "body", "served"),
    [
        ("/v1/embeddings", {"model": "gemini-2.5-flash", "input": "x"}, "/v1/chat/completions"),
        ("/v1/images/generations", {"model": "gemini-2.5-flash", "prompt": "x"}, "/v1/chat/completions"),
        ("/v1/images/generations", {"model": "stable-image-edit-inpaint", "prompt": "x"}, "/v1/images/edits"),
        ("/v1/images/generations", {"model": "ideogram-upscale", "prompt": "x"}, "/ideogram/upscale"),
        (
            "/v1/images/edits",
            {"model": "imagen-4.0-generate-001", "prompt": "x", "images": [{"image_url": "https://a.example/a.png"}]},
            "/v1/images/generations",
        ),
        ("/v1/images/generations", {"model": "mj_upscale", "prompt": "x"}, "/mj/submit/imagine"),
        (
            "/v1/chat/completions",
            {"model": "flux-dev", "messages": [{"role": "user", "content": "x"}]},
            "/v1/images/generations",
        ),
        (
            "/v1/messages",
            {"model": "flux-dev", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]},
            "/v1/images/generations",
        ),
    ],
)
def test_a_model_that_is_served_elsewhere_is_told_with_its_path(
    shop: Gateway, path: str, body: dict[str, Any], served: str
) -> None:
    answer = post(shop, path, body)
    assert answer.status == 404
    assert f"it is served at {served}" in answer.json["error"]["message"]
    assert "no-such" not in post(shop, path, {**body, "model": "no-such-model"}).json["error"]["message"].split("'")[0]


def test_tokens_are_counted_for_models_of_other_formats(shop: Gateway) -> None:
    """As near as one vendor's tokens come to another's."""
    words = " ".join(["river"] * 200)
    content = {"contents": [{"role": "user", "parts": [{"text": words}]}]}
    for name in ("gpt-4o", "fast"):
        message = {"model": name, "messages": [{"role": "user", "content": words}]}
        tools = [{"name": "get_weather", "description": words, "input_schema": {"type": "object"}}]
        plain = post(shop, "/v1/messages/count_tokens?beta=true", message)
        more = post(shop, "/v1/messages/count_tokens", {**message, "system": words, "tools": tools})
        assert 200 <= plain.json["input_tokens"] < 300
        assert more.json["input_tokens"] > plain.json["input_tokens"] + 400
        google = post(shop, f"/v1beta/models/{name}:countTokens", content)
        whole = {
            "generateContentRequest": {
                "model": f"models/{name}",
                **content,
                "systemInstruction": content["contents"][0],
            }
        }
        assert 200 <= google.json["totalTokens"] < 300
        assert post(shop, f"/v1beta/models/{name}:countTokens", whole).json["totalTokens"] > 400
    for name, status in (("no-such-model", 404), ("flux-dev", 404)):
        refused = post(shop, f"/v1beta/models/{name}:countTokens", content)
        assert refused.status == status
