"""OpenAI's Realtime API: `GET /v1/realtime` as a WebSocket, in the present shape of events and in the beta's.

Source: OpenAI's OpenAPI document 2.3.0. Text counts a token for each four bytes, sound a token for each 100 ms in and
each 50 ms out. Speech is heard where sound is loud, and said as tones. The world says which shapes are spoken: where it
is today's alone, callers of the beta are sent away as OpenAI does it; where it is the beta's alone, all are given that.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import math
from array import array
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from ...media.words import count_of, instance_of, reply_to, tokens_of
from ...triggers import Triggers, UnknownTriggerError, find
from ...vendor import Answer, Call, Route, Socket, bearer, digest_of
from .common import invalid
from .realtime_refusals import Fault, check_item, check_response, check_session

KEY = "openai-insecure-api-key."
BETA = "openai-beta.realtime-v1"
RATE = 24_000
"""Samples a second, 16 bits each."""
LOUD = 800
"""Mean amplitude from which sound is speech."""
SILENCE_MS = 500
CHUNK_MS = 200
TOKEN_MS = 250
"""Of speech that a token of text takes to be said."""
MOST_EVENT = 24 * 2**20
OLD_NAMES = {
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "conversation.item.added": "conversation.item.created",
}
_MODALITIES = {"audio": ["audio", "text"], "text": ["text"]}
PREFIXES = ("gpt-realtime", "gpt-4o-realtime", "gpt-4o-mini-realtime", "sandbox-realtime")


def credential(request: web.Request) -> str:
    """Return the key: the bearer, or the one among the subprotocols."""
    return bearer(request) or next((word.removeprefix(KEY) for word in _offered(request) if word.startswith(KEY)), "")


def _offered(request: web.Request) -> list[str]:
    return [word.strip() for word in request.headers.get("sec-websocket-protocol", "").split(",")]


async def realtime(call: Call) -> Answer | Socket:
    """`GET /v1/realtime`."""
    request = call.request
    model, transcribes = request.query.get("model", ""), request.query.get("intent") == "transcription"
    if not transcribes and not model:
        raise invalid("you must provide a model parameter", None, "missing_model")
    if model and not model.startswith(PREFIXES):
        raise invalid(f'Model "{model}" is not supported in realtime mode.', "model", "invalid_model")
    if request.headers.get("upgrade", "").lower() != "websocket":
        raise invalid("This endpoint requires a websocket upgrade.", None)
    beta = BETA in _offered(request) or "realtime=v1" in request.headers.get("openai-beta", "")
    spoken = call.world.realtime
    session = Session(call, model, beta=spoken == "beta" or beta, transcribes=transcribes)
    return Socket(session.refuse_beta if beta and spoken == "ga" else session.run, ("realtime",), MOST_EVENT)


@functools.lru_cache(maxsize=64)
def tone(milliseconds: int, pitch: float) -> bytes:
    """Return sound: a tone that swells and fades as a syllable does."""
    count = RATE * milliseconds // 1000
    samples = array("h", bytes(2 * count))
    for index in range(count):
        swell = math.sin(math.pi * index / count)
        samples[index] = int(9000 * swell * math.sin(2 * math.pi * pitch * index / RATE))
    return samples.tobytes()


def _loud(sound: bytes) -> bool:
    samples = array("h", sound[: len(sound) // 2 * 2])
    return bool(samples) and sum(abs(value) for value in samples[::8]) / len(samples[::8]) >= LOUD


class Session:
    """One session."""

    def __init__(self, call: Call, model: str, *, beta: bool, transcribes: bool) -> None:
        self._call = call
        self._beta = beta
        self._transcribes = transcribes
        self._items: list[dict[str, Any]] = []
        self._buffer = bytearray()
        self._speaking_at: int | None = None
        self._quiet_ms = 0
        self._heard_ms = 0
        self._task: asyncio.Task[None] | None = None
        self._response: dict[str, Any] | None = None
        self._cached = 0
        self._ws: web.WebSocketResponse = web.WebSocketResponse()
        self._entry: dict[str, Any] = {}
        self.session: dict[str, Any] = {
            "id": f"sess_{call.world.ids.hex(20)}",
            "object": "realtime.transcription_session" if transcribes else "realtime.session",
            "model": model or "gpt-4o-transcribe",
            "expires_at": int(call.world.clock.wall()) + 3600,
        }
        if beta:
            self.session |= {
                "modalities": ["audio", "text"],
                "instructions": "",
                "voice": "alloy",
                "input_audio_format": "pcm16",
                "output_audio_format": "pcm16",
                "input_audio_transcription": None,
                "turn_detection": {"type": "server_vad"},
                "tools": [],
                "tool_choice": "auto",
                "temperature": 0.8,
                "max_response_output_tokens": "inf",
            }
        else:
            sound = {"type": "audio/pcm", "rate": RATE}
            self.session |= {
                "type": "transcription" if transcribes else "realtime",
                "output_modalities": ["audio"],
                "instructions": "",
                "tools": [],
                "tool_choice": "auto",
                "max_output_tokens": "inf",
                "audio": {
                    "input": {"format": sound, "transcription": None, "turn_detection": {"type": "server_vad"}},
                    "output": {"format": sound, "voice": "alloy", "speed": 1.0},
                },
            }

    async def run(self, ws: web.WebSocketResponse, entry: dict[str, Any]) -> None:
        """Serve until either end closes."""
        self._ws, self._entry = ws, entry
        entry["received"] = []
        await self._say("session.created", session=self.session)
        try:
            async for message in ws:
                if message.type is not WSMsgType.TEXT:
                    await self._fault("Only text messages are supported.", "invalid_message")
                    continue
                await self._take(message.data)
        finally:
            if self._task is not None:
                self._task.cancel()

    async def refuse_beta(self, ws: web.WebSocketResponse, entry: dict[str, Any]) -> None:
        """Send a caller of the beta away; source: jsboige/CoursIA PR #13149, langwatch/scenario#602."""
        self._ws, self._entry = ws, entry
        text = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."
        await self._fault(text, "beta_api_shape_disabled")
        await ws.close(code=4000, message=b"invalid_request_error.beta_api_shape_disabled")

    # Events out ----------------------------------------------------------------------------------------------------

    async def _say(self, kind: str, **fields: Any) -> None:
        if self._beta:
            if kind == "conversation.item.done":
                return
            kind = OLD_NAMES.get(kind, kind)
            if self._transcribes and kind.startswith("session."):
                kind = f"transcription_{kind}"
        event = {"type": kind, "event_id": f"event_{self._call.world.ids.hex(20)}", **fields}
        self._entry["events_sent"] += 1
        try:
            await self._ws.send_str(msgspec.json.encode(event).decode())
        except ConnectionError:
            self._entry["disconnected"] = True

    async def _fault(self, text: str, code: str | None, param: str | None = None, event_id: Any = None) -> None:
        kind = "server_error" if code == "server_error" else "invalid_request_error"
        error = {"type": kind, "code": code, "message": text, "param": param, "event_id": event_id}
        await self._say("error", error=error)

    # Events in -----------------------------------------------------------------------------------------------------

    async def _take(self, text: str) -> None:
        try:
            event = msgspec.json.decode(text)
            kind = event["type"]
        except (msgspec.DecodeError, KeyError, TypeError):
            await self._fault("The event could not be parsed.", "invalid_json")
            return
        seen = self._entry["received"]
        if len(seen) < 200:
            seen.append(kind if kind != "session.update" else event)
        take = getattr(self, "_on_" + str(kind).replace(".", "_"), None)
        if take is None or (kind == "transcription_session.update" and not self._beta):
            await self._fault(f"Invalid value: '{kind}'.", "invalid_value", "type", event.get("event_id"))
            return
        try:
            await take(event)
        except Fault as fault:
            await self._fault(str(fault), fault.code, fault.param, event.get("event_id"))
        except (AttributeError, KeyError, TypeError, ValueError, UnknownTriggerError) as error:
            await self._fault(f"Invalid event: {error}", "invalid_value", None, event.get("event_id"))

    async def _on_session_update(self, event: dict[str, Any]) -> None:
        given = event["session"]
        check_session(given, beta=self._beta)
        if given.get("model", self.session["model"]) != self.session["model"]:
            text = "Cannot update a conversation's model."
            await self._fault(text, "cannot_update_model", "session.model", event.get("event_id"))
            return
        _lay(self.session, given)
        await self._say("session.updated", session=self.session)

    _on_transcription_session_update = _on_session_update

    async def _on_conversation_item_create(self, event: dict[str, Any]) -> None:
        item = dict(event["item"])
        if item["type"] not in ("message", "function_call", "function_call_output"):
            raise ValueError("item.type")
        check_item(item, "item", beta=self._beta)
        await self._add(item)

    async def _add(self, item: dict[str, Any]) -> None:
        item = {"id": f"item_{self._call.world.ids.hex(20)}", "object": "realtime.item", "status": "completed"} | item
        before = self._items[-1]["id"] if self._items else None
        self._items.append(item)
        shown = {name: value for name, value in item.items() if not name.startswith("_")}
        if item["type"] == "message":
            shown |= {"content": [{k: v for k, v in part.items() if k != "audio"} for part in item["content"]]}
        await self._say("conversation.item.added", previous_item_id=before, item=shown)
        await self._say("conversation.item.done", previous_item_id=before, item=shown)

    def _find(self, event: dict[str, Any]) -> dict[str, Any]:
        for item in self._items:
            if item["id"] == event["item_id"]:
                return item
        raise ValueError("the item does not exist")

    async def _on_conversation_item_retrieve(self, event: dict[str, Any]) -> None:
        await self._say("conversation.item.retrieved", item=self._find(event))

    async def _on_conversation_item_delete(self, event: dict[str, Any]) -> None:
        self._items.remove(self._find(event))
        await self._say("conversation.item.deleted", item_id=event["item_id"])

    async def _on_conversation_item_truncate(self, event: dict[str, Any]) -> None:
        self._find(event)
        fields = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
        await self._say("conversation.item.truncated", **fields)

    # Sound in ------------------------------------------------------------------------------------------------------

    @property
    def _detects(self) -> Any:
        if self._beta:
            return self.session["turn_detection"]
        return self.session["audio"]["input"].get("turn_detection")

    @property
    def _transcriber(self) -> Any:
        if self._beta:
            return self.session["input_audio_transcription"]
        return self.session["audio"]["input"].get("transcription")

    async def _on_input_audio_buffer_append(self, event: dict[str, Any]) -> None:
        try:
            sound = base64.b64decode(event["audio"], validate=True)
        except binascii.Error:
            raise ValueError("audio is not base64") from None
        self._buffer += sound
        if self._detects is None:
            return
        step = RATE * 2 * CHUNK_MS // 1000
        for start in range(0, len(sound), step):
            piece = sound[start : start + step]
            self._heard_ms += len(piece) * 1000 // (RATE * 2)
            await self._listen(piece)

    async def _listen(self, piece: bytes) -> None:
        if _loud(piece):
            self._quiet_ms = 0
            if self._speaking_at is None:
                self._speaking_at = max(0, self._heard_ms - CHUNK_MS)
                fields = {"audio_start_ms": self._speaking_at, "item_id": f"item_{self._call.world.ids.hex(20)}"}
                await self._say("input_audio_buffer.speech_started", **fields)
                await self._stop("turn_detected")
            return
        self._quiet_ms += len(piece) * 1000 // (RATE * 2)
        if self._speaking_at is not None and self._quiet_ms >= SILENCE_MS:
            self._speaking_at = None
            fields = {"audio_end_ms": self._heard_ms, "item_id": f"item_{self._call.world.ids.hex(20)}"}
            await self._say("input_audio_buffer.speech_stopped", **fields)
            await self._commit()
            if not self._transcribes and (self._detects or {}).get("create_response", True):
                await self._respond({})

    async def _on_input_audio_buffer_commit(self, event: dict[str, Any]) -> None:
        if not self._buffer:
            text = "Error committing input audio buffer: buffer too small."
            await self._fault(text, "input_audio_buffer_commit_empty", None, event.get("event_id"))
            return
        await self._commit()

    async def _commit(self) -> None:
        milliseconds = len(self._buffer) * 1000 // (RATE * 2)
        self._buffer.clear()
        identity = f"item_{self._call.world.ids.hex(20)}"
        before = self._items[-1]["id"] if self._items else None
        await self._say("input_audio_buffer.committed", previous_item_id=before, item_id=identity)
        part = {"type": "input_audio", "transcript": None}
        await self._add({"id": identity, "type": "message", "role": "user", "content": [part], "_ms": milliseconds})
        speech = self._transcriber
        if speech is None:
            return
        words = f"{milliseconds} milliseconds of speech."
        for token in tokens_of(words):
            fields = {"item_id": identity, "content_index": 0, "delta": token}
            await self._say("conversation.item.input_audio_transcription.delta", **fields)
        sound, text = milliseconds // 100, count_of(words)
        usage: dict[str, Any] = {"type": "duration", "seconds": milliseconds / 1000}
        if speech.get("model") != "whisper-1":
            usage = {
                "type": "tokens",
                "total_tokens": sound + text,
                "input_tokens": sound,
                "output_tokens": text,
                "input_token_details": {"text_tokens": 0, "audio_tokens": sound},
            }
        fields = {"item_id": identity, "content_index": 0, "transcript": words, "usage": usage}
        await self._say("conversation.item.input_audio_transcription.completed", **fields)

    async def _on_input_audio_buffer_clear(self, event: dict[str, Any]) -> None:
        self._buffer.clear()
        await self._say("input_audio_buffer.cleared")

    # Responses -----------------------------------------------------------------------------------------------------

    async def _on_response_create(self, event: dict[str, Any]) -> None:
        wanted = event.get("response") or {}
        check_response(wanted, beta=self._beta)
        await self._respond(wanted, event.get("event_id"))

    async def _respond(self, wanted: dict[str, Any], event_id: Any = None) -> None:
        if self._task is not None and not self._task.done():
            text = "Conversation already has an active response in progress."
            await self._fault(text, "conversation_already_has_active_response", None, event_id)
            return
        triggers = find(msgspec.json.encode([wanted, self._items[-1:]]), "", "")
        self._task = asyncio.create_task(self._answer(wanted, triggers))

    async def _on_response_cancel(self, event: dict[str, Any]) -> None:
        if not await self._stop("client_cancelled"):
            text = "Cancellation failed: no active response found"
            await self._fault(text, "response_cancel_not_active", None, event.get("event_id"))

    async def _stop(self, reason: str) -> bool:
        task, self._task = self._task, None
        if task is None or task.done() or self._response is None:
            return False
        task.cancel()
        await self._end("cancelled", {"type": "cancelled", "reason": reason})
        return True

    def _modality(self, wanted: Mapping[str, Any]) -> str:
        name = "modalities" if self._beta else "output_modalities"
        return "audio" if "audio" in (wanted.get(name) or self.session[name]) else "text"

    async def _answer(self, wanted: dict[str, Any], triggers: Triggers) -> None:
        call = self._call
        modality = self._modality(wanted)
        self._response = {
            "id": f"resp_{call.world.ids.hex(20)}",
            "object": "realtime.response",
            "status": "in_progress",
            "status_details": None,
            "output": [],
            "usage": None,
            **({"modalities": _MODALITIES[modality]} if self._beta else {"output_modalities": [modality]}),
            "_text": 0,
            "_ms": 0,
            "_usage": "no-usage" not in triggers,
            "_input": self._input(wanted),
        }
        await self._say("response.created", response=self._shown())
        if "slow" in triggers:
            await asyncio.sleep(triggers.number("slow", 5))
        for name, code in (("fail", "server_error"), ("rate-limit", "rate_limit_exceeded")):
            if name in triggers:
                details = {"type": "failed", "error": {"type": code, "code": code, "message": f"{code} on request"}}
                await self._end("failed", details)
                return
        last = next((_words(item) for item in reversed(self._items) if _words(item)), "")
        tool = self._tool(wanted, last)
        if tool is not None:
            await self._call_tool(tool)
        else:
            await self._speak(
                reply_to(last, digest_of(last), triggers.integer("tokens", 0) or None), modality, triggers
            )
        await self._end("completed", None)

    def _tool(self, wanted: dict[str, Any], last: str) -> dict[str, Any] | None:
        tools = wanted.get("tools") or self.session.get("tools") or []
        choice = wanted.get("tool_choice") or self.session.get("tool_choice") or "auto"
        answered = bool(self._items) and self._items[-1]["type"] == "function_call_output"
        if not tools or choice == "none" or answered:
            return None
        if isinstance(choice, dict):
            return next((tool for tool in tools if tool["name"] == choice["name"]), None)
        return tools[0] if choice == "required" or "[tool]" in last else None

    async def _call_tool(self, tool: dict[str, Any]) -> None:
        arguments = msgspec.json.encode(instance_of(tool.get("parameters") or {}) or {}).decode()
        item = {"type": "function_call", "name": tool["name"], "call_id": f"call_{self._call.world.ids.hex(16)}"}
        item = await self._begin({**item, "arguments": ""})
        where = {"response_id": self._now["id"], "item_id": item["id"], "output_index": 0, "call_id": item["call_id"]}
        for token in tokens_of(arguments):
            self._now["_text"] += 1
            await self._say("response.function_call_arguments.delta", **where, delta=token)
        whole = {**where, "name": tool["name"], "arguments": arguments}
        await self._say("response.function_call_arguments.done", **whole)
        await self._finish({**item, "status": "completed", "arguments": arguments})

    async def _speak(self, text: str, modality: str, triggers: Triggers) -> None:
        item = await self._begin({"type": "message", "role": "assistant", "content": []})
        where = {"response_id": self._now["id"], "item_id": item["id"], "output_index": 0, "content_index": 0}
        spoken = "transcript" if modality == "audio" else "text"
        await self._say("response.content_part.added", **where, part={"type": modality, spoken: ""})
        tokens = tokens_of(text)
        stop = None
        if "cut-stream" in triggers or "stall" in triggers:
            stop = triggers.integer("cut-stream", triggers.integer("stall", len(tokens) // 2))
        pause = triggers.number("delta-ms", 0) / 1000
        for index, token in enumerate(tokens):
            if index == stop:
                await self._break_off(stalls="stall" in triggers)
            self._now["_text"] += 1
            if modality == "audio":
                sound = tone(TOKEN_MS, 180 + 20 * (len(token) + index % 5))
                self._now["_ms"] += TOKEN_MS
                await self._say("response.output_audio_transcript.delta", **where, delta=token)
                await self._say("response.output_audio.delta", **where, delta=base64.b64encode(sound).decode())
            else:
                await self._say("response.output_text.delta", **where, delta=token)
            await (asyncio.sleep(pause) if pause else self._call.world.clock.sleep(0.02))
        if modality == "audio":
            await self._say("response.output_audio.done", **where)
            await self._say("response.output_audio_transcript.done", **where, transcript=text)
        else:
            await self._say("response.output_text.done", **where, text=text)
        await self._say("response.content_part.done", **where, part={"type": modality, spoken: text})
        part = {"type": modality if self._beta else f"output_{modality}", spoken: text}
        await self._finish({**item, "status": "completed", "content": [part]})

    async def _break_off(self, *, stalls: bool) -> None:
        if stalls:
            self._entry["outcome"] = "stalled"
            await asyncio.Event().wait()
        self._entry["outcome"] = "cut"
        transport = self._call.request.transport
        if transport is not None:
            transport.abort()
        await asyncio.Event().wait()

    @property
    def _now(self) -> dict[str, Any]:
        assert self._response is not None
        return self._response

    def _shown(self) -> dict[str, Any]:
        return {name: value for name, value in self._now.items() if not name.startswith("_")}

    async def _begin(self, item: dict[str, Any]) -> dict[str, Any]:
        item = {"id": f"item_{self._call.world.ids.hex(20)}", "object": "realtime.item", "status": "in_progress"} | item
        await self._say("response.output_item.added", response_id=self._now["id"], output_index=0, item=item)
        before = self._items[-1]["id"] if self._items else None
        await self._say("conversation.item.added", previous_item_id=before, item=item)
        return item

    async def _finish(self, item: dict[str, Any]) -> None:
        before = self._items[-1]["id"] if self._items else None
        self._items.append({**item, "_ms": self._now["_ms"]})
        self._now["output"].append(item)
        await self._say("response.output_item.done", response_id=self._now["id"], output_index=0, item=item)
        await self._say("conversation.item.done", previous_item_id=before, item=item)

    async def _end(self, status: str, details: dict[str, Any] | None) -> None:
        response = self._now
        response["status"], response["status_details"] = status, details
        if response["_usage"]:
            response["usage"] = self._usage(response)
        shown = self._shown()
        self._response = None
        await self._say("response.done", response=shown)
        limits = [{"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 60.0}]
        await self._say("rate_limits.updated", rate_limits=limits)

    def _input(self, wanted: dict[str, Any]) -> tuple[int, int]:
        """Return tokens of text and of sound: all of the conversation is read anew for each response."""
        said = [str(wanted.get("instructions") or self.session["instructions"])]
        if self.session.get("tools"):
            said.append(msgspec.json.encode(self.session["tools"]).decode())
        text = sum(map(count_of, said)) + sum(count_of(_words(item)) for item in self._items)
        return text, sum(item.get("_ms", 0) for item in self._items) // 100

    def _usage(self, response: dict[str, Any]) -> dict[str, Any]:
        text_in, sound_in = response["_input"]
        text_out, sound_out = response["_text"], response["_ms"] // 50
        cached = min(self._cached, text_in)
        self._cached = text_in
        return {
            "total_tokens": text_in + sound_in + text_out + sound_out,
            "input_tokens": text_in + sound_in,
            "output_tokens": text_out + sound_out,
            "input_token_details": {
                "text_tokens": text_in,
                "audio_tokens": sound_in,
                "image_tokens": 0,
                "cached_tokens": cached,
                "cached_tokens_details": {"text_tokens": cached, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": text_out, "audio_tokens": sound_out},
        }


def _lay(under: dict[str, Any], over: Mapping[str, Any]) -> None:
    for name, value in over.items():
        held = under.get(name)
        if isinstance(value, dict) and isinstance(held, dict) and value.get("type") in (held.get("type"), None):
            _lay(held, value)
        else:
            under[name] = value


def _words(item: Mapping[str, Any]) -> str:
    if item["type"] != "message":
        return str(item.get("output") or item.get("arguments") or "")
    return " ".join(str(part.get("text") or part.get("transcript") or "") for part in item["content"])


ROUTES = (Route("GET", "/v1/realtime", realtime),)
