"""What an operator would look at: the database of a data folder, read from outside."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import urllib.request
from pathlib import Path
from typing import Any

from deeepai.accounts.vault import Vault
from deeepai.tasks.secrets import webhook_secret
from tests.stack import Gateway
from tests.support.until import PATIENCE, until


def rows(gateway: Gateway, sql: str, *args: Any) -> list[dict[str, Any]]:
    # What is charged reaches the tables a moment later.
    until(lambda: gateway.dead or all(not file.stat().st_size for file in charges(gateway)))
    connection = sqlite3.connect(f"file:{gateway.data / 'deeepai.db'}?mode=ro", uri=True, timeout=PATIENCE)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(sql, args)]
    finally:
        connection.close()


def charges(gateway: Gateway) -> list[Path]:
    """Return the journals of the gateway's nodes."""
    return list((gateway.data / "deeepai.db-files").glob("*.charges"))


def asked_of(gateway: Gateway, words: str) -> dict[str, Any] | None:
    """Return the first request with these words that reached the gateway's vendors."""
    assert gateway.sandbox is not None
    return next((entry for entry in gateway.sandbox.requests() if words in json.dumps(entry["body"])), None)


def account_secret(gateway: Gateway) -> str:
    """Return what the receivers of an account's callbacks check signatures with: that of the live token."""
    digest = hashlib.sha256(gateway.live.encode()).hexdigest()
    (token,) = rows(gateway, "SELECT account_id FROM tokens WHERE digest = ?", digest)
    return webhook_secret(Vault.open(gateway.data / "secret.key").derive("webhooks"), token["account_id"])


def usage_row(gateway: Gateway, request_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = rows(gateway, "SELECT * FROM usage WHERE request_id = ?", request_id)
        return found[0] if found else None

    row = until(look)
    row["consumed"] = json.loads(row["consumed"] or "null")
    return row


def paid(gateway: Gateway, request_id: str | None) -> dict[str, Any]:
    """Return the usage row of work, once it has ended; it is looked at now, not only every ten seconds."""

    def ended() -> bool:
        (task,) = rows(gateway, "SELECT finished_at, hook_key, id FROM tasks WHERE request_id = ?", request_id)
        if not task["finished_at"]:
            hook = f"{gateway.url}/hooks/{task['id']}/{task['hook_key']}"
            urllib.request.urlopen(urllib.request.Request(hook, b"{}", method="POST"), timeout=PATIENCE).close()
        return bool(task["finished_at"])

    until(ended)
    assert not rows(gateway, "SELECT 1 FROM holds WHERE request_id = ?", request_id)
    return usage_row(gateway, request_id or "")
