"""What is recorded of a submission, whatever became of it."""

from __future__ import annotations

from typing import Protocol as Interface


class SubmissionOutcome(Interface):
    """How a submission went."""

    @property
    def attempts(self) -> int: ...  # noqa: D102
    @property
    def channel_id(self) -> str | None: ...  # noqa: D102
    @property
    def upstream_model(self) -> str | None: ...  # noqa: D102
    @property
    def error(self) -> str | None: ...  # noqa: D102
