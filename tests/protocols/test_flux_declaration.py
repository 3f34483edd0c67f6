"""Flux's declaration by recorded values: what its functions answered before its jobs became data."""

from __future__ import annotations

from typing import Any

import pytest

from deeepai.declare import DROP, Accepted, Facts, Hook, Refused, Result, State, Task, UpstreamCall, Usage
from deeepai.protocols.flux import flux
from tests.protocols.plain import PlainLinks, answered, asked, operation, sent_on

GENERATE = operation(flux, "generate")
RULES, FACE = GENERATE.job.rules, GENERATE.job.face
READY = {
    "id": "theirs",
    "status": "Ready",
    "result": {"sample": "https://vendor/x.jpeg?sig=1", "prompt": "a better cat", "seed": None, "duration": 4.5},
    "cost": 5,
    "input_mp": 0.0,
    "output_mp": 0.79,
}


def task(state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {
        "id": "ours",
        "operation": "flux.generate",
        "model": "flux-dev",
        "upstream_id": "theirs",
        "request": {"prompt": "a cat", "seed": 7},
        "results": 1 if state is State.SUCCEEDED else 0,
        "finished_at": 1_769_000_000_123,
    }
    return Task(state=state, **{**known, **changes})


# Submissions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "body", "model"),
    [
        ({"model": "flux-dev"}, {"prompt": "x"}, "flux-dev"),
        ({"model": "flux-dev"}, {"model": "flux-pro"}, "flux-dev"),
        ({"model": "image"}, {"model": "flux-pro"}, "flux-pro"),
        ({"model": "image"}, {}, "flux-pro-1.1"),
        ({"model": "of-tomorrow"}, {}, "of-tomorrow"),
    ],
)
def test_model(params: dict[str, str], body: dict[str, Any], model: str) -> None:
    assert GENERATE.model(asked(GENERATE, body, params=params)) == model


def test_estimate() -> None:
    plain = GENERATE.estimate(asked(GENERATE, {"prompt": "x", "width": 512, "height": 0}))
    assert plain == Usage(images=1, megapixels=0.524288, input_megapixels=0.0, basis="estimated")
    assert GENERATE.estimate(asked(GENERATE, {"input_image": "aa"})).input_megapixels == 1.0


def test_the_body_on_its_way() -> None:
    theirs = {"prompt": "x", "webhook_url": "https://caller/hook", "webhook_secret": "theirs", "steps": 12}
    facts = Facts(model="flux-dev", requested_model="flux-dev")
    assert sent_on(GENERATE, {**theirs, "model": "flux-pro"}, facts) == {"prompt": "x", "steps": 12}
    called = Facts(model="flux-dev", requested_model="flux-dev", hook_url="https://gw/hooks/1")
    assert sent_on(GENERATE, theirs, called) == {"prompt": "x", "steps": 12, "webhook_url": "https://gw/hooks/1"}
    assert GENERATE.patch(asked(GENERATE, {"prompt": "x"}), facts) == {}
    assert GENERATE.patch(asked(GENERATE, theirs), facts) == {"webhook_url": DROP, "webhook_secret": DROP}
    assert GENERATE.upstream_path(asked(GENERATE, theirs), facts) == "/v1/flux-dev"


def test_what_is_kept() -> None:
    body = {"prompt": "x", "seed": 3, "webhook_url": "https://caller/hook", "webhook_secret": "s"}
    assert FACE.keep(asked(GENERATE, body)) == {"prompt": "x", "seed": 3}
    assert FACE.hook(asked(GENERATE, body)) == Hook("https://caller/hook", "s")
    assert FACE.hook(asked(GENERATE, {"prompt": "x"})) is None


@pytest.mark.parametrize(
    ("answer", "status", "verdict"),
    [
        (
            {"id": "t", "polling_url": "https://eu/p?id=t", "cost": 4.0, "output_mp": 0.8, "input_mp": None},
            200,
            Accepted("t", facts={"polling_url": "https://eu/p?id=t", "cost": 4.0, "output_mp": 0.8}),
        ),
        ({"id": "t"}, 200, Accepted("t")),
        ({"status": "odd"}, 200, Refused()),
        (["t"], 200, Refused()),
        ({"detail": "no"}, 400, Refused()),
        ({"detail": "no"}, 401, Refused(retry_elsewhere=True)),
        ({"detail": "no"}, 402, Refused(retry_elsewhere=True)),
        ({"detail": "no"}, 403, Refused(retry_elsewhere=True)),
        ({"detail": "no"}, 422, Refused()),
        ({"detail": "no"}, 429, Refused(retry_elsewhere=True)),
        ({"detail": "no"}, 500, Refused()),
        ({"detail": "no"}, 503, Refused(retry_elsewhere=True)),
    ],
)
def test_acceptance(answer: Any, status: int, verdict: Accepted | Refused) -> None:
    assert RULES.accept(answered(answer, status), asked(GENERATE, {"prompt": "x"})) == verdict


