"""Translators between wire formats: of chats, and of long jobs."""

from __future__ import annotations

from .chat import CHAT_TRANSLATORS as CALL_TRANSLATORS
from .jobs import JOB_TRANSLATORS, TASK_TRANSLATORS

__all__ = ["CALL_TRANSLATORS", "JOB_TRANSLATORS", "TASK_TRANSLATORS"]
