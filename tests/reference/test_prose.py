"""Pages of prose: read by anybody, in either language, and shown in the API reference."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest

from deeepai.declare import Local
from deeepai.protocols import PROTOCOLS
from tests.stack import Gateway
from tests.support.until import PATIENCE

PAGES = {
    f"{protocol.name}.{operation.name}": operation
    for protocol in PROTOCOLS.values()
    for operation in protocol.operations
    if isinstance(operation, Local) and operation.prose is not None
}
PROVED = [pytest.param(name, marks=pytest.mark.operation(name)) for name in PAGES]


def read(gateway: Gateway, path: str, **headers: str) -> Any:
    request = urllib.request.Request(gateway.url + path, headers=headers)
    return urllib.request.urlopen(request, timeout=PATIENCE)


@pytest.mark.parametrize("name", PROVED)
def test_anybody_may_read_it_in_either_language(gateway: Gateway, name: str) -> None:
    page = PAGES[name]
    assert page.prose is not None
    english = f"# {page.summary.en}\n\n{page.prose.en}"
    chinese = f"# {page.summary.zh}\n\n{page.prose.zh}"
    with read(gateway, page.path) as answer:
        assert (answer.headers["content-type"], answer.read().decode()) == ("text/plain; charset=utf-8", english)
    with read(gateway, page.path, **{"accept-language": "zh-CN,zh;q=0.9"}) as answer:
        assert answer.read().decode() == chinese
    with read(gateway, f"{page.path}?lang=zh", **{"accept-language": "en"}) as answer:
        assert answer.read().decode() == chinese


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_say_as_much(name: str) -> None:
    prose = PAGES[name].prose
    assert prose is not None
    assert PAGES[name].rows
    for part in (r"^## ", r"^\|", r"^```", r"^- "):
        english, chinese = (re.findall(part, text, re.MULTILINE) for text in (prose.en, prose.zh))
        assert len(english) == len(chinese), part
    assert re.findall(r"`[^`\n]+`", prose.en)
    # What is code is the same in both.
    code = [sorted(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)) for text in (prose.en, prose.zh)]
    assert code[0] == code[1]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_reference_shows_it(gateway: Gateway, language: str) -> None:
    with read(gateway, f"/openapi.json?lang={language}") as answer:
        document = json.load(answer)
    with read(gateway, f"/docs?lang={language}") as answer:
        html = answer.read().decode()
    for page in PAGES.values():
        shown = document["paths"][page.path]["get"]
        assert page.prose is not None
        assert shown["description"] == (page.prose.zh if language == "zh" else page.prose.en)
        assert shown["security"] == []
        assert f'<a href="{page.path}?lang={language}">' in html
