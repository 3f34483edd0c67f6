"""The declaration of PicWish's tools against the samples of the vendor's pages."""

from __future__ import annotations

import base64
import io
from typing import Any

import msgspec
import pytest
from PIL import Image

from deeepai.declare import (
    DROP,
    Accepted,
    Facts,
    Failure,
    Inline,
    Part,
    Reason,
    Refused,
    Result,
    State,
    Task,
    UpstreamCall,
)
from deeepai.money.prices import PriceBook
from deeepai.protocols.common.pictures import base64_picture_size, picture_size
from deeepai.protocols.picwish import picwish
from tests.protocols.plain import PlainLinks, PlainRequest, answered, operation

SCALE, CUT, BACKGROUND = (operation(picwish, name) for name in ("scale", "segmentation", "background"))
THEIRS, OURS = "5f461cfc-ec4b-446b-aa31-57afa8fb5256", "11111111-2222-4333-8444-555555555555"
CREATED = {"status": 200, "message": "success", "data": {"task_id": THEIRS}}
IMAGE = "https://results.example/tasks/output/visual_scale/5f46.jpg?Expires=1&Signature=x"
DATA: dict[str, Any] = {
    "task_id": THEIRS,
    "created_at": 1698387304,
    "processed_at": 1698387303,
    "completed_at": 1698387307,
    "progress": 100,
    "state": 1,
    "state_detail": "Complete",
    "return_type": 1,
    "image": IMAGE,
}


def said(**changes: Any) -> dict[str, Any]:
    return {"status": 200, "message": "success", "data": {**DATA, **changes}}


def task(state: State = State.RUNNING, name: str = "scale", **changes: Any) -> Task:
    known: dict[str, Any] = {"id": OURS, "operation": f"picwish.{name}", "model": f"picwish-{name}"}
    return Task(state=state, **{**known, "upstream_id": THEIRS, "submitted_at": 1698387304000, **changes})


def asked(declared: Any, fields: dict[str, Any], **files: bytes) -> PlainRequest:
    parts = [Part(name, memoryview(data), f"{name}.bin") for name, data in files.items()]
    request = PlainRequest(declared.path, body=msgspec.convert(fields, declared.body, strict=False), parts=parts)
    declared.check(request)
    return request


def facts(hook: str | None = None) -> Facts:
    return Facts("picwish-scale", "picwish-scale", hook_url=hook)


def test_a_submission() -> None:
    rules, face = SCALE.job.rules, SCALE.job.face
    request = asked(SCALE, {"image_url": "https://example.com/a.png"})
    assert rules.accept(answered(CREATED), request) == Accepted(THEIRS)
    assert rules.accept(answered({"status": 400, "message": "no"}, 400), request) == Refused(False, False)
    wrong = answered({"status": 401, "message": "no"}, 401)
    assert rules.accept(wrong, request) == Refused(True, False)
    assert picwish.channel_fault(wrong)
    assert face.submitted(task(), PlainLinks()).body == {**CREATED, "data": {"task_id": OURS}}
    assert rules.poll(task()) == UpstreamCall(f"/api/tasks/visual/scale/{THEIRS}")


@pytest.mark.parametrize(
    ("number", "state"),
    [(0, State.QUEUED), (2, State.RUNNING), (3, State.RUNNING), (4, State.RUNNING), (1, State.SUCCEEDED)]
    + [(number, State.FAILED) for number in (-1, -2, -3, -5, -7, -8)],
)
@pytest.mark.parametrize("kind", [int, str])
def test_states(number: int, state: State, kind: Any) -> None:
    status = SCALE.job.rules.read(answered(said(state=kind(number))), task())
    assert status.state is state
    assert status.results == ((Result(IMAGE, role="image"),) if state is State.SUCCEEDED else ())


def test_a_task_is_shown_with_our_id_and_link() -> None:
    done = task(State.SUCCEEDED, snapshot=said(engine="u2netp"), results=1)
    shown = SCALE.job.face.render(done, PlainLinks()).body
    assert shown == said(task_id=OURS, image=f"https://gw/assets/{OURS}/0?sig=1", engine="u2netp")


def test_the_vendor_s_end_is_not_ours_until_files_are_kept() -> None:
    shown = SCALE.job.face.render(task(snapshot=said(), progress=100), PlainLinks()).body["data"]
    assert (shown["state"], shown["progress"], shown.get("image")) == (4, 99, None)


def test_a_failure_of_ours_has_the_vendor_s_shape() -> None:
    failed = task(State.FAILED, error="timeout", finished_at=1698387310000)
    data = SCALE.job.face.render(failed, PlainLinks()).body["data"]
    assert (data["state"], data["state_detail"], data["err_info"]) == (-1, "Failed", "timeout")
    assert data["completed_at"] == 1698387310


def test_base64_and_bytes() -> None:
    kept = {"sync": "1", "return_type": "2"}
    both = said(mask="https://results.example/mask.png")
    done = task(State.SUCCEEDED, "segmentation", request=kept, snapshot=both, results=2)
    shown = CUT.job.face.render(done, PlainLinks())
    assert (shown.body["data"]["image"], shown.body["data"]["mask"]) == (Inline(0), Inline(1))
    assert (shown.body["data"]["return_type"], shown.asset) == (2, "0")
    bare = task(State.SUCCEEDED, "segmentation", request={**kept, "return_type": 3}, snapshot=both, results=2)
    assert CUT.job.face.render(bare, PlainLinks()).asset == "0"
    assert CUT.job.face.render(bare, PlainLinks()).body is None
    result = operation(picwish, "segmentation.result")
    assert result.render(PlainRequest(), bare, PlainLinks()).body["data"]["return_type"] == 3
    only = task(State.SUCCEEDED, "segmentation", request=kept, snapshot=said(image="", mask=IMAGE), results=1)
    data = CUT.job.face.render(only, PlainLinks()).body["data"]
    assert (data["image"], data["mask"]) == ("", Inline(0))


