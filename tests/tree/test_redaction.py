"""Keys planted in logs do not come out."""

from __future__ import annotations

import json
import secrets
import string
import subprocess
import sys

import pytest

from deeepai import logs
from deeepai.protocols import PROTOCOLS

PROGRAM = """
import json, logging, sys, structlog
from deeepai.logs import configure, secret_names
from deeepai.protocols import PROTOCOLS
from deeepai.settings import Settings
configure(Settings(log_format=sys.argv[2]), *secret_names(PROTOCOLS.values()))
key = sys.argv[1]
log = structlog.get_logger()
log.info("plain", text=f"the key is {key}", nested={"header": ["authorization", f"Bearer {key}"]})
log.warning(f"in the event {key}")
logging.getLogger("library").error("GET /v1/models?key=%s", key)
try:
    raise RuntimeError(f"x-api-key: {key}")
except RuntimeError:
    log.exception("failed")
"""
NAMES = """
import json, logging, sys, structlog
from deeepai.logs import configure, secret_names
from deeepai.protocols import PROTOCOLS
from deeepai.settings import Settings
configure(Settings(log_format=sys.argv[2]), *secret_names(PROTOCOLS.values()))
log = structlog.get_logger()
library = logging.getLogger("library")
for text in json.loads(sys.stdin.read()):
    log.info("planted", text=text, raw=text.encode(), within=[{"a": (text, 1)}])
    library.error("planted %s", text)
for name in secret_names(PROTOCOLS.values())[0] | {"authorization"}:
    for value in (sys.argv[1], sys.argv[1].encode(), [sys.argv[1]], f"Token {sys.argv[1]}"):
        log.info("planted", **{name: value}, headers={name: value}, pairs=[(name, value)], raw=[(name.encode(), value)])
"""


def tail() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(48))


def run(program: str, key: str, form: str, text: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, key, form], input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr + done.stdout


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_planted_key_comes_out(form: str) -> None:
    key = tail()
    for prefix in ("sk-", "sk-test-", "session-", "access-"):
        said = run(PROGRAM, prefix + key, form)
        assert "plain" in said
        assert "failed" in said
        assert key[8:] not in said


def headed(name: str, key: str) -> list[str]:
    """Return ways in which a header with a key may stand in a text."""
    return [
        f"{name}: {key}",
        f"{name.title()}: Bearer {key}",
        f"{name}: Token {key}",
        f"{name}={key}",
        json.dumps({name: key}),
        json.dumps(json.dumps({name: f"Bearer {key}"})),
        repr({name: key}),
        repr([(name, key)]),
        repr([(name.encode(), key.encode())]),
        repr([[name.encode(), f"Token {key}".encode()]]),
    ]


def asked(name: str, key: str) -> list[str]:
    return [f"GET /v1/x?a=b&{name}={key}", f"https://example.com/?{name}={key}&a=b", repr(f"{name}={key}".encode())]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_key_comes_out_under_no_name_that_a_protocol_has_for_it(form: str) -> None:
    headers, queries = logs.secret_names(PROTOCOLS.values())
    assert len(headers) > 3
    key = tail()
    texts = [text for name in (*headers, "authorization", "Proxy-Authorization") for text in headed(name, key)]
    texts += [text for name in queries for text in asked(name, key)]
    said = run(NAMES, key, form, json.dumps(texts))
    assert said.count("planted") >= 2 * len(texts)
    assert [line for line in said.splitlines() if key[8:] in line] == []


@pytest.fixture
def word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know headers whose names are common words."""
    monkeypatch.setattr(logs, "_secrets", logs._Secrets(("token", "x-some-key"), ("access",)))


@pytest.mark.usefixtures("word")
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("token: sk_abcdefghijklmno", "token: …"),
        ("Authorization: Token vda_1234567890", "Authorization: Token …"),
        ("authorization: Odd abcdefghij0", "authorization: …"),
        ("x-some-key: aaaaaa, next", "x-some-key: …, next"),
        ("X_SOME_KEY=aaaaaa", "X_SOME_KEY=…"),
        ('{"token": "abcdefgh", "n": 1}', '{"token": "…", "n": 1}'),
        ("('token', 'abcdefgh')", "('token', '…')"),
        ("token=abcdefgh12&x=1", "token=…&x=1"),
        ("/x?access=abc&b=c", "/x?access=…&b=c"),
    ],
)
def test_what_looks_like_a_key_is_cut(text: str, left: str) -> None:
    assert logs.redact(text) == left


@pytest.mark.usefixtures("word")
@pytest.mark.parametrize(
    "text",
    [
        "the token: it expires tomorrow",
        "no access with this token: temporarily unavailable",
        "Invalid token, please sign in again afterwards",
        "max_tokens: 12345678",
        "a token of 1234567890 characters",
        '"token_type": "abcdefghijkl"',
        "send x-some-key, authorization or another header instead",
        "send it as `Authorization: Bearer sk-…`",
        "task-abcdefghijklmnop",
        "the price key=gpt-4o-mini",
    ],
)
def test_ordinary_sentences_stay(text: str) -> None:
    assert logs.redact(text) == text
