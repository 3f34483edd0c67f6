"""The stand-in for Docmee by itself: what it keeps, what it refuses, and files that others' readers open."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import requests
from pptx import Presentation

from tests.clients.docmee import Client, DocmeeError, words
from tests.stack import Sandbox
from tests.support.until import PATIENCE, until

TEXT = "# The sea\n## Tides\n### Twice a day\n#### Causes\n- The moon pulls & turns."


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(f"{sandbox.url}/docmee", "sk-account-one", "Api-Key")


def refusal(of: Any, *args: Any, **fields: Any) -> int | None:
    with pytest.raises(DocmeeError) as fault:
        of(*args, **fields)
    return fault.value.code


def test_it_answers_the_same_to_the_same(client: Client) -> None:
    first, second = client.outline("Bread"), client.outline("Bread")
    assert first.events == second.events
    assert client.content(first.text).text == client.content(first.text).text
    files = [client.download(client.deck(None, TEXT)["id"])["fileUrl"] for _ in range(2)]
    assert requests.get(files[0], timeout=PATIENCE).content == requests.get(files[1], timeout=PATIENCE).content


def test_files_are_decks_that_say_test_mode(client: Client) -> None:
    made = client.deck(None, TEXT)
    answer = requests.get(made["fileUrl"], timeout=PATIENCE)
    pages = words(Presentation(io.BytesIO(answer.content)))
    assert len(pages) == 5
    assert all("TEST MODE" in page for page in pages)
    assert "The moon pulls & turns." in pages[3]
    assert Presentation(io.BytesIO(answer.content)).slide_width == 960 * 12700
    picture = requests.get(made["coverUrl"], timeout=PATIENCE)
    assert picture.headers["content-type"] == "image/png"


def test_users_and_accounts_are_apart(sandbox: Sandbox, client: Client) -> None:
    one, two = client.create_token("one"), client.create_token("two")
    name = one.deck(None, TEXT)["id"]
    address = one.parse(content="Words", fileUrl=None)
    for other in (two, client, Client(client.url, "sk-account-two")):
        assert refusal(other.download, name) == 1003
        assert refusal(other.outline, None, address) == 1001
    assert refusal(one.download, "1" * 19) == 1001
    assert refusal(one.create_token, "three") == 1003
    second = client.create_token("one")
    assert refusal(one.download, name) == 98
    assert second.download(name)["id"] == name


def test_a_token_s_end_and_limit(sandbox: Sandbox, client: Client) -> None:
    token = client.create_token("few", 1, timeOfHours=1)
    token.deck(None, TEXT)
    assert refusal(token.deck, None, TEXT) == 88
    requests.post(f"{sandbox.url}/_sandbox/clock", json={"advance": 3601}, timeout=PATIENCE).close()
    assert refusal(token.outline, "A") == 98
    assert refusal(client.post, "/api/user/createApiToken", uid="x" * 33) == 1010
    assert refusal(client.post, "/api/user/createApiToken", timeOfHours=49) == 1010


def test_what_the_vendor_refuses(client: Client) -> None:
    for call, fields in (
        ("generateOutline", {"subject": "A", "prompt": "x" * 50}),
        ("generateOutline", {"subject": "A", "lang": "tlh"}),
        ("generateOutline", {"subject": "A", "length": "endless"}),
        ("generateOutline", {}),
        ("generateContent", {"outlineMarkdown": ""}),
        ("generateContent", {"outlineMarkdown": "no title"}),
        ("generatePptx", {"outlineContentMarkdown": "# Only a title"}),
        ("templates", {"page": 0, "size": 1, "filters": {"type": 1}}),
        ("templates", {"page": 1, "size": 1, "filters": {"type": 2}}),
        ("randomTemplates", {"size": 1}),
    ):
        assert refusal(client.post, f"/api/ppt/{call}", **fields) == 1010, (call, fields)
    assert refusal(client.deck, "1", TEXT) == 1001
    assert refusal(client.parse, ("a.exe", b"MZ")) == 1010
    assert refusal(client.parse, content="x" * 20_001) == 1010
    assert refusal(Client(client.url, "invalid").outline, "A") == 98


def test_a_deck_is_made_while_its_text_streams(sandbox: Sandbox, client: Client) -> None:
    told = client.content_with_deck(f"{TEXT} [sandbox:delta-ms=0]")
    total = told.decks[0]["total"]
    assert [one["current"] for one in told.decks] == list(range(1, total + 1))
    name = told.decks[0]["pptId"]
    until(lambda: client.download(name)["fileUrl"])
    assert client.get("/api/ppt/asyncPptInfo", pptId=name)["data"]["current"] == total
    requests.post(f"{sandbox.url}/_sandbox/clock", json={"advance": 60}, timeout=PATIENCE).close()
    assert refusal(client.get, "/api/ppt/asyncPptInfo", pptId=name) == 1001
    with pytest.raises(DocmeeError) as fault:
        client.content_with_deck(f"{TEXT} [sandbox:fail-midway]")
    assert fault.value.message == "AI模型执行异常"


def test_trees_and_files(client: Client) -> None:
    tree = json.loads(json.dumps({"pages": [{"page": 1, "children": [{"type": "p", "children": [{"text": "a<b"}]}]}]}))
    answer = client.sent("/api/pptjson/json2ppt", **tree)
    assert "a<b" in words(Presentation(io.BytesIO(answer.content)))[0]
    back = requests.post(
        f"{client.url}/api/pptjson/ppt2json", headers=client.headers, files={"file": ("a.pptx", answer.content)}
    ).json()
    assert "a<b" in json.dumps(back)
    assert client.sent("/api/pptjson/json2ppt", pages=[]).json()["code"] == 1010
