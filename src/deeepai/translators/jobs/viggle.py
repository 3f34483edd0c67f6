"""Viggle's films as relays ask for them, made by the vendor's official API: by a picture and a video, not by a library.

Source: the documents of both; that backgrounds answer to one another so is inferred from their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...declare import Answer, AnyRequest, Failure, JobTranslator, Json, Part, Reason

SOURCES = {"viggle.mix": 2, "viggle.move": 3}
"""Each with the background that it has where none is named."""
MODELS = {2: "V3_Preview", 3: "V3_Preview", 4: "V4_Preview"}
BACKGROUNDS: Mapping[int, Mapping[str, str]] = {
    0: {"background_mode": "solid", "bg_color": "255,255,255"},
    1: {"background_mode": "solid", "bg_color": "0,255,0"},
    2: {"background_mode": "original"},
}
ADDRESSES = {"imageURL": "ref_image_url", "videoURL": "driving_video_url"}
FILES = {"image": "ref_image", "file": "ref_image", "video": "driving_video"}
LIBRARY = ("imageID", "videoID", "templateID")
STATUSES = {400: Reason.INVALID, 422: Reason.INVALID, 429: Reason.RATE_LIMITED}


def _written(usual: int, request: AnyRequest) -> list[Part]:
    def said(name: str) -> Any:
        return getattr(request.body, name, None)

    for name in LIBRARY:
        if said(name):
            message = f"The vendor's own API, which serves this model, knows no {name}: send the file or its address"
            raise Failure(Reason.INVALID, message, param=name)
    background = BACKGROUNDS.get(usual if said("bgMode") is None else said("bgMode"))
    if background is None:
        message = "The vendor's own API, which serves this model, keeps no background of the picture: use 0, 1 or 2"
        raise Failure(Reason.INVALID, message, param="bgMode")
    texts = {"model": MODELS[said("modelInfoID") or 4], **background}
    texts |= {theirs: said(ours) for ours, theirs in ADDRESSES.items() if said(ours)}
    files = [
        Part(FILES[part.name], part.data, part.filename, part.content_type)
        for part in request.parts
        if part.filename is not None and part.name in FILES
    ]
    return [*(Part(name, memoryview(text.encode())) for name, text in texts.items()), *files]


def _error(answer: Answer) -> Failure:
    said: Json = answer.json()
    detail = said.get("detail") if isinstance(said, dict) else None
    message = detail.get("message") if isinstance(detail, dict) else detail
    code = detail.get("error_code") if isinstance(detail, dict) else None
    reason = STATUSES.get(answer.status) or Reason.of(answer.status)
    return Failure(reason, str(message or "The vendor refused the request"), code=code)


def _translator(name: str, usual: int) -> JobTranslator:
    def request(request: AnyRequest, model: str) -> list[Part]:
        return _written(usual, request)

    return JobTranslator(
        source=name,
        target="viggle_api.render",
        takes=lambda request: True,
        request=request,
        error=_error,
        facts=lambda body: {},
    )


TRANSLATORS = tuple(_translator(name, usual) for name, usual in SOURCES.items())
