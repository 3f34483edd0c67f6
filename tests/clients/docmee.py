"""Docmee's clients: the requests of the vendor's Python program, in its order, and the reading of its web pages."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import requests
from pptx import Presentation
from pptx.presentation import Presentation as Opened

from tests.support.until import PATIENCE

DONE = "操作成功"


class DocmeeError(Exception):
    """A code other than 0, or an event of status -1."""

    def __init__(self, code: int | None, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass
class Told:
    """What a stream told, read as the vendor's web pages do."""

    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As the Python program joins it: each event has a text."""
        return "".join(event["text"] for event in self.events)

    @property
    def result(self) -> dict[str, Any]:
        return self.events[-1]["result"]

    @property
    def decks(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("pptId")]


def read_strictly(body: str) -> list[dict[str, Any]]:
    """Read events as the web pages' helper does: each block between blank lines is one, and all its data are JSON."""
    assert not (body.startswith("{") and body.rstrip().endswith("}")), "an envelope in the place of a stream"
    found = []
    for block in body.replace("\r\n", "\n").split("\n\n"):
        if not block:
            continue
        data = "".join(line[5:].lstrip(" ") for line in block.split("\n") if line.startswith("data:"))
        # A comment, or the mark that ends other vendors' streams, would end the page's script here.
        event = json.loads(data)
        assert event["status"] == -1 or isinstance(event["text"], str)
        found.append(event)
    return found


class Client:
    """One key, or sub-token, and where it is shown."""

    def __init__(self, url: str, key: str, header: str = "token") -> None:
        self.url = url
        self.key = key
        self.headers = {header: key}

    def sent(self, path: str, **fields: Any) -> requests.Response:
        return requests.post(
            self.url + path,
            headers={**self.headers, "Content-Type": "application/json"},
            data=json.dumps(fields),
            timeout=PATIENCE,
        )

    def post(self, path: str, **fields: Any) -> Any:
        return self.read(self.sent(path, **fields))

    def get(self, path: str, **query: str) -> Any:
        return self.read(requests.get(self.url + path, headers=self.headers, params=query, timeout=PATIENCE))

    @staticmethod
    def read(answer: requests.Response) -> Any:
        """As all of the vendor's programs do: another status is not looked into."""
        assert answer.status_code == 200, answer.text
        told = json.loads(answer.text)
        if told["code"] != 0:
            raise DocmeeError(told["code"], told["message"])
        assert told["message"]
        return told

    def stream(self, path: str, **fields: Any) -> Told:
        answer = self.sent(path, **fields)
        assert answer.status_code == 200
        if answer.headers["Content-Type"] in "application/json":
            told = json.loads(answer.text)
            raise DocmeeError(told["code"], told["message"])
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        found = read_strictly(answer.content.decode())
        for event in found:
            if event["status"] == -1:
                raise DocmeeError(None, event["error"])
        assert found[-1]["status"] == 4
        return Told(found)

    # The vendor's Python program, call by call; absent values are sent as null.

    def create_token(self, uid: str | None, limit: int | None = None, **more: Any) -> Client:
        url = f"{self.url}/api/user/createApiToken"
        body = json.dumps({"uid": uid, "limit": limit, **more})
        answer = requests.post(url, headers={"Api-Key": self.key, "Content-Type": "application/json"}, data=body)
        return Client(self.url, self.read(answer)["data"]["token"])

    def parse(self, file: tuple[str, bytes] | None = None, **fields: str | None) -> str:
        """With a file it is multipart, without one URL-encoded; a null field is left out by the library."""
        answer = requests.post(
            f"{self.url}/api/ppt/parseFileData",
            headers=self.headers,
            data=fields or None,
            files={"file": file} if file else None,
            timeout=PATIENCE,
        )
        return self.read(answer)["data"]["dataUrl"]

    def outline(self, subject: str | None, data_url: str | None = None, **more: Any) -> Told:
        fields = {"subject": subject, "prompt": None, "dataUrl": data_url}
        return self.stream("/api/ppt/generateOutline", **{**fields, **more})

    def content(self, outline: str, data_url: str | None = None, **more: Any) -> Told:
        fields = {"outlineMarkdown": outline, "prompt": None, "dataUrl": data_url}
        return self.stream("/api/ppt/generateContent", **fields, **more)

    def content_with_deck(self, outline: str, data_url: str | None = None, template: str | None = None) -> Told:
        fields = {"asyncGenPptx": True, "templateId": template, "outlineMarkdown": outline}
        return self.stream("/api/ppt/generateContent", **fields, prompt=None, dataUrl=data_url)

    def any_template(self) -> str:
        return self.post("/api/ppt/randomTemplates", size=1, filters={"type": 1})["data"][0]["id"]

    def deck(self, template: str | None, markdown: str, **more: Any) -> dict[str, Any]:
        fields = {"templateId": template, "outlineContentMarkdown": markdown, "pptxProperty": False}
        return self.post("/api/ppt/generatePptx", **{**fields, **more})["data"]["pptInfo"]

    def direct(self, subject: str | None, data_url: str | None = None, **more: Any) -> Told:
        fields = {"stream": True, "templateId": None, "subject": subject, "prompt": None, "dataUrl": data_url}
        return self.stream("/api/ppt/directGeneratePptx", **{**fields, "pptxProperty": False, **more})

    def download(self, name: str, **more: Any) -> dict[str, Any]:
        return self.post("/api/ppt/downloadPptx", id=name, **more)["data"]

    # Files

    def opened(self, url: str) -> Opened:
        assert url.startswith(self.url.removesuffix("/docmee/v1"))
        answer = requests.get(url, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return Presentation(io.BytesIO(answer.content))

    def names(self) -> list[str]:
        return [deck["id"] for deck in self.post("/api/ppt/listPptx", page=1, size=50)["data"]]


def words(deck: Opened) -> list[str]:
    """All words of a deck, page by page, those within groups and tables with them."""

    def below(shapes: Any) -> list[str]:
        found = []
        for shape in shapes:
            if shape.shape_type is not None and hasattr(shape, "shapes"):
                found += below(shape.shapes)
            elif getattr(shape, "has_table", False) and shape.has_table:
                found += [cell.text for row in shape.table.rows for cell in row.cells]
            elif shape.has_text_frame:
                found.append(shape.text_frame.text)
        return found

    return ["\n".join(below(slide.shapes)) for slide in deck.slides]
