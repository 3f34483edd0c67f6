"""Google: content whole and streamed, counts, models; pictures, films and embeddings are in `media`.

Source: Google's reference of the Generative Language API, v1beta. A token is counted for each four bytes of text.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from ...media.draw import Picture, fit, render
from ...media.words import count_of, instance_of, reply_to, tokens_of
from ...tools import next_tool
from ...vendor import Answer, Call, Route, Stream, Vendor, digest_of, json_answer
from . import media
from .common import (
    METHODS,
    MODELS,
    credential,
    field,
    invalid,
    model_of,
    number,
    parts_of,
    refuse,
    text_of,
)
from .refusals import check_content_request, check_contents

IMAGE_TOKENS = 258
AUDIO_TOKENS = 32
DRAWN_TOKENS = 1290
"""Of a picture that a model draws."""
TOKENS_PER_EVENT = 4
FAILURE = {"error": {"code": 500, "message": "An internal error has occurred.", "status": "INTERNAL"}}


async def models(call: Call) -> Answer:
    """`GET /v1beta/models`."""
    query = call.request.query
    size = int(query.get("pageSize", 50))
    start = int(query.get("pageToken") or 0)
    names = list(MODELS)
    answer: dict[str, Any] = {"models": [_model(name) for name in names[start : start + size]]}
    if start + size < len(names):
        answer["nextPageToken"] = str(start + size)
    return json_answer(answer)


async def model(call: Call) -> Answer:
    """`GET /v1beta/models/{name}`."""
    return json_answer(_model(model_of(call, "any")[0]))


def _model(name: str) -> dict[str, Any]:
    held = MODELS.get(name, MODELS["gemini-2.5-flash"])
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "inputTokenLimit": held.input,
        "outputTokenLimit": held.output,
        "supportedGenerationMethods": list(METHODS[held.use]),
    }


async def count(call: Call) -> Answer:
    """`POST …:countTokens`."""
    model_of(call, "any")
    body = field(call.json, "generateContentRequest") or call.json
    check_contents(body)
    counted = _prompt(body)
    return json_answer({"totalTokens": sum(counted.values()), "promptTokensDetails": _details(counted)})


async def generate(call: Call) -> Answer:
    """`POST …:generateContent`."""
    answer = _Writer(call)
    await call.work(0.3 + 0.02 * answer.tokens)
    return json_answer(answer.whole())


async def stream(call: Call) -> Stream:
    """`POST …:streamGenerateContent`: events with `alt=sse`, else an array that grows."""
    chunks = [msgspec.json.encode(chunk) for chunk in _Writer(call).chunks()]
    failure = msgspec.json.encode(FAILURE)
    if call.request.query.get("alt") == "sse":
        return Stream([_event(chunk) for chunk in chunks], _event(failure))
    first, *others = chunks
    events = [b"[" + first, *(b",\r\n" + chunk for chunk in others), b"\n]"]
    return Stream(events, b",\r\n" + failure + b"\n]", content_type="application/json; charset=UTF-8")


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\r\n\r\n"


# Counting ----------------------------------------------------------------------------------------------------------


def _contents(body: Any) -> list[dict[str, Any]]:
    contents = field(body, "contents")
    return contents if isinstance(contents, list) else [contents]


def _prompt(body: Any) -> dict[str, int]:
    """Count a request's tokens by modality."""
    counted: dict[str, int] = {}

    def add(modality: str, tokens: int) -> None:
        counted[modality] = counted.get(modality, 0) + tokens

    for content in [*_contents(body), field(body, "systemInstruction")]:
        for part in parts_of(content):
            data = field(part, "inlineData") or field(part, "fileData")
            if "text" in part:
                add("TEXT", count_of(str(part["text"])))
            elif data is None:
                add("TEXT", count_of(msgspec.json.encode(part).decode()))
            else:
                kind = str(field(data, "mimeType", "")).partition("/")[0]
                modality = {"audio": "AUDIO", "video": "VIDEO"}.get(kind, "IMAGE")
                seconds = max(1, len(str(data.get("data", ""))) // 20_000)
                tokens = {"AUDIO": AUDIO_TOKENS * seconds, "VIDEO": IMAGE_TOKENS * seconds}.get(modality, IMAGE_TOKENS)
                add(modality, tokens)
    if body.get("tools"):
        add("TEXT", count_of(msgspec.json.encode(body["tools"]).decode()))
    return counted


def _details(counted: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": tokens} for modality, tokens in counted.items()]


# Writing -----------------------------------------------------------------------------------------------------------


class _Writer:
    """The answer to one request."""

    def __init__(self, call: Call) -> None:
        self.name, self.model = model_of(call, "chat")
        self._triggers = call.triggers
        body = self._body = call.json
        config: Any = field(body, "generationConfig", {})
        self._config = config
        if not isinstance(config, dict):
            raise invalid("generation_config", "Invalid value (google.ai.generativelanguage.v1beta.GenerationConfig)")
        number(config, "temperature", 0, 2)
        number(config, "topP", 0, 1)
        check_content_request(body, self.name)
        self._contents = _contents(body)
        self._limit: int | None = number(config, "maxOutputTokens", 1, 2**31, whole=True)
        candidates = number(config, "candidateCount", 1, 8, whole=True) or 1
        self._prompt = _prompt(body)
        if sum(self._prompt.values()) > self.model.input:
            text = f"The input token count exceeds the maximum number of tokens allowed {self.model.input}."
            raise invalid("", text)
        self._said = next((text_of(one) for one in reversed(self._contents) if one.get("role") != "model"), "")
        self._digest = digest_of(self.name, self._contents, field(config, "seed"))
        self._response_id = call.world.ids.hex(22)
        self._moderated = "moderated" in call.triggers
        every = range(0 if self._moderated else candidates)
        self.candidates = [self._candidate(digest_of(self._digest, index)) for index in every]

    @property
    def tokens(self) -> int:
        """Output tokens."""
        return sum(self._spent(parts) for parts, _ in self.candidates)

    def _spent(self, parts: list[tuple[dict[str, Any], int]]) -> int:
        return sum(tokens for _, tokens in parts)

    def _candidate(self, digest: bytes) -> tuple[list[tuple[dict[str, Any], int]], str]:
        """Return parts, each with its tokens, and why it ends."""
        if "moderated-output" in self._triggers:
            return [], "SAFETY"
        parts: list[tuple[dict[str, Any], int]] = []
        thoughts = self._thoughts()
        if field(field(self._config, "thinkingConfig"), "includeThoughts") and thoughts:
            text = "".join(tokens_of(reply_to("thinking", digest, thoughts))[:thoughts])
            parts.append(({"text": text, "thought": True}, 0))
        if (tool := self._tool()) is not None:
            schema = field(tool, "parametersJsonSchema") or _plain(tool.get("parameters") or {"type": "object"})
            called = {"name": tool["name"], "args": instance_of(schema)}
            part: dict[str, Any] = {"functionCall": called}
            if self.name.startswith("gemini-3"):
                # Other models sign, too, but only these want the signature back.
                part["thoughtSignature"] = base64.b64encode(digest).decode()
            return [*parts, (part, count_of(msgspec.json.encode(called).decode()))], "STOP"
        tokens, reason = self._limited(self._text(digest))
        parts += [
            ({"text": "".join(tokens[at : at + TOKENS_PER_EVENT])}, len(tokens[at : at + TOKENS_PER_EVENT]))
            for at in range(0, len(tokens), TOKENS_PER_EVENT)
        ]
        if self.model.draws:
            parts.append(({"inlineData": self._drawn(digest)}, DRAWN_TOKENS))
        return parts, reason

    def _thoughts(self) -> int:
        if "reasoning" in self._triggers:
            return self._triggers.integer("reasoning", 0)
        return 16 if field(field(self._config, "thinkingConfig"), "includeThoughts") else 0

    @property
    def _tools(self) -> list[Any]:
        tools = field(self._body, "tools", [])
        return [tools] if isinstance(tools, dict) else tools

    def _tool(self) -> dict[str, Any] | None:
        declared = [function for tool in self._tools for function in field(tool, "functionDeclarations", [])]
        config = field(field(self._body, "toolConfig"), "functionCallingConfig")
        mode = field(config, "mode", "AUTO")
        allowed = field(config, "allowedFunctionNames")
        if allowed:
            declared = [function for function in declared if function["name"] in allowed]
            if not declared:
                raise invalid("tool_config", "Allowed function names are not declared")
        if not declared or mode == "NONE":
            return None
        if mode != "ANY" and "[tool]" not in text_of(self._contents[-1]):
            return None
        wanted = next_tool([function["name"] for function in declared], self._called())
        return next(function for function in declared if function["name"] == wanted)

    def _called(self) -> set[str]:
        """Return the names of the functions that were called since the user last said something."""
        called: set[str] = set()
        for content in reversed(self._contents):
            if content.get("role") != "model" and text_of(content):
                break
            calls = [field(part, "functionCall") for part in parts_of(content)]
            called |= {str(field(one, "name")) for one in calls if one is not None}
        return called

    def _text(self, digest: bytes) -> str:
        kind = field(self._config, "responseMimeType", "text/plain")
        schema = field(self._config, "responseJsonSchema") or _plain(field(self._config, "responseSchema"))
        if kind == "application/json":
            value = instance_of(schema) if schema else {"test_mode": True, "echo": self._said[:160]}
            return msgspec.json.encode(value).decode()
        if kind == "text/x.enum":
            return str(instance_of(schema))
        if kind != "text/plain":
            raise invalid("generation_config.response_mime_type", f"Unsupported response mime type {kind}")
        answered = next(
            (
                msgspec.json.encode(found).decode()
                for part in parts_of(self._contents[-1])
                if (found := field(part, "functionResponse"))
            ),
            None,
        )
        said = f"the tool's answer: {answered}" if answered else self._said
        return reply_to(said, digest, self._triggers.integer("tokens", 0) if "tokens" in self._triggers else None)

    def _limited(self, text: str) -> tuple[list[str], str]:
        for sequence in field(self._config, "stopSequences", []):
            text = text.partition(sequence)[0]
        tokens = tokens_of(text)
        if self._limit is not None and len(tokens) > self._limit:
            return tokens[: self._limit], "MAX_TOKENS"
        return tokens, "STOP"

    def _drawn(self, digest: bytes) -> dict[str, Any]:
        ratio = str(field(field(self._config, "imageConfig"), "aspectRatio", "1:1"))
        width, _, height = ratio.partition(":")
        if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
            raise invalid("generation_config.image_config.aspect_ratio", f"Invalid aspect ratio {ratio}")
        size = fit(int(width) / int(height), 1024 * 1024)
        data = render(Picture(*size, f"{self._said} ({self.name})", digest))
        return {"mimeType": "image/png", "data": base64.b64encode(data).decode()}

    # Answers -------------------------------------------------------------------------------------------------------

    def _envelope(self, candidates: list[dict[str, Any]], spent: int, drawn: int) -> dict[str, Any]:
        answer: dict[str, Any] = {"candidates": candidates} if candidates else {}
        if self._moderated:
            answer["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
        if "no-usage" not in self._triggers:
            answer["usageMetadata"] = self._usage(spent, drawn)
        return answer | {"modelVersion": self.name, "responseId": self._response_id}

    def _usage(self, spent: int, drawn: int) -> dict[str, Any]:
        prompt, thoughts = sum(self._prompt.values()), self._thoughts()
        usage: dict[str, Any] = {
            "promptTokenCount": prompt,
            "totalTokenCount": prompt + spent + thoughts,
            "promptTokensDetails": _details(self._prompt),
        }
        if spent:
            usage["candidatesTokenCount"] = spent
        if drawn:
            usage["candidatesTokensDetails"] = _details({"IMAGE": drawn})
        if thoughts:
            usage["thoughtsTokenCount"] = thoughts
        if (tier := str(field(self._body, "serviceTier", "")).lower()) in ("flex", "priority", "standard"):
            usage["serviceTier"] = tier
        if cached := min(self._prompt.get("TEXT", 0), self._triggers.integer("cached", 0)):
            usage["cachedContentTokenCount"] = cached
            usage["cacheTokensDetails"] = _details({"TEXT": cached})
        return usage

    def _drawn_tokens(self, parts: list[tuple[dict[str, Any], int]]) -> int:
        return sum(tokens for part, tokens in parts if "inlineData" in part)

    def _grounding(self) -> dict[str, Any]:
        """Return what the answer rests on, where it may search the web: two searches, one of them twice."""
        if not any(isinstance(tool, dict) and field(tool, "googleSearch") is not None for tool in self._tools):
            return {}
        queries = [self._said[:80], f"about {self._said[:60]}", self._said[:80]]
        chunks = [{"web": {"uri": "https://example.com/", "title": "example.com"}}]
        return {"groundingMetadata": {"webSearchQueries": queries, "groundingChunks": chunks}}

    def whole(self) -> dict[str, Any]:
        """Return the answer in one piece."""
        made: list[dict[str, Any]] = []
        for index, (parts, reason) in enumerate(self.candidates):
            candidate: dict[str, Any] = {"finishReason": reason, "index": index}
            if parts:
                candidate["content"] = {"parts": _joined([part for part, _ in parts]), "role": "model"}
            if any("text" in part and "thought" not in part for part, _ in parts):
                candidate["avgLogprobs"] = -math.log(2)
            made.append(candidate | self._grounding())
        drawn = sum(self._drawn_tokens(parts) for parts, _ in self.candidates)
        return self._envelope(made, self.tokens, drawn)

    def chunks(self) -> list[dict[str, Any]]:
        """Return the answer in many pieces; usage is that of all so far."""
        if self._moderated:
            return [self._envelope([], 0, 0)]
        chunks: list[dict[str, Any]] = []
        spent = drawn = 0
        for index, (parts, reason) in enumerate(self.candidates):
            pieces = parts or [({"text": ""}, 0)]
            for number_, (part, tokens) in enumerate(pieces, 1):
                spent += tokens
                drawn += tokens if "inlineData" in part else 0
                candidate: dict[str, Any] = {"content": {"parts": [part], "role": "model"}, "index": index}
                if number_ == len(pieces):
                    candidate |= {"finishReason": reason} | self._grounding()
                chunks.append(self._envelope([candidate], spent, drawn))
        return chunks


def _joined(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put neighbouring pieces of text together."""
    joined: list[dict[str, Any]] = []
    for part in parts:
        if joined and part.keys() == joined[-1].keys() == {"text"}:
            joined[-1] = {"text": joined[-1]["text"] + part["text"]}
        else:
            joined.append(part)
    return joined


def _plain(schema: Any) -> Any:
    """Turn Google's schema, whose types are in capitals, into a JSON Schema."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.lower() if key == "type" and isinstance(value, str) else _plain(value)
        for key, value in schema.items()
    }


def _verbs(kinds: str, verb: str) -> tuple[str, ...]:
    return tuple(f"/{version}/{{kind:{kinds}}}/{{name:.+}}:{verb}" for version in ("v1beta", "v1"))


CHAT = "models|tunedModels"
VENDOR = Vendor(
    name="gemini",
    routes=(
        *(Route("POST", path, generate) for path in _verbs(CHAT, "generateContent")),
        *(Route("POST", path, stream) for path in _verbs(CHAT, "streamGenerateContent")),
        *(Route("POST", path, count) for path in _verbs(CHAT, "countTokens")),
        *(Route("POST", path, handler) for verb, handler in media.VERBS.items() for path in _verbs("models", verb)),
        *media.ROUTES,
        Route("GET", "/v1beta/models", models),
        Route("GET", "/v1beta/{kind:models|tunedModels}/{name:[^/]+}", model),
    ),
    credential=credential,
    credential_headers=("x-goog-api-key",),
    credential_queries=("key",),
    refuse=refuse,
    moderates_at_submit=False,
)
