"""MP4 files of finished samples, with the index before them, so that a player may begin at once.

Source: ISO/IEC 14496-12 (boxes), 14496-14 and 14496-1 (`mp4a`), 14496-15 (`avc1`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MOVIE_CLOCK = 1000
NOTE = b"TEST MODE"
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@dataclass(frozen=True)
class Track:
    """Samples of one kind, each lasting as long."""

    kind: Literal["vide", "soun"]
    entry: bytes
    """Of the sample table: `avc1` or `mp4a`."""
    samples: Sequence[bytes]
    clock: int
    """Units of time in a second."""
    step: int
    """How many of them a sample lasts."""
    size: tuple[int, int] = (0, 0)
    keys: Sequence[int] = ()
    """Samples that a player can begin at, if not all."""
    first: int = 0
    """Units of time at the start that are not to be heard."""

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return (self.step * len(self.samples) - self.first) / self.clock


def mp4(*tracks: Track) -> bytes:
    """Return a file of some tracks."""
    start = _box("ftyp", b"isom", struct.pack(">I", 512), b"isomiso2avc1mp41")
    media = _box("mdat", *(sample for track in tracks for sample in track.samples))
    # How long the index is does not depend on the places that it names.
    place = len(start) + len(_index(tracks, 0)) + 8
    return start + _index(tracks, place) + media


def avc1(width: int, height: int, sequence: bytes, picture: bytes) -> bytes:
    """Return the entry of a film in H.264, from its parameter sets."""
    sets = b"".join(b"\x01" + struct.pack(">H", len(part)) + part for part in (sequence, picture))
    # The first set is counted in the five low bits of a byte, lengths of units have four bytes.
    config = _box("avcC", b"\x01" + sequence[1:4] + b"\xff\xe1" + sets[1:])
    return _box("avc1", struct.pack(">6xH16x2H2I4xH32xHh", 1, width, height, 0x480000, 0x480000, 1, 24, -1), config)


def mp4a(rate: int, config: bytes) -> bytes:
    """Return the entry of a sound of one channel in AAC."""
    decoder = _descriptor(4, b"\x40\x15" + bytes(11) + _descriptor(5, config))
    elementary = _descriptor(3, bytes(3) + decoder + _descriptor(6, b"\x02"))
    return _box("mp4a", struct.pack(">6xH8x2H4xI", 1, 1, 16, rate << 16), _full("esds", elementary))


def _index(tracks: Sequence[Track], place: int) -> bytes:
    longest = max(round(track.seconds * MOVIE_CLOCK) for track in tracks)
    movie = struct.pack(">4IIH10x", 0, 0, MOVIE_CLOCK, longest, 0x10000, 0x100) + _MATRIX + bytes(24)
    boxes = [_full("mvhd", movie, struct.pack(">I", len(tracks) + 1))]
    for number, track in enumerate(tracks, 1):
        boxes.append(_track(number, track, place))
        place += sum(map(len, track.samples))
    note = _box("data", struct.pack(">2I", 1, 0), NOTE)
    items = _box("ilst", _box("\xa9nam", note))
    about = _full("meta", _full("hdlr", struct.pack(">I4s4s9x", 0, b"mdir", b"appl")), items)
    return _box("moov", *boxes, _box("udta", about))


def _track(number: int, track: Track, place: int) -> bytes:
    sizes = [len(sample) for sample in track.samples]
    samples = _box(
        "stbl",
        _full("stsd", struct.pack(">I", 1), track.entry),
        _full("stts", struct.pack(">3I", 1, len(sizes), track.step)),
        *(
            [_full("stss", struct.pack(f">{1 + len(track.keys)}I", len(track.keys), *(key + 1 for key in track.keys)))]
            if track.keys
            else []
        ),
        _full("stsc", struct.pack(">4I", 1, 1, len(sizes), 1)),
        _full("stsz", struct.pack(f">{2 + len(sizes)}I", 0, len(sizes), *sizes)),
        _full("stco", struct.pack(">2I", 1, place)),
    )
    film = track.kind == "vide"
    head = _full("vmhd", bytes(8), flags=1) if film else _full("smhd", bytes(4))
    here = _box("dinf", _full("dref", struct.pack(">I", 1), _full("url ", flags=1)))
    duration = round(track.seconds * MOVIE_CLOCK)
    shown = struct.pack(">5I8x4H", 0, 0, number, 0, duration, 0, 0, 0 if film else 0x100, 0) + _MATRIX
    edits = _full("elst", struct.pack(">3I2H", 1, duration, track.first, 1, 0))
    media = _box(
        "mdia",
        _full("mdhd", struct.pack(">4I2H", 0, 0, track.clock, track.step * len(sizes), 0x55C4, 0)),
        _full("hdlr", struct.pack(">I4s12x", 0, track.kind.encode()), NOTE + b"\0"),
        _box("minf", head, here, samples),
    )
    sides = struct.pack(">2I", *(side << 16 for side in track.size))
    return _box("trak", _full("tkhd", shown, sides, flags=3), _box("edts", edits), media)


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes((tag, len(body))) + body


def _box(name: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name.encode("latin-1") + body


def _full(name: str, *parts: bytes, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", flags), *parts)
