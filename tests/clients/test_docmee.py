"""Docmee through the gateway: what the vendor's own programs do, whose decks are whose, and what they cost."""

from __future__ import annotations

import base64
import gzip
import io
import json
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import requests
from pptx import Presentation

from tests.clients.docmee import Client, DocmeeError, words
from tests.operator import rows, usage_row
from tests.plugins import coverage_results
from tests.stack import Gateway
from tests.support.until import PATIENCE, until

DECK = 70_000_000
"""What one costs, in 10⁻⁹ USD."""
OUTLINE = "# The sea\n## Tides\n### Twice a day\n#### Causes"


@pytest.fixture
def client(gateway: Gateway) -> Client:
    return Client(f"{gateway.url}/docmee/v1", gateway.live, "Api-Key")


@pytest.fixture(scope="module")
def strangers(gateway: Gateway) -> tuple[Client, Client]:
    """Two accounts with 5 USD each."""
    found = []
    for number in range(2):
        name = f"docmee-{number}-{time.time_ns()}"
        for command in (("accounts", "add", name), ("accounts", "grant", name, "5")):
            assert gateway.cli(*command).returncode == 0
        made = gateway.cli("tokens", "add", name, "--account", name, "--json")
        found.append(Client(f"{gateway.url}/docmee/v1", json.loads(made.stdout)["key"], "Api-Key"))
    return found[0], found[1]


def spent(gateway: Gateway, client: Client) -> int:
    """What was ever spent with a client's key."""
    digest = sha256(client.key.encode()).hexdigest()
    return rows(gateway, "SELECT spent FROM tokens WHERE digest = ?", digest)[0]["spent"]


def refusal(of: Any, *args: Any, **fields: Any) -> int | None:
    with pytest.raises(DocmeeError) as fault:
        of(*args, **fields)
    assert fault.value.message
    return fault.value.code


def tree_in(packed: str) -> dict[str, Any]:
    return json.loads(gzip.decompress(base64.b64decode(packed)))


# The vendor's own programs -----------------------------------------------------------------------------------------


@pytest.mark.operation(
    *("docmee.createApiToken", "docmee.generateOutline", "docmee.generateContent", "docmee.randomTemplates"),
    *("docmee.generatePptx", "docmee.downloadPptx"),
)
def test_step_by_step(client: Client) -> None:
    token = client.create_token("test")
    assert token.key.startswith("sk_")
    outline = token.outline("AI未来的发展")
    assert outline.text.startswith("# AI未来的发展")
    assert (outline.result["level"], outline.result["name"]) == (1, "AI未来的发展")
    assert outline.result["children"][0]["children"][0]["children"][0]["level"] == 4
    content = token.content(outline.text)
    assert content.result["children"][0]["children"][0]["children"][0]["children"][0]["level"] == 0
    template = token.any_template()
    made = token.deck(template, content.text)
    assert (made["subject"], made["templateId"]) == ("AI未来的发展", template)
    assert isinstance(made["id"], str)
    cover = requests.get(f"{made['coverUrl']}?token={token.key}", timeout=PATIENCE)
    assert (cover.status_code, cover.headers["content-type"]) == (200, "image/png")
    told = token.download(made["id"])
    assert (told["id"], told["subject"]) == (made["id"], "AI未来的发展")
    pages = words(token.opened(told["fileUrl"]))
    assert "AI未来的发展" in pages[0]
    assert len(pages) > 10
    assert all("TEST MODE" in page for page in pages)


@pytest.mark.operation("docmee.generateContent", "docmee.asyncPptInfo", "docmee.downloadPptx")
def test_a_deck_while_the_text_streams(client: Client) -> None:
    token = client.create_token("test")
    told = token.content_with_deck(token.outline("The sea").text)
    decks = told.decks
    (name,) = {event["pptId"] for event in decks}
    total = decks[0]["total"]
    assert [event["current"] for event in decks] == list(range(1, total + 1))

    def whole() -> dict[str, Any] | None:
        told = token.get("/api/ppt/asyncPptInfo", pptId=name)["data"]
        return told if told["current"] == told["total"] == total else None

    progress = until(whole)
    assert len(tree_in(progress["pptxProperty"])["pages"]) == total
    ready = until(lambda: token.download(name) if token.download(name)["fileUrl"] else None)
    assert len(token.opened(ready["fileUrl"]).slides) == total
    assert told.text.startswith("# The sea")


