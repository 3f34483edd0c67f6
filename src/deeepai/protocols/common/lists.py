"""The caller's own tasks, several at once: in numbered pages, or by their ids."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...declare import Failure, Reason, Reply, Task, View, Window, whole
from .jobs import JobFormat


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberedPages:
    """How a list is asked for.

    Attributes
    ----------
    number, size : str
        Query parameters: which page, beginning with 1, and how many tasks it has.
    usual, most : int
        Tasks of a page.
    farthest : int
        Tasks that a list goes back.
    """

    number: str = "page"
    size: str = "page_size"
    usual: int = 30
    most: int = 500
    farthest: int = 10_000

    async def tasks(self, view: View[Any], operations: Sequence[str]) -> Sequence[Task]:
        """Return a page of the tasks that some operations made, the newest first.

        Raises
        ------
        Failure
            There is no such page.
        """
        size = self._natural(view, self.size, self.usual, self.most)
        number = self._natural(view, self.number, 1, self.farthest // size)
        tasks: list[Task] = []
        more = True
        while more and len(tasks) < number * size:
            window = Window(limit=number * size - len(tasks), after=tasks[-1].id if tasks else None)
            page, more = await view.page(operations, window)
            tasks += page
        return tasks[(number - 1) * size :]

    def _natural(self, view: View[Any], name: str, usual: int, most: int) -> int:
        word = view.request.query.get(name)
        number = whole(word, 9) if word else usual
        if number is None or not 1 <= number <= most:
            raise Failure(Reason.INVALID, f"{name} is a number from 1 to {most}", param=name)
        return number


async def by_ids(view: View[Any], ids: Sequence[str]) -> Sequence[Task]:
    """Return tasks in the order in which they are asked for; those that are not the caller's are left out."""
    tasks = {task.id: task for task in await view.tasks(ids)}
    return [tasks[name] for name in ids if name in tasks]


class IdsBody(msgspec.Struct):
    """Tasks to tell of."""

    ids: Annotated[list[str], Meta(min_length=1, max_length=100)]


def list_by_ids(jobs: JobFormat) -> Callable[[View[IdsBody]], Awaitable[Reply]]:
    """Make what answers with several tasks, each as the vendor would show it."""

    async def answer(view: View[IdsBody]) -> Reply:
        return Reply([jobs.shown(task, view.links) for task in await by_ids(view, view.request.body.ids)])

    return answer
