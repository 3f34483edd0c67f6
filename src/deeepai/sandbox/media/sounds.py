"""Sounds made of nothing but the standard library: a tone; in Opus a hum.

Each lasts as long as it says, can be decoded, and carries the words TEST MODE where its container has room for them.

A sine between two lines of a lapped transform is one line of it in every frame, and that alone: so a frame of MP3 or
AAC is a number, and all frames are alike. In FLAC a sine is what its predictor makes of two samples, uncorrected.

Sources: RFC 3533 and 7845 (Ogg, Opus), ISO 11172-3 (MP3), ISO 13818-7 and 14496-3 (AAC), RFC 9639 (FLAC).
"""

from __future__ import annotations

import math
import struct
from array import array
from functools import lru_cache
from typing import Literal

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
MIME: dict[str, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
RATE = 24_000
PACKED_RATE = 48_000
"""Samples a second of MP3 and AAC."""
AAC_FRAME = 1024
AAC_CONFIG = b"\x11\x88"
"""Of the decoder: low complexity, 48 kHz, one channel."""
NOTE = b"TEST MODE"


def sound(kind: str, seconds: float, pitch: float = 220.0) -> bytes:
    """Return a sound of about so many seconds.

    Parameters
    ----------
    pitch : float
        Hz of the tone in WAV and PCM; it has 375 in MP3 and AAC, 246 in FLAC, some 550 in Opus.
    """
    match kind:
        case "pcm":
            return _tone(seconds, pitch)
        case "wav":
            return _wav(_tone(seconds, pitch))
        case "mp3":
            return _id3() + _mp3() * max(1, round(seconds * PACKED_RATE / 1152))
        case "aac":
            return _adts() * max(1, round(seconds * PACKED_RATE / AAC_FRAME))
        case "opus":
            return _opus(max(1, round(seconds / 0.02)))
        case _:
            return _flac(max(1, round(seconds * RATE / 4096)))


def _tone(seconds: float, pitch: float) -> bytes:
    count = int(seconds * RATE) * 2
    second = _second(max(1, round(pitch)))
    return (second * (count // len(second) + 1))[:count]


@lru_cache(maxsize=32)
def _second(pitch: int) -> bytes:
    return array("h", (round(6000 * math.sin(2 * math.pi * pitch * n / RATE)) for n in range(RATE))).tobytes()


def _wav(samples: bytes) -> bytes:
    note = b"ICMT" + struct.pack("<I", len(NOTE) + 1) + NOTE + b"\0"
    extra = b"LIST" + struct.pack("<I", 4 + len(note)) + b"INFO" + note
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, RATE * 2, 2, 16)
    body = b"WAVE" + form + b"data" + struct.pack("<I", len(samples)) + samples + extra
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _id3() -> bytes:
    text = b"\x03" + NOTE
    frame = b"TIT2" + struct.pack(">IH", len(text), 0) + text
    size = len(frame)
    return b"ID3\x04\x00\x00" + bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127)) + frame


def _packed(*fields: tuple[int, int]) -> bytes:
    """Pack values of so many bits each; the last byte is filled with zeros."""
    bits = "".join(f"{value:0{count}b}" for value, count in fields)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def _mp3() -> bytes:
    # 48 kHz mono at 32 kbit/s: 1152 samples in 96 bytes. Line 8 (375 Hz) is 1 in the first granule, -1 in the second:
    # four pairs of zeros, then (1, 0) by Huffman table 1.
    granule = ((7, 12), (5, 9), (200, 8), (0, 5), (1, 5), (1, 5), (1, 5), (0, 10))
    lines = ((0b1111, 4), (0b01, 2))
    frame = _packed((0xFFFB14C4, 32), (0, 18), *granule, *granule, *lines, (0, 1), *lines, (1, 1))
    return frame.ljust(96, b"\0")


