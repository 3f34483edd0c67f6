"""One good request for each declared operation, and the ways to spoil it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from deeepai.control.samples import Bodies, SampleRequest
from deeepai.declare import AnyOperation, Call, Media, ObjectCall, OfTask, Protocol, Submit
from deeepai.protocols import PROTOCOLS
from tests.support.pictures import png

BOUNDARY = "wire-test-boundary"


def form(fields: dict[str, Any], files: dict[str, bytes], *, whole: bool = True) -> bytes:
    """Encode a multipart body; without its end where it is not to be whole."""
    lines: list[bytes] = []
    for name, value in fields.items():
        text = value if isinstance(value, str) else json.dumps(value)
        lines.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode())
    for name, data in files.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}.png"\r\nContent-Type: image/png'
        lines.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + data + b"\r\n")
    return b"".join(lines) + (f"--{BOUNDARY}--\r\n".encode() if whole else b"")


@dataclass(frozen=True)
class Good:
    """A request that an operation takes."""

    protocol: Protocol
    operation: AnyOperation
    path: str
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    ids: tuple[str, ...] = ()
    """Ids of tasks that it names."""
    objects: tuple[str, ...] = ()
    """Ids of objects that it names."""

    @property
    def name(self) -> str:
        return f"{self.protocol.name}.{self.operation.name}"

    @property
    def method(self) -> str:
        return self.operation.method

    @property
    def has_body(self) -> bool:
        return self.operation.media != "none" and self.method not in ("GET", "HEAD")

    @property
    def multipart(self) -> bool:
        return self.operation.media in ("multipart", "form")

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={BOUNDARY}" if self.multipart else "application/json"

    @property
    def head(self) -> dict[str, str]:
        if self.has_body:
            return {"content-type": self.content_type}
        # Where two protocols share a path, this says which is meant.
        return {self.protocol.mark_header: ""} if self.protocol.mark_header is not None else {}

    @property
    def body(self) -> bytes | None:
        if not self.has_body:
            return None
        return form(self.fields, self.files) if self.multipart else json.dumps(self.fields).encode()

    def changed(self, **changes: Any) -> Good:
        return dataclasses.replace(self, **changes)

    def with_id(self, task_id: str) -> Good:
        """Name another task in place of each."""
        path, text = self.path, json.dumps(self.fields)
        for old in self.ids:
            path = path.replace(quote(old, safe=""), quote(task_id, safe=""))
            text = text.replace(old, task_id)
        return self.changed(path=path, fields=json.loads(text), ids=(task_id,))

    def required(self) -> str | None:
        """Return a field without which the request is not valid, as the declaration says."""
        schema = self._schema()
        return next(iter(schema.get("required", ())), None)

    def typed(self) -> tuple[str, Any] | None:
        """Return a field and a value of a type that it cannot have."""
        for name, schema in self._schema().get("properties", {}).items():
            kinds = schema.get("type")
            kinds = {kinds} if isinstance(kinds, str) else set(kinds or ())
            if self.multipart:
                if kinds & {"integer", "number"} and not kinds & {"string"}:
                    return name, "many"
            elif kinds and not kinds & {"object"}:
                return name, {"not": "this"}
        return None

    def _schema(self) -> dict[str, Any]:
        if self.operation.body is None:
            return {}
        bodies = Bodies(self.protocol)
        return bodies.schemas[bodies.name(self.operation.body)]


def good(protocol: Protocol, operation: AnyOperation) -> Good:
    """Make a good request out of a declaration."""
    sample = SampleRequest(protocol, operation, Bodies(protocol))
    path = sample.path
    if sample.query:
        path += "?" + "&".join(f"{name}={quote(value)}" for name, value in sample.query.items())
    ids: list[str] = []
    if isinstance(operation, OfTask):
        ids.append(operation.task(sample))
    if isinstance(operation, Call | Submit) and operation.origin is not None:
        ids += operation.origin.ids(sample)
    rules = operation.objects if isinstance(operation, Call | ObjectCall) else None
    objects = tuple(rules.uses(sample)) if rules is not None else ()
    if isinstance(operation, Submit):
        objects = tuple(operation.uses(sample))
    # What may come either way is sent as JSON here.
    form = operation.media in ("multipart", "form")
    files = {name: png() for name, required in operation.files.items() if required and form}
    if form and not files and not sample.fields:
        files = {next(iter(operation.files), "none"): png()}
    return Good(protocol, operation, path, dict(sample.fields), files, tuple(dict.fromkeys(ids)), objects)


def every() -> Iterator[Good]:
    for protocol in PROTOCOLS.values():
        for operation in protocol.operations:
            yield good(protocol, operation)


ALL = tuple(every())
KEYED = tuple(item for item in ALL if not item.operation.public or isinstance(item.operation, Media))
BODIED = tuple(item for item in ALL if item.has_body)


def named(name: str) -> Good:
    return next(item for item in ALL if item.name == name)
