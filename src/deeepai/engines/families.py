"""What families of engines are to the program: models, endpoints, and a life; or a vendor's whole format, with jobs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

from aiohttp import web

from ..safe_fetch import SafeFetch
from .jobs import Jobs
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


@dataclass(frozen=True, slots=True)
class Room:
    """What a family of a vendor's format has to work with.

    Attributes
    ----------
    packs : Path
        The packs folder.
    data : Path
        What is kept from one run to the next; a family has a folder of its name there.
    fetch : SafeFetch
        The one way to addresses that callers name.
    """

    packs: Path
    data: Path
    jobs: Jobs
    fetch: SafeFetch


class VendorFamily(Protocol):
    """Engines behind one vendor's own wire format, below a prefix; made within the event loop."""

    prefix: str
    """Such as `/picwish`: what comes before the vendor's own paths."""

    def routes(self) -> list[web.RouteDef]:
        """Return its endpoints, with the prefix."""
        ...

    def refuse(self, error: WireError) -> web.Response:
        """Return an error in the vendor's shape."""
        ...

    async def close(self) -> None:
        """Free what it holds."""
        ...


def require_packages(names: Sequence[str], extra: str) -> None:
    """Refuse where packages are not installed.

    Raises
    ------
    WireError
        503, with the command that installs them.
    """
    if absent := [name for name in names if find_spec(name) is None]:
        raise WireError(503, f"This needs {', '.join(absent)}, not installed here: pip install 'deeepai[{extra}]'")


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
