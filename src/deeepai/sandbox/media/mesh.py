"""A model for the answers that are three-dimensional: a coloured cube in binary glTF 2.0."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

_CORNERS = [(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]
_TRIANGLES = (
    0,
    1,
    3,
    0,
    3,
    2,
    4,
    6,
    7,
    4,
    7,
    5,
    0,
    4,
    5,
    0,
    5,
    1,
    2,
    3,
    7,
    2,
    7,
    6,
    0,
    2,
    6,
    0,
    6,
    4,
    1,
    5,
    7,
    1,
    7,
    3,
)


def cube(digest: bytes) -> bytes:
    """Return a GLB file: a cube whose colour follows from the digest."""
    indices = struct.pack(f"<{len(_TRIANGLES)}H", *_TRIANGLES)
    positions = b"".join(struct.pack("<3f", *corner) for corner in _CORNERS)
    binary = indices + positions
    colour = [*(part / 255 for part in digest[:3]), 1.0]
    scene: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "test mode"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "TEST MODE"}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 1}, "indices": 0, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorFactor": colour}}],
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": len(indices), "target": 34963},
            {"buffer": 0, "byteOffset": len(indices), "byteLength": len(positions), "target": 34962},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5123, "count": len(_TRIANGLES), "type": "SCALAR"},
            {
                "bufferView": 1,
                "componentType": 5126,
                "count": len(_CORNERS),
                "type": "VEC3",
                "min": [-0.5, -0.5, -0.5],
                "max": [0.5, 0.5, 0.5],
            },
        ],
    }
    text = msgspec.json.encode(scene)
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