@pytest.mark.operation("docmee.parseFileData", "docmee.generateOutline", "docmee.generateContent")
def test_from_a_file_by_steps(client: Client) -> None:
    token = client.create_token("test")
    address = token.parse(("README.md", b"# Lighthouses\nThey warn ships."))
    assert address.startswith(token.url)
    outline = token.outline(None, address)
    assert outline.text.startswith("# Lighthouses")
    told = token.content_with_deck(outline.text, address)
    assert token.download(told.decks[0]["pptId"])["subject"] == "Lighthouses"


@pytest.mark.operation("docmee.parseFileData", "docmee.directGeneratePptx")
def test_from_a_file_at_once(gateway: Gateway, client: Client) -> None:
    token = client.create_token("test")
    address = token.parse(("README.md", b"# Lighthouses\nThey warn ships."))
    told = token.direct(None, address)
    made = told.result
    assert told.decks[0]["pptId"] == made["id"]
    assert made["fileUrl"].startswith(f"{gateway.url}/assets/")
    assert "Lighthouses" in words(token.opened(made["fileUrl"]))[0]
    assert requests.get(f"{made['coverUrl']}?token={token.key}", timeout=PATIENCE).status_code == 200


@pytest.mark.operation("docmee.parseFileData", "docmee.generateOutline")
def test_a_text_is_parsed_without_a_file(client: Client) -> None:
    """Then the program sends it URL-encoded."""
    address = client.parse(content="Storms\nand calm", fileUrl=None)
    assert client.outline(None, address).text.startswith("# Storms")
    assert refusal(client.outline, None, "https://example.com/somebody-s.md") == 1001
    assert refusal(client.parse, nothing="at all") == 1010


@pytest.mark.operation("docmee.updateOutline", "docmee.generateOutline", "docmee.generateContent")
def test_whole_answers_and_changes(client: Client) -> None:
    told = client.post("/api/ppt/generateOutline", subject="Bread", length="short", stream=False)["data"]
    assert told["text"].startswith("# Bread")
    assert told["result"]["name"] == "Bread"
    for path in ("/api/ppt/updateOutline", "/ppt/updateOutline"):
        changed = client.stream(path, outlineMarkdown=told["text"], question="让大纲更专业")
        assert changed.result["name"] == "Bread"
        assert changed.text != told["text"]
    filled = client.post("/api/ppt/generateContent", outlineMarkdown=told["text"], stream=False)["data"]
    assert filled["result"]["children"]


# Templates ---------------------------------------------------------------------------------------------------------


@pytest.mark.operation("docmee.templates", "docmee.randomTemplates", "docmee.template.options")
def test_templates(gateway: Gateway, client: Client) -> None:
    said = client.get("/api/ppt/template/options")["data"]
    assert set(said) == {"category", "style", "themeColor"}
    every = client.post("/api/ppt/templates?lang=zh-CN", page=1, size=100, filters={"type": 1})
    assert every["total"] == len(every["data"]) > 9
    second = client.post("/api/ppt/templates", page=2, size=5, filters={"type": 1, "category": None})
    assert [one["id"] for one in second["data"]] == [one["id"] for one in every["data"][5:10]]
    for name in said:
        value = every["data"][3][name]
        some = client.post("/api/ppt/templates", page=1, size=100, filters={"type": 1, name: value})
        assert 0 < some["total"] < every["total"]
        assert {one[name] for one in some["data"]} == {value}
    assert client.post("/api/ppt/templates", page=1, size=10, filters={"type": 4})["total"] == 0
    ids = [one["id"] for one in every["data"]]
    left = client.post("/api/ppt/randomTemplates", page=1, size=100, filters={"type": 1, "neq_id": ids[1:]})["data"]
    assert [one["id"] for one in left] == ids[:1]
    cover = every["data"][0]["coverUrl"]
    assert cover.startswith(f"{gateway.url}/assets/")
    picture = requests.get(f"{cover}?token={client.key}", timeout=PATIENCE)
    assert picture.headers["content-type"] == "image/png"
    again = client.post("/api/ppt/templates", page=1, size=1, filters={"type": 1})["data"][0]["coverUrl"]
    assert again.partition("?")[0] == cover.partition("?")[0], "a template's picture is kept once"


