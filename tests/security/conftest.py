from __future__ import annotations

from tests.control.conftest import api
from tests.money.conftest import db, db_url

__all__ = ["api", "db", "db_url"]
