"""The words in which the control API is declared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar
from typing import Protocol as Interface

import msgspec
from msgspec import Meta

from ..accounts import people
from ..accounts.directory import Directory
from ..accounts.models import Channel
from ..accounts.query import Viewer
from ..accounts.sessions import Principal
from ..accounts.vault import Vault
from ..declare import Failure, Protocol, Reason
from ..money.ledger import Ledger
from ..storage.cache import Cache
from ..storage.database import Database, Tx, Work

T = TypeVar("T")

Probe = Callable[[Channel], Awaitable[tuple[bool, float, str | None]]]
"""Sends a channel one cheap request; says whether it answered well, after how many ms, and what was wrong."""


class Shipped(Interface):
    """The part of the price book that is needed here: the shipped entries, and what counts as one."""

    def listing(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the shipped entries by key, each with its source and date."""
        ...

    def check(self, key: str, entry: Mapping[str, Any]) -> None:
        """Raise ValueError where an entry is not one."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What handlers work with."""

    database: Database
    ledger: Ledger
    directory: Directory
    vault: Vault
    cache: Cache
    protocols: Mapping[str, Protocol]
    prices: Shipped
    probe: Probe
    check_url: Callable[[str], object]
    """Raises `Unsafe` for a URL of a webhook that is not to be called."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation, decoded."""

    context: Context
    params: Mapping[str, str]
    query: Any
    body: Any
    address: str
    key: str
    principal: Principal | None

    @property
    def who(self) -> Principal:
        """The caller; operations that are not public have one."""
        assert self.principal is not None
        return self.principal

    @property
    def viewer(self) -> Viewer:
        """What the caller may see."""
        return self.who.viewer

    async def read(self, work: Work[T]) -> T:
        """Run work that only reads."""
        return await self.context.database.read(work)

    async def write(self, work: Work[T]) -> T:
        """Run work in one transaction."""
        return await self.context.database.write(work)

    async def configure(self, work: Work[T]) -> T:
        """Run work that changes the configuration; gateways see it at once."""
        result = await self.context.database.write(work)
        await self.context.directory.announce()
        return result


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One operation of the control API.

    Attributes
    ----------
    path : str
        Below `/api`. `{name}` stands for one segment, `{name*}` for all that are left.
    role : str
        Who may call: anyone, any user, or administrators.
    body, query : type
        msgspec structs.
    answer : type
        What comes back; None: an empty answer with status 204.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    summary: str
    handler: Callable[[Call], Awaitable[Any]]
    role: Literal["public", "user", "admin"] = "admin"
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    answer: Any = None
    status: int = 200


Limit = Annotated[int, Meta(ge=1, le=1000)]


class Paging(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Place in a list."""

    cursor: str | None = None
    limit: Limit = 100


class Nothing(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """No parameters."""


def following(items: list[Any], limit: int) -> str | None:
    """Return the cursor of the next page, where the list may go on: the last item's id."""
    return items[-1].id if len(items) == limit else None


async def get_own_account(tx: Tx, viewer: Viewer, account_id: str | None) -> str:
    """Return the account to use: the one that was named, if it is the viewer's, else the viewer's own.

    Raises
    ------
    Failure
        NOT_FOUND; INVALID, where none was named, and the viewer has none of the own and not one alone.
    """
    if account_id is not None:
        if viewer.admin:
            found = await tx.fetchval("SELECT id FROM accounts WHERE id = $1", account_id)
        else:
            found = await tx.fetchval(
                "SELECT account_id FROM members WHERE account_id = $1 AND user_id = $2", account_id, viewer.user_id
            )
        if found is None:
            raise Failure(Reason.NOT_FOUND, "There is no such account", param="account_id")
        return found
    found = await people.own_account(tx, viewer.user_id)
    if found is None:
        raise Failure(Reason.INVALID, "Say which account, as you have none of your own", param="account_id")
    return found
