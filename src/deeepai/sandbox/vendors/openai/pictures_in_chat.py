"""Chat models that relays have beside OpenAI's own: those that answer with pictures, and custom GPTs.

The pictures stand in markdown, after the progress that such models tell. Source: what public clients of relays parse.
"""

from __future__ import annotations

import re

from ...media.draw import MIME, Picture, recipe
from ...vendor import Call, RefusedError, digest_of
from .common import error
from .images import URL_LIFETIME

DRAWING = ("gpt-4-all", "gpt-4o-all", "gpt-4o-image", "gpt-image-2-all", "sora_image")
"""How their names begin."""
_GIZMO = re.compile(r"(.+-gizmo)-(.*)")
_PUBLIC = re.compile(r"g-[A-Za-z0-9]{5,}(-[a-z0-9-]+)?")


def answered_as(name: str) -> str:
    """Return what the answer calls a model: a custom GPT loses its id.

    Raises
    ------
    RefusedError
        404, where there is no such GPT.
    """
    found = _GIZMO.fullmatch(name)
    if found is None:
        return name
    if not _PUBLIC.fullmatch(found[2]):
        message = f"The model '{name[:80]}' does not exist or you do not have access to it."
        raise RefusedError(error(404, message, code="model_not_found"))
    return found[1]


def pieces(call: Call, name: str, said: str, digest: bytes) -> list[str] | None:
    """Return a picture's markdown as it comes, line by line; None for a model that does not draw."""
    if not name.startswith(DRAWING):
        return None
    picture = Picture(1024, 1024, said, digest_of(digest, "picture"))
    stored = call.world.files.add(recipe(picture), "png", MIME["png"])
    lifetime = -1 if "expire-url" in call.triggers else URL_LIFETIME
    url = call.world.files.url(call.origin, stored, lifetime)
    progress = [f"> 进度 **{percent}%**\n" for percent in (2, 34, 67)]
    return [
        "> 🎨 生成中...\n\n",
        *progress,
        "\n> 生成完成 ✅\n\n",
        f"![file_{digest.hex()[:32]}]({url})\n",
        f"[下载⏬]({url})\n",
    ]
