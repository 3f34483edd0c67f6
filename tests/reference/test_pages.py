from __future__ import annotations

import gzip
import http.client
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from deeepai.control import reference
from deeepai.control.reference import Reference
from deeepai.protocols import PROTOCOLS
from deeepai.translators import TASK_TRANSLATORS
from tests.stack import Gateway
from tests.support.until import PATIENCE


class Answer:
    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


def ask(gateway: Gateway, path: str, method: str = "GET", **headers: str) -> Answer:
    """One request, its path sent exactly as it is given."""
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=PATIENCE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers={"accept-encoding": "identity", **named})
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def test_document_names_the_address_that_it_was_asked_at(gateway: Gateway) -> None:
    answer = ask(gateway, "/openapi.json")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    document = json.loads(answer.body)
    source = document["paths"]["/v1/chat/completions"]["post"]["x-codeSamples"][0]["source"]
    assert f"{gateway.url}/v1/chat/completions" in source
    assert b"deeepai.invalid" not in answer.body


def test_document_does_not_repeat_a_host_that_is_none(gateway: Gateway) -> None:
    answer = ask(gateway, "/openapi.json", host='evil"><script>')
    assert b"evil" not in answer.body


def test_document_in_chinese(gateway: Gateway) -> None:
    document = json.loads(ask(gateway, "/openapi.json?lang=zh").body)
    assert document["paths"]["/v1/chat/completions"]["post"]["summary"] == "聊天补全"


def test_unchanged_document_is_not_sent_again(gateway: Gateway) -> None:
    first = ask(gateway, "/openapi.json")
    again = ask(gateway, "/openapi.json", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    other = ask(gateway, "/openapi.json?lang=zh", if_none_match=first.headers["etag"])
    assert other.status == 200


def test_document_is_packed_for_those_who_take_it(gateway: Gateway) -> None:
    plain, packed = ask(gateway, "/openapi.json"), ask(gateway, "/openapi.json", accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 4


def test_page_takes_everything_from_the_gateway(gateway: Gateway) -> None:
    answer = ask(gateway, "/docs")
    assert answer.status == 200
    text = answer.body.decode()
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        file = ask(gateway, name)
        assert file.status == 200, name
        assert "immutable" in file.headers["cache-control"]


@pytest.mark.parametrize(
    ("path", "accept", "language"),
    [
        ("/docs", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("/docs", "en-US,en;q=0.9", "en"),
        ("/docs?lang=en", "zh-CN", "en"),
        ("/docs/?lang=zh", "en", "zh"),
    ],
)
def test_page_speaks_the_readers_language(gateway: Gateway, path: str, accept: str, language: str) -> None:
    text = ask(gateway, path, accept_language=accept).body.decode()
    assert f'<html lang="{language}">' in text
    assert f'data-url="/openapi.json?lang={language}"' in text


def test_page_lists_operations_without_scripts(gateway: Gateway) -> None:
    text = ask(gateway, "/docs?lang=en").body.decode()
    assert "<code>/v1/chat/completions</code>" in text
    assert "Create a chat completion" in text


def test_root_leads_browsers_to_the_page(gateway: Gateway) -> None:
    browser = ask(gateway, "/", accept="text/html,application/xhtml+xml")
    assert (browser.status, browser.headers["location"]) == (302, "/docs")
    program = ask(gateway, "/")
    assert json.loads(program.body)["openapi"] == "/openapi.json"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../coverage.py",
        "/static/%2e%2e/coverage.py",
        "/static/..%2fcoverage.py",
        "/static/../tree.tsv",
        "/static//etc/passwd",
        "/static/",
        "/static/absent.js",
        "/static/docs.js/",
        "/static/docs.js%00.css",
    ],
)
def test_only_the_pages_own_files_are_served(gateway: Gateway, path: str) -> None:
    assert ask(gateway, path).status == 404


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/static/docs.js", "/"])
def test_reading_only(gateway: Gateway, path: str) -> None:
    refused = ask(gateway, path, "POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
    head, whole = ask(gateway, path, "HEAD"), ask(gateway, path)
    assert head.body == b""
    assert head.headers["content-length"] == str(len(whole.body))


async def test_page_without_the_viewer_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "docs.css").write_text("body {}")
    reference = Reference(PROTOCOLS, TASK_TRANSLATORS, tmp_path)
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    scope = {"method": "GET", "path": "/docs", "query_string": b"", "headers": [], "scheme": "http"}
    await reference.page(scope, receive, send)
    text = bytes(sent[1]["body"]).decode()  # pyright: ignore[reportArgumentType]
    assert "<script" not in text
    assert '<main id="plain">' in text
    assert "<code>/v1/chat/completions</code>" in text


async def test_another_host_builds_no_other_document(monkeypatch: pytest.MonkeyPatch) -> None:
    builds: list[str] = []
    build = reference.build

    def counted(*given: Any) -> dict[str, Any]:
        builds.append(given[-1])
        return build(*given)

    monkeypatch.setattr(reference, "build", counted)
    tested = Reference(PROTOCOLS, TASK_TRANSLATORS)
    bodies: list[bytes] = []

    async def send(message: dict[str, Any]) -> None:
        bodies.append(message.get("body", b""))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    for number in range(20):
        scope = {"method": "GET", "query_string": b"", "headers": [(b"host", b"gateway-%d.example" % number)]}
        await tested.openapi(scope, receive, send)
        assert b"http://gateway-%d.example/v1/" % number in bodies[-1]
    assert builds == ["en"]
