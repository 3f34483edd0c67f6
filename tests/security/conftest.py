from __future__ import annotations

from tests.money.conftest import db, db_url

__all__ = ["db", "db_url"]
