"""Limits on the life of tasks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Limits on the life of tasks, in seconds.

    Attributes
    ----------
    submit : float
        How long a submission may take; after that it counts as lost.
    unknown : float
        How long a lost submission is looked for.
    lease : float
        How long a poller keeps a task to itself.
    """

    submit: float = 60.0
    unknown: float = 900.0
    lease: float = 60.0
