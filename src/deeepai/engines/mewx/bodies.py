"""What MewXAI's clients ask for, as jobs of the art engines.

The vendor's clients send every key, empty where there is nothing; options ride as flags at the end of the prompt; ids
are numbers or texts. Source: the vendor's pages of 2023 and 2024, and two public clients.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..art.templates import MODELS, RENDERS, TEMPLATES, Kind, Template, chosen
from ..openai_wire import WireError, refused
from ..uploads import Sent

RATIOS: Final = {
    "1:1": (1024, 1024),
    "9:16": (768, 1360),
    "16:9": (1360, 768),
    "3:4": (880, 1176),
    "4:3": (1176, 880),
}
TEXT_RATIOS: Final = {1: "1:1", 3: "9:16", 4: "16:9", 5: "3:4", 6: "4:3"}
VERSIONS: Final = ("1", "1.1", "2", "3")
SHAPES: Final = ("square", "circle", "plus", "box", "octagon", "random", "tiny-plus")
CONTROLS: Final = (1, 5, 7, 8, 9)
MOST_TEXT: Final = 20
MOST_CONTENT: Final = 1273
"""Bytes: what a QR code holds at the highest level of error correction."""
MOST_IMAGE: Final = 5 * 2**20
MOST_ADDRESS: Final = 200
_USUAL_STRENGTH: Final = 0.3
_PAIR: Final = re.compile(r"(?:^|(?<=\s))--([a-z]+)[ \t=]+((?!--)\S+)\s*$")
_GOOD: Final[Mapping[str, re.Pattern[str]]] = {
    "v": re.compile("|".join(map(re.escape, VERSIONS))),
    "iw": re.compile(r"0?\.\d{1,2}|0|1(?:\.0{1,2})?"),
    "seed": re.compile(r"[1-9]\d{0,8}"),
    "shape": re.compile("|".join(SHAPES)),
    "ar": re.compile("|".join(RATIOS)),
    "type": re.compile(r"\d{1,3}"),
}


@dataclass(slots=True)
class Asked:
    """A job to submit.

    Attributes
    ----------
    module : str
        Below `deeepai.engines.art`.
    addresses : dict
        Pictures to fetch first, by the names that the job's files have.
    content : str
        Of a QR code, as far as it is known.
    """

    module: str
    request: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    addresses: dict[str, str] = field(default_factory=dict[str, str])
    content: str = ""


def split(prompt: str, *known: str) -> tuple[str, dict[str, str]]:
    """Return a prompt without the flags at its end, and those that are known; others stay in it.

    Raises
    ------
    WireError
        A flag has a value that it cannot have.
    """
    found: dict[str, str] = {}
    kept: list[str] = []
    while (pair := _PAIR.search(prompt)) is not None:
        name, value = pair[1], pair[2]
        prompt = prompt[: pair.start()].rstrip()
        if name not in known:
            kept.append(pair[0].strip())
        elif not _GOOD[name].fullmatch(value):
            raise refused(f"--{name} cannot be '{value[:40]}'", "prompt")
        else:
            found.setdefault(name, value)
    return " ".join([prompt, *reversed(kept)]).strip(), found


def code(sent: Sent) -> Asked:
    """Read a QR code's request.

    Raises
    ------
    WireError
    """
    prompt, flags = split(_text(sent, "prompt"), "v", "iw", "seed", "shape", "ar")
    template, scene, model = _look(sent, "qrcode", prompt)
    content, image = _text(sent, "qr_content"), _text(sent, "qr_image")
    if not content and not image:
        raise refused("qr_content or qr_image is required", "qr_content")
    if len(content.encode("utf-8", "replace")) > MOST_CONTENT:
        raise refused(f"qr_content is longer than {MOST_CONTENT} bytes", "qr_content")
    width, height = RATIOS[flags.get("ar", "1:1")]
    request = {
        "content": content,
        "scene": scene,
        "model": model,
        "version": flags.get("v", template.version if template else "1.1"),
        "strength": _strength(flags, template),
        "shape": flags.get("shape", template.shape if template else "random"),
        "seed": _seed(flags),
        "width": width,
        "height": height,
    }
    return Asked("make_code", request, {} if content else {"qr_image": _decoded(image)}, content=content)


def words(sent: Sent) -> Asked:
    """Read creative text's request.

    Raises
    ------
    WireError
    """
    kind = _text(sent, "type")
    if kind not in ("textart", "texthidden", "textshadow"):
        raise refused("type must be textart, texthidden or textshadow", "type")
    text = next(filter(None, (_text(sent, name) for name in ("text", "content", "words"))), "")
    if not text or len(text) > MOST_TEXT or not text.isprintable():
        raise refused(f"text is required, of at most {MOST_TEXT} characters that can be printed", "text")
    prompt, flags = split(_text(sent, "prompt"), "iw", "seed", "type")
    template, scene, model = _look(sent, kind, prompt)
    ratio = _whole(sent.fields.get("ratio"), "ratio", tuple(TEXT_RATIOS)) if _given(sent, "ratio") else 1
    width, height = RATIOS[TEXT_RATIOS[ratio]]
    request = {
        "text": text,
        "manner": kind,
        "scene": scene,
        "model": model,
        "strength": _strength(flags, template),
        # What the vendor's numbers look like is not told, but for the first, which is freer.
        "render": RENDERS[(int(flags.get("type", "1")) - 1) % len(RENDERS)],
        "seed": _seed(flags),
        "width": width,
        "height": height,
    }
    return Asked("make_words", request)


def fusion(sent: Sent) -> Asked:
    """Read a fusion's request.

    Raises
    ------
    WireError
    """
    addresses = {name: _text(sent, f"{name}_img") for name in ("source", "style")}
    for name, address in addresses.items():
        if not address or len(address) > MOST_ADDRESS:
            raise refused(f"{name}_img is required, of at most {MOST_ADDRESS} characters", f"{name}_img")
    if _text(sent, "type") not in ("", "neuralstyle"):
        raise refused("type must be neuralstyle", "type")
    controls = sent.fields.get("cn_list")
    if not isinstance(controls, list) or len(controls) != 1 or not isinstance(controls[0], dict):
        raise refused("cn_list must have exactly one item", "cn_list")
    control = controls[0]
    weight = _whole(control.get("weight"), "cn_list[0].weight", range(101))
    begin, end = (_share(control.get(name, usual), f"cn_list[0].{name}") for name, usual in
                  (("guidance_start", 0), ("guidance_end", 1)))  # fmt: skip
    request = {
        "mode": _whole(sent.fields.get("source_mode"), "source_mode", (1, 2)),
        "engine": _whole(sent.fields.get("engine"), "engine", (1, 2)),
        "control": _whole(control.get("type"), "cn_list[0].type", CONTROLS),
        "weight": weight / 100,
        "span": max(0.0, end - begin),
    }
    return Asked("make_fusion", request, addresses=addresses)


# Fields ------------------------------------------------------------------------------------------------------------


def _given(sent: Sent, name: str) -> bool:
    return sent.fields.get(name) not in (None, "")


def _text(sent: Sent, name: str) -> str:
    value = sent.fields.get(name)
    if value is not None and not isinstance(value, str | int):
        raise refused(f"{name} must be a text", name)
    return "" if value is None else str(value).strip()


def _whole(value: Any, name: str, among: range | tuple[int, ...]) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", text) or int(text) not in among:
        shown = (
            f"from {among.start} to {among.stop - 1}"
            if isinstance(among, range)
            else f"one of {', '.join(map(str, among))}"
        )
        raise refused(f"{name} must be {shown}", name)
    return int(text)


def _share(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, bool) or not 0 <= number <= 1:
        raise refused(f"{name} must be from 0 to 1", name)
    return number


def _look(sent: Sent, kind: Kind, prompt: str) -> tuple[Template | None, str, str]:
    """Return the template, the scene and the model that are asked for."""
    template_id, model = _text(sent, "template_id"), _text(sent, "model")
    if model and model not in MODELS:
        raise refused(f"There is no model '{model[:40]}'", "model")
    if template_id:
        known = TEMPLATES[kind].get(int(template_id)) if re.fullmatch(r"\d{1,9}", template_id) else None
        if known is None:
            raise refused(f"There is no template '{template_id[:40]}'", "template_id")
        return known, known.scene, model
    if not prompt or not model:
        raise refused("prompt and model are required where there is no template_id", "prompt" if model else "model")
    return None, chosen(prompt), model


def _strength(flags: Mapping[str, str], template: Template | None) -> float:
    return float(flags["iw"]) if "iw" in flags else template.strength if template else _USUAL_STRENGTH


def _seed(flags: Mapping[str, str]) -> int:
    # Chosen here, so that a job that begins anew makes the same.
    return int(flags["seed"]) if "seed" in flags else secrets.randbelow(999_999_999) + 1


def _decoded(image: str) -> bytes:
    if image.startswith("data:"):
        image = image.partition(",")[2]
    try:
        data = base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError):
        raise refused("qr_image is not base64", "qr_image") from None
    if len(data) > MOST_IMAGE:
        raise WireError(413, f"qr_image is larger than {MOST_IMAGE} bytes", param="qr_image")
    return data
