"""Memberships that are offered: nobody becomes a member of somebody's account unasked."""

from __future__ import annotations

from datetime import datetime

import msgspec

from ..declare import Failure, Reason
from ..storage.database import Row, Tx
from ..storage.ids import now_ms
from .people import MemberRole, get_account, get_user, set_member
from .units import moment


class Invitation(msgspec.Struct, kw_only=True):
    """A membership that is offered to a user."""

    account_id: str
    account: str
    user_id: str
    name: str
    role: MemberRole
    created_at: datetime


_SELECT = (
    "SELECT i.*, a.name AS account, u.name FROM invitations i JOIN accounts a ON a.id = i.account_id "
    "JOIN users u ON u.id = i.user_id"
)


def _view(row: Row) -> Invitation:
    return Invitation(
        account_id=row["account_id"],
        account=row["account"],
        user_id=row["user_id"],
        name=row["name"],
        role=row["role"],
        created_at=moment(row["created_at"]),
    )


async def of_account(tx: Tx, account_id: str) -> list[Invitation]:
    """Return what an account offers, by user."""
    return [_view(row) for row in await tx.fetch(f"{_SELECT} WHERE i.account_id = $1 ORDER BY u.name", account_id)]


async def of_user(tx: Tx, user_id: str) -> list[Invitation]:
    """Return what is offered to a user, by account."""
    return [_view(row) for row in await tx.fetch(f"{_SELECT} WHERE i.user_id = $1 ORDER BY a.name, a.id", user_id)]


async def invite(tx: Tx, account_id: str, user_id: str, role: MemberRole, invited_by: str) -> None:
    """Offer a user a membership, or offer another role."""
    await get_account(tx, account_id)
    await get_user(tx, user_id)
    await tx.execute(
        "INSERT INTO invitations (account_id, user_id, role, invited_by, created_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (account_id, user_id) DO UPDATE SET role = excluded.role, invited_by = excluded.invited_by",
        *(account_id, user_id, role, invited_by, now_ms()),
    )


async def accept(tx: Tx, account_id: str, user_id: str) -> None:
    """Become a member as it was offered, if whoever offered it still may.

    Raises
    ------
    Failure
        NOT_FOUND
    """
    row = await tx.fetchrow(
        "DELETE FROM invitations WHERE account_id = $1 AND user_id = $2 RETURNING role, invited_by", account_id, user_id
    )
    may = "SELECT 1 FROM members WHERE account_id = $1 AND user_id = $2 AND role IN ('owner', $3)"
    least = None if row is None else ("owner" if row["role"] == "owner" else "admin")
    if row is None or await tx.fetchval(may, account_id, row["invited_by"], least) is None:
        raise Failure(Reason.NOT_FOUND, "There is no such invitation")
    await set_member(tx, account_id, user_id, row["role"])


async def withdraw(tx: Tx, account_id: str, user_id: str) -> bool:
    """End an offer, by either side; False where there is none."""
    sql = "DELETE FROM invitations WHERE account_id = $1 AND user_id = $2"
    return await tx.execute(sql, account_id, user_id) == 1
