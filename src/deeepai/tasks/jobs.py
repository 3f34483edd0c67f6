"""How tasks are watched and shown, by the operations that made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..declare import Answer, Call, JobFace, JobRules, JobTranslator, Protocol, Submit, Task, TaskStatus


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
        kin = {protocol.name: protocol.kin for protocol in protocols.values()}
        for translator in translators:
            source, target = (name.partition(".")[0] for name in (translator.source, translator.target))
            rules = self._rules[translator.target, None]
            alike = kin[source] == kin[target]
            self._rules[translator.source, translator.target] = rules if alike else foreign(rules)

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


def foreign(rules: JobRules[Any]) -> JobRules[Any]:
    """Return the rules for tasks that another protocol shows: all they tell of the vendor's answer is files' roles."""

    def read(answer: Answer, task: Task) -> TaskStatus:
        status = rules.read(answer, task)
        return replace(status, snapshot={"roles": [result.role for result in status.results]}, children=())

    return replace(rules, read=read)
