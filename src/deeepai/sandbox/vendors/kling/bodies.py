"""What Kling takes, and what it refuses though each field is right.

Source: the vendor's API document (2024 to 2026) and its client for ComfyUI, which sends numbers in quotes at times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...fields import Field, picture
from ...job_vendor import Order

KEEPS = 30 * 86400
"""Seconds after which the vendor deletes what it made."""
LONGEST_FILM = 180
EXTENSION = 5
OLD = ("kling-v1", "kling-v1-5", "kling-v1-6")
EXTENDABLE = ("videos/text2video", "videos/image2video", "videos/video-extend")
WITH_SOUND = ("kling-v2-6", "kling-v3")
TEXT_MODELS = ("kling-v1", "kling-v1-6", "kling-v2-master", "kling-v2-1-master", "kling-v2-5-turbo", *WITH_SOUND)
PEOPLE = ("hug", "kiss", "heart_gesture")
SCENES = (*PEOPLE, "bloombloom", "dizzydizzy", "fuzzyfuzzy", "squish", "expansion")
CAMERAS = ("simple", "down_back", "forward_up", "right_turn_forward", "left_turn_forward")
AXES = ("horizontal", "vertical", "pan", "tilt", "roll", "zoom")


def _model(*names: str) -> Field:
    return Field(choices=names, default=names[0], error="unknown_model")


def _text(most: int = 2500, **more: Any) -> Field:
    return Field(high=most, lenient=True, **more)


def _number(low: float | None = None, high: float | None = None, **more: Any) -> Field:
    return Field("number", low, high, lenient=True, **more)


def _list(low: int, high: int, **fields: Field) -> Field:
    return Field("list", low, high, each=Field("object", fields=fields))


FLAG = Field("flag", lenient=True)
IMAGE = picture(least=300, steepest=2.5, data_urls=False)
N = Field("whole", 1, 9, default=1, lenient=True)
MODE = Field(choices=("std", "pro"), default="std")
FILM_RATIO = Field(choices=("16:9", "9:16", "1:1"), default="16:9")
RATIO = Field(choices=("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9"), default="16:9")
FIVE_OR_TEN = _text(choices=("5", "10"), default="5")
SHORT = _text(choices=tuple(map(str, range(1, 16))))
SECONDS = _text(choices=tuple(map(str, range(3, 16))), default="5")
COMMON = {
    "callback_url": Field(),
    "external_task_id": _text(),
    "watermark_info": Field("object", fields={"enabled": FLAG}),
}
PROMPTS = {"prompt": _text(), "negative_prompt": _text()}
CAMERA = {
    "type": Field(choices=CAMERAS, required=True),
    "config": Field("object", fields={axis: _number(-10, 10) for axis in AXES}),
}
FILM = {
    **(COMMON | PROMPTS),
    "cfg_scale": _number(0, 1, default=0.5),
    "mode": MODE,
    "duration": SECONDS,
    "sound": Field(choices=("on", "off"), default="off"),
    "camera_control": Field("object", fields=CAMERA),
    "multi_shot": FLAG,
    "shot_type": Field(choices=("customize", "intelligence")),
    "multi_prompt": _list(1, 6, prompt=_text(512).must(), duration=SHORT.must()),
}
TEXT_TO_VIDEO = {**FILM, "model_name": _model(*TEXT_MODELS), "aspect_ratio": FILM_RATIO}
POINT = Field("object", fields=dict.fromkeys(("x", "y"), Field("whole", required=True)))
IMAGE_TO_VIDEO = {
    **FILM,
    "model_name": _model("kling-v1", "kling-v1-5", "kling-v2-1", *TEXT_MODELS[1:]),
    **dict.fromkeys(("image", "image_tail", "static_mask"), IMAGE),
    "dynamic_masks": _list(0, 6, mask=IMAGE.must(), trajectories=Field("list", 2, 77, each=POINT, required=True)),
    "element_list": Field("list", 0, 3),
    "voice_list": Field("list", 0, 2),
}
IMAGES = {
    **(COMMON | PROMPTS),
    "model_name": _model("kling-v1", "kling-v1-5", "kling-v2", "kling-v2-new", "kling-v2-1", "kling-v3"),
    "prompt": _text().must(),
    "image": IMAGE,
    "image_reference": Field(choices=("subject", "face")),
    **dict.fromkeys(("image_fidelity", "human_fidelity"), _number(0, 1)),
    "resolution": Field(choices=("1k", "2k"), default="1k"),
    "n": N,
    "aspect_ratio": RATIO,
}
MULTI_IMAGE = {
    **(COMMON | PROMPTS),
    "model_name": _model("kling-v1-6"),
    "prompt": _text().must(),
    "image_list": _list(1, 4, image=IMAGE.must()).must(),
    "mode": MODE,
    "duration": FIVE_OR_TEN,
    "aspect_ratio": FILM_RATIO,
}
EXTEND = {**(COMMON | PROMPTS), "video_id": _text().must(), "cfg_scale": _number(0, 1)}
SPEECH = {
    **dict.fromkeys(("video_id", "video_url", "voice_id", "audio_file", "audio_url"), Field()),
    "mode": Field(choices=("text2video", "audio2video"), required=True),
    "text": _text(120),
    "voice_language": Field(choices=("zh", "en"), default="zh"),
    "voice_speed": _number(0.8, 2, default=1.0),
    "audio_type": Field(choices=("file", "url")),
}
LIP_SYNC = {**COMMON, "input": Field("object", fields=SPEECH, required=True)}
EFFECT = {
    "model_name": Field(choices=OLD, error="unknown_model", default="kling-v1-6"),
    "mode": MODE,
    "image": IMAGE,
    "images": Field("list", 2, 2, each=IMAGE),
    "duration": FIVE_OR_TEN,
}
EFFECTS = {
    **COMMON,
    "effect_scene": Field(choices=SCENES, required=True),
    "input": Field("object", fields=EFFECT, required=True),
}
TRY_ON = {
    **COMMON,
    "model_name": _model("kolors-virtual-try-on-v1", "kolors-virtual-try-on-v1-5"),
    "human_image": IMAGE.must(),
    "cloth_image": IMAGE,
}


def _forbid(order: Order, wrong: Mapping[str, Any], kind: str = "value") -> None:
    for message, is_so in wrong.items():
        if is_so:
            raise order.refused(kind, message)


def _film(order: Order) -> None:
    body, model = order.body, order.body["model_name"]
    camera, shots = body.get("camera_control"), body.get("multi_prompt") or []
    moved = [value for value in (camera or {}).get("config", {}).values() if value]
    custom = body.get("multi_shot") and body.get("shot_type") == "customize"
    _forbid(order, {"multi_prompt is required": custom and not shots}, "missing")
    cases = {
        "duration must be 5 or 10": model != "kling-v3" and body["duration"] not in FIVE_OR_TEN.choices,
        f"{model} has no sound": body["sound"] == "on" and model not in WITH_SOUND,
        f"{model} has no multi_shot": body.get("multi_shot") and model != "kling-v3",
        "multi_prompt does not last as long as duration": custom
        and sum(int(shot["duration"]) for shot in shots) != int(body["duration"]),
    }
    if camera is not None:
        simple = camera["type"] == "simple"
        first = (model, body["mode"], body["duration"]) == ("kling-v1", "std", "5")
        cases |= {
            "camera_control.config must have exactly one value other than 0": simple and len(moved) != 1,
            "camera_control.config is for the type simple": not simple and camera.get("config") is not None,
            # As the document's map of capabilities has it.
            f"{model} has no such camera_control": not first
            and not (simple and "image" in body and (model, body["mode"]) == ("kling-v1-5", "pro")),
        }
    _forbid(order, cases)


def text_to_video(order: Order) -> None:
    """Judge a film from text."""
    custom = order.body.get("multi_shot") and order.body.get("shot_type") == "customize"
    _forbid(order, {"prompt is required": not order.body.get("prompt") and not custom}, "missing")
    _film(order)


def image_to_video(order: Order) -> None:
    """Judge a film from pictures."""
    body = order.body
    _forbid(order, {"image or image_tail is required": not body.get("image") and not body.get("image_tail")}, "missing")
    masks = body.get("dynamic_masks") or body.get("static_mask")
    groups = [body.get("image_tail"), masks, body.get("camera_control")]
    voices = body.get("voice_list")
    cases = {
        "image_tail, masks and camera_control exclude each other": sum(map(bool, groups)) > 1,
        # The document's news of November 2024.
        "masks are for five seconds of kling-v1": masks and (body["model_name"], body["duration"]) != ("kling-v1", "5"),
        "element_list and voice_list exclude each other": body.get("element_list") and voices,
        "voice_list needs sound": voices and body["sound"] != "on",
    }
    _forbid(order, cases)
    _film(order)


def images(order: Order) -> None:
    """Judge pictures."""
    body = order.body
    image, reference = body.get("image"), body.get("image_reference")
    cases = {
        "image is required": reference and not image,
        "image_reference is required": image and not reference and body["model_name"] == "kling-v1-5",
    }
    _forbid(order, cases, "missing")
    _forbid(order, {"negative_prompt does not go with image": image and body.get("negative_prompt")})


def extend(order: Order) -> None:
    """Judge an extension: of the key's own films of version 1, younger than 30 days, three minutes in all."""
    task, film = order.parent(order.body["video_id"])
    seconds, model = film.result.seconds + EXTENSION, task.facts.get("model", task.body.get("model_name"))
    cases = {
        "only films from text or pictures are extended": task.work.name not in EXTENDABLE,
        f"films of {model} are not extended": model not in OLD,
        "the film is gone": task.updated + KEEPS < order.call.world.clock.wall(),
        f"the film would be longer than {LONGEST_FILM} s": seconds > LONGEST_FILM,
    }
    _forbid(order, cases)
    order.facts.update(parent=film, seconds=seconds, model=model)