def aac() -> bytes:
    """Return the frame of 1024 samples that is repeated; what is heard of a sound begins with the second."""
    # A long window, five bands: four without content, and one by Huffman table 5, where line 16 (375 Hz) is 1, as the
    # pairs (1, 0) and (0, 0).
    head = ((0, 7), (190, 8), (0, 4), (5, 6), (0, 1))
    return _packed(*head, (0, 4), (4, 5), (5, 4), (1, 5), (0, 1), (0, 3), (0b1001, 4), (0, 1), (0b111, 3))


def _adts() -> bytes:
    frame = aac()
    length = 7 + len(frame)
    # AAC-LC, 48 kHz, mono, no checksum.
    head = bytes((0xFF, 0xF1, 0x40 | 3 << 2, 0x40 | length >> 11, length >> 3 & 255, (length & 7) << 5 | 0x1F, 0xFC))
    return head + frame


def _opus(packets: int) -> bytes:
    head = b"OpusHead\x01\x01" + struct.pack("<HIhB", 312, RATE, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 7) + b"deeepai" + struct.pack("<I", 1)
    tags += struct.pack("<I", 6 + len(NOTE)) + b"TITLE=" + NOTE
    pages = [_page(0, 0, 2, [head]), _page(1, 0, 0, [tags])]
    # One channel, 20 ms, CELT: found by trying until it hummed.
    hum = bytes.fromhex("f82210c753")
    for number, start in enumerate(range(0, packets, 50)):
        count = min(50, packets - start)
        last = start + count == packets
        pages.append(_page(2 + number, (start + count) * 960, 4 if last else 0, [hum] * count))
    return b"".join(pages)


def _page(number: int, position: int, flags: int, packets: list[bytes]) -> bytes:
    lacing = bytes(len(packet) for packet in packets)
    head = b"OggS\0" + struct.pack("<BqIIIB", flags, position, 1, number, 0, len(lacing))
    page = bytearray(head + lacing + b"".join(packets))
    struct.pack_into("<I", page, 22, _crc(bytes(page), 0x04C11DB7, 32))
    return bytes(page)


def _flac(frames: int) -> bytes:
    total = frames * 4096
    packed = RATE << 44 | 0 << 41 | 15 << 36 | total
    info = struct.pack(">HH", 4096, 4096) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    comment = struct.pack("<I", 7) + b"deeepai" + struct.pack("<II", 1, 6 + len(NOTE)) + b"TITLE=" + NOTE
    blocks = b"\x00" + len(info).to_bytes(3, "big") + info + b"\x84" + len(comment).to_bytes(3, "big") + comment
    return b"fLaC" + blocks + b"".join(_flac_frame(number) for number in range(frames))


def _flac_frame(number: int) -> bytes:
    # 4096 samples at 24 kHz, mono, 16 bit: 42 whole waves. A sine is 2 cos(w) times the sample before less the one
    # before that: coefficients of 15 bits, in 8192ths, after two samples, and corrections of no bits.
    step = 2 * math.pi * 42 / 4096
    second = round(6000 * math.sin(step))
    head = b"\xff\xf8\xc7\x08" + chr(number).encode("utf-8")
    head += bytes((_crc(head, 0x07, 8),))
    factors = ((14, 4), (13, 5), (round(2 * math.cos(step) * 8192), 15), (2**15 - 8192, 15))
    body = head + _packed((0b01000010, 8), (0, 16), (second, 16), *factors, (0, 6), (15, 4), (0, 5))
    return body + _crc(body, 0x8005, 16).to_bytes(2, "big")


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    table, value, mask = _remainders(polynomial, bits), 0, (1 << bits) - 1
    for byte in data:
        value = (value << 8 & mask) ^ table[value >> (bits - 8) ^ byte]
    return value


@lru_cache(maxsize=4)
def _remainders(polynomial: int, bits: int) -> list[int]:
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    table: list[int] = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
        table.append(value)
    return table
