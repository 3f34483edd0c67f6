"""Generated content, whole and streamed; counts of tokens; embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ...declare import (
    DONE,
    AnswerShape,
    AnyRequest,
    Call,
    Events,
    Facts,
    Failure,
    Json,
    Request,
    Stream,
    StreamRules,
    Text,
    event_data,
    event_json,
    events_of,
    listed,
)
from ..common.events import event_failure
from .bodies import CountBody, EmbedBody, EmbedManyBody, GenerateBody
from .common import decoded, either, model, model_patch, parts, paths, place, resource
from .errors import error_object
from .usage import answer_usage, chat_estimate, embedding_usage, event_usage, input_estimate


def embed_many_patch(request: AnyRequest, facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does, in each request."""
    if facts.model == facts.requested_model:
        return {}
    raw: Any = decoded(request.raw)
    return {"requests": [{**embed, "model": resource(facts.model)} for embed in raw["requests"]]}


def count_patch(request: Request[CountBody], facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does, where the body repeats it."""
    changes = model_patch(request, facts)
    whole = request.body.generate_content_request
    if whole is not None and "model" in whole and facts.model != facts.requested_model:
        changes["generateContentRequest"] = {**whole, "model": resource(facts.model)}
    return changes


# Streams -------------------------------------------------------------------------------------------------------


def stream_place(request: AnyRequest, facts: Facts) -> str:
    """Ask for events whatever the caller asks for: an array could not be metered as it comes."""
    return f"/v1beta/{resource(facts.model)}:streamGenerateContent?alt=sse"


def data_alone(request: AnyRequest, event: bytes) -> bytes | None:
    """Return an event as Google's clients read it: each line of it is taken as JSON, so no other fields."""
    data = event_data(event)
    if not data or data == DONE:
        return None
    return event if event.startswith(b"data:") and event.count(b"\n") == 2 else b"data: " + data + b"\r\n\r\n"


class Array:
    """A stream's answers as one JSON array, which is what Google streams without `alt=sse`."""

    def __init__(self) -> None:
        self._begun = False

    def feed(self, event: bytes) -> bytes:
        """Take whole events, of which there may be several or none."""
        answers = map(event_data, events_of(event))
        return b"".join(self._mark() + answer for answer in answers if answer and answer != DONE)

    def _mark(self) -> bytes:
        mark = b",\r\n" if self._begun else b"["
        self._begun = True
        return mark

    def end(self) -> bytes:
        """Close the array."""
        return b"\n]" if self._begun else b"[]"


def reshape(request: AnyRequest) -> tuple[str, Events] | None:
    """Tell whether the caller wants an array, as it does that does not say `alt=sse`."""
    query = request.query
    if (query.get("alt") or query.get("$alt")) == "sse":
        return None
    return "application/json; charset=UTF-8", Array()


def chunk_text(chunk: Json) -> str:
    """Return the text that an event, or a whole answer, adds: thoughts, calls of functions and code included."""
    return "".join(
        text
        for candidate in listed(either(chunk, "candidates"))
        for part in parts(either(candidate, "content"))
        for text in _part_texts(part)
    )


_SPOKEN: Final = ("functionCall", "functionResponse", "executableCode", "codeExecutionResult")


def _part_texts(part: Mapping[str, Json]) -> list[str]:
    """Return a part's text, or what it holds of functions and code as JSON."""
    texts = [part["text"]] if isinstance(part.get("text"), str) else []
    held = (either(part, name) for name in _SPOKEN)
    return texts + [msgspec.json.encode(value).decode() for value in held if value]


def prompt_text(request: Request[GenerateBody]) -> str:
    """Return the text that the upstream would count as input, tools and calls of them included."""
    body = request.body
    instruction = body.system_instruction or body.snake_instruction
    texts = [text for part in (*parts(body.contents), *parts(instruction)) for text in _part_texts(part)]
    if body.tools:
        texts.append(msgspec.json.encode(body.tools).decode())
    return "\n".join(texts)


def may_end(event: bytes) -> bool:
    """Tell whether an event may be the last: a candidate is whole, or the prompt was refused."""
    if b'"finishReason"' not in event and b'"blockReason"' not in event:
        return False
    value = event_json(event)
    if either(either(value, "promptFeedback"), "blockReason"):
        return True
    return any(either(candidate, "finishReason") for candidate in listed(either(value, "candidates")))


def only_opens(event: bytes) -> bool:
    """Tell whether an event says nothing yet: it holds no part, and no reason why the answer ends."""
    held = listed(either(event_json(event), "candidates"))
    return not may_end(event) and not any(True for item in held for _ in parts(either(item, "content")))


def stream_error(failure: Failure, request_id: str) -> bytes:
    """Return the event that tells of a failure in mid-stream."""
    return b"data: " + msgspec.json.encode({"error": error_object(failure)}) + b"\r\n\r\n"


STREAM: Final[StreamRules[GenerateBody]] = StreamRules(
    wanted=lambda request: True,
    usage=event_usage,
    visible=data_alone,
    text=chunk_text,
    prompt=prompt_text,
    is_last=may_end,
    error=stream_error,
    # Google tells usage in each event, so each is looked at.
    scan_for=(b"",),
    only_opens=only_opens,
    failure=event_failure,
    at_close=True,
    reshape=reshape,
)

_ASKED = {"contents": [{"role": "user", "parts": [{"text": "Explain how AI works in a few words"}]}]}
_ANSWER = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "…"}]}, "finishReason": "STOP", "index": 0},
    ],
    "usageMetadata": {
        "promptTokenCount": 8,
        "candidatesTokenCount": 12,
        "totalTokenCount": 20,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}],
    },
    "modelVersion": "gemini-2.5-flash",
    "responseId": "1MTuaJ3uKZ6Vz7IP0dTA8A4",
}
_GENERATE, _GENERATE_ALSO = paths("generateContent", tuned=True)
_STREAM, _STREAM_ALSO = paths("streamGenerateContent", tuned=True)
_COUNT, _COUNT_ALSO = paths("countTokens", tuned=True)
_EMBED, _EMBED_ALSO = paths("embedContent")
_EMBED_MANY, _EMBED_MANY_ALSO = paths("batchEmbedContents")
_EMBEDDER = {"model": "gemini-embedding-001"}
_EMBEDDERS: Final = ("*embedding*",)

