from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deeepai.upstream import Client


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.close()
