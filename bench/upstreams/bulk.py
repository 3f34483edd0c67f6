"""An upstream for large bodies: takes an upload of any size, answers with vectors, pictures or a line of text.

Prints its port. It speaks just enough HTTP/1.1 for the bench.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random

BLOCK = 256 * 1024
DIMENSIONS = 1536


def vectors(count: int) -> bytes:
    """Return an embeddings answer with vectors of floats."""
    seeded = random.Random(7)
    row = [round(seeded.uniform(-0.1, 0.1), 8) for _ in range(DIMENSIONS)]
    data = [{"object": "embedding", "index": number, "embedding": row} for number in range(count)]
    usage = {"prompt_tokens": 9 * count, "total_tokens": 9 * count}
    return json.dumps({"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}).encode()


def picture(size: int) -> bytes:
    """Return an image answer of about `size` bytes."""
    image = base64.b64encode(random.Random(7).randbytes(size * 3 // 4)).decode()
    usage = {"input_tokens": 12, "output_tokens": 4160, "total_tokens": 4172}
    return json.dumps({"created": 1700000000, "data": [{"b64_json": image}], "usage": usage}).encode()


ANSWERS = {
    "/v1/embeddings": vectors(1000),
    "/v1/images/generations": picture(20_000_000),
    "/v1/audio/transcriptions": b'{"text":"hello","usage":{"type":"duration","seconds":60}}',
}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
            left = int(lengths[0].partition(":")[2]) if lengths else 0
            while left:
                piece = await reader.read(min(left, BLOCK))
                if not piece:
                    return
                left -= len(piece)
            body = ANSWERS.get(head.split(" ")[1], b"{}")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
            for start in range(0, len(body), BLOCK):
                writer.write(body[start : start + BLOCK])
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=BLOCK)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
