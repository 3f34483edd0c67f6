"""One realtime session: what the client says, what it is told, and the turns between."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
from aiohttp import web

from ..openai_wire import new_id
from .items import Item, Message, Part, item_of, sound_of
from .parts import PartError, Parts
from .response import Reason, Response
from .settings import TRANSCRIPTION, Detection, Settings, SettingsError, checked, defaults, laid
from .sound import Ears, FormatName, bytes_per_second, decoded, wav

SESSION_SECONDS: Final = 3600
MOST_TURN_SECONDS: Final = 600
MOST_ITEMS: Final = 1000
_STEP_SECONDS: Final = 0.25
_LEAST_MS: Final = 100
"""Of sound in a turn that is committed by hand, as at OpenAI."""
_OVERRIDES: Final = ("output_modalities", "instructions", "tools", "tool_choice", "max_output_tokens")

_encode = msgspec.json.encode
_Event = dict[str, Any]


class Session:
    """One session.

    Parameters
    ----------
    transcribes : bool
        Whether it only writes down what it hears.
    """

    def __init__(self, ws: web.WebSocketResponse, parts: Parts, model: str, *, transcribes: bool) -> None:
        self._ws, self._parts = ws, parts
        self._id, self._ends = new_id("sess_"), int(time.time()) + SESSION_SECONDS
        self._held = defaults(model, transcribes=transcribes)
        self._settings = checked(self._held, "session")
        self._items: list[Item] = []
        self._response: Response | None = None
        self._heard: dict[str, asyncio.Task[None]] = {}
        self._buffer = bytearray()
        self._came_ms = 0
        self._next_item = new_id("item_")
        self._ears: Ears | None = None
        self._models: set[str] = set()
        self._takes: dict[str, Callable[[_Event], Awaitable[None]]] = {
            "session.update": self._update,
            "conversation.item.create": self._create,
            "conversation.item.retrieve": self._retrieve,
            "conversation.item.delete": self._delete,
            "conversation.item.truncate": self._truncate,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit_by_hand,
            "input_audio_buffer.clear": self._clear,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    async def begin(self) -> None:
        """Tell the client of itself."""
        self._models = await self._parts.models()
        await self._say("session.created", session=self._shown())

    async def expire(self) -> None:
        """Tell the client that its time is over."""
        await self.refuse("Your session hit the maximum duration of 60 minutes.", "session_expired")

    async def close(self) -> None:
        """Stop what is under way."""
        for task in tuple(self._heard.values()):
            task.cancel()
        if self._response is not None:
            await self._response.cancel("client_cancelled")

    async def take(self, text: str) -> None:
        """Take one event of the client."""
        try:
            event = msgspec.json.decode(text, type=_Event)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeError):
            await self.refuse("The event could not be parsed.", "invalid_json")
            return
        kind, identity = event.get("type"), event.get("event_id")
        take = self._takes.get(kind) if isinstance(kind, str) else None
        if take is None:
            given = kind if isinstance(kind, str) else type(kind).__name__
            known = ", ".join(f"'{name}'" for name in self._takes)
            message = f"Invalid value: '{given}'. Supported values are: {known}."
            await self.refuse(message, "invalid_value", "type", identity)
            return
        try:
            await take(event)
        except SettingsError as error:
            await self.refuse(str(error), "invalid_value", error.param, identity)
        except KeyError as error:
            name = str(error.args[0])
            await self.refuse(f"Missing required parameter: '{name}'.", "missing_required_parameter", name, identity)
        except PartError as error:
            await self.refuse(str(error), error.error["code"], None, identity)
        except (ValueError, TypeError, AttributeError) as error:
            await self.refuse(f"Invalid event: {error}", "invalid_value", None, identity)

    # Events out ----------------------------------------------------------------------------------------------------

    async def _say(self, kind: str, **fields: Any) -> None:
        with suppress(ConnectionError):
            await self._ws.send_str(_encode({"type": kind, "event_id": new_id("event_"), **fields}).decode())

    async def refuse(self, message: str, code: str | None, param: str | None = None, event_id: object = None) -> None:
        """Tell the client of an error; the session goes on."""
        kind = "invalid_request_error"
        error = {"type": kind, "code": code, "message": message, "param": param, "event_id": event_id}
        await self._say("error", error=error)

    def _shown(self) -> dict[str, Any]:
        return {"id": self._id, "object": "realtime.session", "expires_at": self._ends, **self._held}

    # Settings ------------------------------------------------------------------------------------------------------

    async def _update(self, event: _Event) -> None:
        given = event["session"]
        if not isinstance(given, Mapping):
            raise SettingsError("Invalid type for 'session': expected an object.", "session")
        if "type" not in given:
            raise KeyError("session.type")
        if given.get("model", self._held["model"]) != self._held["model"]:
            raise SettingsError("Cannot update a conversation's model.", "session.model")
        held = laid(self._held, given)
        settings = checked(held, "session")
        if settings.chat_model not in self._models:
            raise SettingsError(f"There is no chat model '{settings.chat_model}' here.", "session.chat_model")
        if settings.audio.input.format != self._settings.audio.input.format and self._buffer:
            raise SettingsError("The format of sound cannot change within a turn.", "session.audio.input.format")
        if settings.audio.input != self._settings.audio.input:
            self._ears = None
        self._held, self._settings = held, settings
        await self._say("session.updated", session=self._shown())

    # The conversation ----------------------------------------------------------------------------------------------

    async def _create(self, event: _Event) -> None:
        if len(self._items) >= MOST_ITEMS:
            raise ValueError(f"a conversation holds at most {MOST_ITEMS} items")
        item = item_of(event["item"])
        if any(item.id == other.id for other in self._items):
            raise ValueError("an item of that id is there already")
        await self._add(item, event.get("previous_item_id"))
        if isinstance(item.what, Message):
            for part in item.what.content:
                if part.type == "input_audio" and part.audio:
                    sound, part.audio = sound_of(part), None
                    item.fresh_ms += self._milliseconds(len(sound))
                    if not part.transcript:
                        self._hear(item, part, sound)

    async def _add(self, item: Item, after: str | None = None) -> None:
        at = len(self._items)
        if after == "root":
            at = 0
        elif after is not None:
            at = self._items.index(self._find(after)) + 1
        before = self._items[at - 1].id if at else None
        self._items.insert(at, item)
        await self._say("conversation.item.added", previous_item_id=before, item=item.shown())
        await self._say("conversation.item.done", previous_item_id=before, item=item.shown())

    def _find(self, identity: object) -> Item:
        for item in self._items:
            if item.id == identity:
                return item
        raise SettingsError(f"There is no item '{identity}'.", "item_id")

    async def _retrieve(self, event: _Event) -> None:
        await self._say("conversation.item.retrieved", item=self._find(event["item_id"]).shown())

    async def _delete(self, event: _Event) -> None:
        self._items.remove(self._find(event["item_id"]))
        await self._say("conversation.item.deleted", item_id=event["item_id"])

    async def _truncate(self, event: _Event) -> None:
        item, end = self._find(event["item_id"]), event["audio_end_ms"]
        what = item.what
        if not isinstance(what, Message) or what.role != "assistant" or not isinstance(end, int) or end < 0:
            raise SettingsError("Only what the assistant said can be truncated, at a time in milliseconds.", "item_id")
        if end > item.spoken_ms:
            raise SettingsError(f"The item's sound is {item.spoken_ms} ms long.", "audio_end_ms")
        part = what.content[0]
        words = part.transcript or ""
        # What was not heard must not be remembered; a voice says about as much in every second.
        part.transcript = words[: len(words) * end // max(item.spoken_ms, 1)]
        item.spoken_ms = end
        fields = {"item_id": item.id, "content_index": event.get("content_index", 0), "audio_end_ms": end}
        await self._say("conversation.item.truncated", **fields)

    # Sound in ------------------------------------------------------------------------------------------------------

    @property
    def _form(self) -> FormatName:
        return self._settings.audio.input.format.type

    @property
    def _detection(self) -> Detection | None:
        return self._settings.audio.input.turn_detection

    def _milliseconds(self, size: int) -> int:
        return size * 1000 // bytes_per_second(self._form)

    def _bytes(self, milliseconds: int) -> int:
        return milliseconds * bytes_per_second(self._form) // 2000 * 2

    async def _append(self, event: _Event) -> None:
        try:
            sound = base64.b64decode(event["audio"], validate=True)
        except binascii.Error:
            raise SettingsError("Invalid 'audio': expected base64.", "audio") from None
        if len(self._buffer) + len(sound) > self._bytes(MOST_TURN_SECONDS * 1000):
            raise SettingsError(f"A turn is at most {MOST_TURN_SECONDS} seconds long.", "audio")
        detection = self._detection
        if detection is None:
            self._buffer += sound
            self._came_ms += self._milliseconds(len(sound))
            return
        step = self._bytes(int(_STEP_SECONDS * 1000))
        for start in range(0, len(sound), step):
            await self._listen(sound[start : start + step], detection)

    async def _listen(self, piece: bytes, detection: Detection) -> None:
        if self._ears is None:
            self._ears = Ears(self._form, detection.threshold, detection.silence_ms, self._came_ms)
        self._buffer += piece
        self._came_ms += self._milliseconds(len(piece))
        for turn in await asyncio.to_thread(self._ears.hear, decoded(piece, self._form)):
            if turn.kind == "started":
                begun = max(self._came_ms - self._milliseconds(len(self._buffer)), 0)
                start = max(begun, turn.at_ms - detection.prefix_padding_ms)
                del self._buffer[: self._bytes(start - begun)]
                fields = {"audio_start_ms": start, "item_id": self._next_item}
                await self._say("input_audio_buffer.speech_started", **fields)
                if detection.interrupt_response:
                    await self._stop("turn_detected")
            else:
                fields = {"audio_end_ms": turn.at_ms, "item_id": self._next_item}
                await self._say("input_audio_buffer.speech_stopped", **fields)
                await self._commit()
                if detection.create_response and self._settings.type == "realtime":
                    await self._stop("turn_detected")
                    await self._begin_response({})
        if not self._ears.speaking:
            # Silence is kept only as far as the next turn may reach back.
            keep = self._bytes(detection.prefix_padding_ms + 1000)
            del self._buffer[: max(len(self._buffer) - keep, 0)]

    async def _commit_by_hand(self, event: _Event) -> None:
        del event
        if (given := self._milliseconds(len(self._buffer))) < _LEAST_MS:
            message = "Error committing input audio buffer: buffer too small. Expected at least "
            message += f"{_LEAST_MS}ms of audio, but buffer only has {given}ms of audio."
            await self.refuse(message, "input_audio_buffer_commit_empty")
            return
        self._ears = None
        await self._commit()

    async def _commit(self) -> None:
        sound = bytes(self._buffer)
        self._buffer.clear()
        part = Part("input_audio")
        item = Item(self._next_item, Message("user", [part]), fresh_ms=self._milliseconds(len(sound)))
        self._next_item = new_id("item_")
        before = self._items[-1].id if self._items else None
        await self._say("input_audio_buffer.committed", previous_item_id=before, item_id=item.id)
        await self._add(item)
        self._hear(item, part, sound)

    async def _clear(self, event: _Event) -> None:
        del event
        self._buffer.clear()
        self._ears = None
        await self._say("input_audio_buffer.cleared")

    def _hear(self, item: Item, part: Part, sound: bytes) -> None:
        """Begin to write down what was said; a response waits for it."""
        wanted, form = self._settings.audio.input.transcription, self._form
        model = wanted.model if wanted and wanted.model in self._models else TRANSCRIPTION
        language, prompt = (wanted.language, wanted.prompt) if wanted else (None, None)
        name = "conversation.item.input_audio_transcription."

        async def hear() -> None:
            where = {"item_id": item.id, "content_index": 0}
            try:
                file = await asyncio.to_thread(lambda: wav(decoded(sound, form), form))
                part.transcript, seconds = await self._parts.hear(file, str(model), language, prompt)
            except PartError as error:
                await self._say(f"{name}failed", **where, error=error.error)
            else:
                if wanted is not None:
                    usage = {"type": "duration", "seconds": seconds}
                    await self._say(f"{name}completed", **where, transcript=part.transcript, usage=usage)
            finally:
                self._heard.pop(item.id, None)

        self._heard[item.id] = asyncio.create_task(hear())

    # Responses -----------------------------------------------------------------------------------------------------

    async def _respond(self, event: _Event) -> None:
        if self._settings.type == "transcription":
            raise SettingsError("A transcription session makes no responses.", "type")
        if self._response is not None and self._response.running:
            message = f"Conversation already has an active response in progress: {self._response.id}."
            await self.refuse(message, "conversation_already_has_active_response", None, event.get("event_id"))
            return
        await self._begin_response(event.get("response") or {})

    async def _begin_response(self, given: Mapping[str, Any]) -> None:
        changes: dict[str, Any] = {name: given[name] for name in _OVERRIDES if given.get(name) is not None}
        if isinstance(sound := given.get("audio"), Mapping):
            changes["audio"] = {"output": sound.get("output") or {}}
        settings: Settings = checked(laid(self._held, changes), "response")
        items = self._items if given.get("input") is None else [item_of(item) for item in given["input"]]
        apart = given.get("conversation") == "none"
        shown = {
            "conversation_id": None if apart else f"conv_{self._id.removeprefix('sess_')}",
            "output_modalities": settings.output_modalities,
            "max_output_tokens": settings.max_output_tokens,
            "audio": {"output": laid(self._held, changes)["audio"]["output"]},
            "metadata": given.get("metadata"),
        }
        heard = list(self._heard.values())
        conversation = None if apart else self._items
        self._response = Response(self._say, self._parts, settings, items, conversation, heard, shown)
        await self._response.start()

    async def _stop(self, reason: Reason) -> None:
        if self._response is not None:
            await self._response.cancel(reason)

    async def _cancel(self, event: _Event) -> None:
        running = self._response is not None and self._response.running
        if not running:
            await self.refuse(
                "Cancellation failed: no active response found",
                "response_cancel_not_active",
                None,
                event.get("event_id"),
            )
            return
        await self._stop("client_cancelled")
