"""What is asked, of whom, and by which protocol the answer comes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from deeepai.protocols import PROTOCOLS
from tests.spoiled.vendor import Script, Vendors
from tests.wire.calls import named

Body = dict[str, Any]
MODEL: Final = "m-spoiled"
"""Of all chats; each channel knows which of its vendor's it is."""
PRICES: Final = {"input": 1_000, "output": 10_000}
"""Of a token, in 10⁻⁹ USD."""
USAGE: Final = ("usage", "usageMetadata", "meta", "duration")


@dataclass(frozen=True)
class Case:
    """A request, and the vendor that it reaches.

    Attributes
    ----------
    caller, target : str
        Formats of chats: the caller's, and the vendor's.
    done : str
        Where the id of a job stands in the answer to its submission.
    fetch : str
        The path at which the caller asks for a job.
    """

    name: str
    asked: str
    """The protocol that is asked."""
    protocol: str
    """The channel's."""
    path: str
    body: bytes
    model: str
    content_type: str = "application/json"
    accept: str = "*/*"
    caller: str = ""
    target: str = ""
    stream: bool = False
    settings: Mapping[str, Any] | None = None
    model_map: str = ""
    done: str = ""
    fetch: str = ""

    @property
    def key(self) -> str:
        return f"sk-live-{self.name.replace('.', '-').replace(':', '-').replace('>', '-'):0>40}"

    @property
    def translated(self) -> bool:
        return self.caller != self.target

    def config(self, vendors: Vendors, script: Script) -> str:
        path = urlsplit(PROTOCOLS[self.protocol].base_url).path.rstrip("/")
        url = f"{vendors.url(script)}/{self.protocol}{path}"
        lines = ["[[tokens]]", f'name = "{self.name}"', f'key = "{self.key}"', 'account = "rich"']
        lines += [f'price_group = "{self.name}"', "[[channels]]", f'name = "{self.name}"']
        lines += [f'protocol = "{self.protocol}"', f'price_groups = ["{self.name}"]', f'base_url = "{url}"']
        lines += ['credential = "sk-upstream-0000"', f'models = ["{self.model}"]']
        if self.model_map:
            lines.append(f'model_map = {{ "{self.model}" = "{self.model_map}" }}')
        for name, value in (self.settings or {}).items():
            lines.append(f"settings = {{ {name} = {json.dumps(value)} }}")
        return "\n".join([*lines, ""])


# Chats --------------------------------------------------------------------------------------------------------------

WORDS: Final = "[sandbox:reasoning] What is the weather like in Paris, and what will it be like in Rome on Sunday?"
_SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_TOOL: Final = {"name": "get_weather", "description": "Tells of the weather", "parameters": _SCHEMA}
_SAID: Final = [{"role": "user", "content": WORDS}]


def _chat(tool: bool, stream: bool) -> Body:
    body: Body = {"model": MODEL, "messages": _SAID, "max_tokens": 400}
    if tool:
        body |= {"tools": [{"type": "function", "function": _TOOL}], "tool_choice": "required"}
    return body | ({"stream": True, "stream_options": {"include_usage": True}} if stream else {})


def _responses(tool: bool, stream: bool) -> Body:
    body: Body = {"model": MODEL, "input": WORDS, "max_output_tokens": 400, "stream": stream}
    if tool:
        body |= {"tools": [{"type": "function", "strict": False, **_TOOL}], "tool_choice": "required"}
    return body


def _messages(tool: bool, stream: bool) -> Body:
    body: Body = {"model": MODEL, "messages": _SAID, "max_tokens": 400, "stream": stream}
    if tool:
        described = {"name": _TOOL["name"], "description": _TOOL["description"], "input_schema": _SCHEMA}
        body |= {"tools": [described], "tool_choice": {"type": "any"}}
    return body


def _contents(tool: bool, stream: bool) -> Body:
    body: Body = {
        "contents": [{"role": "user", "parts": [{"text": WORDS}]}],
        "generationConfig": {"maxOutputTokens": 400, "thinkingConfig": {"includeThoughts": True}},
    }
    if tool:
        calling = {"functionCallingConfig": {"mode": "ANY"}}
        body |= {"tools": [{"functionDeclarations": [_TOOL]}], "toolConfig": calling}
    return body


_BODIES: Final = {"openai": _chat, "responses": _responses, "anthropic": _messages, "gemini": _contents}
_PATHS: Final = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": f"/v1beta/models/{MODEL}:",
}
_GEMINI: Final = {False: "generateContent", True: "streamGenerateContent?alt=sse"}
_TARGETS: Final[Mapping[str, tuple[str, str, Mapping[str, Any] | None]]] = {
    "openai": ("openai", "gpt-4o-mini", {"operations": ["chat.completions"]}),
    "responses": ("openai", "gpt-5-mini", {"operations": ["responses*"]}),
    "anthropic": ("anthropic", "claude-haiku-4-5", None),
    "gemini": ("gemini", "gemini-2.5-flash", None),
}


