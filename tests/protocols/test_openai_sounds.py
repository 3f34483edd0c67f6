"""How long sounds are: in each container, in broken ones, and within bounded time."""

from __future__ import annotations

import random
import struct
import time

import pytest

from deeepai.declare import Part
from deeepai.protocols.openai.sounds import seconds_of
from deeepai.sandbox.media.sounds import sound

MEGABYTE = 1024 * 1024


def seconds(data: bytes, name: str | None = None) -> float:
    return seconds_of(Part("file", memoryview(data), name, None))


@pytest.mark.parametrize("kind", ["mp3", "opus", "flac", "wav"])
@pytest.mark.parametrize("named", [True, False])
def test_each_container_says_how_long_it_is(kind: str, named: bool) -> None:
    data = sound(kind, 4.8)
    assert seconds(data, f"a.{kind}" if named else None) == pytest.approx(4.8, abs=0.1)


def test_vorbis_is_measured_by_its_own_rate() -> None:
    first = b"\x01vorbis" + struct.pack("<IBI", 0, 1, 22_050) + bytes(14)
    pages = [
        b"OggS\0" + struct.pack("<BqIIIB", flags, position, 1, number, 0, 1) + bytes([len(packet)]) + packet
        for number, (flags, position, packet) in enumerate(((2, 0, first), (4, 22_050 * 7, b"x" * 200)))
    ]
    whole = b"".join(pages)
    assert 5 < seconds(whole) < 7, "not longer than so few bytes can last"
    assert seconds(b"".join([pages[0], bytes(200), pages[1]])) == 7


def test_what_says_nothing_is_measured_by_its_size() -> None:
    assert seconds(b"") == 0
    assert seconds(b"\x1aE\xdf\xa3" + bytes(15_996), "a.webm") == 1
    assert seconds(b"OggS" + bytes(15_996), "a.ogg") == 1


def test_a_container_that_exaggerates_is_not_believed() -> None:
    data = bytearray(sound("opus", 2.0))
    last = data.rfind(b"OggS")
    struct.pack_into("<q", data, last + 6, 2**62)
    assert seconds(bytes(data)) < 60
    struct.pack_into("<q", data, last + 6, -1)
    assert seconds(bytes(data)) < 60
    assert seconds(sound("wav", 0.1) + bytes(3 * MEGABYTE), "a.wav") > 2


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.flac", "a.m4a", "a.wav", "a.aiff", "a.wma", "a.webm", None])
@pytest.mark.parametrize("start", [b"", b"ID3\x04\0\0\0\0\0\0", b"\0\0\0\x20ftypM4A ", b"RIFF\xff\xff\xff\xffWAVE"])
def test_nothing_takes_long(name: str | None, start: bytes) -> None:
    noise = random.Random(1).randbytes(4 * MEGABYTE)
    for data in (start + noise, start + bytes(4 * MEGABYTE), (sound("opus", 0.1) * 20_000)[: 4 * MEGABYTE]):
        before = time.process_time()
        assert seconds(data, name) > 0
        assert time.process_time() - before < 0.5
