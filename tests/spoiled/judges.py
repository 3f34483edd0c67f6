"""What a caller may hear, whatever its vendor said."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pydantic import ValidationError

from deeepai.declare import DONE, event_data, event_json, lenient_json, whole_events
from tests.spoiled.cases import Case
from tests.support.http import Got
from tests.translators.world import judge_answer, judge_event
from tests.wire.shapes import MANNERS

_OWN_FAULT: Final = re.compile(rb"internal[_ ](?:server[_ ])?error|Traceback", re.IGNORECASE)
_SIDES: Final = {
    "openai": ("prompt_tokens", "completion_tokens", ""),
    "responses": ("input_tokens", "output_tokens", ""),
    "anthropic": ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens", ""),
    "gemini": ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"),
}
_ENDS: Final = {
    "responses": {"response.completed", "response.incomplete", "response.failed", "error"},
    "anthropic": {"message_stop", "error"},
}


def judge(case: Case, got: Got) -> bool:
    """Judge what the caller got; return whether it was an answer."""
    assert not _OWN_FAULT.search(got.body[:2000]) or got.status < 400, got.body[:500]
    if got.status >= 400:
        assert got.status in (502, 504), f"{got.status} {got.body[:500]!r}"
        assert got.headers["content-type"].startswith("application/json")
        MANNERS[case.asked].check(got)
        return False
    if case.stream and got.headers.get("content-type", "").startswith("text/event-stream"):
        return _judge_stream(case, got.body)
    assert not case.stream, f"no stream: {got.headers} {got.body[:300]!r}"
    if case.translated:
        judge_answer(case.caller, got.json)
    elif "json" in got.headers.get("content-type", ""):
        assert lenient_json(got.body) is not None, f"no JSON: {got.body[-300:]!r}"
    return True


def told(case: Case, got: Got) -> tuple[int, int] | None:
    """Return the tokens that an answer tells of: all that went in, and all that came out; None where it tells none."""
    name = "usageMetadata" if case.caller == "gemini" else "usage"
    values = [event_json(event) for event in whole_events(got.body)] if case.stream else [lenient_json(got.body)]
    holders = [inner for value in values if isinstance(value, dict) for inner in (value, value.get("response"))]
    found = [holder[name] for holder in holders if isinstance(holder, dict) and isinstance(holder.get(name), dict)]
    counts = [[_count(usage.get(name)) for name in _SIDES[case.caller]] for usage in found[-1:]]
    return (sum(counts[0][:-2]), sum(counts[0][-2:])) if counts else None


def _count(value: Any) -> int:
    """Return a count as those read it who take digits in quotes; where nothing is translated, it comes as it was."""
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0


def _judge_stream(case: Case, body: bytes) -> bool:
    """Judge a stream: each event is one of the caller's protocol, and exactly one ends it."""
    said: list[Any] = []
    for event in whole_events(body):
        data = event_data(event)
        if data == DONE or not data:
            said.append(data)
            continue
        try:
            said.append(json.loads(data))
        except (ValueError, RecursionError):
            assert not case.translated, f"no JSON: {event!r}"
            said.append(lenient_json(data))
        if not case.translated and isinstance(said[-1], dict) and event.startswith(b"event: "):
            # The vendors' clients know an event by its name, too.
            name = event.splitlines()[0][7:].decode("utf-8", "replace")
            kind = said[-1].get("type")
            if not isinstance(kind, str) or not kind or _ends(case, {"type": name}):
                said[-1]["type"] = name
    ends = [place for place, value in enumerate(said) if _ends(case, value)]
    whole = [value for value in said if value != b""]
    tail = body[-600:]
    assert ends, f"no end: {tail!r}"
    failed = _is_error(case, said[ends[-1]])
    if case.name.startswith("openai.images"):
        # Each picture has an end of its own.
        assert sum(_is_error(case, value) for value in said) <= 1, f"two errors: {tail!r}"
    elif case.caller == "gemini":
        assert not case.translated or whole[-1] == said[ends[-1]], f"something after the end: {tail!r}"
        assert sum(_is_error(case, value) for value in said) <= 1, f"two errors: {tail!r}"
    else:
        assert len(ends) == 1, f"{len(ends)} ends: {tail!r}"
        assert whole[-1] == said[ends[0]], f"something after the end: {tail!r}"
    if case.translated:
        for place, (event, value) in enumerate(zip(whole_events(body), said, strict=True)):
            if value not in (DONE, b"") and not (failed and place == ends[-1]):
                try:
                    judge_event(case.caller, event, value)
                except ValidationError as fault:
                    raise AssertionError(f"{value}: {fault}") from None
    return not failed


def _is_error(case: Case, value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    if case.caller == "responses":
        return value.get("type") in ("response.failed", "error") or ("type" not in value and bool(value.get("error")))
    return value.get("type") == "error" or bool(value.get("error"))


def _ends(case: Case, value: Any) -> bool:
    if _is_error(case, value):
        return True
    if case.caller in _ENDS:
        return isinstance(value, dict) and value.get("type") in _ENDS[case.caller]
    if case.caller == "gemini":
        if not isinstance(value, dict):
            return False
        candidates = value.get("candidates")
        found = [value, *(candidates if isinstance(candidates, list) else ())]
        return any(
            isinstance(each, dict) and (each.get("finishReason") or each.get("promptFeedback")) for each in found
        )
    if case.name.startswith(("openai.images", "openai.audio")):
        kind = value.get("type") if isinstance(value, dict) else ""
        return isinstance(kind, str) and kind.endswith((".completed", ".done"))
    return value == DONE
