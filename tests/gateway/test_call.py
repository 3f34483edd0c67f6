"""A call on its way: what is refused before anything is sent holds no money."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.toy import PRICE, key, running, toy

CREDIT = 10**9
"""Of each account of the toy's, 10⁻⁹ USD."""


@pytest.mark.parametrize("path", ["/toy/prompt", "/toy/jobs"])
async def test_a_request_that_is_refused_for_its_words_holds_nothing(tmp_path: Path, path: str) -> None:
    async with running(tmp_path, toy()) as place:
        wrong = {**key("ada"), "x-deeepai-routing": "luck"}
        for _ in range(CREDIT // PRICE + 1):
            async with place.client.post(place.url + path, json={"model": "m"}, headers=wrong) as answer:
                assert answer.status == 400
        status, said = await place.ask("POST", path, {"model": "m"})
        assert status in (200, 202), said
        assert len(place.vendor.asked) == 1
