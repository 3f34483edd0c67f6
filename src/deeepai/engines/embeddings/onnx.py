"""Sentence vectors by an ONNX model of the operator's, as sentence-transformers export them: tokenizer.json beside it.

The output `sentence_embedding` is taken where there is one; else the tokens' vectors are averaged.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from ..families import THREADS
from ..openai_wire import WireError, refused
from ..turns import Turns

NEEDED: Final = ("onnxruntime", "tokenizers")
_SLICE: Final = 16
_MOST_WAITING: Final = 128
"""Requests of one account."""


class OnnxEmbedder:
    """One model, loaded at the first use.

    Parameters
    ----------
    context : int
        Tokens of a text; longer ones are refused.
    """

    def __init__(self, model: Path, context: int) -> None:
        self._path, self._context = model, context
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="onnx")
        self._loading = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        self._turns = Turns(1, _MOST_WAITING)

    def close(self) -> None:
        """Free the model."""
        self._pool.shutdown(cancel_futures=True)
        self._loaded = None

    async def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        """Return a vector of length 1 for each text, and the tokens in all.

        Raises
        ------
        WireError
            400 for a text that does not fit, 503 where a package is missing.
        """
        if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
            message = f"This model needs what is not installed: pip install {' '.join(missing)}"
            raise WireError(503, message, param="model", code="model_not_installed")
        loop = asyncio.get_running_loop()
        vectors: list[list[float]] = []
        tokens = 0
        for start in range(0, len(texts), _SLICE):
            part = list(texts[start : start + _SLICE])
            async with self._turns.turn():
                found, count = await loop.run_in_executor(self._pool, self._embed, part)
            vectors += found
            tokens += count
        return vectors, tokens

    def _embed(self, texts: list[str]) -> tuple[list[list[float]], int]:
        session, tokenizer = self._load()
        numpy: Any = importlib.import_module("numpy")
        encoded = tokenizer.encode_batch(texts)
        lengths = [sum(each.attention_mask) for each in encoded]
        if max(lengths) > self._context:
            message = (
                f"This model's maximum context length is {self._context} tokens. However, an input has {max(lengths)}."
            )
            raise refused(message, "input", "context_length_exceeded")
        mask = numpy.array([each.attention_mask for each in encoded], dtype="int64")
        given = {
            "input_ids": numpy.array([each.ids for each in encoded], dtype="int64"),
            "attention_mask": mask,
            "token_type_ids": numpy.zeros_like(mask),
        }
        names = [output.name for output in session.get_outputs()]
        wanted = "sentence_embedding" if "sentence_embedding" in names else names[0]
        (found,) = session.run([wanted], {each.name: given[each.name] for each in session.get_inputs()})
        if found.ndim == 3:
            shown = mask[:, :, None]
            found = (found * shown).sum(axis=1) / shown.sum(axis=1).clip(min=1)
        found = found / numpy.linalg.norm(found, axis=1, keepdims=True).clip(min=1e-12)
        return found.tolist(), sum(lengths)

    def _load(self) -> tuple[Any, Any]:
        with self._loading:
            if self._loaded is None:
                runtime: Any = importlib.import_module("onnxruntime")
                options = runtime.SessionOptions()
                options.intra_op_num_threads = THREADS
                session = runtime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
                tokenizer = importlib.import_module("tokenizers").Tokenizer.from_file(str(tokenizer_of(self._path)))
                tokenizer.no_truncation()
                tokenizer.enable_padding()
                self._loaded = session, tokenizer
            return self._loaded


def tokenizer_of(model: Path) -> Path:
    """Return where a model's tokenizer lies: beside it, or a folder above."""
    beside = model.with_name("tokenizer.json")
    return beside if beside.is_file() else model.parent.parent / "tokenizer.json"
