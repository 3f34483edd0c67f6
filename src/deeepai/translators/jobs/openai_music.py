"""Songs in the relays' own form, beside OpenAI's paths.

With lyrics, the prompt says how they sound, as vendors of both have it; without, it says what the song is about.
"""

from __future__ import annotations

from ...declare import AnyRequest, Failure, Json, Reason
from .common import Source, alone, body_of, no
from .model import Body, Song

_NAMES = {
    "prompt": "lyrics",
    "description": "prompt",
    "tags": "style",
    "negative_tags": "negative_style",
    "mv": "metadata.mv",
    "clip": "metadata.continue_clip_id",
    "continue_at": "metadata.continue_at",
}
_ALONE = ("duration", "duration_seconds", "seconds", "output_format", "vocal_gender", "n", "image", "callback_url")
"""What no vendor of songs can be told by that name."""


def read(request: AnyRequest) -> Song:
    """Read what song is wanted."""
    body = body_of(request)
    alone({name: value for name, value in body.items() if (name, value) != ("n", 1)}, "another gateway", _ALONE)
    own = _own(body.get("metadata"))
    lyrics, about, style = (str(body.get(name, "")) for name in ("lyrics", "prompt", "style"))
    if lyrics:
        about, style = "", ", ".join(word for word in (style, about) if word)
    return Song(
        prompt=lyrics,
        # What is only said by its style is about that.
        description=about or (style if not lyrics else ""),
        title=str(body.get("title", "")),
        tags=style,
        negative_tags=str(body.get("negative_style", "")),
        mv=str(own.pop("mv", "")),
        instrumental=not no(body.get("instrumental")),
        own=own,
        names=_NAMES,
    )


def _own(value: Json) -> Body:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Failure(Reason.INVALID, "'metadata' must be a JSON object", param="metadata")
    if value.get("notify_hook") or value.get("callback_url"):
        message = "Callbacks are in the format that was asked in, and this one has none: see the account's webhooks"
        raise Failure(Reason.INVALID, message, param="metadata")
    return dict(value)


SONGS = Source(operations=("openai.music.generations",), read=read)
