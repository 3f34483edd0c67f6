"""How tasks are watched and shown, by the operations that made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..declare import Call, JobFace, JobRules, JobTranslator, Protocol, Submit


class JobIndex:
    """The rules and faces of all jobs.

    Attributes
    ----------
    faces : mapping
        By the operation (`protocol.operation`) that submits; background work has none.
    """

    def __init__(self, protocols: Mapping[str, Protocol], translators: Iterable[JobTranslator] = ()) -> None:
        self.faces: dict[str, JobFace[Any]] = {}
        self._rules: dict[tuple[str, str | None], JobRules[Any]] = {}
        for protocol in protocols.values():
            for operation in protocol.operations:
                name = f"{protocol.name}.{operation.name}"
                if isinstance(operation, Submit):
                    self.faces[name] = operation.job.face
                    self._rules[name, None] = operation.job.rules
                elif isinstance(operation, Call) and operation.objects is not None and operation.objects.background:
                    self._rules[name, None] = operation.objects.background.rules
        for translator in translators:
            self._rules[translator.source, translator.target] = translator.rules

    def rules(self, operation: str, served_by: str | None) -> JobRules[Any]:
        """Return how a task is watched.

        Parameters
        ----------
        served_by : str or None
            The operation of another protocol that does it.

        Raises
        ------
        KeyError
            No such operation makes tasks.
        """
        return self._rules[operation, served_by]
