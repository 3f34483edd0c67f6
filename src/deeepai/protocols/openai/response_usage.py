"""What a response used: tokens, the vendor's own tools, and the tier that it was worked in."""

from __future__ import annotations

from typing import Final

import msgspec

from ...declare import Answer, AnyRequest, Usage, event_data
from ..common import rough_tokens, service_tier
from ..common.usage import Reader, lenient, members
from .usage import HOLDER, VendorUsage, tells, token_usage, usage_elsewhere

_NULL: Final = msgspec.Raw(b"null")
_CALLS: Final = (b'"web_search_call"', b'"file_search_call"', b'"image_generation_call"')


class _Action(msgspec.Struct):
    type: str = ""


class _Item(msgspec.Struct):
    type: str = ""
    action: _Action | str | None = None
    quality: str | None = None
    size: str | None = None


class _Tool(msgspec.Struct):
    type: str = ""
    model: str | None = None


class _Worked(msgspec.Struct):
    """What tells of the vendor's own tools."""

    model: str | None = None
    tools: list[_Tool] | None = None
    output: list[_Item] | None = None


class _Response(msgspec.Struct):
    usage: VendorUsage | None = None
    status: str | None = None
    service_tier: object = None
    model: msgspec.Raw = _NULL
    tools: msgspec.Raw = _NULL
    output: msgspec.Raw = _NULL


class _Event(msgspec.Struct):
    response: msgspec.Raw = _NULL


_RESPONSE: Final = Reader(_Response)
_EVENT: Final = Reader(_Event)


def tokens(vendor: VendorUsage) -> Usage:
    """Turn a response's usage into disjoint counts."""
    return token_usage(vendor, calls=0)


def _of_tools(response: _Response) -> dict[str, Usage]:
    """Return what the vendor's own tools cost beside tokens: searches, and images that were drawn."""
    used: dict[str, Usage] = {}
    output = bytes(response.output)
    if not any(kind in output for kind in _CALLS):
        return used
    try:
        parts = {"model": lenient(bytes(response.model)), "tools": lenient(bytes(response.tools))}
        worked = msgspec.convert({**parts, "output": lenient(output)}, _Worked)
    except msgspec.ValidationError:
        # Tokens are charged whatever else cannot be read.
        return used
    tools = {tool.type: tool for tool in worked.tools or ()}
    for item in worked.output or ():
        match item.type:
            case "web_search_call":
                # Opening what was found, and looking within it, is free.
                if isinstance(item.action, _Action) and item.action.type not in ("", "search"):
                    continue
                older = "web_search" not in tools and (worked.model or "").startswith("gpt-4")
                name, usage = "web_search_preview" if older else "web_search", Usage(calls=1)
            case "file_search_call":
                name, usage = "file_search", Usage(calls=1)
            case "image_generation_call":
                tool = tools.get(item.type.removesuffix("_call"))
                name = (tool.model if tool is not None else None) or "gpt-image-1"
                params = {"quality": item.quality, "size": item.size}
                # Several in one answer are edits of one another: the last one's size counts for all.
                usage = Usage(images=1, params={key: value for key, value in params.items() if value})
            case _:
                continue
        used[name] = used[name].plus(usage) if name in used else usage
    return used


def consumed(response: _Response, elsewhere: VendorUsage | None = None) -> Usage | None:
    """Return all that a response used; None where it does not tell.

    Parameters
    ----------
    elsewhere : VendorUsage, optional
        What stands beside the response, for one that tells nothing itself.
    """
    plain = tokens(response.usage) if response.usage is not None else None
    if plain is None or not tells(plain):
        if elsewhere is None:
            return None
        plain = tokens(elsewhere)
    params, others = service_tier(response.service_tier), _of_tools(response)
    return msgspec.structs.replace(plain, params=params, others=others) if params or others else plain


def estimated(request: AnyRequest, answer: Answer) -> Usage:
    """Count roughly what a response used that does not tell."""
    return Usage(
        input=rough_tokens(request), output=len(members(answer.body).get("output", b"")) // 6, basis="estimated"
    )


def whole_usage(body: bytes) -> tuple[str | None, Usage | None]:
    """Return the status of a whole response, and what it says that it used."""
    response = _RESPONSE.read(body)
    return response.status, consumed(response) or consumed(response, usage_elsewhere(body))


def answer_usage(request: AnyRequest, answer: Answer) -> Usage | None:
    """Read the usage of a whole response; one that failed without any costs nothing."""
    status, usage = whole_usage(answer.body)
    if usage is not None or status == "failed":
        return usage
    return estimated(request, answer)


def event_usage(event: bytes) -> Usage | None:
    """Read the usage that an event carries, which most often is the last."""
    if b'"usage"' not in event:
        return None
    data = event_data(event)
    response = _RESPONSE.read(bytes(_EVENT.read(data).response))
    return consumed(response) or consumed(response, _beside(data))


def _beside(data: bytes) -> VendorUsage | None:
    """Return the usage that stands beside a response in its event."""
    return HOLDER.read(data).usage