# Decks -------------------------------------------------------------------------------------------------------------


@pytest.mark.operation(
    *("docmee.listPptx", "docmee.loadPptx", "docmee.loadPptxMarkdown", "docmee.updatePptxAttr", "docmee.savePptx"),
    *("docmee.updatePptTemplate", "docmee.delete", "docmee.downloadPptx"),
)
def test_a_deck_s_life(client: Client) -> None:
    token = client.create_token(f"life-{time.time_ns()}")
    assert token.names() == []
    templates = token.post("/api/ppt/templates", page=1, size=2, filters={"type": 1})["data"]
    first = token.deck(templates[0]["id"], f"{OUTLINE}\n- The moon pulls.", pptxProperty=True)
    second = token.deck(None, f"{OUTLINE}\n- The sun pulls.")
    assert tree_in(first["pptxProperty"])["pages"]
    assert second["pptxProperty"] is None
    listed = token.post("/api/ppt/listPptx", page=1, size=1)
    assert (listed["total"], [one["id"] for one in listed["data"]]) == (2, [second["id"]])
    assert {"name", "subject", "coverUrl", "templateId", "createTime", "userId"} <= set(listed["data"][0])
    assert token.names() == [second["id"], first["id"]]
    loaded = token.get("/api/ppt/loadPptx", id=first["id"])["data"]["pptInfo"]
    tree = tree_in(loaded["pptxProperty"])
    assert "The moon pulls." in json.dumps(tree, ensure_ascii=False)
    changed = json.loads(json.dumps(tree).replace("The moon pulls.", "Wind pushes."))
    saved = token.post("/api/ppt/savePptx", id=first["id"], drawPptx=True, drawCover=True, pptxProperty=changed)
    pages = words(token.opened(saved["data"]["pptInfo"]["fileUrl"]))
    assert any("Wind pushes." in page for page in pages)
    assert not any("The moon pulls." in page for page in pages)
    assert any("Wind pushes." in page for page in words(token.opened(token.download(first["id"])["fileUrl"])))
    assert token.post("/api/ppt/updatePptxAttr", id=first["id"], name="Waves", subject="")["message"]
    assert token.download(first["id"])["name"] == "Waves"
    assert token.post("/api/ppt/listPptx", page=2, size=1)["data"][0]["name"] == "Waves"
    other = templates[1]["id"]
    told = token.post("/api/ppt/updatePptTemplate", pptId=first["id"], templateId=other, sync=True)["data"]
    assert (told["pptId"], told["templateId"]) == (first["id"], other)
    assert len(told["pptxProperty"]["pages"]) == len(tree["pages"])
    text = token.post("/api/ppt/loadPptxMarkdown", id=second["id"], format="text")["data"]["markdownText"]
    assert text.startswith("# The sea")
    assert token.post("/api/ppt/delete", id=second["id"])["code"] == 0
    assert token.names() == [first["id"]]
    assert refusal(token.download, second["id"]) == 1001
    assert refusal(token.post, "/api/ppt/delete", id=second["id"]) == 1001


@pytest.mark.operation("docmee.ppt2json", "docmee.json2ppt")
def test_files_and_trees(client: Client) -> None:
    made = Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes[0].text_frame.text = "Hello & <welcome>"
    slide.shapes[1].text_frame.text = "欢迎"
    held = io.BytesIO()
    made.save(held)

    def asked(file: bytes) -> Any:
        answer = requests.post(
            f"{client.url}/api/pptjson/ppt2json",
            headers=client.headers,
            data={"uploadImage": "false"},
            files={"file": ("a.pptx", file)},
            timeout=PATIENCE,
        )
        assert answer.status_code == 200
        return answer.json()

    tree = asked(held.getvalue())
    assert {"width", "height", "pages", "font", "slideMasters", "version"} <= set(tree)
    assert "code" not in tree
    assert asked(b"no deck")["code"] not in (0, None)
    for path in ("/api/pptjson/json2ppt", "/api/ppt/json2ppt"):
        answer = client.sent(path, **tree)
        assert answer.headers["content-type"].startswith("application/vnd.openxmlformats-officedocument.presentationml")
        (page,) = words(Presentation(io.BytesIO(answer.content)))
        assert "Hello & <welcome>" in page
        assert "欢迎" in page
    assert client.sent("/api/pptjson/json2ppt", pages=[]).json()["code"] == 1010


# Keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("docmee.pages.keys", "docmee.apiInfo")
def test_where_keys_stand(gateway: Gateway, client: Client) -> None:
    for headers, query in (
        ({"Authorization": f"Bearer {client.key}"}, ""),
        ({"Authorization": client.key}, ""),
        ({"token": client.key}, ""),
        ({"Api-Key": client.key}, ""),
        ({}, f"?token={client.key}"),
    ):
        answer = requests.get(f"{client.url}/api/user/apiInfo{query}", headers=headers, timeout=PATIENCE)
        assert Client.read(answer)["data"]["availableCount"] > 0
    assert Client.read(requests.get(f"{client.url}/api/user/apiInfo", headers={"token": client.key}))["code"] == 0
    page = requests.get(f"{client.url}/guide/keys?lang=zh", timeout=PATIENCE)
    assert "接口鉴权" in page.content.decode()


@pytest.mark.operation("docmee.createApiToken", "docmee.listPptx")
def test_users_see_their_own_alone(strangers: tuple[Client, Client]) -> None:
    one, other = strangers
    users = one.create_token("a"), one.create_token("b")
    name = users[0].deck(None, OUTLINE)["id"]
    address = users[0].parse(content="Secrets", fileUrl=None)
    assert users[0].names() == [name]
    for stranger in (users[1], one, other, other.create_token("a")):
        assert stranger.names() == []
        assert refusal(stranger.download, name) == 1001
        assert refusal(stranger.get, "/api/ppt/loadPptx", id=name) == 1001
        assert refusal(stranger.get, "/api/ppt/asyncPptInfo", pptId=name) == 1001
        assert refusal(stranger.post, "/api/ppt/delete", id=name) == 1001
        assert refusal(stranger.post, "/api/ppt/updatePptxAttr", id=name, name="Mine") == 1001
        assert refusal(stranger.post, "/api/ppt/savePptx", id=name, pptxProperty={"pages": []}) == 1001
        assert refusal(stranger.outline, None, address) == 1001
    assert one.create_token("a").names() == [name], "another key of the same user"
    assert one.create_token(None).names() == one.names() == []


@pytest.mark.operation("docmee.createApiToken", "docmee.apiInfo", "docmee.generatePptx", "docmee.directGeneratePptx")
def test_a_limit_of_decks(gateway: Gateway, strangers: tuple[Client, Client]) -> None:
    one, _ = strangers
    token = one.create_token("few", 2)
    before = spent(gateway, one)
    assert token.get("/api/user/apiInfo")["data"] == {"availableCount": 2, "usedCount": 0}
    token.outline("Free")
    # What fails is none of them.
    assert refusal(token.direct, "A [sandbox:fail-midway] deck") is None
    assert refusal(token.deck, "not-a-template", OUTLINE) == 1001
    token.deck(None, OUTLINE)
    assert token.get("/api/user/apiInfo")["data"] == {"availableCount": 1, "usedCount": 1}
    token.direct("Second")
    for _ in range(2):
        assert refusal(token.deck, None, OUTLINE) == 88
        assert refusal(token.direct, "Third") == 88
        assert refusal(token.content_with_deck, OUTLINE) == 88
    token.content(OUTLINE)
    assert refusal(one.create_token("none", 0).deck, None, OUTLINE) == 88
    assert spent(gateway, one) == before + 2 * DECK


@pytest.mark.operation("docmee.createApiToken")
def test_tokens_end(strangers: tuple[Client, Client]) -> None:
    one, _ = strangers
    first, alone = one.create_token("u"), one.create_token(None)
    assert first.names() == alone.names() == []
    second = one.create_token("u")

    def ended(token: Client) -> bool:
        try:
            token.names()
        except DocmeeError as fault:
            return fault.code == 98
        return False

    begun = time.monotonic()
    until(lambda: ended(first))
    assert time.monotonic() - begun < 10
    one.create_token(None)
    assert not ended(alone), "that of nobody is ended by no other"
    assert not ended(second)
    brief = one.create_token("brief", timeOfHours=0.0003)
    until(lambda: ended(brief))
    assert refusal(one.post, "/api/user/createApiToken", uid="x", timeOfHours=49) == 1010
    assert refusal(one.post, "/api/user/createApiToken", uid="x", limit=-1) == 1010
    assert refusal(second.create_token, "w") == 1003


