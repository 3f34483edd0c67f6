"""The job that draws the previews of templates."""

from __future__ import annotations

import base64
import io
import json
from typing import Any, Final

from PIL import Image

from ..jobs import Work
from . import codes, styles, words
from .templates import TEMPLATES, Kind, Template

SIDE: Final = 512
SHOWN: Final = 176
_SEED: Final = 5
_SAYS: Final = "MEWX"
_CHARACTER: Final = "福"


def run(work: Work) -> dict[str, Any]:
    """Draw a preview of each template of a kind into `previews.json`: data URLs by id.

    Returns
    -------
    dict
        `engine`.
    """
    kind: Kind = work.request["kind"]
    shown: dict[str, str] = {}
    for number, template in enumerate(TEMPLATES[kind].values()):
        shown[str(template.id)] = _data_url(preview(kind, template).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS))
        work.tell(100 * number // len(TEMPLATES[kind]))
    work.made("previews.json").write_text(json.dumps(shown))
    return {"engine": "procedural"}


def preview(kind: Kind, template: Template) -> Image.Image:
    """Draw what a template looks like."""
    scene = styles.painted(template.scene, (SIDE, SIDE), _SEED)
    motif = styles.SCENES[template.scene].motif
    if kind == "qrcode":
        style = codes.Style(template.version, template.shape, motif, _SEED)
        return codes.Drawing(scene, codes.encode(_SAYS), style).draw(template.strength)
    return words.draw(_CHARACTER, scene, kind, template.strength, motif=motif, seed=_SEED)


def _data_url(picture: Image.Image) -> str:
    held = io.BytesIO()
    picture.save(held, "WEBP", quality=72)
    return f"data:image/webp;base64,{base64.b64encode(held.getvalue()).decode()}"