def _conversation(caller: str, target: str, tool: bool, stream: bool) -> Case:
    protocol, model, settings = _TARGETS[target]
    name = f"{caller}>{target}.{'tool' if tool else 'text'}.{'stream' if stream else 'whole'}"
    return Case(
        name,
        "openai" if caller == "responses" else caller,
        protocol,
        _PATHS[caller] + (_GEMINI[stream] if caller == "gemini" else ""),
        json.dumps(_BODIES[caller](tool, stream)).encode(),
        MODEL,
        caller=caller,
        target=target,
        stream=stream,
        settings=settings,
        model_map=model,
    )


CHATS: Final = [
    _conversation(caller, target, tool, stream)
    for caller in _BODIES
    for target in _TARGETS
    for tool in (False, True)
    for stream in (False, True)
]


# Other calls --------------------------------------------------------------------------------------------------------


def _call(operation: str, suffix: str = "", *, model: str = "", accept: str = "*/*", **more: Any) -> Case:
    good = named(operation)
    good = good.changed(fields={**good.fields, **({"model": model} if model else {}), **more})
    protocol = good.protocol.name
    stream = any(more.get(name) for name in ("stream", "stream_format"))
    body = good.body
    assert body is not None
    return Case(
        operation + suffix,
        protocol,
        protocol,
        good.path,
        body,
        model or good.fields.get("model") or "*",
        content_type=good.content_type,
        accept=accept,
        stream=stream,
    )


CALLS: Final = [
    _call("openai.completions"),
    _call("openai.completions", ".stream", stream=True, stream_options={"include_usage": True}),
    _call("openai.embeddings"),
    _call("openai.images.generations"),
    _call("openai.images.generations", ".tokens", model="gpt-image-1"),
    _call("openai.images.generations", ".stream", model="gpt-image-1", stream=True, partial_images=1),
    _call("openai.images.variations"),
    _call("openai.audio.speech"),
    _call("openai.audio.speech", ".stream", model="gpt-4o-mini-tts", stream_format="sse"),
    _call("openai.audio.transcriptions"),
    _call("openai.audio.transcriptions", ".verbose", response_format="verbose_json"),
    _call("openai.audio.transcriptions", ".tokens", model="gpt-4o-mini-transcribe"),
    _call("openai.audio.transcriptions", ".stream", model="gpt-4o-mini-transcribe", stream="true"),
    _call("openai.audio.translations"),
    _call("openai.moderations"),
    _call("openai.rerank"),
    _call("openai.responses.compact"),
    _call("anthropic.messages.count_tokens"),
    _call("gemini.countTokens"),
    _call("gemini.embedContent"),
    _call("gemini.batchEmbedContents"),
    _call("gemini.predict"),
    _call("ideogram.generate"),
    _call("ideogram.v3.generate"),
    _call("ideogram.describe"),
    _call("stability.generate.core", accept="application/json"),
    _call("stability.generate.core", ".picture", accept="image/*"),
    _call("stability.text-to-image"),
]


# Jobs ---------------------------------------------------------------------------------------------------------------


def _job(operation: str, done: str, fetch: str, **more: Any) -> Case:
    call = _call(operation, **more)
    return Case(**{**vars(call), "done": done, "fetch": fetch.replace("{path}", call.path)})


JOBS: Final = [
    _job("openai.videos.create", "id", "/v1/videos/{id}"),
    _job("openai.video.generations", "id", "/v1/video/generations/{id}"),
    _job("flux.generate", "id", "/flux/v1/get_result?id={id}"),
    _job("midjourney.imagine", "result", "/mj/task/{id}/fetch"),
    _job("stability.upscale.creative", "id", "/sd/v2beta/results/{id}"),
    _job("gemini.predictLongRunning", "name", "/v1beta/{id}"),
    _job("kling.videos.text2video", "data.task_id", "{path}/{id}"),
    _job("kling.images.generations", "data.task_id", "{path}/{id}"),
    _job("cogvideox.videos.generations", "id", "/cogvideox/v4/async-result/{id}"),
    _job("vidu_ent.text2video", "task_id", "/ent/v2/tasks/{id}/creations"),
    _job("vidu.tasks", "id", "/vidu/v1/tasks/{id}"),
    _job("pixverse_platform.video.text", "Resp.video_id", "/openapi/v2/video/result/{id}", model="pixverse-v5"),
    _job("pixverse_web.generate", "Resp.video_id", "/pixverse/feed/{id}", model="pixverse-v4"),
    _job("pixverse.generate", "data.task_id", "/pixverse/v1/pro/feed?task_id={id}", model="pixverse-v4"),
    _job("pika_web.generate", "id", "/pika/feed/{id}", model="pika-2.0"),
]
TRANSLATED_JOBS: Final = [
    Case(
        **{
            **vars(_job("openai.videos.create", "id", "/v1/videos/{id}", model=model, seconds="4")),
            "name": f"openai.videos.create>{protocol}",
            "protocol": protocol,
        }
    )
    for protocol, model in (
        ("kling", "kling-v2-6"),
        ("cogvideox", "cogvideox-2"),
        ("gemini", "veo-3.1-generate-preview"),
    )
]
ALL: Final = [*CHATS, *CALLS, *JOBS, *TRANSLATED_JOBS]
