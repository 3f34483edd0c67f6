"""What each vendor's errors look like on the wire, and with which status each kind of mistake is answered.

Written down from the vendors' own documents, apart from the declarations that are tested by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.http import Got


def _words(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def openai(got: Got) -> None:
    error = got.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert _words(error["message"])
    assert _words(error["type"])
    assert error["param"] is None or _words(error["param"])
    assert error["code"] is None or _words(error["code"])


def flux(got: Got) -> None:
    body = got.json
    if got.status == 422:
        assert set(body) == {"detail"}
        for fault in body["detail"]:
            assert fault["loc"][0] in ("body", "query", "path")
            assert _words(fault["msg"])
            assert _words(fault["type"])
        return
    assert _words(body["detail"])
    assert body["message"] == body["detail"]


def ideogram(got: Got) -> None:
    assert _words(got.json["error"])


def stability(got: Got) -> None:
    body = got.json
    assert _words(body["id"])
    assert _words(body["name"])
    if "errors" in body:
        assert body["errors"]
        assert all(map(_words, body["errors"]))
    else:
        assert _words(body["message"])


def midjourney(got: Got) -> None:
    body = got.json
    if body == {"error": "midjourney_task_not_found"}:
        return
    assert isinstance(body["code"], int)
    assert body["code"] not in (1, 21, 22)
    assert _words(body["description"])
    if got.status in (401, 403):
        openai(got)


def gemini(got: Got) -> None:
    error = got.json["error"]
    assert set(error) == {"code", "message", "status", "details"}
    assert error["code"] == got.status
    assert _words(error["message"])
    assert error["status"].replace("_", "").isupper()
    assert all(detail["@type"].startswith("type.googleapis.com/google.rpc.") for detail in error["details"])


def anthropic(got: Got) -> None:
    assert set(got.json) == {"type", "error", "request_id"}
    assert got.json["type"] == "error"
    assert got.json["error"]["type"].endswith("_error") or got.json["error"]["type"] == "request_too_large"
    assert _words(got.json["error"]["message"])
    assert got.headers["request-id"] == got.json["request_id"]


def kling(got: Got) -> None:
    body = got.json
    assert set(body) == {"code", "message", "request_id"}
    assert isinstance(body["code"], int)
    assert 1000 <= body["code"] < 6000
    assert _words(body["message"])
    assert _words(body["request_id"])


def cogvideox(got: Got) -> None:
    assert set(got.json) == {"error"}
    error = got.json["error"]
    assert set(error) == {"code", "message"}
    assert error["code"].isdigit()
    assert _words(error["message"])


def dream_machine(got: Got) -> None:
    assert set(got.json) == {"detail"}
    if got.status != 422:
        assert _words(got.json["detail"])
        return
    for fault in got.json["detail"]:
        assert fault["loc"][0] == "body"
        assert _words(fault["msg"])
        assert _words(fault["type"])
        assert isinstance(fault["input"], str)


def luma(got: Got) -> None:
    assert set(got.json) == {"error"}
    assert set(got.json["error"]) == {"message", "type", "code"}
    assert all(map(_words, got.json["error"].values()))


def runwayml(got: Got) -> None:
    assert set(got.json) <= {"error", "issues"}
    assert _words(got.json["error"])
    for issue in got.json.get("issues", ()):
        assert all(map(_words, issue["path"]))
        assert _words(issue["message"])


def runway(got: Got) -> None:
    assert set(got.json) == {"error"}
    assert _words(got.json["error"])


def runway_web(got: Got) -> None:
    body = got.json
    assert set(body) == {"code", "msg", "data", "exec_time"}
    assert body["code"] not in (200, "success")
    assert _words(body["msg"])
    assert body["data"] is None


def feed(got: Got) -> None:
    assert set(got.json) - {"exec_time"} == {"code", "msg", "data"}
    assert (got.json["code"], got.json["data"]) == (400, None)
    assert _words(got.json["msg"])


def pixverse(got: Got) -> None:
    body = got.json
    assert set(body) == {"ErrCode", "ErrMsg", "Resp", "request_id"}
    assert body["ErrCode"] in (10003, *range(400011, 400033), *range(500008, 500101))
    assert body["Resp"] is None
    assert _words(body["ErrMsg"])


def viggle(got: Got) -> None:
    body = got.json
    assert set(body) == {"code", "message", "ts", "reason", "data", "error"}
    assert body["code"] == got.status
    assert _words(body["message"])
    assert body["message"] == body["reason"] == body["error"]["message"]
    assert set(body["error"]) == {"message", "type", "param", "code"}


def suno(got: Got) -> None:
    assert set(got.json) == {"error"}
    error = got.json["error"]
    assert set(error) == {"message", "type", "code"}
    assert all(map(_words, error.values()))


def suno_goamz(got: Got) -> None:
    body = got.json
    assert set(body) == {"code", "message", "data"}
    assert (body["code"], body["data"]) == (got.status, None)
    assert _words(body["message"])


def suno_tasks(got: Got) -> None:
    body = got.json
    assert _words(body["code"])
    assert body["code"] != "success"
    assert _words(body["message"])
    assert body["data"] is None
    if got.status == 401:
        assert body["error"] == {"message": body["message"], "type": "new_api_error"}


def vidu_ent(got: Got) -> None:
    body = got.json
    assert set(body) == {"code", "reason", "message", "metadata"}
    assert body["code"] == got.status
    assert body["reason"].isalpha()
    assert _words(body["message"])


def pika_api(got: Got) -> None:
    assert set(got.json) == {"code", "message"}
    assert all(map(_words, got.json.values()))


def viggle_api(got: Got) -> None:
    assert set(got.json) == {"detail"}
    detail = got.json["detail"]
    assert set(detail) == {"error_code", "message", "action"}
    assert _words(detail["error_code"])
    assert _words(detail["message"])


def docmee(got: Got) -> None:
    body = got.json
    assert set(body) == {"code", "message", "data"}
    assert body["code"] in (-1, 88, 98, 1001, 1003, 1006, 1009, 1010, 1012)
    assert _words(body["message"])
    assert body["data"] is None
    # What the vendor's Python program looks for.
    assert got.headers["content-type"] in "application/json"


def picwish(got: Got) -> None:
    assert set(got.json) == {"status", "message"}
    assert got.json["status"] == got.status
    assert _words(got.json["message"])


def weinike(got: Got) -> None:
    body = got.json
    assert set(body) == {"code", "msg", "data"}
    assert isinstance(body["code"], int)
    assert body["code"] != 200
    assert _words(body["msg"])
    assert body["data"] == {}


def mewx(got: Got) -> None:
    assert set(got.json) == {"code", "msg", "data"}
    assert got.json["code"] == got.status
    assert _words(got.json["msg"])
    assert got.json["data"] is None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a protocol refuses.

    Attributes
    ----------
    check : callable
        Asserts the error's shape.
    status : mapping
        By case, where it differs from `USUAL`.
    """

    check: Callable[[Got], None]
    status: Mapping[str, int] = field(default_factory=dict[str, int])

    def refuses(self, got: Got, case: str) -> None:
        """Assert that an answer is this protocol's refusal of a case."""
        expected = self.status.get(case, USUAL[case])
        assert got.status == expected, f"{case}: {got.status} {got.body[:300]!r}"
        assert got.headers["content-type"].startswith("application/json")
        self.check(got)


