"""Short ways to say the plainest kinds of operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ...declare import AnyRequest, Facts, Fetch, Job, Json, Local, Origin, Reply, Request, Submit, Text, Usage, View

BodyT = TypeVar("BodyT")


def path_id(request: AnyRequest) -> str:
    """Return the path's `{id}`."""
    return request.params["id"]


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a protocol's paths begin: on the gateway, the canonical place first, and at the vendor.

    The methods take what follows, or all that may follow, without a leading slash; an operation without a name is
    called by it.
    """

    gateway: tuple[str, ...]
    vendor: str = ""

    def on_gateway(self, rest: str | Sequence[str]) -> tuple[str, ...]:
        """Return the paths on the gateway, the canonical one first."""
        rests = (rest,) if isinstance(rest, str) else rest
        return tuple(f"{place}/{rest}" for place in self.gateway for rest in rests)

    def submit(
        self,
        rest: str,
        summary: Text,
        *,
        body: type[BodyT],
        job: Job[BodyT],
        model: Callable[[Request[BodyT]], str],
        name: str = "",
        aliases: tuple[str, ...] = (),
        rows: tuple[int, ...] = (),
        example: Mapping[str, Json] | None = None,
        check: Callable[[Request[BodyT]], None] | None = None,
        estimate: Callable[[Request[BodyT]], Usage] | None = None,
        price: Callable[[Request[BodyT]], str] | None = None,
        patch: Callable[[Request[BodyT], Facts], dict[str, Any]] | None = None,
        upstream_path: Callable[[Request[BodyT], Facts], str] | None = None,
        origin: Origin[BodyT] | None = None,
        **odd: Any,
    ) -> Submit[BodyT]:
        """Declare a POST of JSON that starts a job; `odd` are further fields of `Submit`."""
        return Submit(
            name=name or rest.replace("/", "."),
            method="POST",
            path=self.on_gateway(rest)[0],
            aliases=self.on_gateway(rest)[1:] + aliases,
            upstream_template=f"{self.vendor}/{rest}",
            rows=rows,
            summary=summary,
            body=body,
            example=example or {},
            check=check,
            job=job,
            model=model,
            estimate=estimate,
            price=price,
            patch=patch,
            upstream_path=upstream_path,
            origin=origin,
            **odd,
        )

    def fetch(
        self,
        rest: str | Sequence[str],
        summary: Text,
        *,
        name: str,
        aliases: tuple[str, ...] = (),
        rows: tuple[int, ...] = (),
        task: Callable[[AnyRequest], str] = path_id,
        query: tuple[str, ...] = (),
    ) -> Fetch[object]:
        """Declare a GET of one task."""
        paths = self.on_gateway(rest)
        return Fetch(
            name=name,
            method="GET",
            path=paths[0],
            aliases=paths[1:] + aliases,
            upstream_template=self.vendor + paths[0].removeprefix(self.gateway[0]),
            rows=rows,
            summary=summary,
            media="none",
            task=task,
            query=query,
        )

    def own(
        self,
        rest: str | Sequence[str],
        summary: Text,
        *,
        answer: Callable[[View[BodyT]], Awaitable[Reply]],
        name: str = "",
        body: type[BodyT] | None = None,
        method: Literal["GET", "POST"] = "GET",
        aliases: tuple[str, ...] = (),
        query: Mapping[str, str] | None = None,
        example_answer: Json = None,
    ) -> Local[BodyT]:
        """Declare what the gateway answers by itself; `query` has the parameters, and values to show."""
        paths = self.on_gateway(rest)
        return Local(
            name=name or paths[0].removeprefix(f"{self.gateway[0]}/").replace("/", "."),
            method=method,
            path=paths[0],
            aliases=paths[1:] + aliases,
            summary=summary,
            body=body,
            media="none" if body is None else "json",
            query=tuple(query or ()),
            example_answer=example_answer,
            example_params=query or {},
            answer=answer,
        )
