"""The words in which a protocol is declared.

A protocol module builds one `Protocol` from `Operation` values. Routes, rights, prices, the life of long jobs, the API
reference and the coverage table all follow from it. The functions named in a declaration are pure: they read a request
or an answer and return plain values; they never do input or output.
"""

from __future__ import annotations

from .interface import Allowance, CallTranslator, Events, Facts, Operation, Protocol, StreamRules, Translator, View
from .jobs import Accepted, Ask, Hook, HookMessage, Links, Reading, Refused, Task, TaskRules
from .objects import Listing, Made, ObjectRules, Piece, Window, WorkRules
from .sockets import Meter, SocketRules, Spent
from .values import (
    DROP,
    FINAL,
    INLINE,
    Answer,
    Failure,
    Json,
    Kind,
    Part,
    Reason,
    Reply,
    Request,
    Result,
    State,
    Text,
    Usage,
)

__all__ = [
    "DROP",
    "FINAL",
    "INLINE",
    "Accepted",
    "Allowance",
    "Answer",
    "Ask",
    "CallTranslator",
    "Events",
    "Facts",
    "Failure",
    "Hook",
    "HookMessage",
    "Json",
    "Kind",
    "Links",
    "Listing",
    "Made",
    "Meter",
    "ObjectRules",
    "Operation",
    "Part",
    "Piece",
    "Protocol",
    "Reading",
    "Reason",
    "Refused",
    "Reply",
    "Request",
    "Result",
    "SocketRules",
    "Spent",
    "State",
    "StreamRules",
    "Task",
    "TaskRules",
    "Text",
    "Translator",
    "Usage",
    "View",
    "Window",
    "WorkRules",
]
