"""Which of a process's applications serves a path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from .asgi import Receive, Scope, Send
from .control.api import PREFIX, ControlAPI
from .gateway.routing import Router

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Planes:
    """The data plane, the control plane, and the gateway's own pages beside them.

    Below `/api` stands the control plane, and some vendors have paths of their own there. The control plane's own are
    few and fixed: they come first, then what a protocol declares or owns; what nobody knows is the control plane's.

    Parameters
    ----------
    data : App
        Whatever is nobody else's.
    router : Router
        What the data plane has.
    pages : mapping
        Applications by path.
    below : mapping
        Applications by the path, with its last slash, below which they serve all.
    """

    def __init__(
        self, data: App, router: Router, control: ControlAPI, pages: Mapping[str, App], below: Mapping[str, App]
    ) -> None:
        self._data = data
        self._router = router
        self._control = control
        self._pages = dict(pages)
        self._below = tuple(below.items())
        self._own = (f"{PREFIX}/", *below)

    def find(self, path: str) -> App:
        """Return the application that serves a path."""
        page = self._pages.get(path)
        if page is not None:
            return page
        if not path.startswith(self._own):
            return self._data
        for prefix, app in self._below:
            if path.startswith(prefix):
                return app
        return self._data if not self._control.has(path) and self._router.has(path) else self._control