@pytest.mark.operation("docmee.createApiToken")
def test_a_token_opens_nothing_else(gateway: Gateway, client: Client) -> None:
    token = client.create_token("narrow")
    for path in ("/v1/models", "/v1/dashboard/billing/subscription", "/v1/tasks", "/mj/task/1/fetch"):
        answer = requests.get(
            f"{gateway.url}{path}", headers={"Authorization": f"Bearer {token.key}"}, timeout=PATIENCE
        )
        assert answer.status_code == 401, path


@pytest.mark.operation("docmee.createApiToken")
def test_a_token_goes_with_its_parent(gateway: Gateway) -> None:
    made = gateway.cli("tokens", "add", f"parent-{time.time_ns()}", "--json")
    parent = Client(f"{gateway.url}/docmee/v1", json.loads(made.stdout)["key"], "Api-Key")
    token = parent.create_token("child")
    assert token.names() == []
    (row,) = rows(gateway, "SELECT id FROM tokens WHERE digest = ?", sha256(parent.key.encode()).hexdigest())
    assert gateway.cli("tokens", "disable", row["id"]).returncode == 0

    def dead() -> bool:
        try:
            token.names()
        except DocmeeError as fault:
            return fault.code == 98
        return False

    until(dead)


@pytest.mark.operation("docmee.createApiToken", "docmee.generatePptx")
def test_test_mode_stays_so(gateway: Gateway) -> None:
    tester = Client(f"{gateway.url}/docmee/v1", gateway.test, "Api-Key")
    token = tester.create_token("tested", 1)
    assert refusal(token.deck, None, OUTLINE) == 1009, "there is no upstream for tests here, and the live one is none"


# Money -------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("docmee.generateContent", "docmee.directGeneratePptx", "docmee.generatePptx")
def test_a_deck_is_charged_once(gateway: Gateway, strangers: tuple[Client, Client]) -> None:
    _, other = strangers
    before = spent(gateway, other)
    outline = other.outline("Costs").text
    other.content(outline)
    assert spent(gateway, other) == before
    name = other.content_with_deck(outline).decks[0]["pptId"]
    assert spent(gateway, other) == before + DECK
    other.download(name, refresh=True)
    other.get("/api/ppt/loadPptx", id=name)
    assert spent(gateway, other) == before + DECK
    answer = other.sent("/api/ppt/generatePptx", outlineContentMarkdown=OUTLINE, templateId=None)
    assert usage_row(gateway, answer.headers["x-request-id"])["cost"] == DECK
    other.direct("Whole", stream=True)
    other.post("/api/ppt/directGeneratePptx", subject="Whole", stream=False)
    assert spent(gateway, other) == before + 4 * DECK


@pytest.mark.operation("docmee.generateContent", "docmee.directGeneratePptx", "docmee.generatePptx")
def test_what_fails_costs_nothing(gateway: Gateway, strangers: tuple[Client, Client]) -> None:
    one, _ = strangers
    before = spent(gateway, one)
    assert refusal(one.content_with_deck, "# A [sandbox:fail-midway]\n## B\n### C\n#### D") is None
    assert refusal(one.direct, "A [sandbox:fail-midway]") is None
    assert refusal(one.direct, "A [sandbox:cut-stream=9]") is None
    broken = one.sent("/api/ppt/generatePptx", outlineContentMarkdown="# A [sandbox:fail]\n## B")
    assert (broken.status_code, broken.json()["code"]) == (500, -1), "the vendor's own, as it came"
    assert refusal(one.deck, None, "# A [sandbox:moderated]\n## B") == 1006
    assert refusal(one.outline, "A [sandbox:moderated]") == 1006
    assert refusal(one.outline, "Long", prompt="x" * 50) == 1010
    assert refusal(one.outline, None) == 1010
    assert refusal(one.deck, None, "no heading at all") == 1010
    assert spent(gateway, one) == before
    held = rows(gateway, "SELECT count(*) AS held FROM holds")
    assert held[0]["held"] == 0


