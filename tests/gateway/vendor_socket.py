"""A Realtime upstream that behaves as the model's name says; each connection runs in a thread of its own."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

USAGE = {
    "total_tokens": 1200,
    "input_tokens": 300,
    "output_tokens": 900,
    "input_token_details": {"text_tokens": 100, "audio_tokens": 200, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 100, "audio_tokens": 800},
}
COST = 100 * 4000 + 200 * 32_000 + 100 * 16_000 + 800 * 64_000
"""Of it, 10⁻⁹ USD."""


@dataclass
class Seen:
    """What one connection saw."""

    path: str
    headers: dict[str, str]
    events: list[dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    sent: int = 0
    closed: tuple[int, str] | None = None


class VendorSocket:
    """The upstream."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._server: Server = serve(
            self._serve, "127.0.0.1", 0, compression=None, process_request=self._judge, max_size=64 * 2**20
        )
        self.port: int = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(10)

    def of(self, word: str) -> list[Seen]:
        return [seen for seen in self.seen if word in seen.path]

    def _judge(self, connection: ServerConnection, request: Request) -> Response | None:
        def answer(status: int, code: str) -> Response:
            made = connection.respond(
                status, json.dumps({"error": {"message": "no", "type": code, "param": None, "code": code}})
            )
            del made.headers["Content-Type"]
            made.headers["Content-Type"] = "application/json"
            return made

        first = request.path.startswith("/first/")
        if "no-key" in request.path and first:
            return answer(401, "invalid_api_key")
        if "busy" in request.path and first:
            return answer(503, "server_error")
        if "refused" in request.path:
            return answer(400, "invalid_model")
        if "elsewhere" in request.path and first:
            made = connection.respond(302, "")
            made.headers["Location"] = f"ws://127.0.0.1:{self.port}/redirected"
            return made
        return None

    def _serve(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        seen = Seen(request.path, {name.lower(): value for name, value in request.headers.raw_items()})
        self.seen.append(seen)
        try:
            Behaviour(connection, seen).run()
        except ConnectionClosed:
            pass
        finally:
            if connection.close_code is not None:
                seen.closed = (connection.close_code, connection.close_reason or "")


class Behaviour:
    """One connection."""

    def __init__(self, connection: ServerConnection, seen: Seen) -> None:
        self._connection = connection
        self._seen = seen
        self._count = 0

    def say(self, **event: Any) -> None:
        self._connection.send(json.dumps(event))
        self._seen.sent += 1

    def run(self) -> None:
        path = self._seen.path
        first = path.startswith("/first/")
        if "opens-broken" in path and first:
            self._connection.socket.close()
            return
        if "opens-in-debt" in path and first:
            self.say(type="error", error={"type": "insufficient_quota", "code": "insufficient_quota", "message": "no"})
            return
        if "opens-wrong" in path:
            self.say(
                type="error", error={"type": "invalid_request_error", "code": "invalid_model", "message": "no such"}
            )
            return
        if "mute" not in path:
            self.say(type="session.created", session={"id": "sess_1", "model": "real"})
        if "flood" in path:
            while True:
                self.say(type="noise", text="x" * 65_000, number=self._seen.sent)
        for message in self._connection:
            event = json.loads(message)
            self._seen.events.append(event)
            self._seen.texts.append(str(message))
            if event["type"] == "response.create":
                self._respond(event.get("response") or {})
            elif event["type"] == "response.cancel" and "obeys" in path:
                self._done("cancelled", USAGE)
            elif event["type"] == "close":
                self._connection.close(event["code"], "asked to")
                return
            elif event["type"] == "vanish":
                self._connection.socket.close()
                return
            elif event["type"] == "echo":
                self.say(**event)

    def _done(self, status: str, usage: Any) -> None:
        self.say(
            usage="decoy",
            response={"id": f"resp_{self._count}", "status": status, "usage": usage},
            type="response.done",
        )

    def _respond(self, wanted: dict[str, Any]) -> None:
        path = self._seen.path
        self._count += 1
        where = {"response_id": f"resp_{self._count}"}
        self.say(type="response.created", response={"id": where["response_id"], "status": "in_progress", "usage": None})
        audio = "audio" if "openai-beta" in self._seen.headers else "output_audio"
        for text in ("Hello", " there"):
            self.say(type=f"response.{audio}_transcript.delta", **where, delta=text)
        # A second of sound.
        for _ in range(4):
            self.say(**where, delta="A" * 16_000, type=f"response.{audio}.delta")
        if "half" in path:
            if "cuts" in path:
                time.sleep(0.05)
                self._connection.socket.close()
            return
        self._done("completed", None if "untold" in path else USAGE)