_CANDIDATES: Final = AnswerShape(fields=("candidates", "promptFeedback"))

OPERATIONS = (
    Call(
        name="generateContent",
        endpoint_type="gemini",
        shape=_CANDIDATES,
        method="POST",
        path=_GENERATE,
        aliases=_GENERATE_ALSO,
        upstream_template=_GENERATE,
        summary=Text("Generate content", "生成内容"),
        body=GenerateBody,
        example={**_ASKED, "generationConfig": {"maxOutputTokens": 256}},
        example_answer=_ANSWER,
        model=model,
        estimate=chat_estimate,
        usage=answer_usage,
        counting=STREAM,
        patch=model_patch,
        upstream_path=place("generateContent"),
        replay=True,
    ),
    Stream(
        name="streamGenerateContent",
        endpoint_type="gemini",
        shape=_CANDIDATES,
        method="POST",
        path=_STREAM,
        aliases=_STREAM_ALSO,
        upstream_template=_STREAM,
        rules=STREAM,
        summary=Text("Stream generated content", "流式生成内容"),
        body=GenerateBody,
        query=("alt",),
        example_params={"alt": "sse"},
        example=_ASKED,
        example_answer=[_ANSWER],
        answers=("application/json", "text/event-stream"),
        model=model,
        estimate=chat_estimate,
        usage=answer_usage,
        patch=model_patch,
        upstream_path=stream_place,
        on_leave="cancel",
        replay=True,
    ),
    Call(
        name="countTokens",
        shape=AnswerShape(fields=("totalTokens",)),
        method="POST",
        path=_COUNT,
        aliases=_COUNT_ALSO,
        upstream_template=_COUNT,
        free=True,
        summary=Text("Count tokens", "计算令牌数"),
        body=CountBody,
        example=_ASKED,
        example_answer={"totalTokens": 8, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}]},
        model=model,
        patch=count_patch,
        upstream_path=place("countTokens"),
        replay=True,
    ),
    Call(
        name="embedContent",
        shape=AnswerShape(fields=("embedding",)),
        models=_EMBEDDERS,
        method="POST",
        path=_EMBED,
        aliases=_EMBED_ALSO,
        upstream_template=_EMBED,
        summary=Text("Create an embedding", "创建嵌入"),
        body=EmbedBody,
        example={"content": {"parts": [{"text": "What is the meaning of life?"}]}, "outputDimensionality": 768},
        example_params=_EMBEDDER,
        example_answer={"embedding": {"values": [0.0023, -0.0093]}},
        model=model,
        estimate=input_estimate,
        usage=embedding_usage,
        patch=model_patch,
        upstream_path=place("embedContent"),
        replay=True,
    ),
    Call(
        name="batchEmbedContents",
        shape=AnswerShape(fields=("embeddings",)),
        models=_EMBEDDERS,
        method="POST",
        path=_EMBED_MANY,
        aliases=_EMBED_MANY_ALSO,
        upstream_template=_EMBED_MANY,
        summary=Text("Create many embeddings", "批量创建嵌入"),
        body=EmbedManyBody,
        example={
            "requests": [
                {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "What is life?"}]}},
                {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "Where am I?"}]}},
            ]
        },
        example_params=_EMBEDDER,
        example_answer={"embeddings": [{"values": [0.0023, -0.0093]}, {"values": [0.0101, 0.0052]}]},
        model=model,
        estimate=input_estimate,
        usage=embedding_usage,
        patch=embed_many_patch,
        upstream_path=place("batchEmbedContents"),
        replay=True,
    ),
)
