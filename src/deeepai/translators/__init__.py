"""Translators, each named after its two ends."""

from __future__ import annotations

from ..declare import CallTranslator, JobTranslator, TaskTranslator
from .chat import CHAT_TRANSLATORS
from .chat import REFRAMERS as REFRAMERS
from .openai_to_flux import openai_to_flux

TASK_TRANSLATORS: tuple[TaskTranslator, ...] = (openai_to_flux,)
CALL_TRANSLATORS: tuple[CallTranslator, ...] = CHAT_TRANSLATORS
JOB_TRANSLATORS: tuple[JobTranslator, ...] = ()
