"""How an English word that no dictionary has is probably pronounced: the GRU network of g2p-en, on numpy.

Source: Park and Kim, g2p-en 2.1.0 (Apache-2.0), `g2p.py`: `G2p.grucell` and `G2p.predict` stand here as `_step` and
`Speller.phonemes`. Its weights were trained on the CMU Pronouncing Dictionary.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_FIRST_LETTER: Final = 3
_UNKNOWN: Final = 1
_END_OF_WORD: Final = 2
_BEGIN: Final = 2
_END: Final = 3
_MOST_PHONEMES: Final = 20

# The network's own order, ARPAbet with stress; UW stands once without, for the training data had it so.
_PHONEMES: Final = (
    *("<pad>", "<unk>", "<s>", "</s>"),
    *("AA0", "AA1", "AA2", "AE0", "AE1", "AE2", "AH0", "AH1", "AH2", "AO0", "AO1", "AO2", "AW0", "AW1", "AW2"),
    *("AY0", "AY1", "AY2", "B", "CH", "D", "DH", "EH0", "EH1", "EH2", "ER0", "ER1", "ER2", "EY0", "EY1", "EY2"),
    *("F", "G", "HH", "IH0", "IH1", "IH2", "IY0", "IY1", "IY2", "JH", "K", "L", "M", "N", "NG", "OW0", "OW1", "OW2"),
    *("OY0", "OY1", "OY2", "P", "R", "S", "SH", "T", "TH", "UH0", "UH1", "UH2", "UW", "UW0", "UW1", "UW2"),
    *("V", "W", "Y", "Z", "ZH"),
)
# Into the alphabet of misaki, which Kokoro was trained with.
_ARPABET: Final = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "EY", "F", "G", "HH", "IH", "IY", "JH", "K", "L"),
    *("M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH"),
)
_SIGNS: Final = {**dict(zip(_ARPABET, "ɑæʌɔWIbʧdðɛAfɡhɪiʤklmnŋOYpɹsʃtθʊuvwjzʒ", strict=True)), "ER": "ɜɹ"}
_UNSTRESSED: Final = {"AH0": "ə", "ER0": "əɹ"}
_STRESS: Final = {"0": "", "1": "ˈ", "2": "ˌ"}


class Speller:
    """The network; read at the first word.

    Parameters
    ----------
    weights : Path
        `checkpoint20.npz` of g2p-en.
    """

    def __init__(self, weights: Path) -> None:
        self._path = weights
        self._weights: dict[str, Any] | None = None
        self._numpy: Any = None

    def phonemes(self, word: str) -> str:
        """Return the phonemes of a word of the letters a to z."""
        if self._weights is None:
            self._numpy = importlib.import_module("numpy")
            with self._numpy.load(self._path) as stored:
                self._weights = dict(stored)
        weights, numpy = self._weights, self._numpy
        state = numpy.zeros(weights["enc_w_hh"].shape[1], numpy.float32)
        letters = [_LETTERS.find(letter) + _FIRST_LETTER if letter in _LETTERS else _UNKNOWN for letter in word]
        for letter in (*letters, _END_OF_WORD):
            state = self._step("enc", weights["enc_emb"][letter], state)
        found, last = list[str](), _BEGIN
        for _ in range(_MOST_PHONEMES):
            state = self._step("dec", weights["dec_emb"][last], state)
            last = int((weights["fc_w"] @ state + weights["fc_b"]).argmax())
            if last == _END:
                break
            found.append(_PHONEMES[last])
        return "".join(_sign(phoneme) for phoneme in found)

    def _step(self, side: str, given: Any, state: Any) -> Any:
        """One step of the gated recurrent unit; its matrices hold reset, update and candidate below one another."""
        assert self._weights is not None
        numpy, weights = self._numpy, self._weights
        ours = weights[f"{side}_w_ih"] @ given + weights[f"{side}_b_ih"]
        theirs = weights[f"{side}_w_hh"] @ state + weights[f"{side}_b_hh"]
        size = len(state)
        gates = 1 / (1 + numpy.exp(-(ours[: 2 * size] + theirs[: 2 * size])))
        reset, update = gates[:size], gates[size:]
        candidate = numpy.tanh(ours[2 * size :] + reset * theirs[2 * size :])
        return (1 - update) * candidate + update * state


def _sign(phoneme: str) -> str:
    if phoneme in _UNSTRESSED:
        return _UNSTRESSED[phoneme]
    if phoneme[-1] in _STRESS:
        return _STRESS[phoneme[-1]] + _SIGNS[phoneme[:-1]]
    return _SIGNS.get(phoneme, "")
