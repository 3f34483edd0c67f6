"""Accounts: balance, members, ledger, grants."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from ...accounts import invitations, people
from ...accounts.invitations import Invitation
from ...accounts.people import Account, AccountChanges, Balance, Member, MemberRole, NewAccount
from ...accounts.query import Where, cursor, place
from ...accounts.units import Usd, moment, nano, usd
from ...declare import Failure, Reason
from ...storage.database import Tx
from ...storage.ids import new_id
from ...tasks.secrets import webhook_secret
from ..routes import Call, Paging, Route, following


class Accounts(msgspec.Struct, kw_only=True):
    """A page of accounts."""

    data: list[Account]
    next: str | None


class Members(msgspec.Struct, kw_only=True):
    """An account's members, and who is invited."""

    data: list[Member]
    invited: list[Invitation]


class Invitations(msgspec.Struct, kw_only=True):
    """What is offered to the caller."""

    data: list[Invitation]


class Membership(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A member's role."""

    role: MemberRole = "member"


class Grant(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Money to be added; below zero it is taken away."""

    amount: Usd
    note: Annotated[str, Meta(max_length=500)] | None = None
    reference: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """The same reference is granted once, however often it is sent."""


class Entry(msgspec.Struct, kw_only=True):
    """One entry of the ledger: changes of the three sums."""

    request_id: str
    kind: str
    token_id: str | None
    available: Usd
    held: Usd
    spent: Usd
    note: str | None
    created_at: datetime


class Entries(msgspec.Struct, kw_only=True):
    """A page of the ledger, newest first."""

    data: list[Entry]
    next: str | None


class WebhookSecret(msgspec.Struct, kw_only=True):
    """What an account's callbacks are signed with, as Standard Webhooks has it."""

    secret: str


async def _list(call: Call) -> Accounts:
    query: Paging = call.query
    found = await call.read(lambda tx: people.list_accounts(tx, call.viewer, after=query.cursor, limit=query.limit))
    return Accounts(data=found, next=following(found, query.limit))


async def _create(call: Call) -> Account:
    async def work(tx: Tx) -> Account:
        return await people.get_account(tx, await people.create_account(tx, call.body))

    return await call.write(work)


async def _get(call: Call) -> Account:
    return await call.read(lambda tx: people.get_account(tx, call.params["id"], call.viewer))


async def _balance(call: Call) -> Balance:
    return people.balance_of(await _get(call))


async def _webhook_secret(call: Call) -> WebhookSecret:
    """Show what the account's callbacks are signed with, to its owners and administrators only."""

    async def work(tx: Tx) -> str:
        return await _managed(call, tx)

    account_id = await call.read(work)
    return WebhookSecret(secret=webhook_secret(call.context.vault.derive("webhooks"), account_id))


async def _update(call: Call) -> Account:
    changes: AccountChanges = call.body
    await call.configure(lambda tx: people.update_account(tx, call.params["id"], changes))
    return await _get(call)


async def _grant(call: Call) -> Balance:
    grant: Grant = call.body
    amount = nano(grant.amount, signed=True)
    if amount == 0:
        raise Failure(Reason.INVALID, "amount must not be 0", param="amount")
    reference = f"grant:{grant.reference or new_id()}"

    async def work(tx: Tx) -> None:
        account = await people.get_account(tx, call.params["id"])
        kind = "grant" if amount > 0 else "adjust"
        await call.context.ledger.grant(tx, account.id, amount, kind=kind, reference=reference, note=grant.note)

    await call.write(work)
    return await _balance(call)


async def _managed(call: Call, tx: Tx) -> str:
    """Return the account's id, where the caller may manage it."""
    account = await people.get_account(tx, call.params["id"], call.viewer)
    if not await people.may_manage(tx, account.id, call.viewer):
        raise Failure(Reason.FORBIDDEN, "Only owners and administrators of the account may do that")
    return account.id


async def _ledger(call: Call) -> Entries:
    query: Paging = call.query

    async def work(tx: Tx) -> Entries:
        where = Where().add("account_id = ?", await _managed(call, tx))
        if query.cursor is not None:
            where.add("(created_at, request_id, kind) < (?, ?, ?)", *place(query.cursor, 3))
        rows = await tx.fetch(
            f"SELECT * FROM ledger {where} ORDER BY created_at DESC, request_id DESC, kind DESC LIMIT {query.limit}",
            *where.args,
        )
        entries = [
            Entry(
                request_id=row["request_id"],
                kind=row["kind"],
                token_id=row["token_id"],
                available=usd(row["available"]),
                held=usd(row["held"]),
                spent=usd(row["spent"]),
                note=row["note"],
                created_at=moment(row["created_at"]),
            )
            for row in rows
        ]
        last = rows[-1] if len(rows) == query.limit else None
        after = None if last is None else cursor(last["created_at"], last["request_id"], last["kind"])
        return Entries(data=entries, next=after)

    return await call.read(work)


async def _members(call: Call) -> Members:
    async def work(tx: Tx) -> Members:
        account = await people.get_account(tx, call.params["id"], call.viewer)
        return await _listed(tx, account.id)

    return await call.read(work)


async def _listed(tx: Tx, account_id: str) -> Members:
    return Members(data=await people.list_members(tx, account_id), invited=await invitations.of_account(tx, account_id))


async def _check_owner(call: Call, tx: Tx, account_id: str, *roles: str | None) -> None:
    """Refuse where an owner is made or changed by somebody who is none."""
    if call.viewer.admin or "owner" not in roles:
        return
    if await people.role_of(tx, account_id, call.who.user_id) != "owner":
        raise Failure(Reason.FORBIDDEN, "Only an owner may make and change owners")


async def _set_member(call: Call) -> Members:
    """Change a member's role, or offer a membership; the operator makes members at once."""
    body: Membership = call.body
    user_id = call.params["user_id"]

    async def work(tx: Tx) -> Members:
        account_id = await _managed(call, tx)
        present = await people.role_of(tx, account_id, user_id)
        await _check_owner(call, tx, account_id, body.role, present)
        if present is None and not call.viewer.admin:
            await invitations.invite(tx, account_id, user_id, body.role, call.who.user_id)
        else:
            await people.set_member(tx, account_id, user_id, body.role)
        return await _listed(tx, account_id)

    return await call.configure(work)


async def _remove_member(call: Call) -> None:
    """End a membership, one's own too, or withdraw an invitation."""
    user_id = call.params["user_id"]

    async def work(tx: Tx) -> None:
        if user_id == call.who.user_id:
            account_id = (await people.get_account(tx, call.params["id"], call.viewer)).id
        else:
            account_id = await _managed(call, tx)
        present = await people.role_of(tx, account_id, user_id)
        await _check_owner(call, tx, account_id, present)
        if present is None and await invitations.withdraw(tx, account_id, user_id):
            return
        await people.remove_member(tx, account_id, user_id)

    await call.configure(work)


async def _invitations(call: Call) -> Invitations:
    return Invitations(data=await call.read(lambda tx: invitations.of_user(tx, call.who.user_id)))


async def _accept(call: Call) -> Account:
    async def work(tx: Tx) -> Account:
        await invitations.accept(tx, call.params["account_id"], call.who.user_id)
        return await people.get_account(tx, call.params["account_id"], call.viewer)

    return await call.configure(work)


async def _decline(call: Call) -> None:
    if not await call.write(lambda tx: invitations.withdraw(tx, call.params["account_id"], call.who.user_id)):
        raise Failure(Reason.NOT_FOUND, "There is no such invitation")


ROUTES = (
    Route(
        method="GET",
        path="/accounts",
        summary="List accounts",
        handler=_list,
        role="user",
        query=Paging,
        answer=Accounts,
    ),
    Route(
        method="POST",
        path="/accounts",
        summary="Make an account",
        handler=_create,
        body=NewAccount,
        answer=Account,
        status=201,
    ),
    Route(method="GET", path="/accounts/{id}", summary="Show an account", handler=_get, role="user", answer=Account),
    Route(
        method="PATCH",
        path="/accounts/{id}",
        summary="Change an account",
        handler=_update,
        body=AccountChanges,
        answer=Account,
    ),
    Route(
        method="GET",
        path="/accounts/{id}/balance",
        summary="Show an account's balance",
        handler=_balance,
        role="user",
        answer=Balance,
    ),
    Route(
        method="GET",
        path="/accounts/{id}/webhook-secret",
        summary="Show what an account's callbacks are signed with",
        handler=_webhook_secret,
        role="user",
        answer=WebhookSecret,
    ),
    Route(
        method="POST",
        path="/accounts/{id}/grants",
        summary="Add money to an account",
        handler=_grant,
        body=Grant,
        answer=Balance,
    ),
    Route(
        method="GET",
        path="/accounts/{id}/ledger",
        summary="List an account's ledger entries, newest first",
        handler=_ledger,
        role="user",
        query=Paging,
        answer=Entries,
    ),
    Route(
        method="GET",
        path="/accounts/{id}/members",
        summary="List an account's members",
        handler=_members,
        role="user",
        answer=Members,
    ),
    Route(
        method="PUT",
        path="/accounts/{id}/members/{user_id}",
        summary="Invite a user to be a member, or change a member's role",
        handler=_set_member,
        role="user",
        body=Membership,
        answer=Members,
    ),
    Route(
        method="DELETE",
        path="/accounts/{id}/members/{user_id}",
        summary="Remove a member, leave an account, or withdraw an invitation",
        handler=_remove_member,
        role="user",
    ),
    Route(
        method="GET",
        path="/invitations",
        summary="List the memberships that are offered to you",
        handler=_invitations,
        role="user",
        answer=Invitations,
    ),
    Route(
        method="POST",
        path="/invitations/{account_id}",
        summary="Accept a membership",
        handler=_accept,
        role="user",
        answer=Account,
    ),
    Route(
        method="DELETE",
        path="/invitations/{account_id}",
        summary="Decline a membership",
        handler=_decline,
        role="user",
    ),
)
