"""Tools that only some formats have, as functions and back: custom ones (one text), and those in namespaces.

A custom tool becomes a function with one string. A function in a namespace gets a name of both; the caller sees them
apart again. Tools that a vendor runs itself are left out where another vendor's model is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ...declare import Json, lenient_json
from .common import Body, encode
from .model import Tool

CUSTOM: Final = "input"
"""The one property of a custom tool's function."""


@dataclass(frozen=True, slots=True)
class Form:
    """What the caller calls a tool by, whose name in the conversation is another, or that takes a text."""

    name: str
    namespace: str = ""
    custom: bool = False


def flat(namespace: str, name: str) -> str:
    """Return one name for a tool in a namespace."""
    return f"{namespace}{'' if namespace.endswith('_') else '__'}{name}" if namespace else name


def custom_tool(name: str, tool: Body) -> Tool:
    """Return a custom tool as a function."""
    form: Body = tool.get("format") or {}
    grammar: Body = form["grammar"] if isinstance(form.get("grammar"), dict) else form
    words = "The whole input, as plain text"
    if grammar.get("definition"):
        words += f", by this grammar ({grammar.get('syntax') or 'lark'}):\n{grammar['definition']}"
    schema: Body = {
        "type": "object",
        "properties": {CUSTOM: {"type": "string", "description": words}},
        "required": [CUSTOM],
        "additionalProperties": False,
    }
    return Tool(name, tool.get("description") or "", schema)


def custom_arguments(text: Json) -> str:
    """Return a custom tool's input as its function's arguments."""
    return encode({CUSTOM: text if isinstance(text, str) else encode(text).decode()}).decode()


def custom_input(arguments: str) -> str:
    """Return the text in a function's arguments; all of them, where a model wrote something else."""
    found = lenient_json(arguments.encode("utf-8", "surrogatepass"))
    if isinstance(found, dict):
        texts = [found[CUSTOM]] if CUSTOM in found else [*found.values()]
        if len(texts) == 1 and isinstance(texts[0], str):
            return texts[0]
    return arguments


def with_bare_names(forms: dict[str, Form], names: list[str]) -> Mapping[str, Form]:
    """Add the names that models shorten to: those of namespaces, where no other tool has the same."""
    bare: dict[str, Form | None] = {}
    for form in forms.values():
        if form.namespace:
            bare[form.name] = None if form.name in bare or form.name in names else form
    return {name: form for name, form in bare.items() if form is not None} | forms
