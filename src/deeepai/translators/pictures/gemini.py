"""Gemini's models that draw.

They make one picture in a call, and take pictures to edit. From version 3 on they know sizes: the nearest of 1K, 2K and
4K. Dropped: `quality`, `output_format`. Refused: masks, `negative_prompt`. Source: Google's reference of `v1beta` and
its guide to images.
"""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Iterator, Sequence

from ...declare import Answer, Failure, Json, Reason
from ..chat.common import whole_json
from ..chat.gemini import read_error
from ..chat.gemini_names import get
from .common import Asked, Body, Image, Made, Target, carried, judged, moderated, shape_of, up_to

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
SIZES = {"4K": 8 * 1024**2, "2K": 2 * 1024**2}
"""The least pixels of a size, the largest first; below is 1K."""
FILTERED = ("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION", "SPII")
"""How reasons end, or begin after `IMAGE_`, by which an answer was held back."""
_DATA_URL = re.compile(r"data:(image/[a-z]+);base64,([A-Za-z0-9+/=]+)")
"""As some relays give pictures: among the text."""
_MOST_WORDS = 300


def write(asked: Asked, model: str) -> Body:
    """Ask for a picture, or for one that is edited."""
    carried(asked, "count", "size", "ratio", "images")
    up_to(asked, 1)
    drawn: Body = {}
    shape = shape_of(asked, RATIOS)
    if shape is not None:
        drawn["aspectRatio"] = shape
    if asked.size is not None and not model.startswith(("gemini-1", "gemini-2")):
        pixels = asked.size[0] * asked.size[1]
        drawn["imageSize"] = next((size for size, least in SIZES.items() if pixels >= least), "1K")
    config: Body = {"responseModalities": ["TEXT", "IMAGE"]}
    if drawn:
        config["imageConfig"] = drawn
    if asked.seed is not None:
        config["seed"] = asked.seed
    parts = [{"text": asked.prompt}, *map(_part, asked.images)]
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": config}


def _part(image: Image) -> Body:
    if image.address:
        kind = mimetypes.guess_type(image.address.partition("?")[0])[0] or "image/jpeg"
        return {"fileData": {"mimeType": kind, "fileUri": image.address}}
    return {"inlineData": {"mimeType": image.kind, "data": base64.b64encode(image.data).decode()}}


def read(answer: Answer) -> Sequence[Made]:
    """Return the pictures, but for those that the model only thought of."""
    told = whole_json(answer.body)
    candidates = get(told, "candidates") or ()
    parts = [part for each in candidates for part in (get(each, "content") or {}).get("parts") or ()]
    made = [picture for part in parts if not part.get("thought") for picture in _pictures(part)]
    if made:
        return made
    reasons = [
        get(get(told, "promptFeedback") or {}, "blockReason"),
        *(get(each, "finishReason") for each in candidates),
    ]
    words = " ".join(part["text"] for part in parts if isinstance(part.get("text"), str) and not part.get("thought"))
    why = next((reason for reason in reasons if reason and reason.removeprefix("IMAGE_") in FILTERED), None)
    if why is not None:
        raise moderated(why)
    said = words.strip()[:_MOST_WORDS] or ", ".join(str(reason) for reason in reasons if reason)
    raise Failure(Reason.UNPROCESSABLE, f"The model made no picture. It said: {said}", code="image_not_generated")


def _pictures(part: Json) -> Iterator[Made]:
    held = get(part, "inlineData")
    if held and str(get(held, "mimeType")).startswith("image/"):
        yield Made(held["data"], get(held, "mimeType"))
    for found in _DATA_URL.finditer(part.get("text") or ""):
        yield Made(found[2], found[1])


def error(answer: Answer) -> Failure:
    """Say what a refusal says."""
    return judged(read_error(answer))


TARGET = Target(
    operation="gemini.generateContent",
    models=("gemini-*image*", "nano-banana*"),
    draw=write,
    edit=write,
    read=read,
    error=error,
)
