"""Organisations' accounts that the declarative file holds."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

import msgspec

from ..accounts import people
from ..accounts.people import AccountChanges, MemberRole, Name, NewAccount
from ..accounts.units import Usd, nano
from ..declare import Failure, Reason
from ..money.ledger import Ledger
from ..storage.database import Row, Tx

_OURS = "SELECT id, name, status, price_group FROM accounts WHERE source = 'file'"


class AccountEntry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An organisation's account."""

    name: Name
    price_group: Name = "default"
    members: dict[Name, MemberRole] = {}
    """Names of users."""
    credit: Usd = Decimal(0)
    """USD, granted once."""


async def put_account(tx: Tx, ledger: Ledger, entry: AccountEntry, said: list[str]) -> None:
    """Bring an account in line with its entry.

    Raises
    ------
    Failure
        CONFLICT, where another organisation has the name; INVALID.
    """
    row = await tx.fetchrow(f"{_OURS} AND name = $1", entry.name)
    if row is None:
        taken = "SELECT 1 FROM accounts WHERE name = $1 AND kind = 'organisation'"
        if await tx.fetchval(taken, entry.name) is not None:
            raise Failure(Reason.CONFLICT, "An account of that name exists already", param="name")
        new = NewAccount(name=entry.name, kind="organisation", price_group=entry.price_group)
        account_id = await people.create_account(tx, new)
        await tx.execute("UPDATE accounts SET source = 'file' WHERE id = $1", account_id)
        said.append(f"account {entry.name}: made")
    else:
        account_id = row["id"]
        if (row["status"], row["price_group"]) != ("enabled", entry.price_group):
            await people.update_account(tx, account_id, AccountChanges(status="enabled", price_group=entry.price_group))
            said.append(f"account {entry.name}: changed")
    await _members(tx, account_id, entry, said)
    if await credit_once(tx, ledger, account_id, account_id, entry.credit):
        said.append(f"account {entry.name}: {entry.credit} USD granted")


async def credit_once(tx: Tx, ledger: Ledger, account_id: str, declared: str, credit: Decimal) -> bool:
    """Grant what an entry of the file says, by the id of what it declares; False where that was done before."""
    amount = nano(credit, "credit")
    reference = f"file:{declared}"
    return amount > 0 and await ledger.grant(
        tx, account_id, amount, kind="grant", reference=reference, note="deeepai.toml"
    )


async def _members(tx: Tx, account_id: str, entry: AccountEntry, said: list[str]) -> None:
    present = {member.user_id: member for member in await people.list_members(tx, account_id)}
    wanted: set[str] = set()
    for name, role in entry.members.items():
        found = await people.user_named(tx, name)
        if found is None:
            raise Failure(Reason.INVALID, f"There is no user {name!r}", param="members")
        user_id = found[0].id
        wanted.add(user_id)
        if user_id not in present or present[user_id].role != role:
            await people.set_member(tx, account_id, user_id, role, source="file")
            said.append(f"account {entry.name}: {name} is {role}")
    for user_id in present.keys() - wanted:
        await people.remove_member(tx, account_id, user_id, source="file")
        said.append(f"account {entry.name}: {present[user_id].name} is no member")


async def dropped_accounts(tx: Tx, names: Collection[str]) -> list[Row]:
    """Return the file's accounts that it no longer names."""
    rows = await tx.fetch(f"{_OURS} AND status = 'enabled' ORDER BY id")
    return [row for row in rows if row["name"] not in names]


async def drop_account(tx: Tx, account_id: str) -> None:
    """Disable an account, free of the file's groups; what it spent stays in the ledger."""
    await people.update_account(tx, account_id, AccountChanges(status="disabled", price_group="default"))
