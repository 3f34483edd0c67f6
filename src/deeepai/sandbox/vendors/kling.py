"""Kling: pictures and films, extended, spoken to, dressed; keys that are tokens, and callbacks at each change.

Source: the vendor's API document (2024 to 2026) and its client for ComfyUI, which sends numbers in quotes at times.
"""

from __future__ import annotations

from ..conditions import ABSENT, GIVEN, Conditions, Rule, total
from ..fields import Field, choice, group, model, number, picture, several, table, text, usually
from ..job_vendor import Balance, Hook, JobVendor, Listing, Work, at
from ..keys import WebTokens
from ..terms import by, films, pictures, product, said
from ..views import flag, just, millis, of, words

OLD, LOUD = ("kling-v1", "kling-v1-5", "kling-v1-6"), ("kling-v2-6", "kling-v3")
MASTERS, TURBO = ("kling-v2-master", "kling-v2-1-master"), ("kling-v2-5-turbo", "kling-v2-6")
PEOPLE, ALONE = ("hug", "kiss", "heart_gesture"), ("bloombloom", "dizzydizzy", "fuzzyfuzzy", "squish", "expansion")
LONGEST, EXTENSION = 180, 5
"""Seconds of a film, and by how many it is extended."""
SECONDS = tuple(map(str, range(1, 16)))

# What is taken ------------------------------------------------------------------------------------------------------

TEXT, FLAG, WHOLE = text(2500), Field("flag"), Field("whole", required=True)
IMAGE, RATIOS = picture(least=300, steepest=2.5, data_urls=False), ("16:9", "9:16", "1:1")
FIVE, MODE, RATIO = usually("5", "10"), usually("std", "pro"), usually(*RATIOS)
COMMON = table(callback_url=Field(), external_task_id=TEXT, watermark_info=group(enabled=FLAG))
ASKED = table(COMMON, prompt=TEXT, negative_prompt=TEXT)

SHOTS: Conditions = {"multi_shot": True, "shot_type": "customize"}
SHOT = group(prompt=text(512).must(), duration=choice(*SECONDS).must())
CUTS = table(shot_type=choice("customize", "intelligence"), multi_prompt=several(1, 6, SHOT).when(**SHOTS))
TURN = table(**dict.fromkeys(("horizontal", "vertical", "pan", "tilt", "roll", "zoom"), number(-10, 10)))
ONE_TURN = group(TURN, single=True).when(type="simple").only(type="simple")
MOVES = choice("simple", "down_back", "forward_up", "right_turn_forward", "left_turn_forward")
CAMERA = group(type=MOVES.must(), config=ONE_TURN)
LENGTH = usually("5", *SECONDS[2:]).where(set(SECONDS) - {"5", "10"}, {"model_name": "kling-v3"})
SOUND = usually("off", "on").where(("on",), {"model_name": LOUD})
TAKE = table(cfg_scale=number(0, 1, 0.5), mode=MODE, duration=LENGTH, sound=SOUND)
FILM = table(ASKED, CUTS, TAKE, multi_shot=FLAG.only(model_name="kling-v3"), camera_control=CAMERA)
# As the document's map of capabilities has it.
ZOOMED = {"model_name": "kling-v1-5", "mode": "pro", "image": GIVEN, "camera_control.type": "simple"}
TURNED = Rule({"model_name": "kling-v1", "mode": "std", "duration": "5"}, {"camera_control": GIVEN}, unless=ZOOMED)
SUMMED = Rule({"duration": total("multi_prompt", "duration")}, SHOTS)
TEXTS = table(FILM, model_name=model(OLD[0], OLD[2], *MASTERS, TURBO[0], *LOUD), aspect_ratio=RATIO)
NEEDS_PROMPT = Rule({"prompt": GIVEN}, unless=SHOTS)

