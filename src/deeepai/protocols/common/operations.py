"""Short ways to say the plainest kinds of operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ...declare import AnyRequest, Fetch, Json, Local, Reply, Text, View


def path_id(request: AnyRequest) -> str:
    """Return the path's `{id}`."""
    return request.params["id"]


def fetch(
    name: str,
    path: str,
    summary: Text,
    *,
    upstream_template: str,
    aliases: tuple[str, ...] = (),
    rows: tuple[int, ...] = (),
    task: Callable[[AnyRequest], str] = path_id,
    query: tuple[str, ...] = (),
) -> Fetch[object]:
    """Declare a GET of one task."""
    return Fetch(
        name=name,
        method="GET",
        path=path,
        summary=summary,
        upstream_template=upstream_template,
        aliases=aliases,
        rows=rows,
        media="none",
        task=task,
        query=query,
    )


def own(
    name: str,
    path: str,
    summary: Text,
    *,
    answer: Callable[[View[object]], Awaitable[Reply]],
    aliases: tuple[str, ...] = (),
    query: tuple[str, ...] = (),
    example_answer: Json = None,
) -> Local[object]:
    """Declare a GET that the gateway answers by itself."""
    return Local(
        name=name,
        method="GET",
        path=path,
        summary=summary,
        aliases=aliases,
        media="none",
        query=query,
        example_answer=example_answer,
        answer=answer,
    )