def test_what_the_gateway_does_itself_is_not_sent_on() -> None:
    fields = {"image_url": "https://example.com/a.png", "sync": 1, "return_type": 2, "callback_url": "https://me/hook"}
    request = asked(SCALE, fields)
    assert SCALE.wait(request) == 120.0
    assert SCALE.patch(request, facts("https://gw/hooks/x")) == {
        "sync": DROP,
        "return_type": DROP,
        "callback_url": "https://gw/hooks/x",
    }
    assert SCALE.patch(request, facts())["callback_url"] is DROP
    assert SCALE.patch(asked(SCALE, {"image_url": "https://example.com/a.png"}), facts()) == {}
    for name in ("ocr", "background"):
        declared = operation(picwish, name)
        assert declared.wait(asked(declared, {**fields, "prompt": "x"})) == 0.0


def test_other_tools_tasks() -> None:
    done = task(State.SUCCEEDED, "inpaint", snapshot=said(), results=1)
    for name in ("inpaint.result", "watermark.result", "task"):
        assert operation(picwish, name).render(PlainRequest(), done, PlainLinks()).body["data"]["state"] == 1
    with pytest.raises(Failure) as failure:
        operation(picwish, "scale.result").render(PlainRequest(), done, PlainLinks())
    assert failure.value.kind is Reason.NOT_FOUND


def picture(width: int, height: int, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "exif": bytes(60_000)}),
        ("GIF", {}),
        ("BMP", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0" + bytes(20)}),
    ],
)
def test_sizes_of_pictures(kind: str, options: dict[str, Any]) -> None:
    data = picture(301, 77, kind, **options)
    assert picture_size(data) == (301, 77)
    encoded = base64.b64encode(data).decode()
    assert base64_picture_size(encoded) == base64_picture_size(f"data:image/x;base64,{encoded}") == (301, 77)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF0000WEBPVP8X", b"words", b"BM1"])
def test_what_is_no_picture_has_no_size(data: bytes) -> None:
    assert picture_size(data) is None
    assert base64_picture_size("!" + base64.b64encode(data).decode()) is None


def credits(declared: Any, usage: Any) -> float:
    return PriceBook.shipped().cost_of_call(declared.model(PlainRequest()), usage) / 20_000_000


@pytest.mark.parametrize(
    ("fields", "size", "paid"),
    [
        ({}, (512, 100), 2),
        ({}, (513, 100), 2),
        ({}, (1024, 100), 2),
        ({}, (2049, 100), 3),
        ({"scale_factor": "4"}, (512, 512), 2),
        ({"scale_factor": "4"}, (513, 512), 3),
        ({"scale_factor": "1"}, (2048, 2048), 2),
    ],
)
def test_the_price_of_an_enlargement(fields: dict[str, str], size: tuple[int, int], paid: float) -> None:
    assert credits(SCALE, SCALE.estimate(asked(SCALE, fields, image_file=picture(*size)))) == paid
    inline = {**fields, "image_base64": base64.b64encode(picture(*size)).decode()}
    assert credits(SCALE, SCALE.estimate(asked(SCALE, inline))) == paid


def test_the_price_of_what_is_not_seen() -> None:
    """As most of what the vendor itself chooses the factor of; where the size is told, by that."""
    request = asked(SCALE, {"image_url": "https://example.com/a.png"})
    assert credits(SCALE, SCALE.estimate(request)) == 2
    read = SCALE.job.rules.read
    assert read(answered(said()), task()).usage is None
    told = read(answered(said(width=2400, height=1800)), task()).usage
    assert credits(SCALE, told) == 3
    small = read(answered(said(width=2048, height=18)), task()).usage
    assert credits(SCALE, small) == 2


def test_the_price_of_backgrounds() -> None:
    for count, paid in ((1, 3), (2, 6), (3, 8), (4, 10)):
        request = asked(BACKGROUND, {"image_url": "https://example.com/a.png", "prompt": "x", "batch_size": str(count)})
        assert credits(BACKGROUND, BACKGROUND.estimate(request)) == paid
        images = {f"image_{number}": f"{IMAGE}{number}" for number in range(1, count + 1)}
        came = BACKGROUND.job.rules.read(answered(said(image=None, **images)), task(name="background"))
        assert credits(BACKGROUND, came.usage) == paid
        assert len(came.results) == count
    request = asked(BACKGROUND, {"image_url": "https://example.com/a.png", "scene_type": 105})
    assert credits(BACKGROUND, BACKGROUND.estimate(request)) == 6


def test_other_prices() -> None:
    press = operation(picwish, "imgcompress")
    for edge, paid in ((4096, 1), (4097, 2)):
        assert credits(press, press.estimate(asked(press, {}, image_file=picture(edge, 3)))) == paid
    flat = {"segmentation": 1, "inpaint": 1, "watermark": 1, "watermark_auto": 1, "idphoto": 1, "colorization": 1}
    for name, paid in {**flat, "ocr": 1, "correction": 3}.items():
        declared = operation(picwish, name)
        assert credits(declared, declared.estimate(PlainRequest())) == paid
