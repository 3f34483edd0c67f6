"""MewXAI: art QR codes, creative text, fusions, and two families of drawn pictures; all in points.

Source: the vendor's pages of 2023 and 2024, and two public clients; `code` alone says whether an answer is good, so
that refusals come with the HTTP status 200. The codes of errors are told nowhere: they are those of HTTP. What `audit`,
`fix_faces` and a fusion cost is not told either, and is one point here.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

from PIL import Image

from ..conditions import FieldError
from ..fields import Field, choice, group, number, picture, read, several, table, text
from ..job_vendor import Balance, Hook, JobVendor, Lookup, Order, Task, Work, at
from ..media.draw import MIME, Picture, background, from_base64, recipe, size_of
from ..results import Result
from ..vendor import Answer, Call, Route, digest_of, json_answer

BASE = "/api/v1"
MODELS = {
    "qrcode": {"67": "卡通插画", "51": "糖果头像", "69": "水墨画", "70": "美漫", "74": "彩漫4"},
    "textart": {"67": "卡通插画", "69": "水墨画"},
    "textshadow": {"67": "卡通插画", "70": "美漫"},
    "texthidden": {"67": "卡通插画", "74": "彩漫4"},
}
TEMPLATES: Mapping[str, Mapping[int, tuple[str, int]]] = {
    "qrcode": {
        1: ("花绘", 5),
        2: ("墨莲", 5),
        3: ("钢铁侠", 1),
        10: ("蛋糕", 5),
        12: ("玫瑰礼服", 5),
        13: ("公主裙", 5),
        23: ("迷雾城堡", 5),
        53: ("怦然心动", 5),
        54: ("星河与你", 10),
        55: ("月落星沉", 5),
        72: ("珊瑚", 5),
        75: ("青山", 5),
        82: ("月下枫林", 5),
    },
    "textart": {1: ("花绘", 1), 2: ("墨莲", 1), 3: ("珊瑚", 1)},
    "textshadow": {1: ("雪山", 1), 2: ("海滨城市", 1)},
    "texthidden": {1: ("村庄", 1), 2: ("池塘", 1)},
}
"""Names and points, by type and id."""
MX_MODELS = {"76": "真绘", "73": "国风雅韵", "72": "纯真少女", "71": "清新少女"}
CUTE_EXTRAS = {"100000": ("动漫加强", 0.75), "100001": ("汉服", 0.75)}
MX_EXTRAS = {"315": ("细节增强", 0.5), "318": ("雅韵", 0.55)}
MX_POINTS = {1: 1, 2: 2, 3: 6, 4: 4}
VERSIONS = {"1": 1, "1.1": 1, "2": 5, "3": 5}
RATIOS = {1: (1, 1), 3: (9, 16), 4: (16, 9), 5: (3, 4), 6: (4, 3), 10: (2, 3), 11: (3, 2)}
SHAPES = ("square", "circle", "plus", "box", "octagon", "random", "tiny-plus")
FLAGS = {
    "v": "|".join(map(re.escape, VERSIONS)),
    "iw": r"0(\.\d{1,2})?|1(\.0{1,2})?",
    "seed": r"[1-9]\d{0,8}",
    "shape": "|".join(SHAPES),
    "ar": "1:1|9:16|16:9|3:4|4:3",
    "type": r"\d{1,3}",
}
SIDE = 1024
DRAWN = find_spec("segno") is not None and find_spec("zxingcpp") is not None
"""Whether QR codes can be drawn and read here: the extra `images` brings what does it."""

# What is taken ------------------------------------------------------------------------------------------------------


def _flags(order: Order, *known: str) -> Mapping[str, str]:
    """Return the flags at the end of the prompt."""
    words = str(order.body.get("prompt") or "").split()
    found: dict[str, str] = {}
    while len(words) > 1 and words[-2].startswith("--") and not words[-1].startswith("--"):
        value, name = words.pop(), words.pop()[2:]
        if name in known:
            if not re.fullmatch(FLAGS[name], value):
                raise order.refused("value", f"--{name} {value[:40]} is not allowed")
            found.setdefault(name, value)
    order.facts["flags"] = found
    return found


def _chosen(order: Order, kind: str) -> int:
    """Judge the template, or else model and prompt; return the template's points, or 0."""
    template, model = (str(order.body.get(name) or "") for name in ("template_id", "model"))
    if template:
        known = TEMPLATES[kind].get(int(template) if template.isdecimal() else 0)
        if known is None:
            raise order.refused("value", f"template {template[:40]} does not exist")
        return known[1]
    if model not in MODELS[kind]:
        raise order.refused("value", f"model {model[:40]} does not exist")
    if not str(order.body.get("prompt") or "").strip():
        raise order.refused("missing", "prompt is required")
    return 0