MASK = group(mask=IMAGE.must(), trajectories=several(2, 77, x=WHOLE, y=WHOLE).must())
# The document's news of November 2024.
MASKED: Conditions = {"model_name": "kling-v1", "duration": "5", "image_tail": ABSENT, "camera_control": ABSENT}
BRUSH = table(static_mask=IMAGE.only(**MASKED), dynamic_masks=several(0, 6, MASK).only(**MASKED))
ENDS = table(image=IMAGE.when(image_tail=ABSENT), image_tail=IMAGE.only(camera_control=ABSENT))
CAST = table(element_list=several(0, 3).only(voice_list=ABSENT), voice_list=several(0, 2).only(sound="on"))
FRAMES = table(FILM, BRUSH, ENDS, CAST, model_name=model(*OLD, "kling-v2-1", *MASTERS, TURBO[0], *LOUD))

LIST = several(1, 4, group(image=IMAGE.must())).must()
SEVERAL = table(ASKED, prompt=TEXT.must(), image_list=LIST, model_name=model("kling-v1-6"), mode=MODE, duration=FIVE)
EXTEND = table(ASKED, video_id=TEXT.must(), cfg_scale=number(0, 1))
EXTENDABLE = tuple(f"/v1/videos/{kind}" for kind in ("text2video", "image2video", "video-extend"))
EXTENDED = {"parent.work": EXTENDABLE, "parent.seconds": range(LONGEST - EXTENSION + 1)}
OF_EXTENSIONS = Rule({**EXTENDED, "parent.model_name": (None, *OLD)})

SAID, HEARD = choice("text2video", "audio2video").must(), choice("file", "url").when(mode="audio2video")
SPOKEN = table(text=text(120).when(mode="text2video"), voice_id=Field().when(mode="text2video"))
VOICE = table(voice_language=usually("zh", "en"), voice_speed=number(0.8, 2, 1.0))
HEARING = {f"audio_{kind}": Field().when(mode="audio2video", audio_type=kind) for kind in ("file", "url")}
LIPS = table(video_id=Field().when(video_url=ABSENT).only(video_url=ABSENT), video_url=Field())
SPEECH = table(COMMON, input=group(SPOKEN, VOICE, HEARING, LIPS, mode=SAID, audio_type=HEARD).must())

EFFECT = group(model_name=model("kling-v1-6", *OLD), mode=MODE, image=IMAGE, images=several(2, 2, IMAGE), duration=FIVE)
SINGLE = {"input.image": GIVEN, "input.model_name": "kling-v1-6", "input.duration": "5"}
SCENE = choice(*PEOPLE, *ALONE).where(PEOPLE, {"input.images": GIVEN}).where(ALONE, SINGLE)
EFFECTS = table(COMMON, effect_scene=SCENE.must(), input=EFFECT.must())

LIKE = choice("subject", "face").only(image=GIVEN).when(image=GIVEN, model_name="kling-v1-5")
LIKENESS = table(image=IMAGE, image_reference=LIKE, image_fidelity=number(0, 1), human_fidelity=number(0, 1))
SHAPE = usually(*RATIOS, "4:3", "3:4", "3:2", "2:3", "21:9")
SHEET = table(n=Field("whole", 1, 9, default=1), resolution=usually("1k", "2k"), aspect_ratio=SHAPE)
WORDS = table(prompt=TEXT.must(), negative_prompt=TEXT.only(image=ABSENT))
DRAWERS = model("kling-v1", "kling-v1-5", "kling-v2", "kling-v2-new", "kling-v2-1", "kling-v3")
IMAGES = table(COMMON, WORDS, LIKENESS, SHEET, model_name=DRAWERS)
TRY_ON = model("kolors-virtual-try-on-v1", "kolors-virtual-try-on-v1-5")
DRESSED = table(COMMON, model_name=TRY_ON, human_image=IMAGE.must(), cloth_image=IMAGE)

# What is made, for how much, and how it is told ---------------------------------------------------------------------