@pytest.mark.operation("docmee.generateContent")
def test_who_leaves_after_a_deck_was_begun_has_it(gateway: Gateway, strangers: tuple[Client, Client]) -> None:
    _, other = strangers
    before = spent(gateway, other)
    fields = {"outlineMarkdown": f"{OUTLINE} [sandbox:delta-ms=20]", "asyncGenPptx": True}
    url = f"{other.url}/api/ppt/generateContent"
    with requests.post(url, headers=other.headers, json=fields, stream=True, timeout=PATIENCE) as answer:
        for line in answer.iter_lines():
            if b'"pptId"' in line:
                name = json.loads(line[5:])["pptId"]
                break
    until(lambda: spent(gateway, other) == before + DECK)
    assert name in other.names()
    ready = until(lambda: other.download(name) if other.download(name)["fileUrl"] else None)
    assert "The sea" in words(other.opened(ready["fileUrl"]))[0]


# Other upstreams ---------------------------------------------------------------------------------------------------


@pytest.mark.operation(
    "docmee.generatePptx", "docmee.parseFileData", "docmee.directGeneratePptx", "docmee.downloadPptx"
)
def test_a_relay_of_the_same_format(gateway: Gateway, tmp_path: Path) -> None:
    """A gateway behind a gateway: each has its own names of texts and files, and its own users."""
    upstream = f'[[channels]]\nname = "relay"\nprotocol = "docmee"\nbase_url = "{gateway.url}/docmee/v1"\n'
    front = Gateway(tmp_path / "front", gateway.sandbox)
    front.data.mkdir()
    (front.data / "deeepai.toml").write_text(f'{upstream}credential = "{gateway.live}"\n')
    front.start()
    coverage_results.watch(front.url)
    try:
        token = Client(f"{front.url}/docmee/v1", front.live, "Api-Key").create_token("a")
        address = token.parse(content="# Far away", fileUrl=None)
        assert address.startswith(front.url)
        made = token.direct(None, address).result
        assert made["subject"] == "Far away"
        assert made["fileUrl"].startswith(f"{front.url}/assets/")
        assert "Far away" in words(token.opened(token.download(made["id"])["fileUrl"]))[0]
        template = token.any_template()
        assert token.deck(template, OUTLINE)["templateId"] == template
        assert refusal(token.create_token, "b") == 1003
        assert refusal(Client(token.url, front.live, "token").download, made["id"]) == 1001
    finally:
        front.stop()


def test_a_bad_key_of_the_channel_is_not_the_caller_s_affair(gateway: Gateway, tmp_path: Path) -> None:
    assert gateway.sandbox is not None
    upstream = f'[[channels]]\nname = "bad"\nprotocol = "docmee"\nbase_url = "{gateway.sandbox.url}/docmee"\n'
    front = Gateway(tmp_path / "front", gateway.sandbox)
    front.data.mkdir()
    (front.data / "deeepai.toml").write_text(f'{upstream}credential = "invalid-key-of-ours"\n')
    front.start()
    try:
        client = Client(f"{front.url}/docmee/v1", front.live, "Api-Key")
        for call in (
            lambda: client.deck(None, OUTLINE),
            lambda: client.outline("A"),
            lambda: client.post("/api/ppt/templates", page=1, size=1, filters={"type": 1}),
        ):
            with pytest.raises(DocmeeError) as fault:
                call()
            assert fault.value.code == 1009
            assert "key is missing or wrong" not in fault.value.message
    finally:
        front.stop()


@pytest.mark.operation("docmee.generatePptx")
def test_links_are_as_safe_with_a_token_behind_them(client: Client) -> None:
    cover = client.deck(None, OUTLINE)["coverUrl"]
    assert requests.get(f"{cover}?token=sk_anything", timeout=PATIENCE).status_code == 200
    for bad in (cover.replace("sig=", "sig=0"), f"{cover[:-1]}?token={client.key}", cover.partition("?")[0]):
        assert requests.get(bad, timeout=PATIENCE).status_code in (401, 403)