def test_submitted() -> None:
    ours = "https://gw/flux/v1/get_result?id=ours"
    told = FACE.submitted(task(facts={"cost": 4.0, "polling_url": "https://eu/p"}), PlainLinks()).body
    assert told == {"id": "ours", "polling_url": ours, "cost": 4.0}
    hooked = FACE.submitted(task(hook=Hook("https://caller/hook")), PlainLinks()).body
    assert hooked == {"id": "ours", "polling_url": ours, "status": "Pending", "webhook_url": "https://caller/hook"}


# Polls -------------------------------------------------------------------------------------------------------------


def test_where_to_ask() -> None:
    assert RULES.poll(task(facts={"polling_url": "https://eu/p?id=t"})) == UpstreamCall("https://eu/p?id=t")
    assert RULES.poll(task()) == UpstreamCall("/v1/get_result?id=theirs")
    assert RULES.hook_in({"id": "theirs", "status": "Ready"}) == "theirs"
    assert RULES.hook_in({"status": "Ready"}) is None


@pytest.mark.parametrize(
    ("answer", "state", "progress", "error"),
    [
        ({"status": "Pending", "progress": 0.31}, State.RUNNING, 31, None),
        ({"status": "Queued"}, State.QUEUED, None, None),
        ({"status": "Error"}, State.FAILED, None, "Error"),
        ({"status": "Content Moderated"}, State.FAILED, None, "Content Moderated"),
        ({"status": "REQUEST MODERATED"}, State.FAILED, None, "REQUEST MODERATED"),
        ({"status": "Task not found"}, State.NOT_FOUND, None, None),
        ({"status": "of tomorrow"}, State.RUNNING, None, None),
        ({}, State.RUNNING, None, None),
        ([1], State.RUNNING, None, None),
        ("text", State.RUNNING, None, None),
    ],
)
def test_states(answer: Any, state: State, progress: int | None, error: str | None) -> None:
    status = RULES.read(answered(answer), task())
    assert (status.state, status.progress, status.error, status.results) == (state, progress, error, ())
    assert status.snapshot == (answer if isinstance(answer, dict) else None)


def test_the_end() -> None:
    status = RULES.read(answered(READY), task())
    assert status.state is State.SUCCEEDED
    assert status.results == (Result("https://vendor/x.jpeg?sig=1", role="image"),)
    assert status.usage == Usage(images=1, cost=50_000_000, megapixels=0.79, basis="vendor")
    at_once = RULES.read(answered({**READY, "cost": None}), task(facts={"cost": 3.0, "output_mp": 1.0}))
    assert at_once.usage == Usage(images=1, cost=30_000_000, megapixels=1.0, basis="vendor")
    assert RULES.read(answered({**READY, "cost": None}), task()).usage is None
    assert RULES.read(answered({"status": "Ready", "result": None}), task()).results == ()


# What callers see --------------------------------------------------------------------------------------------------

NOTHING = {"result": None, "progress": None, "details": None, "preview": None}


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        (task(State.QUEUED), {"status": "Pending", **NOTHING}),
        (
            task(snapshot={"id": "theirs", "status": "Pending"}, progress=40),
            {"status": "Pending", **NOTHING, "progress": 0.4},
        ),
        (
            task(State.SUCCEEDED, snapshot=READY),
            {
                "status": "Ready",
                **NOTHING,
                "result": {"prompt": "a better cat", "sample": "https://gw/assets/ours/0?sig=1", "duration": 4.5},
            },
        ),
        (
            task(State.FAILED, snapshot={"status": "Content Moderated", "details": {"Moderation Reasons": ["x"]}}),
            {"status": "Content Moderated", **NOTHING, "details": {"Moderation Reasons": ["x"]}},
        ),
        (
            task(State.FAILED, snapshot={"status": "Pending"}, error="timed out"),
            {"status": "Error", **NOTHING, "details": {"error": "timed out"}},
        ),
        (task(State.CANCELLED), {"status": "Error", **NOTHING}),
    ],
    ids=["queued", "running", "ready", "moderated", "timed out", "cancelled"],
)
def test_render(seen: Task, shown: dict[str, Any]) -> None:
    assert FACE.render(seen, PlainLinks()).body == {"id": "ours", **shown}


def test_webhooks() -> None:
    good = FACE.hook_message(task(State.SUCCEEDED, snapshot=READY, hook=Hook("https://caller")), PlainLinks())
    assert good.headers == {}
    assert good.body == {
        "id": "ours",
        "timestamp": "2026-01-21T12:53:20.123000Z",
        "status": "Ready",
        "result": {"prompt": "a better cat", "sample": "https://gw/assets/ours/0?sig=1", "duration": 4.5},
    }
    bad = FACE.hook_message(task(State.FAILED, error="boom", hook=Hook("https://caller", "secret")), PlainLinks())
    assert bad.body == {
        "id": "ours",
        "timestamp": "2026-01-21T12:53:20.123000Z",
        "status": "Error",
        "error": "boom",
        "message": "boom",
    }
    assert bad.headers == {"x-bfl-signature": "sha256=e3a5b76013c9fa1eeb39cf2333abc1f8ebf27db55d3555e27b17c7d4f0c2adf9"}
