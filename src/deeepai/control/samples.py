"""Sample requests for the API reference, out of declarations: what a caller would send, as values and as curl lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from ..declare import AnyOperation, Json, Part, Protocol, State, Submit, Task

BASE: Final = "https://deeepai.invalid"
"""Stands for the gateway's own address until a request tells what that is."""
REQUEST_ID: Final = "req_0199f3a2c4d17e6b"
_MOMENT: Final = 1_760_000_000_000
_TASK_ID: Final = "0199f3a2c4d17e6b"
_TYPICAL: Final = {"prompt": "A cat in a spacesuit", "resolution": "1024x1024"}
_WORDS: Final = re.compile(r"\^\(([\w|./ -]+)\)\$")


class Bodies:
    """JSON schemas of a protocol's body structs, under names that no other protocol has.

    Attributes
    ----------
    schemas : dict
        By name, `protocol.Struct`.
    """

    def __init__(self, protocol: Protocol) -> None:
        types = list(dict.fromkeys(operation.body for operation in protocol.operations if operation.body is not None))
        template = f"#/components/schemas/{protocol.name}.{{name}}"
        references, components = msgspec.json.schema_components(types, ref_template=template)
        self.schemas: dict[str, Any] = {f"{protocol.name}.{name}": _tidy(schema) for name, schema in components.items()}
        self._names = {kind: _name(reference) for kind, reference in zip(types, references, strict=True)}

    def name(self, kind: type[msgspec.Struct]) -> str:
        """Return the name of a struct's schema."""
        return self._names[kind]

    def sample(self, operation: AnyOperation) -> dict[str, Json]:
        """Return the declared example of a body, or one made of the required fields."""
        if operation.example or operation.body is None:
            return dict(operation.example)
        return self._sample(self.schemas[self.name(operation.body)])

    def _sample(self, schema: Mapping[str, Any]) -> Json:
        if "$ref" in schema:
            return self._sample(self.schemas[_name(schema)])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self._sample(schema[key][0])
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "string")
        match kind if isinstance(kind, str) else kind[0]:
            case "object":
                given: Mapping[str, Any] = schema.get("properties", {})
                return {name: _TYPICAL.get(name) or self._sample(given[name]) for name in schema.get("required", ())}
            case "array":
                items: Mapping[str, Any] = schema.get("items", {})
                return [self._sample(items) for _ in range(max(1, schema.get("minItems", 1)))]
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
            case _:
                return "string".ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 64)]


def _name(reference: Mapping[str, Any]) -> str:
    return reference["$ref"].rsplit("/", 1)[-1]


def _tidy(schema: Any) -> Any:
    """Say the same as msgspec in fewer words: unions with null as types, patterns of plain words as enumerations."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy: dict[str, Any] = {
        key: _tidy(value) for key, value in schema.items() if not (key == "default" and value is None)
    }
    words = _WORDS.fullmatch(tidy.get("pattern") or "")
    if words is not None:
        del tidy["pattern"]
        tidy["enum"] = words[1].split("|")
    union = tidy.get("anyOf")
    if union is not None and len(union) == 2 and union[1] == {"type": "null"} and isinstance(union[0].get("type"), str):
        del tidy["anyOf"]
        tidy |= union[0] | {"type": [union[0]["type"], "null"]}
        if "enum" in tidy:
            tidy["enum"] = [*tidy["enum"], None]
    if "properties" in tidy:
        tidy.setdefault("additionalProperties", True)
    return tidy


class SampleRequest:
    """A caller's request with an operation's sample body; see `deeepai.declare.Request`."""

    def __init__(self, protocol: Protocol, operation: AnyOperation, bodies: Bodies) -> None:
        self.method = operation.method
        self.params: Mapping[str, str] = {
            **next(iter(protocol.prefixes.values())),
            **{name: _shown(protocol, operation, name) for name in placeholders(operation.path)},
        }
        self.path = next(iter(protocol.prefixes)) + fill(operation.path, self.params)
        self.query: Mapping[str, str] = {name: _shown(protocol, operation, name) for name in operation.query}
        self.fields = bodies.sample(operation)
        self.raw = msgspec.json.encode(self.fields) if self.fields else b""
        self.body: Any = None if operation.body is None else msgspec.convert(self.fields, operation.body, strict=False)
        self.parts: Sequence[Part] = ()
        if operation.media in ("multipart", "form"):
            texts = {name: _text(value).encode() for name, value in self.fields.items()}
            self.parts = [
                *(Part(name, memoryview(text)) for name, text in texts.items()),
                *(Part(name, memoryview(b"\x89PNG"), f"{name}.png", "image/png") for name in operation.files),
            ]

    def present(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        """Return nothing: a sample sets no headers."""
        return []

    def header(self, name: str) -> str:
        """Return an empty string: a sample sets no headers."""
        return ""


class SampleLinks:
    """Addresses below `BASE`; see `deeepai.declare.Links`."""

    def asset(self, task: Task, number: int = 0) -> str:
        """Address of a task's file."""
        return f"{BASE}/assets/{task.id}/{number}?expires=1760604800&sig=3f9c"

    def media(self, task: Task, path: str) -> str:
        """Address of a Media operation's path."""
        return f"{BASE}{path}?expires=1760604800&sig=3f9c"

    def at(self, path: str) -> str:
        """Absolute address of a path."""
        return BASE + path


