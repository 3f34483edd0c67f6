"""What the requests of 韦尼克 say, as far as the gateway must know; what they cost follows from it.

All may come as JSON, URL-encoded or multipart; within forms numbers, flags and objects are texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from ...declare import DROP, Answer, AnyRequest, Facts, Failure, Json, Made, Reason, Request, Usage
from ..common.bodies import Number
from ..common.paths import each, of_request

Given: TypeAlias = dict[str, Any] | str
"""An object, or one that is written as a text; one without members counts as absent."""
MOST_COVERS: Final = 4
DECK, PAGE, NOTES, TEMPLATE = "weinike-deck", "weinike-page", "weinike-notes", "weinike-template"
STRUCTURE, COVER, STATIC = "weinike-structure", "weinike-cover", "weinike-covers"
_GOOD: Final = (200, "200")


class CreateBody(msgspec.Struct, omit_defaults=True):
    """A deck of a topic, of a text, or of an outline."""

    text: str | None = None
    custom_data: Given | None = None
    cover_id: str | None = None


class StructureBody(msgspec.Struct, omit_defaults=True):
    """An outline."""

    title: str | None = None
    text: str | None = None
    theme: str | None = None


class CoverBody(msgspec.Struct, omit_defaults=True):
    """Covers to choose from; with `cover_id`, that one in other colours."""

    title: str
    count: Number
    cover_id: str | None = None


class ColourBody(msgspec.Struct, omit_defaults=True):
    """A cover in other colours."""

    title: str
    cover_id: str
    count: Number | None = None


class PageBody(msgspec.Struct, omit_defaults=True):
    """A page for a deck that there is; the vendor's own client calls place and kind otherwise than its manual."""

    id: str
    slide_number: Number | None = None
    page_index: Number | None = None
    slide_type: str | None = None
    type: str | None = None


class TaskBody(msgspec.Struct, omit_defaults=True):
    """What is made of a deck: its notes; another one in its template; or the same in another template."""

    id: str
    note: str | int | bool | None = None
    text: str | None = None
    custom_data: Given | None = None
    cover_id: str | None = None


class FileBody(msgspec.Struct, omit_defaults=True):
    """A deck of a document, under either of the vendor's two names for its address."""

    file_url: str | None = None
    file_key: str | None = None
    cover_id: str | None = None


class EditorBody(msgspec.Struct, omit_defaults=True):
    """The web editor of a deck."""

    id: str


# What is wrong -----------------------------------------------------------------------------------------------------


def custom(request: AnyRequest) -> Mapping[str, Json]:
    """Return the outline that a request has, be it an object or a text; an empty one where it has none.

    Raises
    ------
    Failure
        INVALID, where it is no object.
    """
    given: Json = of_request(request, "body.custom_data")
    if isinstance(given, str) and given.strip():
        try:
            given = msgspec.json.decode(given)
        except (msgspec.DecodeError, RecursionError):
            raise Failure(Reason.INVALID, "custom_data is a JSON object", param="custom_data") from None
    if given and not isinstance(given, dict):
        raise Failure(Reason.INVALID, "custom_data is a JSON object", param="custom_data")
    return given or {}


def check_create(request: Request[CreateBody]) -> None:
    """Refuse what says nothing of the deck."""
    if not custom(request) and not (request.body.text or "").strip():
        raise Failure(Reason.INVALID, "text or custom_data is required", param="text")


def check_structure(request: Request[StructureBody]) -> None:
    """Refuse what says nothing of the topic."""
    if not any((request.body.title, request.body.theme, request.body.text)):
        raise Failure(Reason.INVALID, "title, theme or text is required", param="title")


def check_count(request: Request[Any]) -> None:
    """Refuse another number of covers than there may be."""
    if count(request) not in range(1, MOST_COVERS + 1):
        raise Failure(Reason.INVALID, f"count is a number from 1 to {MOST_COVERS}", param="count")


def check_task(request: Request[TaskBody]) -> None:
    """Refuse an outline that is none."""
    custom(request)


def count(request: Request[Any]) -> float:
    """Return how many covers are asked for."""
    asked = request.body.count
    return MOST_COVERS if asked is None else float(asked)


# What it is called, and what it takes ------------------------------------------------------------------------------


def named(name: str) -> Callable[[AnyRequest], str]:
    """Make what finds the model of an operation: the vendor has none, and each kind of work has a price."""
    return lambda request: name


def task_model(request: Request[TaskBody]) -> str:
    """Return what is made of a deck."""
    if request.body.note not in (None, "", 0, "0", False, "false", "False"):
        return NOTES
    return DECK if request.body.text or custom(request) else TEMPLATE


def covers_asked(request: Request[Any]) -> Usage:
    """Return the covers that are asked for."""
    return Usage(calls=1, images=int(count(request)))


def covers_made(request: AnyRequest, answer: Answer) -> Usage:
    """Return the covers that came."""
    return Usage(calls=1, images=len(each(answer.json(), "data[].cover_image")), basis="vendor")


def refused(said: Json) -> int | None:
    """Return the code of an answer that is a refusal: the vendor's HTTP status is good all the same."""
    code = said.get("code") if isinstance(said, dict) else None
    if code in _GOOD or code is None:
        return None
    number = int(code) if isinstance(code, int | str) and str(code).isdigit() else 0
    return number if 400 <= number < 600 else 400


# Covers ------------------------------------------------------------------------------------------------------------


def cover(request: AnyRequest) -> Sequence[str]:
    """Return the id of a caller's cover that a request names; those of the vendor's own list belong to nobody."""
    name = of_request(request, "body.cover_id")
    return (name,) if isinstance(name, str) and "-" in name else ()


def covers(request: AnyRequest, said: Json) -> Sequence[Made]:
    """Return the covers that an answer tells of."""
    return [Made(name, "cover") for name in each(said, "data[].cover_id") if isinstance(name, str)]


def cover_images(said: Json) -> Sequence[str]:
    """Return the addresses of covers in an answer."""
    return [str(url) for url in each(said, "data[].cover_image")]


# What the vendor reads ---------------------------------------------------------------------------------------------


def at_vendor(request: Request[Any], facts: Facts) -> dict[str, Any]:
    """Name a deck as its vendor does."""
    return {} if facts.origin is None else {"id": facts.origin.upstream_id}


def paged(request: Request[PageBody], facts: Facts) -> dict[str, Any]:
    """Name the deck as its vendor does, and place and kind as its manual does."""
    body, changes = request.body, at_vendor(request, facts)
    for ours, other in (("slide_number", "page_index"), ("slide_type", "type")):
        if getattr(body, other) is not None:
            changes |= {other: DROP} | ({ours: _whole(getattr(body, other))} if getattr(body, ours) is None else {})
    return changes


def _whole(value: Json) -> Json:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def filed(name: str) -> Callable[[Request[FileBody], Facts], dict[str, Any]]:
    """Make what names the document's address as an operation of the vendor's does."""
    other = "file_key" if name == "file_url" else "file_url"

    def patch(request: Request[FileBody], facts: Facts) -> dict[str, Any]:
        if getattr(request.body, name):
            return {}
        return {name: getattr(request.body, other), other: DROP}

    return patch