FILMED = films(side=by("mode", {"pro": 1080}, 720), seconds=said("duration", 5), loud=by("sound", {"on": True}))
SPEAKING = films(side=720, seconds=5, loud=True)
LONGER = films(side=720, seconds=5, longer=EXTENSION)
DRAWN = pictures(side=by("resolution", {"2k": 2048}, 1024))

# Units of 0.14 USD. Source: price lists of 2025 and 2026; those of versions 1 to 2.1, and of pictures, are unverified.
STD = by("model_name", {"kling-v1": 1, "kling-v3": 3} | dict.fromkeys(MASTERS, 10) | dict.fromkeys(TURBO, 2.5), 2)
PRO = by("model_name", {"kling-v3": 4} | dict.fromkeys(MASTERS, 10) | dict.fromkeys(TURBO, 2.5), 3.5)
LOUDER = by("sound", {"on": by("model_name", {"kling-v2-6": 2.0, "kling-v3": 1.5}, 1)}, 1)
UNITS = product(by("mode", {"pro": PRO}, STD), said("duration"), 1 / 5, LOUDER)
OF_PICTURES = product(by("model_name", {"kling-v1": 0.025, "kling-v3": 0.2}, 0.1), said("n"))

TOLD = {"id": "id", "url": "url", "duration": words("result.seconds")}
MARKED = {"watermark_url": "marked"}
INFO = {"external_task_id": "body.external_task_id", "parent_video": of("parent", TOLD)}
TIMES = {"created_at": millis("job.created"), "updated_at": millis("updated")}
ACCEPTED = {"task_id": "id", "task_status": "status", "task_info": INFO, **TIMES}
RESULT = {"videos": of("films", TOLD | MARKED), "images": of("pictures", {"index": "index", "url": "url"} | MARKED)}
MORE = {"task_status_msg": "reason", "watermark_info": {"enabled": flag("body.watermark_info.enabled")}}
SHOWN = ACCEPTED | MORE | {"task_result": of("done", RESULT), "final_unit_deduction": words("cost")}
KIND = {"resource_pack_name": just("Test mode"), "resource_pack_id": "owner", "status": just("online")}
AMOUNT = {"resource_pack_type": just("decreasing_total"), "total_quantity": "credits", "remaining_quantity": "left"}
COSTS = {"code": just(0), "msg": just("success"), "resource_pack_subscribe_infos": [KIND | AMOUNT]}

VENDOR = JobVendor(
    name="kling",
    works=[
        # Seconds: averages that the authors of a client measured in 2025.
        Work("/v1/videos/text2video", 319, TEXTS, FILMED, rules=(NEEDS_PROMPT, TURNED, SUMMED), price=UNITS),
        Work("/v1/videos/image2video", 164, FRAMES, FILMED, rules=(TURNED, SUMMED), price=UNITS),
        Work("/v1/videos/multi-image2video", 164, table(SEVERAL, aspect_ratio=RATIO), FILMED, price=UNITS),
        Work("/v1/videos/video-extend", 320, EXTEND, LONGER, parent="video_id", rules=(OF_EXTENSIONS,), price=2),
        Work("/v1/videos/lip-sync", 455, SPEECH, SPEAKING, parent="input.video_id", price=0.7),
        Work("/v1/videos/effects", 320, EFFECTS, FILMED, price=UNITS),
        Work("/v1/images/generations", 32, IMAGES, DRAWN, price=OF_PICTURES),
        Work("/v1/images/kolors-virtual-try-on", 19, DRESSED, DRAWN, price=0.5),
    ],
    words={"queued": "submitted", "running": "processing", "done": "succeed", "failed": "failed"},
    shown=SHOWN,
    accepted=ACCEPTED,
    envelope=lambda call, data: {"code": 0, "message": "SUCCEED", "request_id": call.world.ids.uuid(), "data": data},
    below=Listing(page="pageNum", size="pageSize"),
    balances=[Balance("/account/costs", 10_000.0, COSTS, table(start_time=WHOLE, end_time=WHOLE))],
    hook=Hook("callback_url", SHOWN, on_change=True),
    watermark="watermark_info.enabled",
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
