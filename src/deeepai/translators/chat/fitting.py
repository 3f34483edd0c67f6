"""The last step before a request is written: names, ids and the order of turns as the vendor takes them."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .model import Conversation, Event, Part, PartStart, Text, ToolCall, ToolChoice, ToolResult, Turn

NO_RESULT: Final = "(no result)"
"""For a call that the caller's history leaves without one: every vendor wants one."""
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a vendor takes.

    Attributes
    ----------
    name, id : re.Pattern
        A whole name of a tool, a whole id of a call.
    name_length, id_length : int
        The longest.
    output : Mapping of str to int
        How many tokens models write at most, by a part of their names: the first that fits counts. A vendor that is
        asked for more refuses.
    """

    name: re.Pattern[str]
    name_length: int
    id: re.Pattern[str]
    id_length: int
    output: Mapping[str, int]


@functools.lru_cache(maxsize=4096)
def fitted(name: str, pattern: re.Pattern[str], length: int, *, letters: bool = False) -> str:
    """Return a name that fits: cut, other characters replaced, and told apart by a digest of the whole.

    Parameters
    ----------
    letters : bool
        Only letters and digits are taken.
    """
    if pattern.fullmatch(name) and len(name) <= length:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    if letters:
        return digest[:length]
    plain = _OTHER.sub("_", name)
    if not plain[:1].isalpha():
        plain = f"_{plain}"
    return f"{plain[: length - 9]}_{digest[:8]}"


def fit(conversation: Conversation, limits: Limits, model: str) -> None:
    """Make a conversation fit, in its place."""
    if conversation.max_tokens is not None:
        most = next((tokens for part, tokens in limits.output.items() if part in model), conversation.max_tokens)
        conversation.max_tokens = min(conversation.max_tokens, most)
    for tool in conversation.tools:
        tool.name = fitted_name(tool.name, limits)
    choice = conversation.tool_choice
    if not conversation.tools:
        # Those that were left out cannot be demanded.
        conversation.tool_choice = None
    elif choice is not None and choice.names:
        conversation.tool_choice = _choice(choice, conversation, limits)
    if not _in_order(conversation.turns, limits):
        conversation.turns = _ordered(conversation.turns, limits)


def fitted_name(name: str, limits: Limits) -> str:
    """Return a tool's name as a vendor takes it; an empty one stays so."""
    return fitted(name, limits.name, limits.name_length) if name else name


def _choice(choice: ToolChoice, conversation: Conversation, limits: Limits) -> ToolChoice | None:
    there = {tool.name for tool in conversation.tools}
    names = [name for name in (fitted_name(name, limits) for name in choice.names) if name in there]
    return ToolChoice(choice.mode, names) if names else None


# Calls and results -----------------------------------------------------------------------------------------------


def _in_order(turns: Sequence[Turn], limits: Limits) -> bool:
    """Name the calls as the vendor takes it; tell whether all have fitting ids, and their results right after them."""
    seen: set[str] = set()
    waiting: set[str] = set()
    good = True
    for turn in turns:
        answered: list[str] = []
        calls: set[str] = set()
        for part in turn.parts:
            if isinstance(part, ToolCall):
                part.name = fitted_name(part.name, limits)
                good &= part.id not in seen and limits.id.fullmatch(part.id) is not None
                good &= len(part.id) <= limits.id_length
                seen.add(part.id)
                calls.add(part.id)
            elif isinstance(part, ToolResult):
                part.name = fitted_name(part.name, limits)
                answered.append(part.id)
        good &= len(answered) == len(waiting) and waiting.issuperset(answered)
        waiting = calls
    return good and not waiting


def _calls(turns: Sequence[Turn]) -> Iterator[tuple[int, ToolCall]]:
    for place, turn in enumerate(turns):
        for part in turn.parts:
            if isinstance(part, ToolCall):
                yield place, part


def _ordered(turns: Sequence[Turn], limits: Limits) -> list[Turn]:
    """Return turns with each call's result right after it, and ids that fit and are each call's own."""
    places: dict[str, list[int]] = {}
    for place, call in _calls(turns):
        places.setdefault(call.id, []).append(place)
    results: dict[str, list[tuple[int, ToolResult]]] = {}
    for place, turn in enumerate(turns):
        for part in turn.parts:
            if isinstance(part, ToolResult):
                results.setdefault(part.id, []).append((place, part))
    ids: set[str] = set()
    answers: dict[int, list[ToolResult]] = {}
    moved: set[int] = set()
    for place, call in _calls(turns):
        later = min((other for other in places[call.id] if other > place), default=len(turns))
        own = [pair for pair in results.get(call.id, ()) if place < pair[0] <= later and id(pair[1]) not in moved]
        if len([other for other in places[call.id] if other == place]) > 1:
            # Several calls of one turn have one id: their results are in their order.
            own = own[:1]
        moved.update(id(result) for _, result in own)
        result = own[-1][1] if own else ToolResult(call.id, [Text(NO_RESULT)])
        call.id = result.id = _own_id(call.id, ids, limits)
        answers.setdefault(place, []).append(result)
    ordered: list[Turn] = []
    for place, turn in enumerate(turns):
        parts = [said for part in turn.parts if id(part) not in moved for said in _alone(part)]
        if parts or not turn.parts:
            ordered.append(Turn(turn.role, parts))
        if place in answers:
            ordered.append(Turn("user", [*answers[place]]))
    return ordered


def _alone(part: Part) -> Sequence[Part]:
    """Return a part as it can stand alone: a result whose call is not in the history, as words of the user's."""
    if not isinstance(part, ToolResult):
        return (part,)
    return (Text(f"Result of an earlier call of {part.name or 'a tool'}:"), *part.parts)


def _own_id(id: str, taken: set[str], limits: Limits) -> str:
    letters = limits.id.fullmatch("_") is None
    wanted = id or "call"
    name = fitted(wanted, limits.id, limits.id_length, letters=letters)
    number = 1
    while name in taken:
        number += 1
        name = fitted(f"{wanted}_{number}", limits.id, limits.id_length, letters=letters)
    taken.add(name)
    return name


# Answers ---------------------------------------------------------------------------------------------------------


def renamed(names: Sequence[str], limits: Limits) -> Mapping[str, str]:
    """Return the caller's names by those that the vendor was given, where they differ."""
    pairs = ((fitted_name(name, limits), name) for name in names)
    return {fitting: name for fitting, name in pairs if fitting != name}


def name_back(parts: Sequence[Part], names: Mapping[str, str]) -> None:
    """Call the tools of an answer what the caller calls them."""
    for part in parts:
        if isinstance(part, ToolCall):
            part.name = names.get(part.name, part.name)


def name_events_back(events: Sequence[Event], names: Mapping[str, str]) -> None:
    """Do the same for a stream's events."""
    name_back([event.part for event in events if isinstance(event, PartStart)], names)
