"""Translators, each named after its two ends."""

from __future__ import annotations

from ..declare import CallTranslator, JobTranslator, LocalAnswer, TaskTranslator
from .chat import CHAT_TRANSLATORS
from .chat.counting import COUNT_TRANSLATORS, LOCAL_COUNTS
from .openai_to_flux import openai_to_flux

TASK_TRANSLATORS: tuple[TaskTranslator, ...] = (openai_to_flux,)
CALL_TRANSLATORS: tuple[CallTranslator, ...] = (*CHAT_TRANSLATORS, *COUNT_TRANSLATORS)
LOCAL_ANSWERS: tuple[LocalAnswer, ...] = LOCAL_COUNTS
JOB_TRANSLATORS: tuple[JobTranslator, ...] = ()
