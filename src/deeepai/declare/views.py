"""What the gateway's own operations may look at, and what is known when a request leaves for a channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol as Interface
from typing import TypeVar

import msgspec

from .jobs import Links, Task
from .objects import Made, Window
from .values import Json, Request, State, Usage

BodyT_co = TypeVar("BodyT_co", covariant=True)


class Facts(msgspec.Struct, frozen=True):
    """What is known when a request is made ready for a channel."""

    model: str
    """The model's name at the upstream."""
    requested_model: str
    """The model's name as the caller gave it."""
    origin: Task | None = None
    named: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    """Of all tasks that the request follows up, the upstream's ids, by the ids that it names."""
    hook_url: str | None = None
    """Our own address for callbacks of this task, if the gateway can be reached from there."""
    reference: str = ""
    """The request id; an idempotency key where the vendor takes one."""
    settings: Mapping[str, Json] = msgspec.field(default_factory=dict[str, Json])
    """The channel's settings."""
    account: str = ""
    """Who pays."""
    objects: Mapping[str, Mapping[str, Json]] = msgspec.field(default_factory=dict[str, Mapping[str, Json]])
    """What is known of the objects that the request names, by their ids."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may spend. Money is 10⁻⁹ USD.

    Attributes
    ----------
    spent : int
        Ever, with this key.
    available : int
        What is left, with what is held for calls under way: of the key's own budget, or of its account where that is
        less or there is no budget.
    bounded : bool
        The key has a budget of its own.
    expires_at : int or None
        ms since 1970.
    models : sequence of str or None
        Names and patterns that it is restricted to.
    calls : tuple of int, optional
        Of a sub-token that may make so many charged calls: how many it has made, and how many it may.
    """

    name: str
    spent: int
    available: int
    bounded: bool
    expires_at: int | None
    models: Sequence[str] | None
    calls: tuple[int, int] | None = None


class ListedModel(Interface):
    """A model for callers to see."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def owned_by(self) -> str:
        """Its vendor, or whom the operator named."""
        ...

    @property
    def created(self) -> int:
        """Seconds since 1970."""
        ...

    @property
    def operations(self) -> Sequence[str]:
        """What serves it, each as `protocol.operation`."""
        ...

    @property
    def paths(self) -> Sequence[str]:
        """Where it is served: the operations' paths, each once."""
        ...

    @property
    def endpoint_types(self) -> Sequence[str]:
        """What relays call those operations, each once."""
        ...


class View(Interface[BodyT_co]):
    """What a Local operation may look at: the caller's own things only."""

    @property
    def request(self) -> Request[BodyT_co]: ...  # noqa: D102
    @property
    def links(self) -> Links: ...  # noqa: D102
    @property
    def account_id(self) -> str:
        """Id of the account that pays."""
        ...

    async def models(self) -> Sequence[ListedModel]:
        """Return the models that the token may call and that are known by name."""
        ...

    async def model(self, name: str) -> ListedModel | None:
        """Return a model that the token may call; None where there is none of this name."""
        ...

    async def tasks(self, ids: Sequence[str] | None = None, *, open_only: bool = False) -> Sequence[Task]:
        """Return tasks by their ids or those of what they made, each once; or the latest hundred."""
        ...

    async def page(self, operations: Sequence[str], window: Window) -> tuple[Sequence[Task], bool]:
        """Return part of the tasks that some operations of this protocol made, and whether there are more.

        Raises
        ------
        Failure
            The window begins after a task that is not the caller's.
        """
        ...

    async def objects(self, kind: str, limit: int) -> Sequence[Made]:
        """Return the latest objects of a kind that vendors keep for the caller, as far as the gateway knows them."""
        ...

    async def forget(self, task_id: str) -> None:
        """Delete a task that has ended and its files, here and at the vendor.

        Raises
        ------
        Failure
            There is no such task, or it has not ended.
        """
        ...

    async def cancel(self, task_id: str) -> bool:
        """Ask the vendor to stop a task; return whether there was anything to stop.

        Raises
        ------
        Failure
            There is no such task, or the vendor does not stop it.
        """
        ...

    async def every_task(
        self, protocol: str | None, states: Sequence[State], mode: str | None, after: str | None, limit: int
    ) -> Json:
        """Return a page of the caller's tasks of every protocol, newest first, in the gateway's own shape.

        Raises
        ------
        Failure
        """
        ...

    async def task_of_any(self, task_id: str) -> Json:
        """Return a task, whatever its protocol, in the gateway's own shape.

        Raises
        ------
        Failure
        """
        ...

    async def cancel_any(self, task_id: str) -> Json:
        """Have a task's vendor stop it, whatever its protocol; return it as it stands then.

        Raises
        ------
        Failure
            Its vendor does not stop it.
        """
        ...

    async def events(self, task_id: str, seen: int | None) -> AsyncIterator[bytes] | None:
        """Return the events of a task to its end, whatever its protocol; None where that was told before.

        Parameters
        ----------
        seen : int or None
            The last event that the caller has had.

        Raises
        ------
        Failure
        """
        ...

    async def follow(self, task_id: str, tell: Callable[[Task, Links], bytes]) -> AsyncIterator[bytes]:
        """Return what is told of a task of the protocol: as it stands, at each change, and every ten seconds.

        Raises
        ------
        Failure
            There is no such task.
        """
        ...

    async def balance(self) -> tuple[int, int, int]:
        """Available, held and spent, in 10⁻⁹ USD."""
        ...

    async def allowance(self) -> Allowance:
        """Return what the caller's key may spend, and has spent."""
        ...

    async def spent(self, since: int, until: int) -> int:
        """Return what the caller's key spent on calls made within a time, in 10⁻⁹ USD; ms since 1970."""
        ...

    async def cost(self, model: str, usage: Usage) -> int | None:
        """Return what a usage costs the caller where it is charged, in 10⁻⁹ USD; None where the model has no price."""
        ...

    async def sub_token(self, prefix: str, holder: str, most: int | None, seconds: int) -> str:
        """Make a key that stands for the caller's own towards this protocol, for a while.

        It has the rights, the limits, the price and the account of the caller's key, as these are then.

        Parameters
        ----------
        prefix : str
            How it begins.
        holder : str
            Whom it is for: it reaches that one's objects alone, and ends the former one. Empty: it reaches the
            caller's own.
        most : int or None
            Charged calls that may be made with it.

        Raises
        ------
        Failure
            FORBIDDEN, where the caller's key is such a one itself.
        """
        ...

    async def mint(self, prefix: str, model: str, session: Json, seconds: int) -> tuple[str, int]:
        """Make a key for sessions with one model, as the caller; return it and when it expires (s since 1970).

        Raises
        ------
        Failure
            The caller may not use the model, or nobody serves it.
        """
        ...
