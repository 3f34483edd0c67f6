"""The tree's own rules: imports flow down, nobody names a vendor outside its module, files stay short."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deeepai.protocols import PROTOCOLS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "deeepai"
LAYERS = (
    {"declare", "settings", "asgi", "unpacking", "crash", "lifeline", "safe_fetch", "__init__"},
    {"logs"},
    {"storage"},
    {"accounts", "money"},
    {"upstream"},
    {"protocols", "translators"},
    {"tasks"},
    {"gateway"},
    {"control"},
    {"app", "health", "planes", "http1", "http2", "callers", "frames", "guard", "listening", "tls"},
    {"server"},
    {"supervisor", "child"},
    {"cli"},
    {"__main__"},
)
APART = {"engines", "sandbox"}
SHARED = {"lifeline", "safe_fetch"}
"""What programs that stand apart may use all the same: it knows no wire format."""
FILES = sorted(SOURCE.rglob("*.py"))


def layer(part: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield what of this package a file imports, as names below it."""
    package = path.relative_to(SOURCE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                below = (*base, *(node.module or "").split(".")) if node.module else base
                yield from [below] if below else [(alias.name,) for alias in node.names]
            elif node.module and node.module.split(".")[0] == "deeepai":
                below = tuple(node.module.split(".")[1:])
                yield from [below] if below else [(alias.name,) for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("deeepai."):
                    yield tuple(alias.name.split(".")[1:])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_flow_down(path: Path) -> None:
    own = part_of(path)
    for names in imported(path):
        other = names[0]
        if other in ("__version__", own) or (own in APART and other in SHARED):
            continue
        if own in APART:
            pytest.fail(f"{own} stands apart and imports {'.'.join(names)}")
        if other in APART:
            assert own in ("cli", "supervisor"), f"{own} imports {other}"
            continue
        assert layer(other) <= layer(own), f"{own} imports {'.'.join(names)}, which lies above it"


def test_the_architecture_shows_these_layers() -> None:
    section = (ROOT / "docs" / "architecture.md").read_text().split("## The layers\n")[1].split("\n## ")[0]
    shown = [set(re.findall(r"`(\w+)`", row.split("|")[1])) for row in section.splitlines() if row.startswith("| `")]
    assert shown == [parts - {"__init__"} for parts in reversed(LAYERS)]


def test_protocols_import_declarations_only() -> None:
    for path in FILES:
        if part_of(path) not in ("protocols", "translators"):
            continue
        for names in imported(path):
            # What callers are told of usage is read as what is charged.
            reader = part_of(path) == "translators" and names[0] == "protocols" and names[-1] == "usage"
            assert reader or names[0] in ("declare", part_of(path)), f"{path.name} imports {'.'.join(names)}"


def test_no_import_circles() -> None:
    graph: dict[str, set[str]] = {}
    modules = {".".join(path.relative_to(SOURCE).with_suffix("").parts): path for path in FILES}
    for name, path in modules.items():
        found: set[str] = set()
        for names in imported(path):
            whole = ".".join(names)
            found |= {each for each in (whole, f"{whole}.__init__") if each in modules and each != name}
        graph[name] = found
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail[trail.index(name) :], name))
        if name in done:
            return
        for other in graph[name]:
            # A package's front imports its own modules; they may name the package's parts, not the front.
            walk(other, (*trail, name))
        done.add(name)

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize("path", [*FILES, *sorted((ROOT / "tests").rglob("test_*.py"))], ids=lambda path: path.name)
def test_files_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 600
    if path.is_relative_to(SOURCE):
        assert ast.get_docstring(ast.parse(text)), "no docstring"


def vendors_words() -> tuple[set[str], tuple[str, ...]]:
    """Return words that are a protocol's alone, and beginnings of paths and operations' names."""
    protocols = PROTOCOLS.values()
    words = {*PROTOCOLS, *(word for protocol in protocols for word in protocol.key_placeholders)}
    headers = {name for protocol in protocols for name in (*protocol.key_headers, protocol.mark_header) if name}
    # A header that is named by a common word tells of nobody.
    words |= {name for name in headers if not name.isalpha()}
    own = {path for protocol in protocols for path in protocol.own_paths}
    words |= {path.rstrip("/") for path in own}
    return words, (*own, *(f"{name}." for name in PROTOCOLS))


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the texts in a module with their lines: constants and what f-strings hold, but no docstrings."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings and isinstance(node.value, str | bytes):
            yield node.lineno, node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def vendors_named(source: str) -> list[tuple[int, str]]:
    words, beginnings = vendors_words()
    return [
        (line, text)
        for line, text in texts(ast.parse(source))
        if text.lower() in words or text.lower().startswith(beginnings)
    ]


VENDORS_HOMES = (
    "protocols",
    "translators",
    "control/bootstrap.py",  # channels of a first start
    "control/presets.py",  # most vendors speak OpenAI's protocol: what an entry that names none means
    "upstream/transports",  # clouds that carry some vendors' protocols under paths and headers of their own
    *APART,
)


def test_no_vendor_is_named_outside_its_module() -> None:
    named = {
        f"{path.relative_to(SOURCE)}:{line}": text
        for path in FILES
        if not str(path.relative_to(SOURCE)).startswith(VENDORS_HOMES)
        for line, text in vendors_named(path.read_text())
    }
    assert named == {}


@pytest.mark.parametrize(
    "source",
    [
        'if path.startswith(("/v1/", "/mj")): pass',
        'if path.startswith("/mj/submit"): pass',
        'key = headers.get(b"x-goog-api-key")',
        'key = headers["Mj-Api-Secret"]',
        'WORDS = frozenset({"midjourney-proxy"})',
        'handlers = {"flux": None}',
        'name = f"openai.{operation}"',
        'route.name == "openai.chat.completions"',
    ],
)
def test_a_vendor_that_is_named_is_found(source: str) -> None:
    assert vendors_named(source) != []


def test_sentences_and_common_words_name_nobody() -> None:
    source = '"""In OpenAI\'s shape."""\nwords = ["token", "authorization", "/v1/", "As OpenAI does it", "api_key"]'
    assert vendors_named(source) == []


def test_no_tracked_file_names_a_registry_or_holds_a_key() -> None:
    hosts = "|".join(("npm" + "js[.]", "python" + "hosted", "py" + "pi[.]org", "reg" + "istry[.]npm"))
    hosts += "|(index|static)[.]crat" + "es[.]io|(proxy|sum)[.]go" + "lang[.]org|repo1?[.]mav" + "en"
    found = subprocess.run(
        ["git", "grep", "-nIE", hosts, "--", "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stdout == ""
    keys = subprocess.run(
        ["git", "grep", "-nIE", r"\bsk-(test-)?[A-Za-z0-9]{48}\b", "--", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert keys.stdout == ""
