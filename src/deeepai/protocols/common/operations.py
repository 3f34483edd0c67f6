"""Short ways to say the plainest kinds of operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
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

    The methods take what follows, without a leading slash; an operation without a name is called by it.
    """

    gateway: tuple[str, ...]
    vendor: str = ""

    def aliases(self, rest: str) -> tuple[str, ...]:
        """Return the paths on the gateway that are not the canonical one."""
        return tuple(f"{place}/{rest}" for place in self.gateway[1:])

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
    ) -> Submit[BodyT]:
        """Declare a POST of JSON that starts a job."""
        return Submit(
            name=name or rest.replace("/", "."),
            method="POST",
            path=f"{self.gateway[0]}/{rest}",
            aliases=self.aliases(rest) + aliases,
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
        )

    def fetch(
        self,
        rest: str,
        summary: Text,
        *,
        name: str,
        aliases: tuple[str, ...] = (),
        rows: tuple[int, ...] = (),
        task: Callable[[AnyRequest], str] = path_id,
        query: tuple[str, ...] = (),
        example_params: Mapping[str, str] | None = None,
    ) -> Fetch[object]:
        """Declare a GET of one task."""
        return Fetch(
            name=name,
            method="GET",
            path=f"{self.gateway[0]}/{rest}",
            aliases=self.aliases(rest) + aliases,
            upstream_template=f"{self.vendor}/{rest}",
            rows=rows,
            summary=summary,
            media="none",
            task=task,
            query=query,
            example_params=example_params or {},
        )

    def own(
        self,
        rest: str,
        summary: Text,
        *,
        answer: Callable[[View[BodyT]], Awaitable[Reply]],
        name: str = "",
        body: type[BodyT] | None = None,
        method: Literal["GET", "POST"] = "GET",
        aliases: tuple[str, ...] = (),
        query: tuple[str, ...] = (),
        example_answer: Json = None,
        example_params: Mapping[str, str] | None = None,
    ) -> Local[BodyT]:
        """Declare what the gateway answers by itself."""
        return Local(
            name=name or rest.replace("/", "."),
            method=method,
            path=f"{self.gateway[0]}/{rest}",
            aliases=self.aliases(rest) + aliases,
            summary=summary,
            body=body,
            media="none" if body is None else "json",
            query=query,
            example_answer=example_answer,
            example_params=example_params or {},
            answer=answer,
        )
