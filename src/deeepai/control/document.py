"""The gateway's OpenAPI 3.1 document, out of the declarations; every example in it is made by their own functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from .. import __version__
from ..declare import (
    AnyOperation,
    Call,
    Failure,
    Fetch,
    Forwarded,
    Kind,
    Local,
    OfTask,
    Paid,
    Protocol,
    Reason,
    Reply,
    Socket,
    Submit,
    TaskTranslator,
    Text,
)
from ..gateway.routing import paths
from . import programs
from .openapi import openapi_paths
from .samples import (
    BASE,
    REQUEST_ID,
    Bodies,
    SampleLinks,
    SampleRequest,
    concrete_models,
    curl,
    placeholders,
    sample_param,
    sample_task,
)

Language = Literal["en", "zh"]
Schema = dict[str, Any]

SHOWN_PATHS: Final = 4
"""How many of an operation's other paths its description lists; the extension lists all."""
JSON: Final = "application/json"


_TITLE = Text("DeeepAI API reference", "DeeepAI 接口文档")
_ABOUT = Text(
    "One gateway in front of every AI API, each in the wire format that the vendor's own clients speak: point a client"
    " at this address and give it a token of this gateway.\n\n"
    "- **Token**: `Authorization: Bearer sk-…`; where a vendor's clients send a header of their own, that works too.\n"
    "- **Test mode**: a token that begins with `sk-test-` reaches stand-ins of the vendors and costs nothing.\n"
    "- **Unknown fields** pass through to the vendor as they are.\n"
    "- **Errors** come in the shape of the protocol that was spoken; every answer carries `x-request-id`.",
    "一个网关统一接入所有 AI 接口，每个接口都使用厂商官方客户端本来的格式：把客户端的地址指向这里，"
    "填入本网关的令牌即可。\n\n"
    "- **令牌**：`Authorization: Bearer sk-…`；厂商客户端使用自有请求头的，同样有效。\n"
    "- **测试模式**：以 `sk-test-` 开头的令牌访问模拟厂商，不产生费用。\n"
    "- **未知字段**原样转发给厂商。\n"
    "- **错误**按所用协议自身的格式返回；每个应答都带有 `x-request-id`。",
)
_KINDS: Final[Mapping[Kind, Text]] = {
    Kind.CALL: Text("One request, one answer.", "一次请求，一次应答。"),
    Kind.STREAM: Text("Answers as a whole, or as server-sent events.", "可一次性应答，也可流式（SSE）应答。"),
    Kind.SUBMIT: Text("Starts a task; ask for its result later.", "提交任务，稍后查询结果。"),
    Kind.FETCH: Text("Tells where a task stands.", "查询任务状态与结果。"),
    Kind.LIST: Text("Answered by the gateway itself.", "由网关直接应答。"),
    Kind.MEDIA: Text("Sends a task's file.", "获取任务产生的文件。"),
    Kind.SOCKET: Text("A session over a WebSocket; each answer in it is charged.", "WebSocket 会话，逐次应答计费。"),
}
_PASSED = Text("Fields that are not listed pass through to the vendor.", "未列出的字段原样转发给厂商。")
_FREE = Text("Free of charge.", "不计费。")
_BY_MODEL = Text("Priced by the model that is asked for.", "按所请求的模型计费。")
_BY_KEY = Text("Priced by the kind of work that is asked for.", "按所请求的操作类型计费。")
_ALSO = Text("Also at", "同样可用的路径")
_MORE = Text(", and {n} more", "，以及另外 {n} 个")
_TRANSLATED = Text("Models of `{target}` are served by its tasks.", "`{target}` 的模型由其任务提供服务。")
_PREFIXES = Text("Every path may also stand under", "所有路径均可加上以下前缀")
_SDK = Text("Settings for the vendor's own clients", "厂商官方客户端的设置")
_DONE = Text("Done", "成功")
_VENDOR = Text("What the vendor itself refuses comes as the vendor says it", "厂商自身拒绝的请求，按厂商原样返回")
_GATEWAY_TAGS = Text("Interfaces", "接口")
_CONTROL_TAGS = Text("Control API", "管理接口")
_SECTIONS: Final = {
    "Login": "登录",
    "Users": "用户",
    "Accounts": "账户",
    "Tokens": "令牌",
    "Channels": "渠道",
    "Prices": "价格",
    "Tasks": "任务",
    "Webhooks": "回调订阅",
    "Usage": "用量",
    "Redemption codes": "兑换码",
}
_TOKEN = Text("A token of this gateway", "本网关的令牌")

