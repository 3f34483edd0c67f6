"""Translators, each named after its two ends; and the chats' own formats, whole and streamed."""

from __future__ import annotations

from .chat import CHAT_REFRAMERS, CHAT_TRANSLATORS
from .chat.counting import COUNT_TRANSLATORS, LOCAL_COUNTS
from .chat.telling import TELLERS
from .embeddings import EMBEDDING_TRANSLATORS
from .jobs import JOB_TRANSLATORS, TASK_TRANSLATORS
from .pictures import PICTURE_TRANSLATORS
from .pictures.reframe import PICTURE_REFRAMERS

CALL_TRANSLATORS = (*CHAT_TRANSLATORS, *COUNT_TRANSLATORS, *EMBEDDING_TRANSLATORS, *PICTURE_TRANSLATORS)
LOCAL_ANSWERS = LOCAL_COUNTS
REFRAMERS = {**CHAT_REFRAMERS, **PICTURE_REFRAMERS}

__all__ = ["CALL_TRANSLATORS", "JOB_TRANSLATORS", "LOCAL_ANSWERS", "REFRAMERS", "TASK_TRANSLATORS", "TELLERS"]