def _check_code(order: Order) -> None:
    found = _flags(order, "v", "iw", "seed", "shape", "ar")
    order.facts["points"] = _chosen(order, "qrcode") or VERSIONS[found.get("v", "1.1")]
    content = order.body.get("qr_content") or ""
    sent = order.body.get("qr_image") or ""
    if not content and sent:
        content = _read_code(from_base64(sent) or b"")
        if content is None:
            raise order.refused("value", "qr_image holds no QR code that can be read")
    if not content:
        raise order.refused("missing", "qr_content or qr_image is required")
    if len(content.encode()) > 1273:
        raise order.refused("value", "qr_content is too long")
    order.facts["content"] = content


def _read_code(data: bytes) -> str | None:
    if not DRAWN:
        return "TEST MODE"
    import zxingcpp

    wide, high = size_of(data) or (0, 0)
    if not 0 < wide * high <= 16_000_000:
        return None
    with Image.open(io.BytesIO(data)) as image:
        found = zxingcpp.read_barcodes(image.convert("L"))
    return found[0].text if found else None


def _check_words(order: Order) -> None:
    _flags(order, "iw", "seed", "type")
    _chosen(order, order.body["type"])
    said = next((str(order.body[name]) for name in ("text", "content", "words") if order.body.get(name)), "")
    if not 0 < len(said) <= 20:
        raise order.refused("missing", "text is required, of at most 20 characters")
    order.facts["said"] = said


def _check_extras(known: Mapping[str, Any]) -> Any:
    def check(order: Order) -> None:
        for extra in order.said("extra_model", ()):
            if extra["id"] not in known:
                raise order.refused("value", f"extra_model {str(extra['id'])[:40]} does not exist")

    return check


# What is made -------------------------------------------------------------------------------------------------------