_WORDS: Final[Mapping[Reason, str]] = {
    Reason.INVALID: "请求无效",
    Reason.UNAUTHENTICATED: "令牌无效",
    Reason.UNFUNDED: "余额不足",
    Reason.FORBIDDEN: "没有权限",
    Reason.NOT_FOUND: "不存在",
    Reason.NO_MODEL: "模型不存在",
    Reason.CONFLICT: "状态冲突",
    Reason.TOO_LARGE: "请求体过大",
    Reason.BAD_MEDIA: "不支持的内容类型",
    Reason.UNPROCESSABLE: "参数值不可用",
    Reason.RATE_LIMITED: "请求过于频繁",
    Reason.INTERNAL: "网关内部错误",
    Reason.UPSTREAM: "上游错误",
    Reason.UNAVAILABLE: "没有可用渠道",
    Reason.TIMEOUT: "上游超时",
}
_FAILURES: Final = (
    Failure(Reason.INVALID, "The body is not valid JSON"),
    Failure(Reason.UNAUTHENTICATED, "Incorrect API key provided"),
    Failure(Reason.UNFUNDED, "The balance is spent"),
    Failure(Reason.FORBIDDEN, "The API key may not use this model"),
    Failure(Reason.NOT_FOUND, "There is no such task"),
    Failure(Reason.NO_MODEL, "The model does not exist"),
    Failure(Reason.CONFLICT, "The task does not wait for input"),
    Failure(Reason.TOO_LARGE, "The body is too large"),
    Failure(Reason.BAD_MEDIA, "The media type is not supported"),
    Failure(Reason.UNPROCESSABLE, "A value cannot be used"),
    Failure(Reason.RATE_LIMITED, "At most 60 requests a minute with this API key", retry_after=3),
    Failure(Reason.INTERNAL, "Something went wrong inside the gateway"),
    Failure(Reason.UPSTREAM, "The upstream answered with an error"),
    Failure(Reason.UNAVAILABLE, "No channel serves the model now"),
    Failure(Reason.TIMEOUT, "The upstream did not answer in time"),
)


def build(
    protocols: Mapping[str, Protocol], translators: Sequence[TaskTranslator], language: Language
) -> dict[str, Any]:
    """Return the whole document, the control API included.

    Every operation stands once, under its first prefix and its own path; `x-deeepai-paths` lists all its paths.
    Addresses are relative or begin with `samples.BASE`.
    """
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": _say(_TITLE, language),
            "version": __version__,
            "description": _say(_ABOUT, language),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [],
        "paths": {},
        "components": {
            "schemas": {},
            "headers": _HEADERS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": _say(_TOKEN, language) + ": `sk-…`"}
            },
        },
    }
    for protocol in protocols.values():
        _Section(protocol, translators, language).add_to(document)
    own = [tag["name"] for tag in document["tags"]]
    control = openapi_paths()
    document["paths"] |= control["paths"]
    for tag in control["tags"]:
        section = tag["name"].rpartition(": ")[2]
        shown = _SECTIONS.get(section, section) if language == "zh" else section
        document["tags"].append({**tag, "x-displayName": shown})
    for name, parts in control["components"].items():
        document["components"].setdefault(name, {}).update(parts)
    document["x-tagGroups"] = [
        {"name": _say(_GATEWAY_TAGS, language), "tags": own},
        {"name": _say(_CONTROL_TAGS, language), "tags": [tag["name"] for tag in control["tags"]]},
    ]
    return document


_HEADERS: Final[dict[str, Any]] = {
    "x-request-id": {"description": "Names the request in logs and usage records", "schema": {"type": "string"}},
    "x-deeepai-overhead-ms": {
        "description": "The gateway's own share of the time until the answer began, in ms",
        "schema": {"type": "number"},
    },
    "retry-after": {"description": "Seconds", "schema": {"type": "integer"}},
}


def _say(text: Text, language: Language) -> str:
    return text.zh if language == "zh" else text.en


