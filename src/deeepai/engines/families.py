"""What a family of engines is to the program: models, endpoints, and a life."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from aiohttp import web

from .models.catalogue import Model
from .openai_wire import WireError

# The native engines' threads wait for one another by spinning: where another process holds a core, two threads on two
# cores were measured ten times slower than one. So one core is left to the others.
THREADS: Final = min(max((os.cpu_count() or 1) - 1, 1), 8)


class Family(Protocol):
    """One room's engines. It is made when the program starts and loads nothing until `warm` or the first request."""

    @property
    def models(self) -> Sequence[Model]:
        """What it can serve, installed or not."""
        ...

    @property
    def state(self) -> str:
        """`ready`, `loading` or `idle`."""
        ...

    def routes(self) -> list[web.RouteDef]:
        """Return its endpoints."""
        ...

    def warm(self) -> None:
        """Begin to load in the background."""
        ...

    def close(self) -> None:
        """Free the models."""
        ...


def require(models: Sequence[Model], name: str, folder: Path) -> Model:
    """Return the model of that name.

    Raises
    ------
    WireError
        404 if the endpoint has no such model, 503 with the command that would install it if it is not here.
    """
    for model in models:
        if model.id == name:
            if command := model.missing(folder):
                message = f"The model '{name}' is not installed on this machine. Install it with: {command}"
                raise WireError(503, message, param="model", code="model_not_installed")
            return model
    message = f"The model '{name}' does not exist, or this endpoint cannot serve it."
    raise WireError(404, message, param="model", code="model_not_found")
