"""Builds the parts of a query that depend on what was asked, values always apart from the text."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from ..declare import Failure, Reason
from ..storage.database import Value


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: an administrator sees everything, a user what lies in the user's accounts."""

    user_id: str
    admin: bool = False


@dataclass(slots=True)
class Where:
    """Conditions that all hold. In a condition `?` stands for the next value."""

    terms: list[str] = field(default_factory=list[str])
    args: list[Value] = field(default_factory=list[Value])

    def add(self, condition: str, *values: Value) -> Where:
        """Add a condition."""
        first, *rest = condition.split("?")
        text = first
        for piece, value in zip(rest, values, strict=True):
            self.args.append(value)
            text += f"${len(self.args)}{piece}"
        self.terms.append(text)
        return self

    def equal(self, column: str, value: Value) -> Where:
        """Add `column = value`, unless the value is None."""
        return self if value is None else self.add(f"{column} = ?", value)

    def visible(self, viewer: Viewer, account: str = "account_id", user: str | None = None) -> Where:
        """Add: the row lies in the viewer's accounts.

        Owners and administrators of an account see all of it; plain members only what is their own (`user` names that
        column) or, where rows have no user, nothing.
        """
        if viewer.admin:
            return self
        # The column for the user stands outside of the subqueries: inside it would mean the members' own.
        accounts = f"{account} IN (SELECT account_id FROM members WHERE user_id = ?"
        managed = f"{accounts} AND role IN ('owner', 'admin'))"
        if user is None:
            return self.add(managed, viewer.user_id)
        return self.add(f"{managed} OR ({user} = ? AND {accounts}))", *[viewer.user_id] * 3)

    def __str__(self) -> str:
        return "WHERE " + " AND ".join(f"({term})" for term in self.terms) if self.terms else ""


def assignments(values: dict[str, Value], first: int) -> str:
    """Return `a = $first, b = …` for the values in order."""
    return ", ".join(f"{column} = ${first + number}" for number, column in enumerate(values))


def insertion(table: str, values: dict[str, Value]) -> str:
    """Return an INSERT of the values in order."""
    places = ", ".join(f"${number + 1}" for number in range(len(values)))
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})"


def cursor(*parts: str | int) -> str:
    """Return an opaque place in a list."""
    return base64.urlsafe_b64encode("\n".join(map(str, parts)).encode()).decode().rstrip("=")


def place(text: str, parts: int = 2) -> tuple[int, *tuple[str, ...]]:
    """Read a cursor that begins with a time.

    Raises
    ------
    Failure
        INVALID.
    """
    try:
        at, *rest = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split("\n")
        if len(rest) == parts - 1 and 0 <= int(at) < 2**63 and "\0" not in text:
            return int(at), *rest
    except (binascii.Error, ValueError):
        pass
    raise Failure(Reason.INVALID, "The cursor is not one that a list gave", param="cursor")
