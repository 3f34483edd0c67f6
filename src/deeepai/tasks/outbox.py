"""Callbacks to callers: stored with the change that they tell of, delivered until they arrive.

Each carries the Standard Webhooks headers beside the vendor's own body; the id is the same on every try.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable

import aiohttp
import msgspec
import structlog
from standardwebhooks import Webhook

from .. import crash
from ..declare import HookMessage
from ..storage.database import Database, Row, Tx
from ..storage.ids import new_id, now_ms
from ..storage.leases import lease_rows
from .safe_fetch import SafeFetch, Unsafe
from .store import Stored

log = structlog.get_logger()

WAITS = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800)
"""Seconds between tries: ten tries over some sixteen hours."""
LIMIT = 15.0
"""Seconds that a receiver has for its answer."""
MARGIN = 15.0
"""Seconds after which somebody else may try what one node took and did not end."""
BATCH = 50

SecretOf = Callable[[str], str]


async def enqueue(tx: Tx, task: Stored, message: HookMessage, now: int) -> None:
    """Store a callback in the transaction of the change that it tells of; older news that did not arrive is dropped."""
    assert task.hook is not None
    await tx.execute(
        "UPDATE outbox SET state = 'superseded', next_at = NULL WHERE task_id = $1 AND state = 'pending'", task.id
    )
    await tx.execute(
        "INSERT INTO outbox (id, task_id, account_id, url, body, headers, state, next_at, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $7)",
        new_id("msg_"),
        task.id,
        task.account_id,
        task.hook.url,
        msgspec.json.encode(message.body).decode(),
        msgspec.json.encode(message.headers).decode(),
        now,
    )


class Outbox:
    """Delivers what is due.

    Parameters
    ----------
    secret : callable
        An account's signing secret (`whsec_…`).
    scale : float
        Multiplies the waits between tries, and the margin.
    """

    def __init__(self, db: Database, fetch: SafeFetch, secret: SecretOf, *, scale: float = 1.0) -> None:
        self._db = db
        self._fetch = fetch
        self._secret = secret
        self._scale = scale

    async def round(self) -> int:
        """Deliver what is due now; return how many were tried."""
        now = now_ms()
        rows = await self._db.write(
            lambda tx: lease_rows(
                tx,
                self._db.dialect,
                table="outbox",
                key="id",
                due="next_at",
                now=now,
                until=now + int((LIMIT + MARGIN * self._scale) * 1000),
                limit=BATCH,
            )
        )
        if rows:
            await asyncio.gather(*(self._deliver(row) for row in rows))
        return len(rows)

    async def _deliver(self, row: Row) -> None:
        attempt = int(row["attempts"]) + 1
        started = time.monotonic()
        status: int | None = None
        error: str | None = None
        body: str = row["body"]
        stamp = datetime.datetime.now(datetime.UTC)
        headers = {
            **msgspec.json.decode(row["headers"], type=dict[str, str]),
            "content-type": "application/json",
            "webhook-id": row["id"],
            "webhook-timestamp": str(int(stamp.timestamp())),
            "webhook-signature": Webhook(self._secret(row["account_id"])).sign(row["id"], stamp, body),
        }
        try:
            answer = await self._fetch.request(
                "POST", row["url"], headers=headers, body=body.encode(), limit=65536, seconds=LIMIT
            )
            status = answer.status
            crash.point("called_back")
        except Unsafe as fault:
            error = str(fault)
        except TimeoutError:
            error = f"no answer within {LIMIT:.0f} s"
        except (aiohttp.ClientError, OSError) as fault:
            error = type(fault).__name__
        delivered = status is not None and 200 <= status < 300
        ended = delivered or attempt > len(WAITS)
        state = "delivered" if delivered else "given_up" if ended else "pending"
        now = now_ms()
        due = None if ended else now + int(WAITS[attempt - 1] * 1000 * self._scale)
        took = int((time.monotonic() - started) * 1000)

        async def work(tx: Tx) -> None:
            await tx.execute(
                "INSERT INTO deliveries (outbox_id, attempt, status, error, duration_ms, created_at) "
                "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                row["id"],
                attempt,
                status,
                error,
                took,
                now,
            )
            await tx.execute(
                "UPDATE outbox SET state = $2, attempts = $3, next_at = $4, leased_until = 0 "
                "WHERE id = $1 AND state = 'pending'",
                row["id"],
                state,
                attempt,
                due,
            )

        await self._db.write(work)
        log.info("callback", id=row["id"], task=row["task_id"], attempt=attempt, status=status, error=error)
