"""Operations that have to do with objects: which of the ways each takes."""

from __future__ import annotations

from . import call, object_lists, objects, works
from .core import Core
from .exchange import Exchange


async def run(core: Core, x: Exchange) -> None:
    """Serve a call that has to do with objects.

    Raises
    ------
    Failure
    """
    rules, request = objects.rules_of(x), x.request
    if rules.lists is not None:
        await object_lists.answer(core, x, rules.lists)
        return
    ids = rules.uses(request)
    found = await objects.named(core, x, ids) if ids else []
    hints = () if found else rules.hints(request)
    channel = await objects.place(core, x, found, hints) if found or hints else None
    if rules.work is not None and rules.work.wanted(request):
        await works.start(core, x, rules.work, found, channel)
    elif x.operation.free:
        await objects.forward(core, x, rules, channel)
    else:
        x.pin = channel
        if rules.makes is not None and rules.tells(request):
            x.tap = objects.Tap(core, x)
        await call.run(core, x)
