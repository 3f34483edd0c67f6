"""Accounts, users, and who is a member of what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..declare import Failure, Reason
from ..storage.database import Row, Tx, Value
from ..storage.ids import new_id, now_ms
from .changes import bump
from .query import Viewer, Where, assignments, insertion
from .units import Usd, moment, usd

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern="^[^\\x00-\\x1f\\x7f]*$")]
Password = Annotated[str, Meta(min_length=8, max_length=200)]
Status = Literal["enabled", "disabled"]
Role = Literal["admin", "user"]
MemberRole = Literal["owner", "admin", "member"]
Kind = Literal["person", "organisation"]


class Account(msgspec.Struct, kw_only=True):
    """Who pays."""

    id: str
    kind: Kind
    name: str
    price_group: str
    status: Status
    available: Usd
    held: Usd
    spent: Usd
    created_at: datetime


class NewAccount(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An account to be made."""

    name: Name
    kind: Kind = "organisation"
    price_group: Name = "default"
    owner_id: str | None = None


class AccountChanges(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may change of an account."""

    name: Name | UnsetType = UNSET
    price_group: Name | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class User(msgspec.Struct, kw_only=True):
    """A person who signs in."""

    id: str
    name: str
    email: str | None
    role: Role
    status: Status
    source: str
    created_at: datetime


class NewUser(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A user to be made. Without a password one is generated, and answered once."""

    name: Name
    password: Password | None = None
    email: Annotated[str, Meta(max_length=320)] | None = None
    role: Role = "user"
    account: bool = True
    """Whether to make the user's own account, too."""


class UserChanges(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may change of a user."""

    name: Name | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    email: Annotated[str, Meta(max_length=320)] | UnsetType | None = UNSET
    role: Role | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class Member(msgspec.Struct, kw_only=True):
    """A user's part in an account."""

    user_id: str
    name: str
    role: MemberRole


def _account(row: Row) -> Account:
    return Account(
        id=row["id"],
        kind=row["kind"],
        name=row["name"],
        price_group=row["price_group"],
        status=row["status"],
        available=usd(row["available"]),
        held=usd(row["held"]),
        spent=usd(row["spent"]),
        created_at=moment(row["created_at"]),
    )


def _user(row: Row) -> User:
    return User(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        role=row["role"],
        status=row["status"],
        source=row["source"],
        created_at=moment(row["created_at"]),
    )


def changed(changes: msgspec.Struct) -> dict[str, Value]:
    """Return the fields that are set, by name."""
    pairs = ((name, getattr(changes, name)) for name in changes.__struct_fields__)
    return {name: value for name, value in pairs if value is not UNSET}


async def check_group(tx: Tx, name: str | None) -> None:
    """Raise INVALID where there is no such price group."""
    if name in (None, "default"):
        return
    if await tx.fetchval("SELECT 1 FROM price_groups WHERE name = $1", name) is None:
        raise Failure(Reason.INVALID, f"There is no price group {name!r}", param="price_group")


# Accounts ----------------------------------------------------------------------------------------------------------


async def create_account(tx: Tx, new: NewAccount) -> str:
    """Make an account with nothing in it; return its id."""
    await check_group(tx, new.price_group)
    if new.owner_id is not None:
        await get_user(tx, new.owner_id)
    values: dict[str, Value] = {
        "id": new_id("acc_"),
        "kind": new.kind,
        "name": new.name,
        "price_group": new.price_group,
        "created_at": now_ms(),
    }
    await tx.execute(insertion("accounts", values), *values.values())
    account_id = str(values["id"])
    if new.owner_id is not None:
        await set_member(tx, account_id, new.owner_id, "owner")
    return account_id


async def list_accounts(tx: Tx, viewer: Viewer, *, after: str | None = None, limit: int = 100) -> list[Account]:
    """Return accounts by id."""
    where = _seen(viewer)
    if after is not None:
        where.add("id > ?", after)
    rows = await tx.fetch(f"SELECT * FROM accounts {where} ORDER BY id LIMIT {int(limit)}", *where.args)
    return [_account(row) for row in rows]


async def get_account(tx: Tx, account_id: str, viewer: Viewer | None = None) -> Account:
    """Return an account that the viewer may see.

    Raises
    ------
    Failure
        NOT_FOUND.
    """
    where = (Where() if viewer is None else _seen(viewer)).add("id = ?", account_id)
    row = await tx.fetchrow(f"SELECT * FROM accounts {where}", *where.args)
    if row is None:
        raise Failure(Reason.NOT_FOUND, "There is no such account")
    return _account(row)


def _seen(viewer: Viewer) -> Where:
    # Every member may look at the account's balance.
    where = Where()
    return (
        where if viewer.admin else where.add("id IN (SELECT account_id FROM members WHERE user_id = ?)", viewer.user_id)
    )


async def account_named(tx: Tx, name: str) -> Account | None:
    """Return the oldest account of that name or id."""
    row = await tx.fetchrow("SELECT * FROM accounts WHERE id = $1 OR name = $1 ORDER BY id LIMIT 1", name)
    return None if row is None else _account(row)


async def update_account(tx: Tx, account_id: str, changes: AccountChanges) -> None:
    """Change an account."""
    values = changed(changes)
    await get_account(tx, account_id)
    if changes.price_group is not UNSET:
        await check_group(tx, changes.price_group)
    if values:
        await tx.execute(f"UPDATE accounts SET {assignments(values, 2)} WHERE id = $1", account_id, *values.values())
        await bump(tx)


# Members -----------------------------------------------------------------------------------------------------------


async def list_members(tx: Tx, account_id: str) -> list[Member]:
    """Return an account's members by name."""
    rows = await tx.fetch(
        "SELECT m.user_id, u.name, m.role FROM members m JOIN users u ON u.id = m.user_id "
        "WHERE m.account_id = $1 ORDER BY u.name",
        account_id,
    )
    return [Member(user_id=row["user_id"], name=row["name"], role=row["role"]) for row in rows]


async def set_member(tx: Tx, account_id: str, user_id: str, role: MemberRole, *, source: str = "api") -> None:
    """Make a user a member, or change the role.

    Raises
    ------
    Failure
        NOT_FOUND; CONFLICT, where the last owner would be none, unless the declarative file says so.
    """
    await get_account(tx, account_id)
    await get_user(tx, user_id)
    if source != "file":
        await _keep_owner(tx, account_id, user_id, role)
    await tx.execute("DELETE FROM invitations WHERE account_id = $1 AND user_id = $2", account_id, user_id)
    await tx.execute(
        "INSERT INTO members (account_id, user_id, role) VALUES ($1, $2, $3) "
        "ON CONFLICT (account_id, user_id) DO UPDATE SET role = excluded.role",
        account_id,
        user_id,
        role,
    )


async def role_of(tx: Tx, account_id: str, user_id: str) -> MemberRole | None:
    """Return a user's role in an account; None where the user is no member."""
    sql = "SELECT role FROM members WHERE account_id = $1 AND user_id = $2"
    return await tx.fetchval(sql, account_id, user_id)


async def _keep_owner(tx: Tx, account_id: str, user_id: str, role: MemberRole | None) -> None:
    """Refuse to take the last owner from an account, in whatever order that is tried at once."""
    await tx.execute("UPDATE accounts SET kind = kind WHERE id = $1", account_id)
    if role == "owner" or await role_of(tx, account_id, user_id) != "owner":
        return
    others = "SELECT COUNT(*) FROM members WHERE account_id = $1 AND user_id <> $2 AND role = 'owner'"
    if not await tx.fetchval(others, account_id, user_id):
        raise Failure(Reason.CONFLICT, "The last owner of an account stays its owner")


async def remove_member(tx: Tx, account_id: str, user_id: str, *, source: str = "api") -> None:
    """End a membership; the member's tokens of that account are disabled.

    Raises
    ------
    Failure
        NOT_FOUND; CONFLICT, as `set_member` does.
    """
    if source != "file":
        await _keep_owner(tx, account_id, user_id, None)
    if not await tx.execute("DELETE FROM members WHERE account_id = $1 AND user_id = $2", account_id, user_id):
        raise Failure(Reason.NOT_FOUND, "There is no such member")
    ours = "WHERE account_id = $1 AND user_id = $2 AND status = 'enabled'"
    for row in await tx.fetch(f"SELECT id, limits_by FROM tokens {ours}", account_id, user_id):
        setters = msgspec.json.decode(row["limits_by"]) | {"status": "owner"}
        await tx.execute(
            "UPDATE tokens SET status = 'disabled', limits_by = $2 WHERE id = $1",
            *(row["id"], msgspec.json.encode(setters).decode()),
        )
    await bump(tx)


async def may_manage(tx: Tx, account_id: str, viewer: Viewer) -> bool:
    """Tell whether the viewer is the installation's administrator, or owner or administrator of the account."""
    if viewer.admin:
        return True
    sql = "SELECT 1 FROM members WHERE account_id = $1 AND user_id = $2 AND role IN ('owner', 'admin')"
    return await tx.fetchval(sql, account_id, viewer.user_id) is not None


# Users -------------------------------------------------------------------------------------------------------------


async def create_user(tx: Tx, new: NewUser, password: str, source: str = "api") -> tuple[str, str | None]:
    """Make a user, and an account of the user's own unless that is not wanted.

    Parameters
    ----------
    password : str
        The stored form; hashing is too slow for a transaction.

    Returns
    -------
    user id, account id

    Raises
    ------
    Failure
        CONFLICT, where the name is taken.
    """
    user_id = new_id("usr_")
    values: dict[str, Value] = {
        "id": user_id,
        "name": new.name,
        "email": new.email,
        "password": password,
        "role": new.role,
        "source": source,
        "created_at": now_ms(),
    }
    if not await tx.execute(insertion("users", values) + " ON CONFLICT (name) DO NOTHING", *values.values()):
        raise Failure(Reason.CONFLICT, "A user of that name exists already", param="name")
    if not new.account:
        return user_id, None
    account_id = await create_account(tx, NewAccount(name=new.name, kind="person", owner_id=user_id))
    await tx.execute("UPDATE users SET account_id = $2 WHERE id = $1", user_id, account_id)
    return user_id, account_id


async def own_account(tx: Tx, user_id: str) -> str | None:
    """Return a user's own account, which no membership changes; else the only one that the user is a member of."""
    own = "SELECT u.account_id FROM users u JOIN members m ON m.user_id = u.id AND m.account_id = u.account_id "
    account_id = await tx.fetchval(own + "WHERE u.id = $1", user_id)
    if account_id is not None:
        return account_id
    rows = await tx.fetch("SELECT account_id FROM members WHERE user_id = $1 LIMIT 2", user_id)
    return rows[0]["account_id"] if len(rows) == 1 else None


async def list_users(tx: Tx, *, after: str | None = None, limit: int = 100) -> list[User]:
    """Return users by id."""
    rows = await tx.fetch(f"SELECT * FROM users WHERE id > $1 ORDER BY id LIMIT {int(limit)}", after or "")
    return [_user(row) for row in rows]


async def get_user(tx: Tx, user_id: str) -> User:
    """Return a user.

    Raises
    ------
    Failure
        NOT_FOUND.
    """
    row = await tx.fetchrow("SELECT * FROM users WHERE id = $1", user_id)
    if row is None:
        raise Failure(Reason.NOT_FOUND, "There is no such user")
    return _user(row)


async def user_named(tx: Tx, name: str) -> tuple[User, str | None] | None:
    """Return a user by name or id, with the stored password."""
    row = await tx.fetchrow("SELECT * FROM users WHERE name = $1 OR id = $1", name)
    return None if row is None else (_user(row), row["password"])


async def update_user(tx: Tx, user_id: str, changes: UserChanges, password: str | None = None) -> None:
    """Change a user; `password` is the stored form of a new one. A new password or a lost right ends all sessions.

    Raises
    ------
    Failure
        CONFLICT, where the name is taken or nobody would be left to administer.
    """
    before = await get_user(tx, user_id)
    values = changed(changes)
    values.pop("password", None)
    if password is not None:
        values["password"] = password
    if not values:
        return
    taken = await tx.fetchval("SELECT 1 FROM users WHERE name = $1 AND id <> $2", values.get("name"), user_id)
    if taken is not None:
        raise Failure(Reason.CONFLICT, "A user of that name exists already", param="name")
    await tx.execute(f"UPDATE users SET {assignments(values, 2)} WHERE id = $1", user_id, *values.values())
    if before.role == "admin":
        left = await tx.fetchval("SELECT COUNT(*) FROM users WHERE role = 'admin' AND status = 'enabled'")
        if not left:
            raise Failure(Reason.CONFLICT, "The last administrator must stay one")
    if password is not None or values.get("status") == "disabled" or values.get("role", before.role) != before.role:
        await tx.execute("DELETE FROM sessions WHERE user_id = $1", user_id)
    await bump(tx)


class Balance(msgspec.Struct, kw_only=True):
    """What an account has."""

    available: Usd
    held: Usd
    spent: Usd
    currency: Literal["USD"] = "USD"


def balance_of(account: Account) -> Balance:
    """Return an account's balance."""
    return Balance(available=account.available, held=account.held, spent=account.spent)
