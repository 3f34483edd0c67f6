"""Settlements, alone and in groups."""

from __future__ import annotations

import asyncio

import msgspec

from deeepai.money.entries import (
    CHANGE_ACCOUNT,
    CHANGE_TOKEN,
    INSERT_ENTRY,
    INSERT_USAGE,
    TAKE_LEASE,
    AccountChange,
    Bulk,
    Entry,
    LeaseChange,
    TokenChange,
    UsageRow,
    cleaned,
)
from deeepai.money.leases import Lease
from deeepai.storage.database import Tx, Work


class Contended(Exception):
    """The same request is just being settled by another node."""


class Hold(msgspec.Struct, eq=False):
    """Money reserved for one request.

    Attributes
    ----------
    amount : int
        10⁻⁹ USD.
    lease : Lease or None
        What it is held against; None where nothing had to be held, and for a durable hold.
    debt : int
        What the request may cost beyond that, 10⁻⁹ USD; its lease's row counts it.
    durable : bool
        It stands in the table `holds`, opened by `Ledger.open`.
    closed : bool
        Settled or cancelled.
    """

    request_id: str
    account_id: str
    token_id: str | None
    amount: int
    lease: Lease | None = None
    debt: int = 0
    durable: bool = False
    closed: bool = False


class Settlement(msgspec.Struct):
    """The end of a request: what it cost (10⁻⁹ USD; 0 voids the hold), and its usage row."""

    request_id: str
    hold: Hold | None
    cost: int
    row: UsageRow


class Repeated(Exception):
    """A group holds something that needs a look of its own; it is rolled back."""


class Item(msgspec.Struct, eq=False):
    """A settlement that waits for its commit."""

    settlement: Settlement
    token_id: str | None
    lease: Lease | None
    taken: int
    """What comes out of the lease; the rest of the cost comes out of what is available."""
    repeated: bool
    future: asyncio.Future[None] | None = None


def group(items: list[Item], rows: list[UsageRow], bulk: Bulk, now: int) -> Work[None]:
    """Return a unit of work that settles all items and writes all rows, or raises and changes nothing.

    Raises
    ------
    Repeated
        Here or in the work: something needs a look of its own.
    """
    entries: list[Entry] = []
    accounts: dict[str, AccountChange] = {}
    tokens: dict[str, TokenChange] = {}
    leases: dict[str, LeaseChange] = {}
    usage = [item.settlement.row for item in items]
    usage += rows
    for item in items:
        if item.repeated:
            raise Repeated
        settlement, lease, taken, token_id = item.settlement, item.lease, item.taken, item.token_id
        cost = settlement.cost
        if not cost:
            continue
        account_id = settlement.row.account_id
        entries.append(
            Entry(settlement.request_id, "charge", account_id, token_id, taken - cost, -taken, cost, None, now)
        )
        account = accounts.get(account_id)
        if account is None:
            account = accounts[account_id] = AccountChange(account_id)
        account.available += taken - cost
        account.held -= taken
        account.spent += cost
        if token_id is not None:
            token = tokens.get(token_id)
            if token is None:
                token = tokens[token_id] = TokenChange(token_id)
            token.spent += cost
            if lease is not None and lease.token_id is not None:
                token.held -= taken
        if lease is not None and taken:
            change = leases.get(lease.id)
            if change is None:
                change = leases[lease.id] = LeaseChange(lease.id)
            change.amount += taken

    async def work(tx: Tx) -> None:
        if leases and await bulk.leases(tx, list(leases.values())) != len(leases):
            raise Repeated
        if accounts and await bulk.accounts(tx, list(accounts.values())) != len(accounts):
            raise Repeated
        if tokens:
            await bulk.tokens(tx, list(tokens.values()))
        if entries and await bulk.entries(tx, entries) != len(entries):
            raise Repeated
        if await bulk.usage(tx, usage) != len(usage):
            raise Repeated

    return work


async def settle_alone(tx: Tx, item: Item, now: int) -> bool:
    """Settle one request, doing nothing where it was settled before; return False where its lease was gone.

    Raises
    ------
    Contended
        The same request is just being settled by another node.
    """
    settlement, lease, token_id = item.settlement, item.lease, item.token_id
    request_id, cost, account_id = settlement.request_id, settlement.cost, settlement.row.account_id
    done = await tx.fetchval(
        "SELECT 1 FROM usage WHERE request_id = $1 UNION ALL "
        "SELECT 1 FROM ledger WHERE request_id = $1 AND kind IN ('charge', 'void') LIMIT 1",
        request_id,
    )
    if done:
        return True
    known, taken = True, item.taken
    if lease is not None and taken:
        known = await tx.execute(TAKE_LEASE, lease.id, taken) == 1
        taken = taken if known else 0
    if cost:
        if not await tx.execute(CHANGE_ACCOUNT, account_id, taken - cost, -taken, cost):
            raise LookupError(f"no account {account_id}")
        entered = await tx.execute(
            *(INSERT_ENTRY, request_id, "charge", account_id, token_id),
            *(taken - cost, -taken, cost, None, now),
        )
        if not entered:
            raise Contended
        if token_id is not None:
            budgeted = lease is not None and lease.token_id is not None
            await tx.execute(CHANGE_TOKEN, token_id, -taken if budgeted else 0, cost)
    # Last, as in a group: who comes in the same order waits, and does not deadlock.
    if not await tx.execute(INSERT_USAGE, *msgspec.structs.astuple(cleaned(settlement.row))):
        raise Contended
    return known
