from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deeepai.storage.connect import open_database
from deeepai.storage.database import Database
from tests.servers import new_postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
async def db_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/a.db" if request.param == "sqlite" else await new_postgresql()


@pytest.fixture
async def db(db_url: str) -> AsyncIterator[Database]:
    db = await open_database(db_url)
    yield db
    await db.close()
