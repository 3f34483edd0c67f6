"""Suno, in three shapes of one family: the web's own, GoAmzAI's, and the task format. Each shows the others' tasks."""

from __future__ import annotations

from .goamz import suno_goamz
from .native import suno
from .tasks import suno_tasks

__all__ = ["suno", "suno_goamz", "suno_tasks"]
