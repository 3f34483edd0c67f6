#!/usr/bin/env bash
# httpcore 1.0.9 (httpx 0.28.1, h2 4.3.0): a streamed answer over HTTP/2 that is left in the middle is not cancelled.
# No RST_STREAM is sent when the response is closed, so the server does not learn that nobody reads any more, and goes
# on until the stream's window is spent; over HTTP/1.1 the connection closes, which servers see at once.
# Seen: the server gets a WINDOW_UPDATE or nothing after the caller left, then the next request on the same connection.
# RFC 9113, 5.1 and 8.1: RST_STREAM is how a stream that is not wanted any more is ended.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx==0.28.1 httpcore==1.0.9 h2==4.3.0
cat >"$folder/try.py" <<'PY'
import asyncio

import h2.config
import h2.connection
import h2.events
import httpx

seen: list[str] = []
ENDLESS, SHORT = "/endless", "/short"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    h2c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    h2c.initiate_connection()
    writer.write(h2c.data_to_send())
    while data := await reader.read(65536):
        for event in h2c.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                path = dict(event.headers)[b":path"].decode()
                seen.append(f"request {path}")
                h2c.send_headers(event.stream_id, [(":status", "200"), ("content-type", "text/event-stream")])
                h2c.send_data(event.stream_id, b"data: 1\n\n", end_stream=path == SHORT)
            elif isinstance(event, h2.events.StreamReset):
                seen.append(f"reset of stream {event.stream_id}")
        writer.write(h2c.data_to_send())
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(http1=False, http2=True) as client:
        async with client.stream("GET", url + ENDLESS) as answer:
            async for _ in answer.aiter_raw():
                break
        await client.get(url + SHORT)
        # Before the connection closes.
        print(seen)
    server.close()
    await asyncio.sleep(0.1)
    assert seen == [f"request {ENDLESS}", f"request {SHORT}"], "a stream that is left is ended now"


asyncio.run(main())
PY
"$folder/venv/bin/python" "$folder/try.py"