def lip_sync(order: Order) -> None:
    """Judge speech for a film: the key's own by its id, or anybody's by its address."""
    speech = order.body["input"]
    film, address, spoken = speech.get("video_id"), speech.get("video_url"), speech["mode"] == "text2video"
    by_file = speech.get("audio_type") == "file"
    cases = {
        "input.video_id or input.video_url is required": not film and not address,
        "input.text and input.voice_id are required": spoken and not (speech.get("text") and speech.get("voice_id")),
        "input.audio_type is required": not spoken and not speech.get("audio_type"),
        "the audio is required": not spoken and not speech.get("audio_file" if by_file else "audio_url"),
    }
    _forbid(order, cases, "missing")
    _forbid(order, {"input.video_id and input.video_url exclude each other": film and address})
    if film:
        _, order.facts["parent"] = order.parent(film)
        order.facts["seconds"] = order.facts["parent"].result.seconds


def effects(order: Order) -> None:
    """Judge an effect: of two people, or of one picture, which kling-v1-6 alone makes, for five seconds."""
    inputs, scene = order.body["input"], order.body["effect_scene"]
    wanted = "images" if scene in PEOPLE else "image"
    _forbid(order, {f"input.{wanted} is required": not inputs.get(wanted)}, "missing")
    single = scene not in PEOPLE and (inputs["model_name"], inputs["duration"]) != ("kling-v1-6", "5")
    _forbid(order, {f"{scene} is for five seconds of kling-v1-6": single})