class _Section:
    """One protocol's part of the document."""

    def __init__(self, protocol: Protocol, translators: Sequence[TaskTranslator], language: Language) -> None:
        self._protocol = protocol
        self._translators = translators
        self._language: Language = language
        self._tag = _say(protocol.title, language)
        self._bodies = Bodies(protocol)
        self._error = f"{protocol.name}.Error"

    def add_to(self, document: dict[str, Any]) -> None:
        components = document["components"]
        components["schemas"] |= self._bodies.schemas
        components["schemas"][self._error] = self._error_schema()
        components["securitySchemes"] |= dict(self._schemes())
        document["tags"].append({"name": self._tag, "description": self._about()})
        for operation in self._protocol.operations:
            path = next(iter(self._protocol.prefixes)) + operation.path
            method, described = operation.method.lower(), self._operation(operation)
            if method in document["paths"].get(path, {}):
                # Two protocols share the path; a header says which is meant.
                path = f"{path}#{self._protocol.name}"
                described["parameters"].append(
                    {
                        "name": self._protocol.mark_header,
                        "in": "header",
                        "required": True,
                        "schema": {"type": "string", "minLength": 1},
                    }
                )
            document["paths"].setdefault(path, {})[method] = described

    def _about(self) -> str:
        protocol = self._protocol
        lines: list[str] = []
        prefixes = [prefix for prefix in protocol.prefixes if prefix]
        if prefixes:
            lines.append(f"{self._text(_PREFIXES)}: {', '.join(f'`{prefix}`' for prefix in prefixes)}")
        settings = {protocol.env_base_url: f"{BASE}{self._client_path()}", protocol.env_key: "sk-…"}
        shown = "\n".join(f"export {name}={value}" for name, value in settings.items() if name)
        if shown:
            lines.append(f"{self._text(_SDK)}:\n\n```bash\n{shown}\n```")
        return "\n\n".join(lines)

    def _client_path(self) -> str:
        """Return what stands before the vendor's own paths here: the path of the base URL for the vendor's client."""
        for operation in self._protocol.operations:
            if operation.upstream_template and operation.path.endswith(operation.upstream_template):
                return operation.path.removesuffix(operation.upstream_template)
        return ""

    def _text(self, text: Text) -> str:
        return _say(text, self._language)

    def _schemes(self) -> Iterator[tuple[str, Any]]:
        for place, names in (("header", self._protocol.key_headers), ("query", self._protocol.key_queries)):
            for name in names:
                yield name, {"type": "apiKey", "in": place, "name": name, "description": self._text(_TOKEN)}

    # Operations ------------------------------------------------------------------------------------------------------

    def _operation(self, operation: AnyOperation) -> dict[str, Any]:
        protocol = self._protocol
        request = SampleRequest(protocol, operation, self._bodies)
        found: dict[str, Any] = {
            "operationId": f"{protocol.name}.{operation.name}",
            "summary": self._text(operation.summary),
            "description": self._description(operation),
            "tags": [self._tag],
            "security": [] if operation.public else [{"bearer": []}, *({name: []} for name, _ in self._schemes())],
            "parameters": self._parameters(operation),
            "responses": self._responses(operation, request),
            "x-summary-zh": operation.summary.zh,
            "x-tree-rows": list(operation.rows),
            "x-deeepai-kind": operation.kind.value,
            "x-deeepai-paths": [path for path, _ in paths(protocol, operation)],
            "x-codeSamples": [
                {"lang": "shell", "label": "curl", "source": curl(operation, request)},
                *programs.samples().get(f"{protocol.name}.{operation.name}", ()),
            ],
        }
        if isinstance(operation, Local) and operation.prose is not None:
            found["x-deeepai-page"] = True
        body = self._request_body(operation, request)
        if body is not None:
            found["requestBody"] = body
        return found

    def _description(self, operation: AnyOperation) -> str:
        if isinstance(operation, Local) and operation.prose is not None:
            return self._text(operation.prose)
        lines = [self._text(_KINDS[operation.kind])]
        if isinstance(operation, Forwarded):
            free = not isinstance(operation, Paid) or not operation.paid or operation.estimate is None
            by_key = isinstance(operation, Submit) and operation.price is not None
            lines.append(self._text(_FREE if free else _BY_KEY if by_key else _BY_MODEL))
        if operation.body is not None:
            lines.append(self._text(_PASSED))
        name = f"{self._protocol.name}.{operation.name}"
        lines += [
            self._text(_TRANSLATED).format(target=translator.target)
            for translator in self._translators
            if translator.source == name
        ]
        description = ("" if self._language == "zh" else " ").join(lines)
        if operation.aliases:
            shown = ", ".join(f"`{path}`" for path in operation.aliases[:SHOWN_PATHS])
            rest = len(operation.aliases) - SHOWN_PATHS
            more = self._text(_MORE).format(n=rest) if rest > 0 else ""
            description += f"\n\n{self._text(_ALSO)}: {shown}{more}"
        return description

    def _parameters(self, operation: AnyOperation) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for name in placeholders(operation.path):
            schema: Schema = {"type": "string", "minLength": 1}
            if name in operation.example_params:
                schema["examples"] = [operation.example_params[name]]
            elif name == "model":
                schema["examples"] = concrete_models(self._protocol) or [sample_param(self._protocol, name)]
            found.append({"name": name, "in": "path", "required": True, "schema": schema})
        # A task's id stands in the query where the path has no room for it, and cannot be left out.
        needed = isinstance(operation, OfTask) and not found
        return found + [
            {"name": name, "in": "query", "required": needed, "schema": {"type": "string"}} for name in operation.query
        ]

    def _request_body(self, operation: AnyOperation, request: SampleRequest) -> dict[str, Any] | None:
        if operation.media == "none" or (operation.body is None and operation.media == "json"):
            return None
        content: dict[str, Any] = {}
        schema: Schema = {"type": "object"}
        if operation.body is not None:
            schema = {"$ref": f"#/components/schemas/{self._bodies.name(operation.body)}"}
        if operation.media in ("json", "either", "any"):
            content[JSON] = {"schema": schema} | ({"example": request.fields} if request.fields else {})
        if operation.media in ("multipart", "either", "form", "any"):
            content["multipart/form-data"] = {"schema": self._form(operation)}
        if operation.media in ("form", "any"):
            content["application/x-www-form-urlencoded"] = {"schema": schema}
        return {"required": True, "content": content}

    def _form(self, operation: AnyOperation) -> Schema:
        fields: Schema = {"type": "object", "properties": {}}
        if operation.body is not None:
            fields = self._bodies.schemas[self._bodies.name(operation.body)]
        files = {name: {"type": "string", "format": "binary"} for name in operation.files}
        required = [*fields.get("required", ()), *(name for name, needed in operation.files.items() if needed)]
        return {
            **{key: value for key, value in fields.items() if key != "title"},
            "properties": {**files, **fields["properties"]},
            "required": required,
        }

    # Answers ---------------------------------------------------------------------------------------------------------

    def _responses(self, operation: AnyOperation, request: SampleRequest) -> dict[str, Any]:
        found: dict[str, Any] = {}
        good = self._success(operation, request)
        statuses = {reply.status for reply in good} or {_status(operation)}
        if isinstance(operation, Fetch):
            statuses.add(200)
        for status in sorted(statuses):
            content = {kind: {"schema": _any(kind)} for kind in operation.answers}
            found[str(status)] = {"description": self._text(_DONE), "headers": _references(), "content": content}
        if operation.example_answer is not None:
            good = [*good, Reply(operation.example_answer)]
        for reply in good:
            if reply.content_type == JSON and not isinstance(reply.body, bytes):
                media = found[str(reply.status)]["content"].setdefault(JSON, {"schema": _any(JSON)})
                media.setdefault("example", _plain(reply.body))
        for failure in self._failures(operation):
            self._add_error(found, operation, failure)
        if isinstance(operation, Forwarded):
            found["default"] = {"description": self._text(_VENDOR)}
        return dict(sorted(found.items()))

    def _success(self, operation: AnyOperation, request: SampleRequest) -> list[Reply]:
        """Answers that the declaration itself can make up: to a submission, and to a question about a fresh task."""
        links = SampleLinks()
        if isinstance(operation, Submit):
            return [operation.job.face.submitted(sample_task(self._protocol, operation, request), links)]
        if isinstance(operation, Fetch):
            first = next(each for each in self._protocol.operations if isinstance(each, Submit))
            task = sample_task(self._protocol, first, SampleRequest(self._protocol, first, self._bodies))
            try:
                render = operation.render
                return [first.job.face.render(task, links) if render is None else render(request, task, links)]
            except Failure:
                # There is an answer only once the task has ended.
                return []
        return []

    def _failures(self, operation: AnyOperation) -> Iterator[Failure]:
        fields: Schema = {}
        if operation.body is not None:
            fields = self._bodies.schemas[self._bodies.name(operation.body)]
        names = [*fields.get("required", ()), *fields.get("properties", ()), *(f"query.{q}" for q in operation.query)]
        if names:
            yield Failure(Reason.INVALID, f"Missing required parameter: '{names[0]}'", param=names[0], code="missing")
        reasons = set(_reasons(operation))
        yield from (failure for failure in _FAILURES if failure.kind in reasons)

    def _add_error(self, found: dict[str, Any], operation: AnyOperation, failure: Failure) -> None:
        reply, reason = self._protocol.error(failure, operation, REQUEST_ID), failure.kind
        word = _WORDS[reason] if self._language == "zh" else reason.word.replace("_", " ")
        status = str(reply.status)
        if status not in found:
            found[status] = {"description": word, "headers": _references()}
            if reason is Reason.RATE_LIMITED:
                found[status]["headers"] |= _references("retry-after")
        elif not status.startswith("2") and word not in found[status]["description"].split("; "):
            found[status]["description"] += f"; {word}"
        if reply.body is None or reply.body == b"":
            return
        media = (
            found[status]
            .setdefault("content", {})
            .setdefault(reply.content_type.split(";")[0], {"schema": {"$ref": f"#/components/schemas/{self._error}"}})
        )
        media.setdefault("examples", {})[failure.code or reason.word] = {"value": _plain(reply.body)}

    def _error_schema(self) -> Schema:
        replies = [
            self._protocol.error(failure, operation, REQUEST_ID)
            for operation in self._protocol.operations
            for failure in self._failures(operation)
        ]
        return _infer([_plain(reply.body) for reply in replies if reply.body not in (None, b"")])


