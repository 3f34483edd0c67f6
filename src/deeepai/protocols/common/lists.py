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
        size = asked_for(view, self.size, self.usual, (1, self.most))
        number = asked_for(view, self.number, 1, (1, self.farthest // size))
        tasks, _ = await part(view, operations, (number - 1) * size, size)
        return tasks


async def part(view: View[Any], operations: Sequence[str], start: int, size: int) -> tuple[Sequence[Task], bool]:
    """Return so many of the tasks that some operations made, the newest first, and whether there are more.

    Parameters
    ----------
    start : int
        How many are left out before.
    """
    tasks: list[Task] = []
    more = True
    while more and len(tasks) < start + size:
        window = Window(limit=start + size - len(tasks), after=tasks[-1].id if tasks else None)
        page, more = await view.page(operations, window)
        tasks += page
    return tasks[start:], more


def asked_for(view: View[Any], name: str, usual: int, bounds: tuple[int, int]) -> int:
    """Return a query parameter that is a whole number within bounds.

    Raises
    ------
    Failure
        INVALID, which names it.
    """
    word = view.request.query.get(name)
    number = whole(word, 9) if word else usual
    if number is None or not bounds[0] <= number <= bounds[1]:
        raise Failure(Reason.INVALID, f"{name} is a number from {bounds[0]} to {bounds[1]}", param=name)
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
