"""How much is kept of each account's: counted in the transaction that keeps something or forgets it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .database import Row, Tx

Kind = Literal["files", "replays", "answers"]
"""Files of tasks and calls; answers under idempotency keys; answers that callers go on from."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is counted together."""

    account_id: str
    mode: str
    kind: Kind


class Full(Exception):
    """An account has as much as it may."""


async def add(tx: Tx, place: Place, size: int, most: int | None, items: int = 1) -> bool:
    """Count something in; False where that would be more bytes than the account may have: nothing changes then.

    Parameters
    ----------
    most : int or None
        None: however much there is.
    """
    key = (place.account_id, place.mode, place.kind)
    await tx.execute(
        "INSERT INTO kept (account_id, mode, kind, bytes, items) VALUES ($1, $2, $3, 0, 0) ON CONFLICT DO NOTHING", *key
    )
    return bool(
        await tx.execute(
            "UPDATE kept SET bytes = bytes + $4, items = items + $5 "
            "WHERE account_id = $1 AND mode = $2 AND kind = $3 AND bytes + $4 <= $6",
            *(*key, size, items, 1 << 62 if most is None else most),
        )
    )


async def remove(tx: Tx, kind: Kind, rows: Iterable[Row]) -> int:
    """Count out rows that were deleted, by their `account_id`, `mode` and `size`; return how many that were."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        own = sums[row["account_id"], row["mode"]]
        own[0] += row["size"]
        own[1] += 1
    # In one order, so that two who do it at once do not wait for each other.
    for (account_id, mode), (size, items) in sorted(sums.items()):
        await tx.execute(
            "UPDATE kept SET bytes = bytes - $4, items = items - $5 WHERE account_id = $1 AND mode = $2 AND kind = $3",
            *(account_id, mode, kind, size, items),
        )
    return sum(items for _, items in sums.values())


async def used(tx: Tx, place: Place) -> int:
    """Return the bytes that are kept."""
    return int(
        await tx.fetchval(
            "SELECT bytes FROM kept WHERE account_id = $1 AND mode = $2 AND kind = $3",
            *(place.account_id, place.mode, place.kind),
        )
        or 0
    )


async def totals(tx: Tx) -> dict[tuple[str, str], tuple[int, int]]:
    """Return bytes and items by kind and mode."""
    rows = await tx.fetch("SELECT kind, mode, SUM(bytes) AS bytes, SUM(items) AS items FROM kept GROUP BY kind, mode")
    return {(row["kind"], row["mode"]): (int(row["bytes"]), int(row["items"])) for row in rows}
