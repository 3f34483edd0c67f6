"""Write `money/pricebook/listed-*.toml` and `money/limits.toml` from the model price map of LiteLLM (MIT licence).

    python scripts/update_prices.py model_prices_and_context_window.json "LiteLLM model price map 1.109.1" 2026-10

With `--limits` in front, the limits alone.

What the other files of the price book say by hand counts before, and is left out. A model that several vendors serve
under one name, none of which made it, gets the dearest of their prices: so nobody relays it at a loss.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

BOOK = Path(__file__).parents[1] / "src/deeepai/money/pricebook"
MAKERS = {
    "openai": ("openai", "text-completion-openai"),
    "anthropic": ("anthropic",),
    "gemini": ("gemini", "vertex_ai-embedding-models"),
    "deepseek": ("deepseek",),
    "xai": ("xai",),
    "mistral": ("mistral", "codestral"),
    "moonshot": ("moonshot",),
    "zai": ("zai",),
    "dashscope": ("dashscope",),
    "minimax": ("minimax",),
    "cohere": ("cohere", "cohere_chat"),
    "perplexity": ("perplexity",),
    "voyage": ("voyage",),
    "jina": ("jina_ai",),
    "ai21": ("ai21",),
}
"""Vendors of models of their own: file, and names in the map."""
HOSTS = (
    *("groq", "cerebras", "sambanova", "together_ai", "fireworks_ai", "deepinfra", "novita", "hyperbolic", "nebius"),
    *("lambda_ai", "openrouter", "volcengine", "tencent", "cloudflare"),
)
"""Vendors of others' models; one file for all."""
MODES = (
    *("chat", "responses", "completion", "embedding", "rerank"),
    *("audio_transcription", "audio_speech", "image_generation"),
)
TALKING = ("chat", "responses", "completion", "realtime")
"""What answers in tokens, of which a caller may leave the number open."""
TOKENS = {
    "input": "input_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cached_audio": "cache_read_input_audio_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "audio_in": "input_cost_per_audio_token",
    "image_in": "input_cost_per_image_token",
    "output": "output_cost_per_token",
    "audio_out": "output_cost_per_audio_token",
    "image_out": "output_cost_per_image_token",
}
SERVICE_TIERS = ("flex", "priority", "fast", "ultrafast")
LIMITS = {"100k": 100_000, "128k": 128_000, "200k": 200_000, "256k": 256_000, "272k": 272_000, "512k": 512_000}
PATTERNS = ("openai",)
"""Files in which a name also stands for its dated versions."""
DATED = re.compile(r"-\d{4}(-\d\d-\d\d)?(-preview)?$")


def per(value: Any, count: int) -> str | None:
    """Return a price for `count`, without an exponent; None for none."""
    if not isinstance(value, int | float) or value <= 0:
        return None
    text = f"{(Decimal(repr(value)) * count).normalize():f}"
    return text if len(text.partition(".")[2]) <= 9 else f"{Decimal(text):.9f}".rstrip("0")


