"""What a token may reach: tasks of its own mode, models of its own list, the operator's account and no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.operator import paid, rows
from tests.stack import Gateway, Sandbox, channels_in_test_mode
from tests.support.http import call, post

NARROW = "sk-live-narrow-00000000000000000000"
OPERATOR = f"""
[[users]]
name = "ann"
password = "ann-password-1"
credit = 100

[[tokens]]
name = "narrow"
key = "{NARROW}"
account = "ann"
models = ["gpt-4o*"]

[[aliases]]
name = "gpt-4o-best"
target = "gpt-4o, gpt-4o-mini"
"""


@pytest.fixture(scope="module")
def gateway(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    toml = channels_in_test_mode(sandbox.url) + OPERATOR
    made = Gateway(Path(tmp_path_factory.mktemp("rights")), sandbox, toml=toml).start()
    yield made
    made.stop()


@dataclass(frozen=True)
class Work:
    """A task, its id in the answer, and what may be asked of it by that id."""

    path: str
    body: Any
    id: str
    reads: tuple[str, ...] = ()
    follow_ups: tuple[tuple[str, Any], ...] = ()


WORKS = {
    "midjourney": Work(
        "/mj/submit/imagine",
        {"prompt": "a cat"},
        "result",
        ("/mj/task/{id}/fetch", "/mj/task/{id}/image-seed", "/mj/image/{id}"),
        (
            ("/mj/submit/change", {"taskId": "{id}", "action": "UPSCALE", "index": 2}),
            ("/mj/submit/change", {"taskId": "{id}", "action": "VARIATION", "index": 1}),
            ("/mj/submit/simple-change", {"content": "{id} U1"}),
        ),
    ),
    "openai": Work(
        "/v1/videos",
        {"model": "sora-2", "prompt": "a cat", "seconds": "4"},
        "id",
        ("/v1/videos/{id}", "/v1/videos/{id}/content"),
        (("/v1/videos/{id}/remix", {"prompt": "a dog"}),),
    ),
    "vidu_ent": Work(
        "/ent/v2/text2video",
        {"model": "viduq1", "prompt": "a cat"},
        "task_id",
        ("/ent/v2/tasks/{id}/creations",),
        (("/ent/v2/upscale", {"creation_id": "{id}"}),),
    ),
    "vidu": Work(
        "/vidu/v1/tasks",
        {"type": "text2video", "input": {"prompts": [{"type": "text", "content": "a cat"}]}},
        "id",
        ("/vidu/v1/tasks/{id}",),
        (("/vidu/v1/tasks", {"type": "upscale", "input": {"creation_id": "{id}"}}),),
    ),
    "pixverse_platform": Work(
        "/openapi/v2/video/text/generate",
        {"model": "v5", "prompt": "a cat", "duration": 5, "quality": "540p", "aspect_ratio": "16:9"},
        "Resp.video_id",
        ("/openapi/v2/video/result/{id}",),
        (("/openapi/v2/video/sound_effect/generate", {"source_video_id": "{id}", "sound_effect_content": "rain"}),),
    ),
    "pika": Work("/pika/pro/generate", {"prompt": "a cat"}, "data.task_id", ("/pika/feed?task_id={id}",)),
    "flux": Work("/flux/v1/flux-dev", {"prompt": "a cat"}, "id", ("/flux/v1/get_result?id={id}",)),
    "kling": Work(
        "/kling/v1/videos/text2video",
        {"model_name": "kling-v1", "prompt": "a cat"},
        "data.task_id",
        ("/kling/v1/videos/text2video/{id}",),
    ),
}
WAYS = pytest.mark.parametrize("modes", [("live", "test"), ("test", "live")], ids=["live-work", "test-work"])


def put(value: Any, task: str) -> Any:
    """Put a task's id in its place."""
    if isinstance(value, dict):
        return {name: put(item, task) for name, item in value.items()}
    return value.replace("{id}", task) if isinstance(value, str) else value


def told(answer: Any, path: str) -> str:
    for name in path.split("."):
        answer = answer[name]
    return str(answer)


