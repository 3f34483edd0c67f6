"""Files as players and download managers ask for them: in parts, again, or only whether they are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deeepai.gateway import ranges
from tests.stack import Gateway
from tests.support.http import Got, call, post
from tests.support.until import until
from tests.wire.test_browsers import CHROMIUM, in_chromium

Ask = Callable[..., Got]


def made(gateway: Gateway, path: str, body: object, look: str, done: Callable[[Got], str | None]) -> str:
    task = str(post(gateway, path, body).json["id" if path == "/v1/videos" else "result"])
    return until(lambda: done(call(gateway, "GET", look.format(task), key=gateway.live)))


@pytest.fixture(scope="module")
def film(gateway: Gateway) -> str:
    """The path of a video's file, which takes a token."""
    return made(
        gateway,
        "/v1/videos",
        {"model": "sora-2", "prompt": "a mill by a river", "seconds": "4"},
        "/v1/videos/{}",
        lambda got: f"/v1/videos/{got.json['id']}/content" if got.json["status"] == "completed" else None,
    )


@pytest.fixture(scope="module")
def picture(gateway: Gateway) -> str:
    """The path of a picture with a signature."""

    def done(got: Got) -> str | None:
        parts = urlsplit(got.json.get("imageUrl") or "")
        return f"{parts.path}?{parts.query}" if got.json["status"] == "SUCCESS" else None

    return made(gateway, "/mj/submit/imagine", {"prompt": "a mill by a river"}, "/mj/task/{}/fetch", done)


@pytest.fixture(params=["film", "picture"])
def ask(request: pytest.FixtureRequest, gateway: Gateway) -> Ask:
    """Ask for a file, whichever way it is served."""
    path: str = request.getfixturevalue(request.param)

    def send(method: str = "GET", **headers: str) -> Got:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return call(gateway, method, path, key=gateway.live, headers=sent)

    return send


def test_a_file_comes_in_parts(ask: Ask) -> None:
    whole = ask()
    size = len(whole.body)
    assert (whole.status, whole.headers["accept-ranges"]) == (200, "bytes")
    for wanted, first, end in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, size),
        ("bytes=-50", size - 50, size),
        (f"bytes=10-{size * 2}", 10, size),
        (f"bytes=-{size * 2}", 0, size),
    ):
        part = ask(range=wanted)
        assert part.body == whole.body[first:end]
        assert part.headers["content-length"] == str(end - first)
        assert part.headers["content-type"] == whole.headers["content-type"]
        if (first, end) == (0, size):
            assert part.status == 200
        else:
            assert (part.status, part.headers["content-range"]) == (206, f"bytes {first}-{end - 1}/{size}")


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "bytes=", "bytes=9-3", "bytes=a-b", "lines=1-2"])
def test_what_cannot_be_given_in_parts_comes_whole(ask: Ask, wanted: str) -> None:
    assert (ask(range=wanted).status, ask(range=wanted).body) == (200, ask().body)


def test_a_part_beyond_the_end(ask: Ask) -> None:
    size = len(ask().body)
    beyond = ask(range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["content-range"], beyond.body) == (416, f"bytes */{size}", b"")


def test_a_download_goes_on_only_where_the_file_is_the_same(ask: Ask) -> None:
    tag = ask().headers["etag"]
    assert ask(range="bytes=5-9", if_range=tag).status == 206
    assert ask(range="bytes=5-9", if_range='"another"').status == 200
    assert ask(range="bytes=5-9", if_range="Wed, 21 Oct 2026 07:28:00 GMT").status == 200
    unchanged = ask(if_none_match=f'"x", {tag}')
    assert (unchanged.status, unchanged.body, unchanged.headers["etag"]) == (304, b"", tag)
    assert ask(if_none_match='"x"').status == 200


def test_whether_it_is_there_can_be_asked(ask: Ask) -> None:
    whole, head = ask(), ask("HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-length", "content-type", "accept-ranges", "etag"):
        assert head.headers[name] == whole.headers[name]


def test_heads_of_lists(gateway: Gateway) -> None:
    for path in ("/v1/models", "/v1/files", "/v1beta/models"):
        head = call(gateway, "HEAD", path, key=gateway.live)
        assert (head.status, head.body) == (200, b""), path
        assert int(head.headers["content-length"]) > 0


def test_a_film_may_be_played_where_it_is_opened(ask: Ask) -> None:
    policy = ask().headers["content-security-policy"]
    assert {"sandbox allow-same-origin", "default-src 'none'", "media-src 'self'", "img-src 'self'"} <= set(
        policy.split("; ")
    )


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed here")
def test_a_page_in_chromium_reads_a_part_of_a_film(gateway: Gateway, film: str, tmp_path: Path) -> None:
    seen = in_chromium(
        f"""
        const film = await (await fetch("{gateway.url}{film}", {{headers: {{
            authorization: "Bearer {gateway.live}", range: "bytes=4-7"}}}})).text();
        return film;
        """,
        tmp_path,
    )
    assert seen == "ftyp"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=9-", range(9, 10)),
        ("bytes=10-", range(10, 10)),
        ("bytes=-0", range(10, 10)),
        ("bytes=-3", range(7, 10)),
        ("Bytes= 2-4", range(2, 5)),
        ("bytes=4-2", range(10)),
        ("bytes=١-٢", range(10)),
        ("", range(10)),
    ],
)
def test_ranges_are_read_as_the_rfc_says(header: str, expected: range) -> None:
    assert ranges.read(header, 10) == expected