USUAL: Mapping[str, int] = {
    "no key": 401,
    "wrong key": 401,
    "expired": 401,
    "disabled": 401,
    "malformed": 400,
    "wrong type": 400,
    "missing": 400,
    "no model": 404,
    "too large": 413,
    "bomb": 413,
    "bad media": 415,
    "bad encoding": 415,
    "unknown id": 404,
    "bad method": 405,
    "no path": 404,
    "unfunded": 402,
    "bad callback": 400,
}
KEYS, BODIES = ("no key", "wrong key", "expired", "disabled"), ("malformed", "wrong type", "missing")
MANNERS: Mapping[str, Manner] = {
    "openai": Manner(openai, {"unfunded": 403}),
    "flux": Manner(
        flux, {"no key": 403, "wrong key": 403, "expired": 403, "disabled": 403, "wrong type": 422, "missing": 422}
    ),
    "ideogram": Manner(ideogram, {"no model": 400}),
    "gemini": Manner(gemini),
    "anthropic": Manner(anthropic),
    "stability": Manner(stability, {"bad media": 400, "bad encoding": 400}),
    "kling": Manner(kling, {"unfunded": 429, "bad method": 404}),
    "pika": Manner(feed),
    "pika_web": Manner(openai),
    "pika_api": Manner(pika_api),
    "vidu": Manner(openai, {"unfunded": 400}),
    "vidu_ent": Manner(vidu_ent, {"unfunded": 400}),
    "pixverse": Manner(feed),
    "pixverse_web": Manner(pixverse),
    "pixverse_platform": Manner(pixverse),
    "cogvideox": Manner(cogvideox, {"unfunded": 429, "no model": 400}),
    "dream_machine": Manner(dream_machine, {"wrong type": 422, "missing": 422}),
    "luma": Manner(luma),
    "luma_goamz": Manner(luma),
    "runwayml": Manner(runwayml, {"no model": 400}),
    "runway": Manner(runway),
    "runway_web": Manner(runway_web),
    "viggle": Manner(viggle),
    "mewx": Manner(mewx),
    "suno": Manner(suno, {"unknown id": 400}),
    "suno_goamz": Manner(suno_goamz, {"unknown id": 400}),
    "suno_tasks": Manner(suno_tasks, {"unknown id": 400, "unfunded": 403}),
    "viggle_api": Manner(viggle_api),
    # Its clients look no further where the status is another.
    "docmee": Manner(
        docmee,
        dict.fromkeys(
            (
                *("no key", "wrong key", "expired", "disabled", "malformed", "wrong type", "missing", "unknown id"),
                *("no model", "unfunded", "bad callback"),
            ),
            200,
        ),
    ),
    "picwish": Manner(picwish),
    # What people are to be told comes with a good status.
    "weinike": Manner(weinike, dict.fromkeys((*KEYS, *BODIES, "no model", "unknown id", "unfunded"), 200)),
    "midjourney": Manner(midjourney, {"unknown id": 400, "unfunded": 403, "bad media": 400, "bad encoding": 400}),
}


def job_id(body: Any) -> str:
    """Return the id of a job in the answer to its submission, whatever the format."""
    places = (body, body.get("data"), body.get("Resp"))
    words = ("id", "result", "name", "task_id", "video_id")
    if isinstance(body.get("data"), str):
        return body["data"]
    places = (body, body.get("data"), body.get("Resp"), body.get("task"))
    words = ("id", "result", "name", "task_id", "taskID", "video_id", "job_id", "img_uuid")
    return next(str(place[word]) for place in places if isinstance(place, dict) for word in words if place.get(word))
