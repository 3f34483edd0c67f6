"""An answer of bytes or events that begins with its first piece, so that an early error is an ordinary answer."""

from __future__ import annotations

from aiohttp import web

from .openai_wire import WireError, event

EVENTS = "text/event-stream; charset=utf-8"


class StreamedAnswer:
    """One answer.

    Parameters
    ----------
    content_type : str
        `EVENTS`, or the type of the bytes.
    """

    def __init__(self, request: web.Request, content_type: str) -> None:
        self._request, self._content_type = request, content_type
        self._response: web.StreamResponse | None = None

    @property
    def begun(self) -> bool:
        """Tell whether the status line has been sent."""
        return self._response is not None

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._response is None:
            headers = {"content-type": self._content_type, "cache-control": "no-cache"}
            self._response = web.StreamResponse(headers=headers)
            await self._response.prepare(self._request)
        await self._response.write(data)

    async def send(self, body: object) -> None:
        """Send an event."""
        await self.write(event(body))

    async def end(self) -> web.StreamResponse:
        """End it well; something must have been sent."""
        assert self._response is not None
        await self._response.write_eof()
        return self._response

    async def fail(self, error: WireError) -> web.StreamResponse:
        """End it after an error: by an event that says so, or by cutting it off, which is all that sound allows.

        Raises
        ------
        WireError
            The same, if nothing has been sent.
        """
        if self._response is None:
            raise error
        if self._content_type == EVENTS:
            await self.send(error.body())
            return await self.end()
        if self._request.transport is not None:
            self._request.transport.abort()
        return self._response
