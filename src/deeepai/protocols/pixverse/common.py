"""What Pixverse's formats have in common: names of models, codes of errors, what a film consumes."""

from __future__ import annotations

import datetime
from typing import Protocol as Interface

import msgspec

from ...declare import AnyRequest, Facts, Failure, Json, Reason, Request, State, Task, Usage
from ..common.errors import ErrorTable, with_param
from ..common.usage import amount

PREFIX = "pixverse-"
"""Begins the models' names here: the vendor calls them `v4.5`."""
CREDIT = 10_000_000
"""10⁻⁹ USD of a credit."""
LONG = 8
"""Seconds of a film that costs as much as a fast one."""
FAST = ("fast", "performance")
GOOD: dict[str, Json] = {"ErrCode": 0, "ErrMsg": "success"}

# The vendor's page of codes, as clients have copied it; 10003 and 500008 are inferred.
error = ErrorTable(
    rows={
        Reason.UNAUTHENTICATED: (401, 10003),
        Reason.UNFUNDED: (402, 500090),
        Reason.FORBIDDEN: (403, 500020),
        Reason.MODERATED: (400, 500063),
        Reason.NOT_FOUND: (404, 500008),
        Reason.RATE_LIMITED: (429, 500044),
        Reason.UNAVAILABLE: (503, 500069),
    },
    caller=400017,
    server=500100,
    shape=lambda code, failure, name: {
        "ErrCode": code,
        "ErrMsg": with_param(failure),
        "Resp": None,
        "request_id": name,
    },
)
ACCOUNT = (*range(10001, 10006), 400012, 500020, 500090)
ELSEWHERE = (500044, 500069)


class HasModel(Interface):
    """A body that may name its model."""

    @property
    def model(self) -> str | None: ...  # noqa: D102


def named(name: str) -> str:
    """Return a model's name as it is here."""
    return name if name.startswith(PREFIX) else PREFIX + name


def bare(name: str) -> str:
    """Return a model's name as the vendor has it."""
    return name.removeprefix(PREFIX)


def renamed(request: Request[HasModel], facts: Facts) -> dict[str, str]:
    """Name the model as the vendor does; where the caller names none, only one that the channel puts in its place."""
    sent, wanted = request.body.model, bare(facts.model)
    same = sent == wanted if sent else facts.model == facts.requested_model
    return {} if same else {"model": wanted}


def consumed(quality: str | None, seconds: float, pace: str | None, *, sound: bool = False) -> Usage:
    """Return what a film consumes: a long one costs what a fast one does."""
    params = {
        "quality": quality or "540p",
        "double": "yes" if seconds >= LONG or pace in FAST else "no",
        "sound": "on" if sound else "off",
    }
    return Usage(calls=1, seconds=seconds, params=params, basis="estimated")


def used(job: Json, task: Task) -> Usage | None:
    """Return what was asked for, at the credits that the vendor says it took."""
    told = job.get("credits") if isinstance(job, dict) else None
    credits = amount(task.facts.get("credits") if told is None else told)
    if not credits:
        return None
    return msgspec.structs.replace(task.estimate, cost=round(credits * CREDIT), basis="vendor")


def whole_id(value: int | str) -> int | str:
    """Return an id as the vendor has it: a number."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def when(milliseconds: int) -> str:
    """Write a time as the vendor does."""
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def done(request: AnyRequest, task: Task) -> None:
    """Refuse to go on from a film that is none."""
    if task.state is not State.SUCCEEDED:
        raise Failure(Reason.INVALID, "The video has not been made", code="video_not_made")
