"""Kling: pictures and films, extended, spoken to, dressed; keys that are tokens, and callbacks at each change.

Source: the vendor's API document (2024 to 2026) and its client for ComfyUI, which sends numbers in quotes at times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..fields import ABSENT, GIVEN, Field, Rule, choice, group, model, number, picture, several, table, text, usually
from ..job_vendor import Balance, Hook, JobVendor, Listing, Lookup, Order, Task, Work, at
from ..keys import WebTokens
from ..results import Artefact, Result
from ..vendor import Call

OLD, LOUD = ("kling-v1", "kling-v1-5", "kling-v1-6"), ("kling-v2-6", "kling-v3")
MASTERS, TURBO = ("kling-v2-master", "kling-v2-1-master"), ("kling-v2-5-turbo", "kling-v2-6")
PEOPLE, ALONE = ("hug", "kiss", "heart_gesture"), ("bloombloom", "dizzydizzy", "fuzzyfuzzy", "squish", "expansion")
LONGEST, EXTENSION = 180, 5
"""Seconds of a film, and by how many it is extended."""
SECONDS = tuple(map(str, range(1, 16)))
PACK = 10_000.0
"""Units that a key starts with; one is 0.14 USD."""
STEPS = {OLD[0]: (1, 3.5), LOUD[1]: (3, 4)} | dict.fromkeys(MASTERS, (10, 10)) | dict.fromkeys(TURBO, (2.5, 2.5))
LOUDER, OF_PICTURES = {"kling-v2-6": 2.0, "kling-v3": 1.5}, {"kling-v1": 0.025, "kling-v3": 0.2}
"""Units of five seconds, std and pro (of other models 2 and 3.5); how many times dearer sound is; of a picture (0.1).

