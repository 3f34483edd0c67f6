"""Microseconds that each pair of chat formats takes for an event, a whole answer and a request.

    .venv/bin/python -m bench.translators

The events are those of `tests/translators/samples.py`, the text of the answer drawn out to 200 deltas.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from tests.translators.samples import REQUESTS, WHOLE
from tests.translators.world import MODELS, PAIRS, answer_of, asking, request_of, split, translator

from deeepai.translators.chat import FORMATS
from deeepai.translators.chat.model import (
    Delta,
    Done,
    Event,
    Finish,
    PartEnd,
    PartStart,
    Start,
    Stop,
    Text,
    Tokens,
    UsageSeen,
)

DELTAS = 200
ROUNDS = 7


def stream(name: str) -> list[bytes]:
    """A plain answer in a format's own events."""
    writer = FORMATS[name].writer("model", {"stream_options": {"include_usage": True}})
    events: list[Event] = [
        Start("msg_1", "model"),
        PartStart(Text("")),
        *(Delta(f"word{number} ") for number in range(DELTAS)),
        PartEnd(),
        UsageSeen(Tokens(input=20, output=DELTAS)),
        Finish(Stop.END),
        Done(),
    ]
    return split(b"".join(writer.feed(event) for event in events) + writer.end())


def best(work: Callable[[], object], count: int) -> float:
    """Microseconds for one of `count`, in the calmest round."""
    found: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        found.append((time.perf_counter() - begun) / count * 1e6)
    return min(found)


def row(source: str, target: str) -> tuple[float, float, float]:
    streaming, whole = translator(source, target, stream=True), translator(source, target)
    asked, events, answer = asking(source, stream=True), stream(target), answer_of(WHOLE[target])
    body = {key: value for key, value in REQUESTS[source].items() if key not in ("stop", "stop_sequences")}
    if source == "gemini":
        body["generationConfig"] = {"maxOutputTokens": 300}
    request = request_of(body)

    begin = streaming.events
    assert begin is not None

    def run() -> None:
        translated = begin(asked)
        for event in events:
            translated.feed(event)
        translated.end()

    def answers() -> None:
        for _ in range(50):
            whole.answer(asked, answer)

    def requests() -> None:
        for _ in range(50):
            whole.request(request, MODELS[target])

    return best(run, len(events)), best(answers, 50), best(requests, 50)


def main() -> None:
    table = Table("caller", "upstream", "an event, µs", "an answer, µs", "a request, µs")
    for source, target in PAIRS:
        table.add_row(source, target, *(f"{value:.1f}" for value in row(source, target)))
    Console().print(table)


if __name__ == "__main__":
    main()
