"""Films, pictures and songs between formats of jobs: a task of one protocol, done by the vendor of another.

A hub and its spokes: each format reads into the neutral `model` and writes from it. What a vendor cannot be told is
refused with a 400 that names the field; what has no meaning beyond its own vendor is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager

from ...declare import MALFORMED, AnyRequest, Failure, JobTranslator, Reason, TaskTranslator
from . import (
    cogvideox,
    flux,
    gemini_videos,
    kling,
    luma,
    midjourney,
    openai_images,
    openai_music,
    openai_videos,
    pika,
    pixverse,
    runway,
    suno,
    vidu,
    viggle,
)
from .common import Source, Target
from .model import Body, Film, Picture, Song, WantedT

FILM_SOURCES: Sequence[Source[Film]] = (
    openai_videos.FILMS,
    openai_videos.RELAYS_FILMS,
    gemini_videos.FILMS,
    kling.FILMS,
    cogvideox.FILMS,
    luma.PUBLISHED_FILMS,
    luma.FILMS,
    luma.GOAMZ_FILMS,
    runway.PUBLISHED_FILMS,
    runway.FILMS,
    runway.WEB_FILMS,
    *vidu.SOURCES,
    *pixverse.SOURCES,
    *pika.SOURCES,
)
FILM_TARGETS: Sequence[Target[Film]] = (
    kling.FILM_TARGET,
    cogvideox.FILM_TARGET,
    gemini_videos.FILM_TARGET,
    openai_videos.FILM_TARGET,
    luma.PUBLISHED_FILM_TARGET,
    luma.FILM_TARGET,
    luma.GOAMZ_FILM_TARGET,
    runway.PUBLISHED_FILM_TARGET,
    runway.FILM_TARGET,
    runway.WEB_FILM_TARGET,
    *vidu.TARGETS,
    *pixverse.TARGETS,
    *pika.TARGETS,
)
PICTURE_SOURCES: Sequence[Source[Picture]] = (flux.PICTURES, kling.PICTURES)
PICTURE_TARGETS: Sequence[Target[Picture]] = (
    flux.PICTURE_TARGET,
    kling.PICTURE_TARGET,
    midjourney.PICTURE_TARGET,
    luma.PICTURE_TARGET,
    runway.PICTURE_TARGET,
)
SONGS: Sequence[tuple[Sequence[Source[Song]], Sequence[Target[Song]]]] = (
    ((openai_music.SONGS, *suno.SONGS[0]), suno.SONGS[1]),
    suno.JOINED,
    suno.WORDS,
)
"""Songs, what is joined of them, and lyrics: who asks, and who is asked."""


def protocol_of(operation: str) -> str:
    """Return the protocol that an operation is of."""
    return operation.partition(".")[0]


@contextmanager
def _malformed() -> Generator[None]:
    try:
        yield
    except MALFORMED:
        raise Failure(Reason.INVALID, "The body is not of its format: a field has the wrong type") from None


def _translator(
    name: str, source: Source[WantedT], target: Target[WantedT], operation: str, fits: Callable[[WantedT], bool]
) -> JobTranslator:
    def takes(request: AnyRequest) -> bool:
        with _malformed():
            return fits(source.read(request))

    def write(request: AnyRequest, model: str) -> Body:
        with _malformed():
            return target.write(source.read(request), model)

    return JobTranslator(
        source=name,
        target=operation,
        takes=takes,
        request=write,
        error=target.error,
        facts=target.facts,
        models=target.models,
    )


def _pairs(sources: Sequence[Source[WantedT]], targets: Sequence[Target[WantedT]]) -> Iterator[JobTranslator]:
    for source in sources:
        for name in source.operations:
            for target in targets:
                for operation, fits in target.operations.items():
                    if protocol_of(operation) != protocol_of(name):
                        yield _translator(name, source, target, operation, fits)


JOB_TRANSLATORS: tuple[JobTranslator, ...] = (
    *_pairs(FILM_SOURCES, FILM_TARGETS),
    *_pairs(PICTURE_SOURCES, PICTURE_TARGETS),
    *(translator for sources, targets in SONGS for translator in _pairs(sources, targets)),
    *viggle.TRANSLATORS,
)
TASK_TRANSLATORS: tuple[TaskTranslator, ...] = tuple(map(openai_images.served_by, PICTURE_TARGETS))
