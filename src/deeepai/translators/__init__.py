"""Translators, each named after its two ends; and the chats' own formats, whole and streamed."""

from __future__ import annotations

from .chat import CHAT_TRANSLATORS, REFRAMERS
from .chat.counting import COUNT_TRANSLATORS, LOCAL_COUNTS
from .chat.telling import TELLERS
from .jobs import JOB_TRANSLATORS, TASK_TRANSLATORS

CALL_TRANSLATORS = (*CHAT_TRANSLATORS, *COUNT_TRANSLATORS)
LOCAL_ANSWERS = LOCAL_COUNTS

__all__ = ["CALL_TRANSLATORS", "JOB_TRANSLATORS", "LOCAL_ANSWERS", "REFRAMERS", "TASK_TRANSLATORS", "TELLERS"]
