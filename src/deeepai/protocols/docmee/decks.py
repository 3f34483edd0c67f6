"""What is the caller's own: decks and parsed texts. Both live at the channel that made them, under its own names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...declare import AnyRequest, Facts, Failure, Json, Links, Made, Outputs, Reason
from ..common.paths import each, get, of_request

DATA = "/docmee/v1/data/"
"""Before the name of a parsed text, in the address that stands for it."""
DECK, TEXT = "ppt", "data"
_SHOWN = (
    *("name", "subject", "coverUrl", "templateId", "userId", "userName", "companyId"),
    *("createTime", "updateTime"),
)
"""What a list shows of a deck, beside its id."""
_LONGEST = 1000
_TITLE = re.compile(r"^#\s+(.+)$", re.MULTILINE)
_FILES = (
    *("data.pptInfo.coverUrl", "data.pptInfo.fileUrl", "data.coverUrl", "data.fileUrl"),
    *("result.coverUrl", "result.fileUrl"),
)


def good(value: Json) -> bool:
    """Tell whether an answer says that all went well."""
    return get(value, "code") == 0


# Names -------------------------------------------------------------------------------------------------------------


def data_name(address: str) -> str:
    """Return the name of a parsed text, from the address that stands for it."""
    return address.rstrip("/").rpartition("/")[2]


def texts(request: AnyRequest) -> list[str]:
    """Return the parsed text that a request names, if it does."""
    address = of_request(request, "body.dataUrl")
    return [data_name(address)] if isinstance(address, str) and address else []


def deck_under(path: str) -> Callable[[AnyRequest], list[str]]:
    """Make what finds the deck that a request names: under a path of the body or the query."""
    return lambda request: [str(name)] if (name := of_request(request, path)) else []


def names_template(request: AnyRequest) -> bool:
    """Tell whether a request names a template: these are the channel's own, whose lists callers see."""
    return bool(of_request(request, "body.templateId"))


def missing(request: AnyRequest, name: str) -> Failure:
    """Say that there is no such thing, whoever else's it may be."""
    return Failure(Reason.NOT_FOUND, f"'{name}' does not exist")


def address_of_text(request: AnyRequest, facts: Facts) -> dict[str, Any]:
    """Put the upstream's own address of a parsed text in the place of ours."""
    known = [facts.objects.get(name, {}).get("url") for name in texts(request)]
    return {"dataUrl": known[0]} if known and known[0] else {}


# What answers tell -------------------------------------------------------------------------------------------------


def _told(info: Json) -> dict[str, Json]:
    if not isinstance(info, dict):
        return {}
    return {
        name: value
        for name in _SHOWN
        if isinstance(value := info.get(name), str | int) and value != "" and len(str(value)) <= _LONGEST
    }


def made(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return the deck that an answer or a stream's event tells of."""
    for info in (get(value, "data.pptInfo"), get(value, "result"), get(value, "data")):
        name = info.get("id") or info.get("pptId") if isinstance(info, dict) else None
        if isinstance(name, str) and name:
            return (Made(name, DECK, facts=_told(info)),)
    name = get(value, "pptId")
    return (Made(name, DECK, facts=_asked(request)),) if isinstance(name, str) and name else ()


def _asked(request: AnyRequest) -> dict[str, Json]:
    """Return what a deck will be called that is made from a request's text."""
    text = of_request(request, "body.outlineMarkdown")
    title = _TITLE.search(text) if isinstance(text, str) else None
    said = {"subject": title[1].strip()[:_LONGEST], "name": title[1].strip()[:_LONGEST]} if title else {}
    template = of_request(request, "body.templateId")
    return {**said, "templateId": template} if template else {**said}


def renamed(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return a deck with the names that it was given."""
    changes = {name: word for name in ("name", "subject") if (word := of_request(request, f"body.{name}"))}
    name = of_request(request, "body.id")
    return (Made(str(name), DECK, facts=_told(changes)),) if good(value) and changes else ()


def parsed(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return the parsed text that an answer tells of."""
    address = get(value, "data.dataUrl")
    return (Made(_name_of(address), TEXT, facts={"url": address}),) if isinstance(address, str) and address else ()


def _name_of(address: str) -> str:
    return hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def shows_text(value: Json, links: Links) -> Json:
    """Put our own address in the place of the upstream's."""
    address = get(value, "data.dataUrl")
    if not isinstance(value, dict) or not isinstance(address, str):
        return value
    return {**value, "data": {**get(value, "data"), "dataUrl": links.at(DATA + _name_of(address))}}


def shows_templates(value: Json, links: Links) -> Json:
    """Leave out what the operator's account has of its own: that is no caller's."""
    found = get(value, "data")
    if not isinstance(value, dict) or not isinstance(found, list):
        return value
    shown = [one for one in found if get(one, "type") in (1, None)]
    return value if len(shown) == len(found) else {**value, "data": shown, "total": len(shown)}


def _files(value: Json) -> list[str]:
    return [address for path in _FILES if isinstance(address := get(value, path), str) and address]


def _covers(value: Json) -> list[str]:
    return [address for address in each(value, "data[].coverUrl") if isinstance(address, str) and address]


FILES = Outputs(of=_files, keyed=True)
COVERS = Outputs(of=_covers, keyed=True, lasting=True)
"""Of a deck; of templates, whose pictures stay the same."""


def listed(found: Made, moment: str) -> Mapping[str, Json]:
    """Return a deck as lists show it."""
    empty: dict[str, Json] = dict.fromkeys(_SHOWN) | {"createTime": moment}
    return {"id": found.id, **empty, **found.facts}
