"""Tool calls by grammar: small models' templates know no tools, so the answer is forced into a JSON shape instead.

A call is generated as `{"name": …, "arguments": {…}}`, and where the model may also answer in words, those as
`{"reply": "…"}`. `ToolReader` turns that text, as it comes, into OpenAI's deltas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ..openai_wire import new_id

Delta = dict[str, Any]

_CALL: Final = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\S)', re.DOTALL)
_REPLY: Final = re.compile(r'\s*\{\s*"reply"\s*:\s*"')
# The longest run of whole characters of a JSON string: no half escape, no first half of a surrogate pair.
_WHOLE: Final = re.compile(
    r'(?:[^"\\]|\\["\\/bfnrt]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}'
    r"|\\u(?![dD][89abAB])[0-9a-fA-F]{4})*"
)


class Function(msgspec.Struct):
    """A function as callers declare it; `parameters` is a JSON schema, which only a `strict` one promises to keep."""

    name: str
    description: str = ""
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


def schema_of(functions: Sequence[Function], may_reply: bool) -> dict[str, Any]:
    """Return the JSON schema of a call of one of the functions, or a reply in words."""
    branches: list[dict[str, Any]] = [
        {
            "type": "object",
            "properties": {
                "name": {"const": function.name},
                "arguments": function.parameters or {"type": "object", "properties": {}, "additionalProperties": False},
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for function in functions
    ]
    if may_reply:
        reply = {"type": "object", "properties": {"reply": {"type": "string"}}, "required": ["reply"]}
        branches.append({**reply, "additionalProperties": False})
    return {"oneOf": branches}


def prompt_of(functions: Sequence[Function], may_reply: bool) -> str:
    """Return the words that tell the model of the functions."""
    lines = [
        json.dumps({"name": f.name, "description": f.description, "parameters": f.parameters or {}}, ensure_ascii=False)
        for f in functions
    ]
    ask = 'Answer with one function call as JSON: {"name": ..., "arguments": {...}}'
    if may_reply:
        ask += ', or, if no function fits, with {"reply": ...}'
    return "You have access to these functions:\n" + "\n".join(lines) + f"\n{ask}"


class TextReader:
    """Deltas of an answer in plain words."""

    called: Final = False

    def feed(self, text: str) -> list[Delta]:
        """Return the deltas that `text` adds."""
        return [{"content": text}] if text else []


class ToolReader:
    """Deltas of an answer in the shape of `schema_of`."""

    def __init__(self) -> None:
        self.called = False
        self._text = ""
        self._at = 0
        self._replying = False
        self._depth = 0
        self._quoted = self._escaped = self._over = False

    def feed(self, text: str) -> list[Delta]:
        """Return the deltas that `text` adds."""
        self._text += text
        deltas: list[Delta] = []
        if not self.called and not self._replying:
            if found := _CALL.match(self._text):
                self.called, self._at = True, found.end()
                call = {"name": json.loads(found.group(1)), "arguments": ""}
                deltas.append(
                    {"tool_calls": [{"index": 0, "id": new_id("call_"), "type": "function", "function": call}]}
                )
            elif found := _REPLY.match(self._text):
                self._replying, self._at = True, found.end()
        if self.called and (arguments := self._arguments()):
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]})
        if self._replying and (reply := self._reply()):
            deltas.append({"content": reply})
        return deltas

    def _arguments(self) -> str:
        """Take what belongs to the arguments: up to the brace that closes them, which is not the last one."""
        start = self._at
        while self._at < len(self._text) and not self._over:
            char = self._text[self._at]
            self._at += 1
            if self._escaped:
                self._escaped = False
            elif self._quoted:
                self._escaped, self._quoted = char == "\\", char != '"'
            elif char == '"':
                self._quoted = True
            elif char in "{[":
                self._depth += 1
            elif char in "}]":
                self._depth -= 1
                self._over = self._depth == 0
        return self._text[start : self._at]

    def _reply(self) -> str:
        found = _WHOLE.match(self._text, self._at)
        if found is None or found.end() == self._at:
            return ""
        self._at = found.end()
        words: str = json.loads(f'"{found.group()}"', strict=False)
        return words.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
