"""One response of a realtime session: thought by the chat model, spoken sentence by sentence, and told as events."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any, Final, Literal

from ..openai_wire import new_id
from .items import Called, Item, Message, Part, chat_messages, chat_request, usage_of
from .parts import PartError, Parts
from .settings import SPEECH, Settings
from .sound import Thinner

Say = Callable[..., Awaitable[None]]
Reason = Literal["turn_detected", "client_cancelled"]

_SENTENCE: Final = re.compile(r".+?(?:[.!?…]+[\"')\]]*(?=\s)|[。！？]+[”’」』]*|\n)", re.DOTALL)
_SPOKEN_BYTES_PER_MS: Final = 48
_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}


def sentences(text: str) -> tuple[list[str], str]:
    """Cut whole sentences off a text that still grows; return them and the rest."""
    found, end = list[str](), 0
    for match in _SENTENCE.finditer(text):
        found.append(match.group())
        end = match.end()
    return found, text[end:]


class Response:
    """One response; `start` it, and `cancel` it or wait for `done`.

    Parameters
    ----------
    say : callable
        Sends an event: its type, and its fields.
    items : sequence of Item
        What the model is shown.
    conversation : list of Item, optional
        Where its own items go; None for a response outside the conversation.
    heard : sequence of tasks
        Transcriptions that it waits for.
    """

    def __init__(
        self,
        say: Say,
        parts: Parts,
        settings: Settings,
        items: Sequence[Item],
        conversation: list[Item] | None,
        heard: Sequence[asyncio.Task[None]],
        shown: dict[str, Any],
    ) -> None:
        self._say, self._parts, self._settings = say, parts, settings
        self._items, self._conversation, self._heard = items, conversation, heard
        self._reason: Reason = "client_cancelled"
        self._chat: dict[str, Any] = {}
        self._spoken_ms = 0
        self._output: list[Item] = []
        self._message: Item | None = None
        self.id = new_id("resp_")
        self._shown: dict[str, Any] = {
            "id": self.id,
            "object": "realtime.response",
            "status": "in_progress",
            "status_details": None,
            "output": [],
            "usage": None,
            **shown,
        }
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Tell whether it is under way."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Tell of it, and begin."""
        await self._say("response.created", response=self._shown)
        self._task = asyncio.create_task(self._run())

    async def cancel(self, reason: Reason) -> None:
        """Stop it, and return when its last event is out."""
        if self._task is not None and not self._task.done():
            self._reason = reason
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def done(self) -> None:
        """Wait for its end."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            if self._heard:
                await asyncio.wait(self._heard)
            finish = await self._answer()
        except asyncio.CancelledError:
            await self._end("cancelled", {"type": "cancelled", "reason": self._reason})
        except PartError as error:
            await self._end("failed", {"type": "failed", "error": error.error})
        except Exception as error:
            fault = {"type": "server_error", "code": None, "message": f"The session failed: {type(error).__name__}"}
            await self._end("failed", {"type": "failed", "error": fault})
            raise
        else:
            if finish in _INCOMPLETE:
                await self._end("incomplete", {"type": "incomplete", "reason": _INCOMPLETE[finish]})
            else:
                await self._end("completed", None)

    async def _answer(self) -> str:
        items = list(self._items)
        while True:
            try:
                return await self._think(items)
            except PartError as error:
                # A long conversation forgets its beginning, as at OpenAI.
                if error.error["code"] != "context_length_exceeded" or self._message or len(items) < 2:
                    raise
                items = items[(len(items) + 1) // 2 :]

    async def _think(self, items: Sequence[Item]) -> str:
        settings = self._settings
        request = chat_request(settings, chat_messages(items, settings.instructions))
        if not request["messages"]:
            raise PartError({"type": "invalid_request_error", "code": "empty", "message": "The conversation is empty."})
        held, finish = "", "stop"
        calls: dict[int, Item] = {}
        async with aclosing(self._parts.think(request)) as chunks:
            async for chunk in chunks:
                self._chat = chunk.get("usage") or self._chat
                for choice in chunk.get("choices", ()):
                    finish = choice.get("finish_reason") or finish
                    delta = choice.get("delta") or {}
                    if text := delta.get("content"):
                        held = await self._tell(held + text, text)
                    for call in delta.get("tool_calls") or ():
                        await self._call(calls, call)
        if held.strip():
            await self._speak(held)
        await self._close_message("completed")
        for item in calls.values():
            await self._close_call(item)
        return finish

    # Words and sound -----------------------------------------------------------------------------------------------

    async def _tell(self, held: str, text: str) -> str:
        """Pass new text on; return what is not yet a whole sentence."""
        part = await self._open_message()
        if not self._settings.speaks:
            part.text = (part.text or "") + text
            await self._say("response.output_text.delta", **self._where, delta=text)
            return ""
        whole, rest = sentences(held)
        for sentence in whole:
            await self._speak(sentence)
        return rest

    async def _speak(self, sentence: str) -> None:
        part = await self._open_message()
        part.transcript = (part.transcript or "") + sentence
        await self._say("response.output_audio_transcript.delta", **self._where, delta=sentence)
        if not any(letter.isalnum() for letter in sentence):
            return
        output = self._settings.audio.output
        thinner = Thinner(output.format.type)
        async with aclosing(self._parts.speak(SPEECH, sentence, output.voice_name, output.speed)) as pieces:
            async for piece in pieces:
                self._spoken_ms += len(piece) // _SPOKEN_BYTES_PER_MS
                if sound := thinner.feed(piece):
                    delta = base64.b64encode(sound).decode()
                    await self._say("response.output_audio.delta", **self._where, delta=delta)

    @property
    def _where(self) -> dict[str, Any]:
        assert self._message is not None
        index = self._output.index(self._message)
        return {"response_id": self.id, "item_id": self._message.id, "output_index": index, "content_index": 0}

    async def _open_message(self) -> Part:
        if self._message is None:
            part = Part("output_audio", transcript="") if self._settings.speaks else Part("output_text", text="")
            self._message = Item(new_id("item_"), Message("assistant", [part]), "in_progress")
            await self._open(self._message, {**self._message.shown(), "content": []})
            await self._say("response.content_part.added", **self._where, part=part.announced())
        assert isinstance(self._message.what, Message)
        return self._message.what.content[0]

    async def _close_message(self, status: str) -> None:
        if self._message is None or self._message.status != "in_progress":
            return
        item = self._message
        assert isinstance(item.what, Message)
        part = item.what.content[0]
        item.status, item.spoken_ms = status, self._spoken_ms
        if self._settings.speaks:
            await self._say("response.output_audio.done", **self._where)
            await self._say("response.output_audio_transcript.done", **self._where, transcript=part.transcript)
        else:
            await self._say("response.output_text.done", **self._where, text=part.text)
        await self._say("response.content_part.done", **self._where, part=part.announced())
        await self._closed(item)

    # Functions -----------------------------------------------------------------------------------------------------

    async def _call(self, calls: dict[int, Item], delta: dict[str, Any]) -> None:
        function = delta.get("function") or {}
        index = delta.get("index", 0)
        item = calls.get(index)
        if item is None:
            await self._close_message("completed")
            what = Called(function.get("name", ""), "", delta.get("id") or new_id("call_"))
            item = calls[index] = Item(new_id("item_"), what, "in_progress")
            await self._open(item, item.shown())
        assert isinstance(item.what, Called)
        if arguments := function.get("arguments"):
            item.what.arguments += arguments
            where = {**self._where_of(item), "call_id": item.what.call_id}
            await self._say("response.function_call_arguments.delta", **where, delta=arguments)

    async def _close_call(self, item: Item) -> None:
        assert isinstance(item.what, Called)
        item.status = "completed"
        what = {"call_id": item.what.call_id, "name": item.what.name, "arguments": item.what.arguments}
        await self._say("response.function_call_arguments.done", **self._where_of(item), **what)
        await self._closed(item)

    # Items and the end ---------------------------------------------------------------------------------------------

    def _where_of(self, item: Item) -> dict[str, Any]:
        return {"response_id": self.id, "item_id": item.id, "output_index": self._output.index(item)}

    async def _open(self, item: Item, shown: dict[str, Any]) -> None:
        self._output.append(item)
        index = len(self._output) - 1
        await self._say("response.output_item.added", response_id=self.id, output_index=index, item=shown)
        if self._conversation is not None:
            before = self._conversation[-1].id if self._conversation else None
            self._conversation.append(item)
            await self._say("conversation.item.added", previous_item_id=before, item=shown)

    async def _closed(self, item: Item) -> None:
        index = self._output.index(item)
        await self._say("response.output_item.done", response_id=self.id, output_index=index, item=item.shown())
        if self._conversation is not None:
            at = self._conversation.index(item) if item in self._conversation else 0
            before = self._conversation[at - 1].id if at else None
            await self._say("conversation.item.done", previous_item_id=before, item=item.shown())

    async def _end(self, status: str, details: dict[str, Any] | None) -> None:
        await self._close_message("incomplete")
        heard = sum(item.fresh_ms for item in self._items)
        for item in self._items:
            item.fresh_ms = 0
        for item in self._output:
            item.status = "incomplete" if item.status == "in_progress" else item.status
        self._shown |= {
            "status": status,
            "status_details": details,
            "output": [item.shown() for item in self._output],
            "usage": usage_of(self._chat, heard, self._spoken_ms),
        }
        await self._say("response.done", response=self._shown)