def _size(ratio: tuple[int, int]) -> tuple[int, int]:
    wide, high = ratio
    return (SIDE, SIDE * high // wide) if wide >= high else (SIDE * wide // high, SIDE)


def _code(order: Order) -> Sequence[Result]:
    """Draw a picture with the code in its lower part, below the words."""
    wide, high = map(int, order.facts["flags"].get("ar", "1:1").split(":"))
    drawn = order.draw(_size((wide, high)))
    return [Result("picture", replace(drawn, text="", source=_with_code(drawn, order.facts["content"])))]


def _with_code(drawn: Picture, content: str) -> bytes | None:
    if not DRAWN:
        return None
    import segno

    canvas = background(drawn)
    made = io.BytesIO()
    code = segno.make_qr(content, error="m", boost_error=False)
    code.save(made, kind="png", scale=1, border=4)
    room = min(int(canvas.height * 0.44), canvas.width)
    with Image.open(made) as plain:
        scale = max(1, room // plain.width)
        shown = plain.convert("RGB").resize((plain.width * scale, plain.height * scale), Image.Resampling.NEAREST)
    canvas.paste(shown, ((canvas.width - shown.width) // 2, canvas.height - shown.height - 8))
    out = io.BytesIO()
    canvas.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _words(order: Order) -> Sequence[Result]:
    ratio = RATIOS[order.body.get("ratio") or 1]
    return [Result("picture", replace(order.draw(_size(ratio)), text=f"{order.body['type']}: {order.facts['said']}"))]


def _fused(order: Order) -> Sequence[Result]:
    return [Result("picture", order.draw((SIDE, SIDE)))]


def _painted(order: Order) -> Sequence[Result]:
    size = _size(RATIOS[order.said("ratio")])
    own = (int(order.said("width", size[0])), int(order.said("height", size[1])))
    kind = "png" if order.said("photo_format") == "png" else "jpeg"
    drawn = replace(order.draw(own), text=str(order.said("prompt")), format=kind)
    return [Result("picture", drawn)]


def _points(order: Order) -> float:
    return sum(_bill(order.body).values())


def _bill(body: Mapping[str, Any]) -> dict[str, int]:
    args = body["args"]
    upscaler = args["upscaler"] if body["type"] == "MX-CUTE" else MX_POINTS[args["upscaler"]]
    return {"audit": int(args["audit"] > 0), "fix_faces": int(bool(args.get("fix_faces"))), "upscaler": upscaler}


# Tables -------------------------------------------------------------------------------------------------------------

CALLED = table(callback_url=Field())
ADDRESS = text(200)
EXTRA = table(id=Field(required=True, lenient=True), weight=number(0, 2, 0.5))
FUSION = table(
    CALLED,
    source_img=ADDRESS.must(),
    source_mode=Field("whole", choices=(1, 2), required=True),
    style_img=ADDRESS.must(),
    engine=Field("whole", choices=(1, 2), required=True),
    cn_list=Field(
        "list",
        1,
        1,
        required=True,
        each=group(
            type=Field("whole", choices=(1, 5, 7, 8, 9), required=True),
            weight=Field("whole", 0, 100, required=True),
            guidance_start=number(0, 1).must(),
            guidance_end=number(0, 1).must(),
        ),
    ),
    type=choice("neuralstyle").must(),
)
CODE = table(
    CALLED,
    prompt=Field(),
    negative_prompt=Field(),
    qr_content=Field(),
    qr_image=picture(most_bytes=5 * 2**20),
    model=Field(lenient=True),
    template_id=Field(lenient=True),
)
WORDS = table(
    CALLED,
    type=choice("textart", "texthidden", "textshadow").must(),
    text=Field(),
    content=Field(),
    words=Field(),
    prompt=Field(),
    negative_prompt=Field(),
    model=Field(lenient=True),
    template_id=Field(lenient=True),
    ratio=Field("whole", choices=(1, 3, 4, 5, 6)),
)
PROMPT = Field(low=1, high=1000, required=True)
CUTE = table(
    CALLED,
    type=choice("MX-CUTE").must(),
    args=replace(
        group(
            prompt=PROMPT,
            upscaler=Field("whole", choices=(1, 2), required=True),
            ratio=Field("whole", choices=(1, 5, 6, 10, 11), required=True),
            negative_prompt=text(1000),
            negative_type=Field("whole", choices=(0, 1, 2)),
            extra_model=several(0, 2, None, **EXTRA),
            audit=Field("whole", choices=(0, 1, 2), default=0),
            model=replace(choice("200", "201", "202", "203"), default="202"),
            photo_format=choice("jpg", "png"),
            width=number(256, 1024),
            height=number(256, 1024),
        ),
        required=True,
    ),
)
PAINTING = table(
    CALLED,
    type=choice("default").must(),
    args=replace(
        group(
            prompt=PROMPT,
            ratio=Field("whole", choices=(1, 3, 4, 5, 6), required=True),
            upscaler=Field("whole", choices=tuple(MX_POINTS), required=True),
            model=choice(*MX_MODELS).must(),
            negative_prompt=text(1000),
            negative_type=Field("whole", choices=(0, 1, 2)),
            fix_faces=Field("flag"),
            seed=Field("whole", 1, 999_999_999_999),
            init_img_url=Field(),
            denoising_strength=number(0, 1),
            cfg_scale=number(1, 20),
            extra_model=several(0, 3, None, **EXTRA),
            audit=Field("whole", choices=(0, 1), default=0),
        ),
        required=True,
    ),
)

# How it is told -----------------------------------------------------------------------------------------------------


def _shown(task: Task) -> dict[str, Any]:
    ended = task.job.finished
    told = {
        "img_uuid": task.id,
        "user_id": "20221207222512e568ea",
        "urls": [made.url for made in task.artefacts],
        "duration": round(ended - (task.job.started or task.job.created), 3) if ended else 0,
        "status": int(task.status),
        "qr_content": task.facts.get("content", ""),
    }
    return {**told, "msg": task.reason} if task.status == "-1" else told


def _good(call: Call, data: Any) -> Any:
    return {"code": 0, "msg": "成功", "data": data}


async def _templates(call: Call) -> Answer:
    kind = call.request.query.get("type", "")
    if kind not in TEMPLATES:
        raise JOBS.refused(call, "value", f"type must be one of {', '.join(TEMPLATES)}")

    def preview(number: int, name: str) -> str:
        shown = Picture(256, 256, f"{kind} {number}", digest_of(kind, name), "jpeg")
        files = call.world.files
        return files.url(call.origin, files.add(recipe(shown), "jpeg", MIME["jpeg"]), JOBS.lifetime)

    listed = [{"id": number, "name": name, "preview_img": preview(number, name)} for number, (name, _) in
              TEMPLATES[kind].items()]  # fmt: skip
    return json_answer({**_good(call, listed), "msg": "success"})


async def _models(call: Call) -> Answer:
    kind = call.request.query.get("type", "")
    if kind not in MODELS:
        raise JOBS.refused(call, "value", f"type must be one of {', '.join(MODELS)}")
    listed = [{"name": name, "value": value, "label": name} for value, name in MODELS[kind].items()]
    return json_answer({**_good(call, listed), "msg": "success"})


async def _mx_models(call: Call) -> Answer:
    listed = [{"value": value, "label": name, "isExtra": True} for value, name in MX_MODELS.items()]
    return json_answer(_good(call, {"modelList": listed}))


async def _extras(known: Mapping[str, tuple[str, float]], call: Call) -> Answer:
    listed = [{"label": name, "value": value, "initVal": usual} for value, (name, usual) in known.items()]
    return json_answer(_good(call, {"modelList": [{"name": "推荐", "list": listed}]}))


async def _computed(call: Call) -> Answer:
    bill = _bill(_judged(call))
    return json_answer(_good(call, {**bill, "allpoint": sum(bill.values())}))


async def _payload(call: Call) -> Answer:
    _judged(call)
    return json_answer(_good(call, True))


def _judged(call: Call) -> Mapping[str, Any]:
    try:
        return read(CUTE if call.json.get("type") == "MX-CUTE" else PAINTING, call.json, lenient=True)
    except FieldError as error:
        raise JOBS.refused(call, error.kind, str(error)) from None


JOBS = JobVendor(
    name="mewx",
    works=[
        Work(f"{BASE}/images/neuralstyle/generate", 60, FUSION, _fused, price=1, name="neuralstyle"),
        Work(
            f"{BASE}/images/generate",
            60,
            CODE,
            _code,
            check=_check_code,
            price=lambda order: order.facts["points"],
            name="qrcode",
        ),
        Work(f"{BASE}/images/shadow/generate", 60, WORDS, _words, check=_check_words, price=1, name="shadow"),
        Work(
            f"{BASE}/mx/images/cute/generate",
            20,
            CUTE,
            _painted,
            check=_check_extras(CUTE_EXTRAS),
            price=_points,
            name="cute",
        ),
        Work(
            f"{BASE}/mx/images/generate",
            20,
            PAINTING,
            _painted,
            check=_check_extras(MX_EXTRAS),
            price=_points,
            name="mx",
        ),
    ],
    words={"queued": "0", "running": "0", "done": "1", "failed": "-1"},
    shown=_shown,
    accepted={"img_uuid": "id"},
    envelope=_good,
    lookups=[Lookup("GET", f"{BASE}/images/detail", "query", "img_uuid")],
    balances=[Balance(f"{BASE}/user/count", 1000.0, {"count": lambda left: int(left.left)})],
    hook=Hook("callback_url", _shown, retries=(7, 8.5, 10)),
    errors={
        **at(200, bad_request=400, missing=400, type=400, value=400, moderated=400, unknown_id=404),
        **at(401, unauthorized=401),
        **at(404, not_found=404),
        **at(429, rate_limited=429),
        **at(500, server_error=500),
    },
    error=lambda call, code, message: {"code": code, "msg": message},
    lifetime=3600,
    lenient=True,
    further=[
        Route("GET", f"{BASE}/template/list", _templates),
        Route("GET", f"{BASE}/model/list", _models),
        Route("GET", f"{BASE}/mx/images/modelList", _mx_models),
        Route("GET", f"{BASE}/mx/images/extraList", partial(_extras, MX_EXTRAS)),
        Route("GET", f"{BASE}/mx/images/cute/extraList", partial(_extras, CUTE_EXTRAS)),
        Route("POST", f"{BASE}/mx/images/computed", _computed),
        Route("POST", f"{BASE}/mx/validate/checkPayload", _payload),
    ],
)
VENDOR = JOBS.vendor()
