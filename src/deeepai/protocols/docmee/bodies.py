"""Bodies of requests, as far as the gateway must know them: null is the same as missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from ...declare import AnyRequest, Failure, Reason
from ..common.paths import of_request

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
Markdown: TypeAlias = Annotated[str, Meta(min_length=1)]
Length: TypeAlias = Annotated[str, Meta(description="short, medium or long")]
Page: TypeAlias = Annotated[int, Meta(ge=1)]
Size: TypeAlias = Annotated[int, Meta(ge=1, le=1000)]


class TokenBody(msgspec.Struct, omit_defaults=True):
    """A sub-token: whose decks it reaches, how many it may make, and for how long."""

    uid: Annotated[str, Meta(max_length=64)] | None = None
    limit: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    timeOfHours: Annotated[float, Meta(gt=0, le=48)] | None = None


class Filters(msgspec.Struct, omit_defaults=True):
    """Which templates: 1 are the system's, 4 one's own."""

    type: int
    category: str | None = None
    style: str | None = None
    themeColor: str | None = None


class TemplatesBody(msgspec.Struct, omit_defaults=True):
    """A page of templates."""

    page: Page
    size: Size
    filters: Filters


class RandomBody(msgspec.Struct, omit_defaults=True):
    """Some templates by chance; `neq_id` are left out."""

    size: Size
    filters: Filters


class ParseForm(msgspec.Struct, omit_defaults=True):
    """What a deck is to be about, beside a file."""

    content: str | None = None
    fileUrl: str | None = None
    website: str | None = None
    websearch: str | None = None


class TextBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every call that writes may say."""

    stream: bool | None = None
    lang: str | None = None
    prompt: str | None = None
    dataUrl: str | None = None


class OutlineBody(TextBody, kw_only=True, omit_defaults=True):
    """An outline of a subject, of what was parsed, or of both."""

    subject: str | None = None
    length: Length | None = None


class UpdateBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A change of an outline."""

    outlineMarkdown: Markdown
    question: str | None = None
    length: Length | None = None
    stream: bool | None = None


class ContentBody(TextBody, kw_only=True, omit_defaults=True):
    """An outline that is to be filled; a deck may be made meanwhile."""

    outlineMarkdown: Markdown
    asyncGenPptx: bool | None = None
    templateId: str | None = None


class DeckBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A deck of a whole text."""

    outlineContentMarkdown: Markdown
    templateId: str | None = None
    pptxProperty: bool | None = None
    notes: list[str | None] | None = None


class DirectBody(OutlineBody, kw_only=True, omit_defaults=True):
    """A deck at once."""

    templateId: str | None = None
    pptxProperty: bool | None = None


class ListBody(msgspec.Struct, omit_defaults=True):
    """A page of decks."""

    page: Page = 1
    size: Size = 10


class IdBody(msgspec.Struct, omit_defaults=True):
    """A deck."""

    id: Id


class DownloadBody(IdBody, omit_defaults=True):
    """A deck, drawn again or not."""

    refresh: bool | None = None


class MarkdownBody(IdBody, omit_defaults=True):
    """A deck whose text is wanted."""

    format: Annotated[str, Meta(description="text or tree")] | None = None


class AttributesBody(IdBody, omit_defaults=True):
    """A deck's names; what is empty stays as it is."""

    name: str | None = None
    subject: str | None = None


class SaveBody(IdBody, omit_defaults=True):
    """An edited deck; the tree passes through."""

    drawPptx: bool | None = None
    drawCover: bool | None = None


class TemplateBody(msgspec.Struct, omit_defaults=True):
    """A deck and its new template."""

    pptId: Id
    templateId: Id
    sync: bool | None = None


class TreeForm(msgspec.Struct, omit_defaults=True):
    """What is asked of a deck's tree."""

    uploadImage: str | None = None


class TreeBody(msgspec.Struct, omit_defaults=True):
    """A deck's tree."""

    pages: list[dict[str, Any]]


def needs(*names: str) -> Callable[[AnyRequest], None]:
    """Make the check that a request has one of some fields, or a file."""

    def check(request: AnyRequest) -> None:
        if any(part.filename is not None for part in request.parts):
            return
        if not any(of_request(request, f"body.{name}") for name in names):
            raise Failure(Reason.INVALID, f"one of {', '.join(names)} is required", param=names[0])

    return check


def needs_file(request: AnyRequest) -> None:
    """Check that a deck came with the request.

    Raises
    ------
    Failure
    """
    if not any(part.name == "file" and part.filename is not None for part in request.parts):
        raise Failure(Reason.INVALID, "a file is required", param="file")
