"""OpenAI's images: generations and edits.

`background` (but `transparent`), `moderation`, `style`, `user`, `input_fidelity`, `output_compression` and
`partial_images` are dropped; so is a `quality` or `output_format` that the vendor does not have, and an answer says of
which type the pictures are. A stream holds whole pictures alone. Without a `response_format` pictures come as the
vendor gives them.

Source: OpenAI's OpenAPI document.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Final

from ...declare import AnyRequest, Failure, Json, Reason, Usage
from ..jobs import openai_images
from ..jobs.common import body_of, frame_of, inline, no
from ..jobs.model import Picture
from .common import Asked, Body, Image, Made

GENERATIONS, EDITS = "openai.images.generations", "openai.images.edits"
_QUALITIES: Final = {"low": "low", "high": "high", "hd": "high"}
_NAMES: Final = {"count": "n", "images": "image", "ratio": "aspect_ratio"}


def read(request: AnyRequest) -> Asked:
    """Read what is wanted of either operation."""
    body = body_of(request)
    if body.get("background") == "transparent":
        raise _unable("background", "the vendor of this model cannot be told")
    picture = openai_images.read(request)
    common = {each.name: getattr(picture, each.name) for each in fields(Picture) if each.name != "names"}
    sent = list(_images(request, body))
    return Asked(
        **common,
        names=_NAMES,
        images=tuple(image for name, image in sent if name == "image"),
        mask=next((image for name, image in sent if name == "mask"), None),
        quality=_QUALITIES.get(body.get("quality", ""), ""),
        format=body.get("output_format", ""),
    )


def has_mask(request: AnyRequest) -> bool:
    """Tell whether an edit has a mask."""
    return any(part.name == "mask" for part in request.parts) if request.parts else "mask" in body_of(request)


def _unable(name: str, why: str) -> Failure:
    return Failure(Reason.INVALID, f"'{name}': {why}", param=name, code="unsupported_parameter")


def _images(request: AnyRequest, body: Mapping[str, Json]) -> Iterator[tuple[str, Image]]:
    """Yield the pictures of an edit: a form's files, or what JSON refers to."""
    for part in request.parts:
        name = part.name.partition("[")[0]
        if part.filename is not None and name in ("image", "mask"):
            yield name, Image(_kind(part.data), part.data)
    if not request.parts:
        for reference in body.get("images", ()):
            yield "image", _referred(reference, "images")
        if "mask" in body:
            yield "mask", _referred(body["mask"], "mask")


def _kind(data: bytes | memoryview) -> str:
    """Return a picture's media type by its first bytes, whatever its sender calls it."""
    return (inline(frame_of(data[:12])) or ("image/png", ""))[0]


def _referred(reference: Json, name: str) -> Image:
    address = reference.get("image_url")
    if not isinstance(address, str):
        raise _unable(name, "files that are stored at OpenAI are not known to the vendor of this model")
    if not address.startswith("data:"):
        return Image("", address=address)
    try:
        data = base64.b64decode(address.partition(",")[2], validate=True)
    except binascii.Error:
        raise _unable(name, "a data URL must hold base64") from None
    return Image(_kind(data), data)


# Answers -----------------------------------------------------------------------------------------------------------


def write_answer(request: AnyRequest, made: Sequence[Made], usage: Usage | None) -> Body:
    """Answer with the pictures; files become addresses, and addresses files, where the other was asked for."""
    body = body_of(request)
    form = body.get("response_format") if no(body.get("stream")) else "b64_json"
    answer: Body = {"created": int(time.time()), "data": [_item(each, form) for each in made]}
    kinds = {each.kind.partition("/")[2] for each in made}
    if kinds <= {"png", "jpeg", "webp"}:
        answer["output_format"] = min(kinds)
    if usage is not None and usage.all_output:
        answer["usage"] = _usage(usage)
    return answer


def _item(made: Made, form: str | None) -> Body:
    if made.address:
        item: Body = {"b64_json" if form == "b64_json" else "url": made.address}
    else:
        item = {"url": f"data:{made.kind};base64,{made.data}"} if form == "url" else {"b64_json": made.data}
    return item if made.prompt is None else {**item, "revised_prompt": made.prompt}


def _usage(usage: Usage) -> Body:
    return {
        "input_tokens": usage.all_input,
        "output_tokens": usage.all_output,
        "total_tokens": usage.all_input + usage.all_output,
        "input_tokens_details": {"text_tokens": usage.all_input - usage.image_in, "image_tokens": usage.image_in},
        "output_tokens_details": {"text_tokens": usage.all_output - usage.image_out, "image_tokens": usage.image_out},
    }