def _status(operation: AnyOperation) -> int:
    """Return what an operation answers where all is well."""
    if isinstance(operation, Socket):
        return 101
    return operation.status if isinstance(operation, Local) else 200


def _reasons(operation: AnyOperation) -> Iterator[Reason]:
    """Yield what can go wrong with an operation, by what it is."""
    yield Reason.INVALID
    if not operation.public:
        yield from (Reason.UNAUTHENTICATED, Reason.FORBIDDEN)
    if isinstance(operation, Forwarded):
        yield from (Reason.UNFUNDED, Reason.NO_MODEL, Reason.RATE_LIMITED)
        yield from (Reason.UPSTREAM, Reason.UNAVAILABLE, Reason.TIMEOUT)
    if isinstance(operation, Local):
        yield from operation.fails
    follows = isinstance(operation, Call | Submit) and operation.origin is not None
    if follows or isinstance(operation, OfTask) or placeholders(operation.path):
        yield Reason.NOT_FOUND
    if isinstance(operation, Submit) and operation.resumes:
        yield Reason.CONFLICT
    if operation.media != "none":
        yield from (Reason.TOO_LARGE, Reason.BAD_MEDIA, Reason.UNPROCESSABLE)
    yield Reason.INTERNAL


def _references(*names: str) -> dict[str, Any]:
    names = names or ("x-request-id", "x-deeepai-overhead-ms")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _any(media: str) -> Schema:
    if "json" in media:
        return {}
    return {"type": "string"} if media.startswith("text/") else {"type": "string", "format": "binary"}


def _plain(body: Any) -> Any:
    """Return a reply's body as plain JSON values."""
    return msgspec.json.decode(body) if isinstance(body, bytes) else msgspec.to_builtins(body)


def _infer(values: Sequence[Any]) -> Schema:
    """Return the narrowest simple schema that all values fit."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    kinds = sorted({names.get(type(value), "null") for value in values})
    schema: Schema = {"type": kinds[0] if len(kinds) == 1 else kinds}
    objects: list[dict[str, Any]] = [value for value in values if isinstance(value, dict)]
    if objects:
        keys = list(dict.fromkeys(key for each in objects for key in each))
        schema["properties"] = {key: _infer([each[key] for each in objects if key in each]) for key in keys}
        schema["required"] = [key for key in keys if all(key in each for each in objects)]
    items = [item for value in values if isinstance(value, list) for item in value]
    if items:
        schema["items"] = _infer(items)
    return schema