@WAYS
@pytest.mark.parametrize("name", WORKS)
def test_work_of_one_mode_does_not_exist_for_tokens_of_the_other(
    gateway: Gateway, name: str, modes: tuple[str, str]
) -> None:
    work, (mine, other) = WORKS[name], (getattr(gateway, mode) for mode in modes)
    task = told(post(gateway, work.path, work.body, mine).json, work.id)
    before = len(rows(gateway, "SELECT 1 FROM tasks"))
    own = call(gateway, "GET", put(work.reads[0], task), key=mine)
    assert own.status == 200, own.body
    unknown = call(gateway, "GET", put(work.reads[0], "9" * len(task)), key=other)
    for path in work.reads:
        got = call(gateway, "GET", put(path, task), key=other)
        assert got.status == call(gateway, "GET", put(path, "9" * len(task)), key=other).status, path
        assert got.status >= 400 or got.body == unknown.body, path
    for path, body in work.follow_ups:
        got = post(gateway, put(path, task), put(body, task), other)
        assert got.status == 404 or got.json.get("code") == 4, (path, got.body)
    assert len(rows(gateway, "SELECT 1 FROM tasks")) == before


@pytest.mark.parametrize("mode", ["live", "test"])
def test_lists_show_work_of_the_tokens_own_mode(gateway: Gateway, mode: str) -> None:
    work = WORKS["openai"]
    made = {each: post(gateway, work.path, work.body, getattr(gateway, each)).json["id"] for each in ("live", "test")}
    listed = {video["id"] for video in gateway.get("/v1/videos?limit=100", getattr(gateway, mode))["data"]}
    assert made[mode] in listed
    assert not {made[each] for each in made if each != mode} & listed


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/embeddings", {"input": "hi"}),
        ("/v1/responses", {"input": "hi"}),
    ],
)
@pytest.mark.parametrize("model", ["gpt-4o,text-embedding-3-small", "gpt-4o-none,claude-haiku-4-5", "gpt-4o,"])
def test_a_caller_makes_no_list_of_models(gateway: Gateway, path: str, body: dict[str, Any], model: str) -> None:
    assert gateway.sandbox is not None
    newest = gateway.sandbox.newest()
    got = post(gateway, path, {**body, "model": model}, NARROW)
    assert got.status == 404, got.body
    assert not [sent for sent in gateway.sandbox.since(newest) if sent["method"] == "POST"]


def test_an_operators_alias_stands_for_a_list(gateway: Gateway) -> None:
    body = {"model": "gpt-4o-best", "messages": [{"role": "user", "content": "hi"}]}
    assert post(gateway, "/v1/chat/completions", body, NARROW).status == 200


def test_who_of_the_operators_pays_is_not_the_callers_to_say(gateway: Gateway) -> None:
    assert gateway.sandbox is not None
    newest = gateway.sandbox.newest()
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    named = {"OpenAI-Organization": "org-of-the-caller", "OpenAI-Project": "proj-of-the-caller"}
    got = post(gateway, "/v1/chat/completions", body, headers=named)
    assert got.status == 200
    assert "of-the-caller" not in str(gateway.sandbox.since(newest))
    assert "openai-organization" not in got.headers


@WAYS
def test_files_of_one_mode_are_not_for_tokens_of_the_other(gateway: Gateway, modes: tuple[str, str]) -> None:
    mine, other = (getattr(gateway, mode) for mode in modes)
    made = post(gateway, "/v1/videos", {"model": "sora-2", "prompt": "a cat", "seconds": "4"}, mine)
    paid(gateway, made.request_id)
    (task,) = rows(gateway, "SELECT id FROM tasks WHERE request_id = ?", made.request_id)
    for key, status in ((mine, 200), (other, 404)):
        assert call(gateway, "GET", f"/assets/{task['id']}/0", key=key).status == status


@WAYS
def test_a_list_begins_at_nothing_of_the_other_mode(gateway: Gateway, modes: tuple[str, str]) -> None:
    mine, other = (getattr(gateway, mode) for mode in modes)
    batch = {
        "requests": [
            {
                "custom_id": "one",
                "params": {
                    "model": "claude-sonnet-4-5",
                    "max_tokens": 10,
                    "messages": [{"role": "user", "content": "hello"}],
                },
            }
        ]
    }
    made = post(gateway, "/v1/messages/batches", batch, mine).json["id"]
    for key, status in ((mine, 200), (other, 404)):
        assert call(gateway, "GET", f"/v1/messages/batches?after_id={made}", key=key).status == status