def sample_task(protocol: Protocol, operation: Submit[Any], request: SampleRequest) -> Task:
    """Return a task that has just been accepted, as the submission `request` would make it."""
    keep = operation.job.face.keep
    return Task(
        id=_TASK_ID,
        operation=f"{protocol.name}.{operation.name}",
        model=sample_param(protocol, "model"),
        state=State.QUEUED,
        upstream_id=_TASK_ID,
        request=keep(request) if keep is not None else None,
        params=request.params,
        submitted_at=_MOMENT,
    )


def placeholders(path: str) -> list[str]:
    """Return the names in a path's braces, in order."""
    return re.findall(r"{(\w+)}", path)


def fill(path: str, params: Mapping[str, str]) -> str:
    """Put values in the place of a path's placeholders."""
    return re.sub(r"{(\w+)}", lambda match: quote(params[match[1]], safe=""), path)


def _shown(protocol: Protocol, operation: AnyOperation, name: str) -> str:
    return operation.example_params.get(name) or sample_param(protocol, name)


def sample_param(protocol: Protocol, name: str) -> str:
    """Return a value for a path or query parameter: a model's name, or an id."""
    if name in ("model", "engine", "engine_id"):
        models = concrete_models(protocol)
        return models[0] if models else "gpt-3.5-turbo"
    return _TASK_ID


def concrete_models(protocol: Protocol) -> list[str]:
    """Return the model names that are not patterns."""
    return [name for name in protocol.models if "*" not in name]


def curl(operation: AnyOperation, request: SampleRequest) -> str:
    """Return a line for the shell, ready to paste once `DEEEPAI_API_KEY` is set."""
    target = BASE + request.path
    if request.query:
        target += "?" + "&".join(f"{name}={quote(value)}" for name, value in request.query.items())
    method = "" if operation.method == "GET" else f"-X {operation.method} "
    lines = [f"curl {method}{shlex.quote(target)}"]
    if not operation.public:
        lines.append('-H "Authorization: Bearer $DEEEPAI_API_KEY"')
    if operation.media in ("multipart", "form"):
        lines += [f"-F {shlex.quote(f'{name}={_text(value)}')}" for name, value in request.fields.items()]
        lines += [f"-F {name}=@{name}.png" for name, required in operation.files.items() if required]
        if len(lines) == 2 - operation.public:
            # A body without parts is not multipart at all.
            lines += [f"-F {name}=@{name}.png" for name in list(operation.files)[:1]]
    elif operation.media != "none" and request.fields:
        body = msgspec.json.format(msgspec.json.encode(request.fields), indent=2).decode()
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(body)}"]
    if operation.answers and not any("json" in kind or "event-stream" in kind for kind in operation.answers):
        lines.append(f"-o answer.{operation.answers[0].rsplit('/', 1)[-1].replace('*', 'bin')}")
    return " \\\n  ".join(lines)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
