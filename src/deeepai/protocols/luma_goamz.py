"""Luma's films at the addresses that GoAmzAI, a system for web sites, appends to a relay's: a face over `luma`.

The free line stands below `/luma/v1`, the paid one below `/vip/luma/v1` or `/pro/luma/v1`.

Source: documents of two relays; that a film is asked for below the path of its submission is inferred.
"""

from __future__ import annotations

import dataclasses

from ..declare import AnyRequest, Failure, Protocol, Reason, Text
from .common import bearer
from .common.operations import Paths
from .luma import PREFIXES, error_table, extension, film, job

AT = Paths(("/luma/v1", "/luma/V1"), "/luma/v1")
FILMS = job("/luma/v1/generations", frees=False)


def queried(request: AnyRequest) -> str:
    """Return the film that the query names."""
    name = request.query.get("id")
    if not name:
        raise Failure(Reason.INVALID, "id is required", param="id")
    return name


luma_goamz = Protocol(
    name="luma_goamz",
    title=Text("Luma (GoAmzAI's addresses)", "Luma(GoAmzAI格式)"),
    base_url="http://127.0.0.1:8000",
    models=("ray-v*",),
    prefixes=PREFIXES,
    family="luma",
    own_paths=tuple(f"{prefix}{place}/" for prefix in PREFIXES for place in AT.gateway),
    authorize=bearer,
    error=error_table({}),
    operations=(
        film(AT, "generations", Text("Generate a video", "生成视频"), FILMS, rows=(113, 115)),
        dataclasses.replace(
            AT.fetch("generations/{id}", Text("Get a video", "获取视频"), name="generations.get", rows=(114, 116)),
            aliases=("/luma/V1/generations/{id}", "/luma/v1/task/{id}", "/luma/V1/task/{id}"),
        ),
        AT.fetch(
            "task",
            Text("Get a video, named in the query", "获取视频(id 在查询参数中)"),
            name="task",
            task=queried,
            query=("id",),
        ),
        extension(AT, FILMS),
    ),
)
