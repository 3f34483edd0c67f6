"""Which sentences of a text are central to it, and which are near to a few words.

Continuous LexRank (G. Erkan, D. R. Radev, 2004): sentences are nodes, their cosine the weight between two, and a
sentence is worth what a random walk finds it worth. The matrix of all cosines is never made: a step of the walk goes
through the terms and back, so time and memory are linear in the text. The well-kept library for this, `sumy`, brings
NLTK, whose data for sentences it wants from the network; what would be left of it here is the walk below.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from .wording import terms

_SPACE: Final = 2048
"""Dimensions that terms are hashed to."""
_DAMPING: Final = 0.85
_STEPS: Final = 30

Vectors = npt.NDArray[np.float32]


class Texts:
    """Sentences as vectors.

    Attributes
    ----------
    vectors : array, shape (sentences, 2048)
        TF-IDF of their terms, of length 1, or 0 where there is none.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(zlib.crc32(term.encode()) % _SPACE for term in terms(text)) for text in texts]
        vectors = np.zeros((len(texts), _SPACE), np.float32)
        for place, count in enumerate(counts):
            vectors[place, list(count)] = np.log1p(list(count.values()))
        known = (vectors > 0).sum(axis=0)
        self._weights = np.log((1 + len(texts)) / (1 + known)).astype(np.float32) + 0.1
        self.vectors: Vectors = _unit(vectors * self._weights)

    def central(self) -> npt.NDArray[np.float64]:
        """Return how central each is, the most central 1; shape (sentences,)."""
        vectors = self.vectors
        many = len(vectors)
        if many == 0:
            return np.zeros(0)
        itself = (vectors * vectors).sum(axis=1)
        degrees = vectors @ vectors.sum(axis=0) - itself
        degrees[degrees <= 1e-9] = 1.0
        rank = np.full(many, 1 / many, np.float32)
        for _ in range(_STEPS):
            passed = rank / degrees
            rank = (1 - _DAMPING) / many + _DAMPING * (vectors @ (vectors.T @ passed) - itself * passed)
        return np.asarray(rank / max(float(rank.max()), 1e-9), np.float64)

    def near(self, text: str) -> npt.NDArray[np.float64]:
        """Return the cosine of each with a text, 0 to 1; shape (sentences,)."""
        count = Counter(zlib.crc32(term.encode()) % _SPACE for term in terms(text))
        vector = np.zeros((1, _SPACE), np.float32)
        vector[0, list(count)] = np.log1p(list(count.values()))
        return np.asarray(self.vectors @ _unit(vector * self._weights)[0], np.float64)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    return np.asarray(vectors / lengths, np.float32)
