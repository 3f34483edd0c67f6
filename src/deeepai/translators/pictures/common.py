"""What the formats of pictures share: what is asked for, what was made, shapes, masks, refusals."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import msgspec

from ...declare import Answer, AnyRequest, Failure, Json, Part, Reason
from ..jobs.common import only, ratio_of, refuse
from ..jobs.model import Picture

Body: TypeAlias = dict[str, Json]
Written: TypeAlias = Mapping[str, Json] | Sequence[Part]
"""JSON's fields, or a form's parts."""
NEAR: Final = 0.15
"""How far a ratio may be from the one that a vendor has: OpenAI's own 3:2 becomes 4:3."""
_MOST_PIXELS: Final = 2048 * 2048
"""Of a mask, which is drawn anew while others wait."""
_REFUSED: Final = re.compile(
    r"responsible ai|usage guidelines|content polic|sensitive words|safety|prohibited|moderat", re.IGNORECASE
)
"""How vendors say that a picture is not made for what it would show."""


class Image(NamedTuple):
    """A picture that is sent: its bytes with their media type, or its address."""

    kind: str
    data: bytes | memoryview = b""
    address: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked(Picture):
    """A picture that is wanted, or several.

    Attributes
    ----------
    images : sequence of Image
        What is to be edited.
    mask : Image or None
        Its transparent areas are to be edited.
    quality : str
        `low`, `high`, or nothing.
    format : str
        `png`, `jpeg`, `webp`, or nothing.
    """

    images: Sequence[Image] = ()
    mask: Image | None = None
    quality: str = ""
    format: str = ""


class Made(NamedTuple):
    """A picture that was made: base64 with its media type, or an address; and its prompt, where the vendor tells it."""

    data: Json = ""
    kind: Json = ""
    address: Json = ""
    prompt: Json = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A vendor's operation.

    Attributes
    ----------
    operation : str
        `protocol.operation`.
    models : tuple of str
        As of a `CallTranslator`.
    draw, edit : callable or None
        What is sent for a generation, and for an edit, to a model; None: it is not for those. Raise `Failure` for what
        the vendor cannot be told.
    takes : callable
        Whether it is the one for a request, where several are for a model.
    read : callable
        What was made; raises `Failure` where there is nothing.
    error : callable
        What the vendor's refusal says.
    """

    operation: str
    models: tuple[str, ...]
    draw: Callable[[Asked, str], Written] | None = None
    edit: Callable[[Asked, str], Written] | None = None
    takes: Callable[[AnyRequest], bool] = lambda request: True
    read: Callable[[Answer], Sequence[Made]]
    error: Callable[[Answer], Failure]


# Asking ------------------------------------------------------------------------------------------------------------


def carried(asked: Asked, *names: str) -> None:
    """Refuse what is wanted beyond what a vendor can be told; a quality or file type that it has not is left out.

    Raises
    ------
    Failure
        INVALID, which names the first.
    """
    only(asked, "quality", "format", *names)


def up_to(asked: Asked, most: int) -> int:
    """Return how many pictures are wanted.

    Raises
    ------
    Failure
        INVALID, where the vendor makes fewer in a call.
    """
    if not 1 <= asked.count <= most:
        refuse(asked, "count", f"the vendor of this model makes {f'up to {most}' if most > 1 else 'one'} in a call")
    return asked.count


def shape_of(asked: Asked, offered: Sequence[str]) -> str | None:
    """Return which of a vendor's ratios is wanted; None where none is said.

    Raises
    ------
    Failure
        INVALID, where the vendor has none like it.
    """
    return ratio_of(asked, offered, NEAR)


def one_image(asked: Asked) -> Image:
    """Return the only picture to be edited.

    Raises
    ------
    Failure
        INVALID, where there are more, or where it is an address.
    """
    image, *more = asked.images
    if more:
        refuse(asked, "images", "the vendor of this model edits one picture in a call")
    return held(asked, image, "images")


def held(asked: Asked, image: Image, name: str) -> Image:
    """Return a picture whose bytes are here.

    Raises
    ------
    Failure
        INVALID, where only its address is.
    """
    if image.address:
        refuse(asked, name, "the vendor of this model wants the picture itself: a file, or a data URL")
    return image


def mask_of(asked: Asked, *, edited: str) -> Image | None:
    """Return the mask in black and white.

    Parameters
    ----------
    edited : str
        The colour of what is to be edited, `black` or `white`.

    Raises
    ------
    Failure
        INVALID, where it is no picture with transparent areas.
    """
    if asked.mask is None:
        return None
    data = held(asked, asked.mask, "mask").data
    try:
        drawn = _black_and_white(data, inverted=edited == "white")
    except Exception:
        # What is wrong with a picture, its decoder says in many ways.
        drawn = None
    if drawn is None:
        refuse(
            asked, "mask", "it must be a PNG of at most 4 megapixels, whose transparent areas say what is to be edited"
        )
    return Image("image/png", drawn)


def _black_and_white(data: bytes | memoryview, *, inverted: bool) -> bytes | None:
    """Return what is opaque in a picture in white, or else in black; None where it is too large, or all is opaque."""
    # Only masks need them, and they take a while to load.
    from PIL import Image as pictures
    from PIL import ImageOps

    with pictures.open(io.BytesIO(data), formats=("PNG", "WEBP")) as picture:
        if picture.width * picture.height > _MOST_PIXELS or not picture.has_transparency_data:
            return None
        opaque = picture.convert("RGBA").getchannel("A")
    drawn = io.BytesIO()
    (ImageOps.invert(opaque) if inverted else opaque).save(drawn, "PNG", compress_level=1)
    return drawn.getvalue()


def form(texts: Mapping[str, Json], files: Mapping[str, Image | None]) -> list[Part]:
    """Return a form's parts, without those that say nothing."""
    said = {name: value for name, value in texts.items() if value is not None and value != ""}
    written = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode() for name, value in said.items()
    }
    return [
        *(Part(name, memoryview(text.encode("utf-8", "replace"))) for name, text in written.items()),
        *(
            Part(name, memoryview(image.data), f"{name}.{image.kind.rpartition('/')[2]}", image.kind)
            for name, image in files.items()
            if image is not None
        ),
    ]


def own(asked: Asked, *names: str) -> Body:
    """Return fields of the vendor's own, which relays take beside OpenAI's."""
    return {name: asked.own[name] for name in names if name in asked.own}


# Failures ----------------------------------------------------------------------------------------------------------


def moderated(why: str = "") -> Failure:
    """Return the failure of a picture that is not shown for what it shows."""
    message = f"The request was refused by the content filter: {why}" if why else "The content filter held all back"
    return Failure(Reason.MODERATED, message)


def judged(failure: Failure) -> Failure:
    """Return a failure as one of the content filter's, where its words say so."""
    if failure.kind in (Reason.INVALID, Reason.UNPROCESSABLE) and _REFUSED.search(failure.message):
        return Failure(Reason.MODERATED, failure.message)
    return failure
