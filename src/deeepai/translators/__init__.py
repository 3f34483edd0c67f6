"""Translators, each named after its two ends."""

from __future__ import annotations

from ..declare import CallTranslator, TaskTranslator
from .chat import CHAT_TRANSLATORS
from .openai_to_flux import openai_to_flux

TASK_TRANSLATORS: tuple[TaskTranslator, ...] = (openai_to_flux,)
CALL_TRANSLATORS: tuple[CallTranslator, ...] = CHAT_TRANSLATORS
