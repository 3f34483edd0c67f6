"""Sounds made of nothing but the standard library: a tone as WAV or PCM, silence in the packed formats.

Each lasts as long as it says, can be decoded, and carries the words TEST MODE where its container has room for them.

Sources: RFC 3533 and 7845 (Ogg, Opus), ISO 11172-3 (MP3 frames), ISO 13818-7 (ADTS), RFC 9639 (FLAC).
"""

from __future__ import annotations

import math
import struct
from array import array
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
NOTE = b"TEST MODE"


def sound(kind: str, seconds: float, pitch: float = 220.0) -> bytes:
    """Return a sound of about so many seconds.

    Parameters
    ----------
    pitch : float
        Hz of the tone, where there is one.
    """
    match kind:
        case "pcm":
            return _tone(seconds, pitch)
        case "wav":
            return _wav(_tone(seconds, pitch))
        case "mp3":
            # 24 kHz mono at 64 kbit/s, MPEG-2: 576 samples in 192 bytes, all of them zero.
            frame = b"\xff\xf3\x84\xc4" + bytes(188)
            return _id3() + frame * max(1, round(seconds * RATE / 576))
        case "aac":
            return _adts() * max(1, round(seconds * RATE / 1024))
        case "opus":
            return _opus(max(1, round(seconds / 0.02)))
        case _:
            return _flac(max(1, round(seconds * RATE / 4096)))


def _tone(seconds: float, pitch: float) -> bytes:
    wave = (round(6000 * math.sin(2 * math.pi * pitch * n / RATE)) for n in range(int(seconds * RATE)))
    return array("h", wave).tobytes()


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


def _adts() -> bytes:
    silence = b"\x00\xc8\x00\x80\x23\x80"
    length = 7 + len(silence)
    # AAC-LC, 24 kHz, mono, no checksum.
    head = bytes((0xFF, 0xF1, 0x40 | 6 << 2, 0x40 | length >> 11, length >> 3 & 255, (length & 7) << 5 | 0x1F, 0xFC))
    return head + silence


def _opus(packets: int) -> bytes:
    head = b"OpusHead\x01\x01" + struct.pack("<HIhB", 312, RATE, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 7) + b"deeepai" + struct.pack("<I", 1)
    tags += struct.pack("<I", 6 + len(NOTE)) + b"TITLE=" + NOTE
    pages = [_page(0, 0, 2, [head]), _page(1, 0, 0, [tags])]
    silence = b"\xf8\xff\xfe"
    for number, start in enumerate(range(0, packets, 50)):
        count = min(50, packets - start)
        last = start + count == packets
        pages.append(_page(2 + number, (start + count) * 960, 4 if last else 0, [silence] * count))
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
    # 4096 samples at 24 kHz, mono, 16 bit; one constant subframe of zero.
    head = b"\xff\xf8\xc7\x08" + chr(number).encode("utf-8")
    head += bytes((_crc(head, 0x07, 8),))
    body = head + b"\x00\x00\x00"
    return body + _crc(body, 0x8005, 16).to_bytes(2, "big")


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    top, mask, value = 1 << (bits - 1), (1 << bits) - 1, 0
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
    return value