def tokens(row: Mapping[str, Any], suffix: str = "", plain: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return rates by sort; those that a suffixed variant leaves out are the plain ones."""
    found = {sort: price for sort, name in TOKENS.items() if (price := per(row.get(name + suffix), 10**6))}
    return {**(plain or {}), **found} if found else {}


def tiers(row: Mapping[str, Any], plain: Mapping[str, str], suffix: str = "") -> list[dict[str, Any]]:
    """Return the rates above so many tokens of input."""
    found: list[dict[str, Any]] = []
    for name, above in LIMITS.items():
        if rates := tokens(row, f"_above_{name}_tokens{suffix}", plain):
            found.append({"above_input": above, "per_million": rates})
    for step in row.get("tiered_pricing") or []:
        span = step.get("range")
        if not suffix and span and span[0] and (rates := tokens(step, "", plain)):
            found.append({"above_input": int(span[0]), "per_million": rates})
    return found


def scaled(
    above: Iterable[Mapping[str, Any]], plain: Mapping[str, str], special: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return a variant's rates above so much input, in proportion, where the map leaves them out."""
    found: list[dict[str, Any]] = []
    for tier in above:
        rates = {
            sort: per(float(Decimal(rate) * Decimal(special[sort]) / Decimal(plain[sort])), 1) or rate
            for sort, rate in tier["per_million"].items()
        }
        found.append({**tier, "per_million": rates})
    return found


def entry(row: Mapping[str, Any], provider: str, name: str) -> dict[str, Any]:
    """Return an entry of the price book; empty where the map says nothing that we can charge by."""
    made: dict[str, Any] = {}
    mode = row.get("mode")
    first = next(iter(row.get("tiered_pricing") or []), {})
    if rates := tokens(row) or tokens(first):
        made["per_million"] = rates
        if above := tiers(row, rates):
            made["tiers"] = above
        rows: list[dict[str, Any]] = []
        for tier in SERVICE_TIERS:
            # A variant for input alone is a slip of the map's.
            complete = "output" not in rates or row.get(f"{TOKENS['output']}_{tier}")
            if complete and (special := tokens(row, f"_{tier}", rates)):
                line: dict[str, Any] = {"when": {"service_tier": tier}, "per_million": special}
                if above := tiers(row, special, f"_{tier}") or scaled(made.get("tiers", ()), rates, special):
                    line["tiers"] = above
                rows.append(line)
        if rows:
            made["by"] = rows
    elif row.get(TOKENS["input"]) == 0 and row.get(TOKENS["output"]) == 0:
        made["per_million"] = {"input": "0", "output": "0"}
    image = per(row.get("output_cost_per_image") or row.get("input_cost_per_image"), 1)
    if mode == "image_generation" and not made and image:
        made["per_image"] = image
    if mode == "rerank" and (price := per(row.get("input_cost_per_query"), 1)):
        made = {"per_call": price}
    if mode == "audio_transcription" and not made and (price := per(row.get("input_cost_per_second"), 1)):
        made["per_second"] = price
    if mode == "audio_speech" and not made and (price := per(row.get("input_cost_per_character"), 10**6)):
        made["per_million_characters"] = price
    searches = row.get("search_context_cost_per_query") or {}
    if made and ("-search-" in name or provider == "perplexity"):
        size = "low" if provider == "perplexity" else "medium"
        if price := per(searches.get(f"search_context_size_{size}"), 1):
            made["per_call"] = price
    looked_up = per(searches.get("search_context_size_medium"), 1)
    if provider == "gemini" and "per_million" in made and looked_up:
        made["per_search"] = looked_up
    return made


def worth(made: Mapping[str, Any]) -> Decimal:
    """Return what two entries are compared by."""
    rates = made.get("per_million", {})
    return sum((Decimal(rates.get(sort, "0")) for sort in ("input", "output")), Decimal(0))


def listed(prices: Mapping[str, Any], provider: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a provider's models, as its own interface names them."""
    for key, row in prices.items():
        if row.get("litellm_provider") != provider or row.get("mode") not in MODES:
            continue
        name = key.removeprefix(f"{provider}/")
        # What the map lists by size and quality is no model's name.
        if name.startswith("ft:") or "*" in name or "-x-" in name or (made := entry(row, provider, name)) == {}:
            continue
        yield name, made


def written(value: Any) -> str:
    """Return a value as TOML writes it within a line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {written(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(written(one) for one in value) + "]"
    return json.dumps(value)


def render(title: str, source: str, date: str, models: Mapping[str, dict[str, Any]], *, dated: bool) -> str:
    """Return a file: models with one price stand under one key."""
    groups: dict[str, list[str]] = {}
    for name, made in models.items():
        groups.setdefault(json.dumps(made), []).append(name)
    lines = [f"# {title}. Written by scripts/update_prices.py: correct it in a file of your own.", ""]
    lines += [f"source = {json.dumps(source)}", f"date = {json.dumps(date)}"]
    for said, names in sorted(groups.items(), key=lambda group: min(group[1])):
        key, *others = sorted(names, key=lambda name: (len(name), name))
        others = sorted(others)
        if dated:
            bases = {name for name in names if not DATED.search(name)}
            others = [name for name in others if not any(name.startswith(f"{base}-20") for base in bases)]
            others += sorted(f"{base}-20*" for base in bases)
        lines += ["", f"[{json.dumps(key)}]"]
        if others:
            lines.append(f"names = {written(others)}")
        lines += [f"{name} = {written(value)}" for name, value in json.loads(said).items()]
    return "\n".join(lines) + "\n"


def limits(prices: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return names of models by what they take and give at most: the maker's word counts, else the largest."""
    found: dict[str, tuple[int, int]] = {}
    makers = {provider for providers in MAKERS.values() for provider in providers}
    for providers in (makers, {*HOSTS}):
        known = frozenset(found)
        for key, row in prices.items():
            provider, most_out = str(row.get("litellm_provider")), row.get("max_output_tokens")
            if provider not in providers or row.get("mode") not in TALKING or not isinstance(most_out, int):
                continue
            name, most_in = key.removeprefix(f"{provider}/"), row.get("max_input_tokens")
            if name in known or "*" in name or name.startswith("ft:") or most_out < 1:
                continue
            pair = (most_in if isinstance(most_in, int) and most_in > 0 else most_out, most_out)
            found[name] = max(found.get(name, pair), pair, key=lambda pair: pair[1])
    groups: dict[str, list[str]] = {}
    for name, (most_in, most_out) in sorted(found.items()):
        groups.setdefault(f"{most_in}/{most_out}", []).append(name)
    return groups


def render_limits(source: str, date: str, groups: Mapping[str, list[str]]) -> str:
    """Return the file of limits."""
    lines = [
        "# Tokens that models take at most, and give in one answer. Written by scripts/update_prices.py: an entry of",
        "# the price book may say `max_input` and `max_output` otherwise.",
        "",
        f"source = {json.dumps(source)}",
        f"date = {json.dumps(date)}",
        "",
        "[models]",
    ]
    return "\n".join([*lines, *(f"{json.dumps(pair)} = {written(names)}" for pair, names in groups.items())]) + "\n"


def main() -> int:
    """Write the files."""
    path, source, date = sys.argv[-3:]
    prices = json.loads(Path(path).read_text("utf-8"))
    (BOOK.parent / "limits.toml").write_text(render_limits(source, date, limits(prices)), "utf-8")
    if "--limits" in sys.argv[1:-3]:
        return 0
    known: set[str] = set()
    for file in BOOK.glob("*.toml"):
        if not file.name.startswith("listed-"):
            for key, said in tomllib.loads(file.read_text("utf-8")).items():
                known |= {key, *said.get("names", [])}
    patterns = [name for name in known if "*" in name]
    for file, providers in MAKERS.items():
        models: dict[str, dict[str, Any]] = {}
        for provider in providers:
            for name, made in listed(prices, provider):
                if name not in known and not any(fnmatchcase(name, one) for one in patterns):
                    models.setdefault(name, made)
        known |= models.keys()
        text = render(f"Models of {file}", source, date, models, dated=file in PATTERNS)
        (BOOK / f"listed-{file}.toml").write_text(text, "utf-8")
    hosted: dict[str, dict[str, Any]] = {}
    for provider in HOSTS:
        for name, made in listed(prices, provider):
            if name not in known and (name not in hosted or worth(made) > worth(hosted[name])):
                hosted[name] = made
    text = render("Models that several vendors serve, at the dearest's price", source, date, hosted, dated=False)
    (BOOK / "listed-hosts.toml").write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
