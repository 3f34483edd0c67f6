"""Translators, each named after its two ends; and the chats' own formats, whole and streamed."""

from __future__ import annotations

from .chat import CHAT_TRANSLATORS as CALL_TRANSLATORS
from .chat import REFRAMERS
from .jobs import JOB_TRANSLATORS, TASK_TRANSLATORS

__all__ = ["CALL_TRANSLATORS", "JOB_TRANSLATORS", "REFRAMERS", "TASK_TRANSLATORS"]
