"""Where Vertex AI's bodies differ from those of the Gemini API: counts, embeddings, pictures and films.

Source: the google-genai package's converters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from .base import Sending

_CONFIG: Final = ("taskType", "title", "outputDimensionality", "autoTruncate")
_COUNTED: Final = ("contents", "systemInstruction", "tools", "generationConfig")
_OF_EMBEDDER: Final = ("gemini", "maas")
"""In the names of embedding models that are asked by contents; the older ones take predictions."""

Object = dict[str, Any]


class _Statistics(msgspec.Struct):
    token_count: float = 0


class _Vector(msgspec.Struct):
    values: msgspec.Raw
    statistics: _Statistics = msgspec.field(default_factory=_Statistics)


class _Prediction(msgspec.Struct):
    embeddings: _Vector


class _Predictions(msgspec.Struct):
    predictions: list[_Prediction]


def convert(verb: str, model: str, sending: Sending) -> str:
    """Put a request's body as Vertex AI wants it; return the verb to ask by.

    Raises
    ------
    NotSent
    """
    if verb in ("embedContent", "batchEmbedContents"):
        return _embeddings(verb, model, sending)
    if verb in ("predict", "predictLongRunning"):
        _media(sending)
    elif verb == "countTokens":
        _counted(sending)
    return verb


def _counted(sending: Sending) -> None:
    """Say a whole request by what of it Vertex AI counts."""
    whole = _decoded(sending).get("generateContentRequest")
    if isinstance(whole, dict):
        found = {name: whole.get(name, whole.get(_snake(name))) for name in _COUNTED}
        sending.body = msgspec.json.encode({name: value for name, value in found.items() if value is not None})


# Embeddings --------------------------------------------------------------------------------------------------------


def _embeddings(verb: str, model: str, sending: Sending) -> str:
    many = verb == "batchEmbedContents"
    body = _decoded(sending)
    asked: list[Object] = list(body["requests"]) if many else [body]
    if any(word in model for word in _OF_EMBEDDER):
        made = [_content(one) for one in asked]
        sending.body = msgspec.json.encode({"requests": made} if many else made[0])
        return verb
    sending.body = msgspec.json.encode({"instances": [_instance(one) for one in asked], **_parameters(asked[0])})
    sending.rewrite = _vectors if many else _vector
    return "predict"


def _content(one: Mapping[str, Any]) -> Object:
    config = _config(one)
    return {"content": one.get("content"), **({"embedContentConfig": config} if config else {})}


def _config(one: Mapping[str, Any]) -> Object:
    given = one.get("embedContentConfig")
    found: Object = dict(given) if isinstance(given, dict) else {}
    for name in _CONFIG:
        value = one.get(name, one.get(_snake(name)))
        if value is not None:
            found[name] = value
    return found


def _instance(one: Mapping[str, Any]) -> Object:
    config = _config(one)
    content: Any = one.get("content")
    parts: Any = content.get("parts") if isinstance(content, dict) else None
    words = [part.get("text") for part in ([parts] if isinstance(parts, dict) else _objects(parts))]
    found = {"content": "\n".join(word for word in words if isinstance(word, str))}
    return found | {new: config[old] for old, new in (("taskType", "task_type"), ("title", "title")) if old in config}


def _parameters(one: Mapping[str, Any]) -> Object:
    config = _config(one)
    found = {name: config[name] for name in ("outputDimensionality", "autoTruncate") if name in config}
    return {"parameters": found} if found else {}


def _vector(answer: bytes) -> bytes:
    found = msgspec.json.decode(answer, type=_Predictions).predictions
    return msgspec.json.encode({"embedding": {"values": found[0].embeddings.values}, **_used(found)})


def _vectors(answer: bytes) -> bytes:
    found = msgspec.json.decode(answer, type=_Predictions).predictions
    return msgspec.json.encode({"embeddings": [{"values": one.embeddings.values} for one in found], **_used(found)})


def _used(found: list[_Prediction]) -> Object:
    tokens = int(sum(one.embeddings.statistics.token_count for one in found))
    return {"usageMetadata": {"promptTokenCount": tokens, "totalTokenCount": tokens}} if tokens else {}


# Pictures and films ------------------------------------------------------------------------------------------------


def _media(sending: Sending) -> None:
    """Name media as Vertex AI does, and no bucket for the results: they come with the answer, and are kept here."""
    body = _decoded(sending)
    parameters = body.get("parameters")
    if isinstance(parameters, dict):
        for name in ("storageUri", "storage_uri"):
            parameters.pop(name, None)
    for one in _objects(body.get("instances")):
        for name in ("image", "lastFrame", "video"):
            if isinstance(one.get(name), dict):
                one[name] = _medium(one[name])
        for reference in _objects(one.get("referenceImages")):
            if isinstance(reference.get("image"), dict):
                reference["image"] = _medium(reference["image"])
    sending.body = msgspec.json.encode(body)


def _medium(given: Object) -> Object:
    """Return a picture or film under Vertex AI's names; the Gemini API has two other ways to say one."""
    inline = given.get("inlineData")
    if isinstance(inline, dict):
        return {"bytesBase64Encoded": inline.get("data"), "mimeType": inline.get("mimeType")}
    if "encodedVideo" in given:
        return {"bytesBase64Encoded": given["encodedVideo"], "mimeType": given.get("encoding", "video/mp4")}
    return given


def operation(answer: bytes) -> bytes:
    """Say where a film stands as the Gemini API does."""
    found: Object = msgspec.json.decode(answer, type=dict[str, Any])
    response = found.get("response")
    if isinstance(response, dict):
        samples = [{"video": _film(one)} for one in _objects(response.get("videos"))]
        made = {name: value for name, value in response.items() if name.startswith("raiMedia")}
        found["response"] = {"generateVideoResponse": {**made, "generatedSamples": samples}}
    return msgspec.json.encode(found)


def _film(one: Mapping[str, Any]) -> Object:
    if "bytesBase64Encoded" in one:
        return {"encodedVideo": one["bytesBase64Encoded"], "encoding": one.get("mimeType", "video/mp4")}
    return {"uri": one.get("gcsUri")}


def _objects(value: Any) -> list[Object]:
    """Return what of a list are objects; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _decoded(sending: Sending) -> Object:
    top: Object = {name: msgspec.json.decode(value) for name, value in sending.json().items()}
    return top


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