Source: price lists of 2025 and 2026; those of versions 1 to 2.1, and of pictures, are unverified.
"""

# What is taken -----------------------------------------------------------------------------------------------------


def _total(body: Mapping[str, Any]) -> str:
    return str(sum(int(shot["duration"]) for shot in body["multi_prompt"]))


TEXT, FLAG, WHOLE = text(2500), Field("flag"), Field("whole", required=True)
IMAGE, RATIOS = picture(least=300, steepest=2.5, data_urls=False), ("16:9", "9:16", "1:1")
FIVE, MODE, RATIO = usually("5", "10"), usually("std", "pro"), usually(*RATIOS)
COMMON = table(callback_url=Field(), external_task_id=TEXT, watermark_info=group(enabled=FLAG))
ASKED = table(COMMON, prompt=TEXT, negative_prompt=TEXT)

SHOTS: Mapping[str, Any] = {"multi_shot": True, "shot_type": "customize"}
SHOT = group(prompt=text(512).must(), duration=choice(*SECONDS).must())
CUTS = table(shot_type=choice("customize", "intelligence"), multi_prompt=several(1, 6, SHOT).when(**SHOTS))
TURN = table(**dict.fromkeys(("horizontal", "vertical", "pan", "tilt", "roll", "zoom"), number(-10, 10)))
ONE_TURN = group(TURN, single=True).when(type="simple").only(type="simple")
MOVES = choice("simple", "down_back", "forward_up", "right_turn_forward", "left_turn_forward")
CAMERA = group(type=MOVES.must(), config=ONE_TURN)
TAKE = table(cfg_scale=number(0, 1, 0.5), mode=MODE, duration=usually("5", *SECONDS[2:]), sound=usually("off", "on"))
FILM = table(ASKED, CUTS, TAKE, multi_shot=FLAG.only(model_name="kling-v3"), camera_control=CAMERA)
# As the document's map of capabilities has it.
ZOOMED = {"model_name": "kling-v1-5", "mode": "pro", "image": GIVEN, "camera_control.type": "simple"}
OF_FILMS = (
    Rule({"duration": ("5", "10")}, unless={"model_name": "kling-v3"}),
    Rule({"duration": _total}, SHOTS),
    Rule({"model_name": LOUD}, {"sound": "on"}),
    Rule({"model_name": "kling-v1", "mode": "std", "duration": "5"}, {"camera_control": GIVEN}, unless=ZOOMED),
)
TEXTS = table(FILM, model_name=model(OLD[0], OLD[2], *MASTERS, TURBO[0], *LOUD), aspect_ratio=RATIO)
NEEDS_PROMPT = Rule({"prompt": GIVEN}, unless=SHOTS)

MASK = group(mask=IMAGE.must(), trajectories=several(2, 77, x=WHOLE, y=WHOLE).must())
# The document's news of November 2024.
MASKED: Mapping[str, Any] = {"model_name": "kling-v1", "duration": "5", "image_tail": ABSENT, "camera_control": ABSENT}
BRUSH = table(static_mask=IMAGE.only(**MASKED), dynamic_masks=several(0, 6, MASK).only(**MASKED))
ENDS = table(image=IMAGE.when(image_tail=ABSENT), image_tail=IMAGE.only(camera_control=ABSENT))
CAST = table(element_list=several(0, 3).only(voice_list=ABSENT), voice_list=several(0, 2).only(sound="on"))
FRAMES = table(FILM, BRUSH, ENDS, CAST, model_name=model(*OLD, "kling-v2-1", *MASTERS, TURBO[0], *LOUD))

LIST = several(1, 4, group(image=IMAGE.must())).must()
SEVERAL = table(ASKED, prompt=TEXT.must(), image_list=LIST, model_name=model("kling-v1-6"), mode=MODE, duration=FIVE)
EXTEND = table(ASKED, video_id=TEXT.must(), cfg_scale=number(0, 1))
EXTENDABLE = tuple(f"/v1/videos/{kind}" for kind in ("text2video", "image2video", "video-extend"))
OF_EXTENSIONS = (
    Rule({"parent.work": EXTENDABLE, "parent.seconds": range(LONGEST - EXTENSION + 1)}),
    Rule({"parent.model_name": OLD}, {"parent.model_name": GIVEN}),
)

SAID, HEARD = choice("text2video", "audio2video").must(), choice("file", "url").when(mode="audio2video")
SPOKEN = table(text=text(120).when(mode="text2video"), voice_id=Field().when(mode="text2video"))
VOICE = table(voice_language=usually("zh", "en"), voice_speed=number(0.8, 2, 1.0))
SOUND = {f"audio_{kind}": Field().when(mode="audio2video", audio_type=kind) for kind in ("file", "url")}
LIPS = table(video_id=Field().when(video_url=ABSENT).only(video_url=ABSENT), video_url=Field())
SPEECH = table(COMMON, input=group(SPOKEN, VOICE, SOUND, LIPS, mode=SAID, audio_type=HEARD).must())

EFFECT = group(model_name=model("kling-v1-6", *OLD), mode=MODE, image=IMAGE, images=several(2, 2, IMAGE), duration=FIVE)
EFFECTS = table(COMMON, effect_scene=choice(*PEOPLE, *ALONE).must(), input=EFFECT.must())
OF_EFFECTS = (
    Rule({"input.images": GIVEN}, {"effect_scene": PEOPLE}),
    Rule({"input.image": GIVEN, "input.model_name": "kling-v1-6", "input.duration": "5"}, {"effect_scene": ALONE}),
)

LIKE = choice("subject", "face").only(image=GIVEN).when(image=GIVEN, model_name="kling-v1-5")
LIKENESS = table(image=IMAGE, image_reference=LIKE, image_fidelity=number(0, 1), human_fidelity=number(0, 1))
SHAPE = usually(*RATIOS, "4:3", "3:4", "3:2", "2:3", "21:9")
SHEET = table(n=Field("whole", 1, 9, default=1), resolution=usually("1k", "2k"), aspect_ratio=SHAPE)
WORDS = table(prompt=TEXT.must(), negative_prompt=TEXT.only(image=ABSENT))
DRAWERS = model("kling-v1", "kling-v1-5", "kling-v2", "kling-v2-new", "kling-v2-1", "kling-v3")
IMAGES = table(COMMON, WORDS, LIKENESS, SHEET, model_name=DRAWERS)
TRY_ON = model("kolors-virtual-try-on-v1", "kolors-virtual-try-on-v1-5")
DRESSED = table(COMMON, model_name=TRY_ON, human_image=IMAGE.must(), cloth_image=IMAGE)

# What is made, and how it is told -----------------------------------------------------------------------------------


def _film(order: Order) -> Sequence[Result]:
    seconds = float(order.said("duration", 5)) if order.parent is None else order.parent.result.seconds
    longer = EXTENSION if order.work.path.endswith("video-extend") else 0
    return [order.film(seconds + longer, side=1080 if order.said("mode") == "pro" else 720)]


def _images(order: Order) -> Sequence[Result]:
    return order.images(side=2048 if order.said("resolution") == "2k" else 1024)


def _units(order: Order) -> float:
    model_name, louder = order.said("model_name"), LOUDER if order.said("sound") == "on" else {}
    if "n" in order.body:
        return OF_PICTURES.get(model_name, 0.1) * order.body["n"]
    std, pro = STEPS.get(model_name, (2, 3.5))
    return (pro if order.said("mode") == "pro" else std) * int(order.said("duration")) / 5 * louder.get(model_name, 1)


def _told(film: Artefact) -> dict[str, Any]:
    return {"id": film.id, "url": film.url, "duration": f"{film.result.seconds:g}"}


def _accepted(task: Task) -> dict[str, Any]:
    info = {name: word for name, word in task.body.items() if name == "external_task_id"}
    info |= {"parent_video": _told(task.parent)} if task.parent is not None else {}
    times = {"created_at": int(task.job.created * 1000), "updated_at": int(task.updated * 1000)}
    return {"task_id": task.id, "task_status": task.status, "task_info": info, **times}


def _shown(task: Task) -> dict[str, Any]:
    marked = bool(task.body.get("watermark_info", {}).get("enabled"))
    view = _accepted(task) | {"task_status_msg": task.reason, "watermark_info": {"enabled": marked}}
    if not task.artefacts:
        return view
    films = [_told(made) for made in task.artefacts if made.result.kind == "film"]
    made = films or [{"index": index, "url": image.url} for index, image in enumerate(task.artefacts)]
    result = [{**item, "watermark_url": item["url"] if marked else ""} for item in made]
    cost = {} if "no-usage" in task.job.triggers else {"final_unit_deduction": f"{task.price:g}"}
    return view | {"task_result": {"videos" if films else "images": result}} | cost


def _costs(call: Call, left: float) -> dict[str, Any]:
    pack = {"resource_pack_name": "Test mode", "resource_pack_id": call.owner, "resource_pack_type": "decreasing_total"}
    pack |= {"total_quantity": PACK, "remaining_quantity": left, "status": "online"}
    return {"code": 0, "msg": "success", "resource_pack_subscribe_infos": [pack]}


# Seconds: averages that the authors of a client measured in 2025.
WORKS = (
    Work("/v1/videos/text2video", 319, TEXTS, _film, rules=(NEEDS_PROMPT, *OF_FILMS), price=_units),
    Work("/v1/videos/image2video", 164, FRAMES, _film, rules=OF_FILMS, price=_units),
    Work("/v1/videos/multi-image2video", 164, table(SEVERAL, aspect_ratio=RATIO), _film, price=_units),
    Work("/v1/videos/video-extend", 320, EXTEND, _film, parent="video_id", rules=OF_EXTENSIONS, price=2),
    Work("/v1/videos/lip-sync", 455, SPEECH, _film, parent="input.video_id", price=0.7),
    Work("/v1/videos/effects", 320, EFFECTS, _film, rules=OF_EFFECTS, price=_units),
    Work("/v1/images/generations", 32, IMAGES, _images, price=_units),
    Work("/v1/images/kolors-virtual-try-on", 19, DRESSED, _images, price=0.5),
)
VENDOR = JobVendor(
    name="kling",
    works=WORKS,
    words={"queued": "submitted", "running": "processing", "done": "succeed", "failed": "failed"},
    shown=_shown,
    accepted=_accepted,
    envelope=lambda call, data: {"code": 0, "message": "SUCCEED", "request_id": call.world.ids.uuid(), "data": data},
    lookups=[Lookup("GET", f"{work.path}/{{id}}", of=work.name) for work in WORKS],
    listings=[Listing(work.path, work.name, "pageNum", "pageSize") for work in WORKS],
    balances=[Balance("/account/costs", PACK, _costs, table(start_time=WHOLE, end_time=WHOLE))],
    hook=Hook("callback_url", _shown, on_change=True),
    errors={
        **at(401, unauthorized=1000, no_key=1001, bad_key=1002, early_key=1003, expired_key=1004),
        **at(400, bad_request=1200, value=1201, moderated=1301),
        **at(404, not_found=1202, unknown_id=1203, unknown_model=1203),
        **at(429, rate_limited=1303),
        **at(500, server_error=5000),
        **at(503, unavailable=5001),
        **at(504, timeout=5002),
    },
    error=lambda call, code, message: {"code": code, "message": message, "request_id": call.world.ids.uuid()},
    unique="external_task_id",
    found_by_unique=True,
    new_id=lambda ids: ids.digits(18),
    lifetime=30 * 86400,
    keys=WebTokens(holder="iss"),
    lenient=True,
    slashes=True,
    # `/v1/videos/…` and `/v1/images/generations` at the root are OpenAI's.
    settings={"at_root": False},
).vendor()
