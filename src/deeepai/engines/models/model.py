"""What a model is to the engines' program; `catalogue` lists them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..packs.pack import Pack


@dataclass(frozen=True, slots=True)
class Model:
    """A model that an engine serves.

    Attributes
    ----------
    id : str
        Name on the wire.
    kind : str
        `chat`, `embeddings`, `moderation` …
    about : str
        What it is and is good for, honestly.
    endpoints : tuple of str
        Paths that take it; none where formats of vendors do, each in its own words.
    languages : tuple of str
        BCP 47; `mul` for many.
    context : int
        Tokens that one request may hold; characters where the kind is
        `moderation` or `speech`, seconds where it is `transcription`, pixels
        where it is `image`.
    created : int
        Unix seconds of the weights' publication.
    owned_by, licence, provenance : str
        Who made the weights, and under which terms.
    package : str
        Python package that runs it.
    pack : Pack, optional
        Its weights, where the package does not carry them.
    details : dict
        Further fields of the model list.
    extra : str
        The extra of this product that brings `package`.
    """

    id: str
    kind: str
    about: str
    endpoints: tuple[str, ...]
    languages: tuple[str, ...]
    context: int
    created: int
    owned_by: str
    licence: str
    provenance: str
    package: str
    pack: Pack | None
    details: dict[str, Any]
    extra: str = "engines"

    def missing(self, folder: Path) -> str | None:
        """Return what would have to be run before this model can be served; None if it can."""
        if importlib.util.find_spec(self.package) is None:
            return f"pip install 'deeepai[{self.extra}]'"
        if self.pack and not self.pack.installed(folder):
            return f"deeepai engines {'install' if self.pack.parts else 'add'} {self.pack.name}"
        return None

    def card(self) -> dict[str, Any]:
        """Return the object of `GET /v1/models`."""
        return {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": self.owned_by,
            "shutdown_date": None,
            "type": self.kind,
            "description": self.about,
            "endpoints": list(self.endpoints),
            "languages": list(self.languages),
            "context_length": self.context,
            "license": self.licence,
            "provenance": self.provenance,
            **self.details,
        }


@dataclass(frozen=True, slots=True)
class Composite(Model):
    """A model that is others together.

    Attributes
    ----------
    parts : tuple of Model
        All of them must be here.
    """

    parts: tuple[Model, ...] = ()

    def missing(self, folder: Path) -> str | None:
        """Return what would have to be run next before it can be served; None if it can."""
        return next((command for part in self.parts if (command := part.missing(folder))), None)
