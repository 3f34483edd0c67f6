"""`POST /v1/completions`, by the same model as the chat: text goes on where the prompt ends."""

from __future__ import annotations

from typing import Annotated, Any, Final

from aiohttp import web
from msgspec import Meta

from ..models.catalogue import Model
from ..openai_wire import WireError, answer, refused, unsupported
from ..runtimes.llama import Llama
from .sampling import Counter, EventStream, Piece, Sampling, head, run_all

DEFAULT_TOKENS: Final = 16
MOST_RUNS: Final = 128

Prompt = str | list[int]


class CompletionRequest(Sampling):
    """The body; fields that are not listed are ignored. Prompts are texts, or ids of this model's own tokens."""

    model: str
    prompt: str | list[str | int | list[int]] = "<|endoftext|>"
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    best_of: Annotated[int, Meta(ge=0, le=20)] | None = None
    echo: bool | None = None
    suffix: str | None = None


def prompts_of(body: CompletionRequest) -> list[Prompt]:
    """Return the prompts, each a text or tokens."""
    given = body.prompt
    prompts: list[Prompt] = []
    if isinstance(given, str):
        prompts = [given]
    elif all(isinstance(item, int) for item in given):
        prompts = [[item for item in given if isinstance(item, int)]]
    else:
        for item in given:
            if isinstance(item, int):
                raise refused("'prompt' must not mix tokens with texts.", "prompt", "invalid_value")
            prompts.append(item)
    if not prompts or not all(prompts):
        raise refused("'prompt' must not be empty.", "prompt", "invalid_value")
    return prompts


def check(body: CompletionRequest) -> None:
    """Refuse what this engine cannot do."""
    if body.suffix:
        raise unsupported("suffix", "this model cannot fill in the middle.")
    if body.best_of is not None and body.best_of > (body.n or 1):
        raise unsupported("best_of", "this engine returns all that it makes; use 'n'.")
    if body.echo and body.logprobs is not None:
        raise unsupported("echo", "this engine gives no logprobs of the prompt.")
    if body.echo and not isinstance(body.prompt, str) and not all(isinstance(item, str) for item in body.prompt):
        raise unsupported("echo", "this engine echoes texts, not tokens.")


async def complete(request: web.Request, body: CompletionRequest, model: Model, llama: Llama) -> web.StreamResponse:
    """Answer one request."""
    check(body)
    prompts, times = prompts_of(body), body.n or 1
    if len(prompts) * times > MOST_RUNS:
        raise refused(f"This engine makes at most {MOST_RUNS} choices in all.", "n", "invalid_value")
    tokens = DEFAULT_TOKENS if body.max_tokens is None else min(body.max_tokens, model.context)
    sampling = body.to_llama()
    # llama.cpp makes a token even if none is asked for; it is not shown, and not counted.
    sampling["max_tokens"] = max(tokens, 1)
    if body.logprobs is not None:
        sampling |= {"logprobs": max(body.logprobs, 1), "shown_logprobs": body.logprobs}
    runs = [run for prompt in prompts for run in body.seeded({**sampling, "prompt": prompt}, times)]
    choices = [_Choice() for _ in runs]
    counter = Counter()
    shared = {**head("cmpl-", model), "object": "text_completion"}
    stream = EventStream(request, body.include_usage) if body.stream else None

    async def take(index: int, piece: Piece) -> None:
        prompt = prompts[index // times]
        text = piece.text if tokens else ""
        if piece.first and body.echo and isinstance(prompt, str):
            text = prompt + text
        choice = choices[index]
        logprobs = choice.add(text, piece if tokens else Piece(finish=piece.finish))
        if stream:
            listed = [{"text": text, "index": index, "logprobs": logprobs, "finish_reason": piece.finish}]
            await stream.send({**shared, "choices": listed})

    try:
        await run_all(llama, "handle_completions", runs, take, counter, times)
    except WireError as error:
        if stream and stream.begun:
            return await stream.fail(error)
        raise
    if not tokens:
        counter.forget_completion()
    if stream:
        return await stream.end({**shared, "choices": [], "usage": counter.usage()})
    listed = [choice.body(index) for index, choice in enumerate(choices)]
    return answer({**shared, "choices": listed, "usage": counter.usage()})


class _Choice:
    """Puts pieces together, and turns logprobs into the older format."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._offset = 0
        self._logprobs: dict[str, list[Any]] | None = None
        self._finish: str | None = None

    def add(self, text: str, piece: Piece) -> dict[str, list[Any]] | None:
        self._text.append(text)
        self._finish = piece.finish or self._finish
        if not piece.logprobs:
            return None
        added: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        for token in piece.logprobs["content"]:
            added["tokens"].append(token["token"])
            added["token_logprobs"].append(token["logprob"])
            added["top_logprobs"].append({other["token"]: other["logprob"] for other in token["top_logprobs"]})
            added["text_offset"].append(self._offset)
            self._offset += len(token["token"])
        if self._logprobs is None:
            self._logprobs = {name: [] for name in added}
        for name, values in added.items():
            self._logprobs[name] += values
        return added

    def body(self, index: int) -> dict[str, Any]:
        return {
            "text": "".join(self._text),
            "index": index,
            "logprobs": self._logprobs,
            "finish_reason": self._finish or "length",
        }
