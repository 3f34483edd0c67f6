"""Presets: the table itself, and the ways in which a channel is made of one."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from typer.testing import CliRunner

from deeepai.cli import app
from deeepai.control import bootstrap, presets
from deeepai.control.presets import PRESETS, ChannelEntry, Preset
from deeepai.declare import Failure
from deeepai.protocols import PROTOCOLS
from deeepai.upstream.transports import TRANSPORTS

from .conftest import API
from .test_cli import Cli, cli

__all__ = ["cli"]

EXPECTED = {
    "deepseek",
    "moonshot",
    "moonshot-intl",
    "zhipu",
    "zai",
    "dashscope",
    "dashscope-intl",
    "doubao",
    "qianfan",
    "hunyuan",
    "minimax",
    "stepfun",
    "yi",
    "baichuan",
    "siliconflow",
    "spark",
    "sensenova",
    "internlm",
    "mistral",
    "groq",
    "together",
    "fireworks",
    "openrouter",
    "perplexity",
    "xai",
    "cohere",
    "cerebras",
    "sambanova",
    "nvidia",
    "deepinfra",
    "novita",
    "hyperbolic",
    "nebius",
    "lambda",
    "featherless",
    "ai21",
    "github-models",
    "huggingface",
    "cloudflare",
    "azure",
    "vertex-gemini",
    "vertex-anthropic",
    "bedrock-anthropic",
    "ollama",
    "vllm",
    "lmstudio",
    "llamacpp",
    "xinference",
    "litellm",
    "new-api",
    "one-api",
}


def entry(preset: str, **fields: object) -> ChannelEntry:
    return msgspec.convert({"name": "c", "preset": preset, **fields}, ChannelEntry)


def by(transport: str, protocol: str) -> ChannelEntry:
    return msgspec.convert({"name": "c", "protocol": protocol, "settings": {"transport": transport}}, ChannelEntry)


def test_the_vendors_that_are_promised_are_there() -> None:
    assert set(PRESETS) >= EXPECTED


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_an_entry_is_whole(preset: Preset) -> None:
    assert preset.protocol in PROTOCOLS
    parts = urlsplit(preset.base_url.replace("{", "").replace("}", ""))
    assert parts.hostname
    assert parts.scheme == ("http" if preset.local else "https")
    assert not preset.base_url.endswith("/")
    assert not parts.query
    assert set(re.findall(r"\{(\w+)\}", preset.base_url)) <= set(preset.needs)
    assert preset.title.en
    assert re.search(r"[一-鿿]", preset.title.zh) or preset.title.zh.isascii()
    assert preset.documentation.startswith("https://")
    assert preset.source
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", preset.date)
    needed = dict.fromkeys(preset.needs, "own-1")
    made = presets.resolve(entry(preset.name, credential="k", models=["m"], settings=needed), PROTOCOLS)
    assert isinstance(made.base_url, str)
    assert "{" not in made.base_url
    assert made.settings["preset"] == preset.name
    transport = made.settings.get("transport")
    assert transport is None or preset.protocol in TRANSPORTS[transport].carries


@pytest.mark.parametrize("page", ["presets.md", "presets.zh.md"])
def test_the_guide_lists_them_all(page: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / page).read_text("utf-8")
    rows: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            rows.setdefault(line.split("`")[1], line)
    for preset in PRESETS.values():
        assert f"`{preset.base_url}`" in rows[preset.name]
        assert all(f"`{name}`" in rows[preset.name] for name in preset.environment)


def test_no_key_belongs_to_two_vendors() -> None:
    keys = Counter(name for preset in PRESETS.values() for name in preset.environment)
    protocols = {name for protocol in PROTOCOLS.values() for name in (protocol.env_key, *protocol.env_key_also) if name}
    assert [name for name, count in keys.items() if count > 1] == []
    assert protocols.isdisjoint(keys)


def test_what_the_channel_says_itself_counts() -> None:
    made = presets.resolve(
        entry(
            "deepseek", credential="k", base_url="http://h/v9", models=["own"], settings={"rename": {}, "first_byte": 3}
        ),
        PROTOCOLS,
    )
    assert (made.protocol, made.base_url, made.models) == ("openai", "http://h/v9", ["own"])
    assert made.settings == {"rename": {}, "first_byte": 3, "preset": "deepseek"}


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (entry("unheard-of", credential="k"), "preset"),
        (entry("deepseek", credential="k", protocol="flux"), "protocol"),
        (entry("deepseek"), "credential"),
        (entry("vllm"), "models"),
        (entry("cloudflare", credential="k"), "settings"),
        (entry("cloudflare", credential="k", settings={"account": "../x"}), "settings"),
        (msgspec.convert({"name": "c"}, ChannelEntry), "protocol"),
        (by("x", "openai"), "settings.transport"),
        (by("azure", "flux"), "settings.transport"),
        (by("vertex", "gemini"), "settings.project"),
    ],
)
def test_refusals(given: ChannelEntry, param: str) -> None:
    with pytest.raises(Failure) as caught:
        presets.resolve(given, PROTOCOLS)
    assert caught.value.param == param


def test_keys_of_the_environment_become_channels() -> None:
    environ = {
        "DEEPSEEK_API_KEY": "sk-deep",
        "MOONSHOT_API_KEY": "sk-moon",
        "MOONSHOT_BASE_URL": "https://api.moonshot.ai/v1",
        "GITHUB_TOKEN": "used for much else",
        "GROQ_API_KEY": " ",
    }
    found = {channel.name: channel for channel in bootstrap.environment_channels(PROTOCOLS, environ)}
    assert set(found) == {"deepseek-environment", "moonshot-environment"}
    deepseek = found["deepseek-environment"]
    assert (deepseek.base_url, deepseek.credential) == ("https://api.deepseek.com", "sk-deep")
    assert deepseek.models == ["deepseek-*"]
    assert found["moonshot-environment"].base_url == "https://api.moonshot.ai/v1"


def test_the_command_line(cli: Cli) -> None:
    cli.ok("channels", "add", "--preset", "deepseek", "--key", "sk-deep")
    cli.ok("channels", "add", "cf", "--preset", "cloudflare", "--key", "k", "--set", "account=0af3")
    cli.ok("channels", "add", "--preset", "groq", env={"GROQ_API_KEY": "gsk"})
    rows = {row["name"]: row for row in cli.rows("channels", "list")}
    assert rows["deepseek"]["base_url"] == "https://api.deepseek.com"
    assert rows["deepseek"]["has_credential"]
    assert rows["cf"]["base_url"] == "https://api.cloudflare.com/client/v4/accounts/0af3/ai/v1"
    assert rows["groq"]["has_credential"]
    assert "needs a credential" in cli.fails("channels", "add", "--preset", "mistral")
    assert "names no models" in cli.fails("channels", "add", "--preset", "ollama")
    assert "no preset" in cli.fails("channels", "add", "--preset", "telegraph")


def test_the_command_that_lists_them() -> None:
    def said(*words: str) -> str:
        result = CliRunner().invoke(app, ["channels", "presets", *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert {row["name"] for row in json.loads(said("--json"))} >= EXPECTED
    assert "moonshot" in said("Kimi")
    assert "deepseek" not in said("Kimi")


def test_the_declarative_file(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[[channels]]\nname = "ds"\npreset = "deepseek"\ncredential = "sk"\n')
    cli.ok("config", "apply", str(file))
    (channel,) = cli.rows("channels", "list")
    assert (channel["name"], channel["protocol"], channel["models"]) == ("ds", "openai", ["deepseek-*"])
    file.write_text('[[channels]]\nname = "ds"\npreset = "telegraph"\n')
    assert "own.toml:3: channels[0].preset: there is no preset" in cli.fails("config", "check", str(file))


async def test_the_control_api(api: API) -> None:
    listed = await api("GET", "/presets")
    assert {preset["name"] for preset in listed.body["data"]} >= EXPECTED
    made = await api("POST", "/channels", {"name": "m", "preset": "mistral", "credential": "k"})
    assert made.status == 201, made
    assert made.body["settings"]["stream_usage"] is False
    wrong = await api("POST", "/channels", {"name": "n", "preset": "mistral"})
    assert (wrong.status, wrong.body["error"]["param"]) == (422, "credential")
    odd = {"name": "o", "protocol": "openai", "settings": {"rename": {"a": 1}}}
    assert (await api("POST", "/channels", odd)).body["error"]["param"] == "settings.rename"
    changed = await api("PATCH", f"/channels/{made.body['id']}", {"settings": {"transport": "azure"}})
    assert changed.body["settings"] == {"transport": "azure"}
    odd = {"settings": {"transport": "bedrock"}}
    assert (await api("PATCH", f"/channels/{made.body['id']}", odd)).status == 422
