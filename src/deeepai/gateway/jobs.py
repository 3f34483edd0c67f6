"""SUBMIT, FETCH and MEDIA: long jobs as their callers see them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import structlog

from .. import crash
from ..declare import INLINE, Accepted, Answer, Failure, Reason, Reply, State, Task, Translator
from ..money.ledger import InsufficientFunds
from ..storage.database import Row
from ..storage.ids import now_ms
from ..tasks import store
from ..tasks.hosts import hook_address
from ..tasks.safe_fetch import Unsafe
from ..tasks.store import Stored
from ..upstream import NotSent, UpstreamError, transports
from . import outgoing, settlement
from .body import HttpRequest
from .core import Core, Priced
from .dispatch import Attempt, unavailable
from .exchange import Exchange, pairs
from .routing import Route
from .settlement import Outcome

log = structlog.get_logger()

MAX_ATTEMPTS = 4


class Declined(Exception):
    """The upstream refused a submission in its own words."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


async def submit(core: Core, x: Exchange) -> None:
    """Serve a SUBMIT.

    Raises
    ------
    Failure
    """
    try:
        task = await start(core, x)
    except Declined as declined:
        answer = declined.answer
        kind = answer.headers.get("content-type", "application/json")
        await x.answer(answer.status, pairs({"content-type": kind}), answer.body)
        return
    rules = core.life.rules(task)
    await x.reply(rules.submitted(task, core.links_for(x)))


async def start(core: Core, x: Exchange) -> Stored:
    """Submit a job, or give a waiting one its input.

    Raises
    ------
    Failure
    Declined
        The upstream's refusal, to be passed on.
    """
    operation = x.operation
    rules = x.protocol.tasks
    assert rules is not None
    origin = await core.origin(x)
    if origin is not None:
        if operation.resumes and origin.state is not State.WAITING:
            raise Failure(Reason.INVALID, "The task does not wait for input", code="task_not_waiting")
        if operation.check_origin is not None:
            operation.check_origin(x.request, origin)
    hook = rules.hook(x.request) if rules.hook is not None else None
    if hook is not None:
        try:
            core.life.check_url(hook.url)
        except Unsafe as fault:
            raise Failure(Reason.INVALID, f"The callback URL cannot be used: {fault}") from None
    usage = None
    if origin is not None and operation.inherit is not None:
        model, usage = operation.inherit(x.request, origin)
        core.name_model(x, model)
    levels = core.levels(x, origin)
    priced = core.priced(x, usage)
    attempts = core.attempts(levels, origin, MAX_ATTEMPTS, x)
    attempt = next(attempts, None)
    if attempt is None:
        raise unavailable(x.model)
    token = x.caller
    try:
        if operation.resumes and origin is not None:
            task = origin
            task.hook = hook or task.hook
            row = settlement.usage_row(x, Outcome(task.channel_id, task_id=task.id), 0)
            taken = await funded(core, x, lambda: core.life.resume(task, priced.amount, row))
            if not taken:
                raise Failure(Reason.CONFLICT, "The task has just been given its input")
        else:
            task = Stored(
                id=rules.new_id(),
                operation=x.route.name,
                model=x.asked,
                state=State.SUBMITTING,
                request=rules.keep(x.request) if rules.keep is not None else None,
                hook=hook,
                parent_id=origin.id if origin is not None else None,
                params=dict(x.request.params),
                submitted_at=now_ms(),
                protocol=x.protocol.name,
                account_id=token.account_id,
                token_id=token.id,
                channel_id=attempt.channel.id,
                request_id=x.id,
                hold_id=x.id,
                price_key=priced.key,
                price_group=priced.group,
                estimate=priced.estimate,
                mode=token.mode,
            )
            row = settlement.usage_row(x, Outcome(attempt.channel.id, task_id=task.id), 0)
            await funded(core, x, lambda: core.life.begin(task, priced.amount, row))
    except BaseException:
        attempt.cancelled()
        raise
    # From here on the job may exist at the vendor: the caller's leaving must not stop its bookkeeping.
    return await asyncio.shield(_submit(core, x, task, attempt, attempts, priced))


async def funded(core: Core, x: Exchange, work: Any) -> Any:
    """Run work that holds money; where it is refused, give this node's idle leases back first and try once more.

    Raises
    ------
    Failure
        UNFUNDED
    """
    try:
        return await work()
    except InsufficientFunds as fault:
        if not await core.ledger.release(x.caller.account_id):
            raise settlement.unfunded(fault) from None
    try:
        return await work()
    except InsufficientFunds as fault:
        raise settlement.unfunded(fault) from None


async def _submit(core: Core, x: Exchange, task: Stored, first: Attempt, others: Any, priced: Priced) -> Stored:
    rules = core.life.rules(task)
    outcome = Outcome(task_id=task.id)
    declined: Answer | None = None
    failure: Failure | None = None
    attempt: Attempt | None = first
    while attempt is not None:
        channel = attempt.channel
        outcome.attempts += 1
        outcome.channel_id = channel.id
        if task.channel_id != channel.id:
            await core.life.moved(task, channel.id)
        answer = await _post(core, x, task, attempt)
        if isinstance(answer, NotSent):
            failure = Failure(Reason.UPSTREAM, "The upstream could not be reached")
            outcome.error = str(answer)
        elif answer is None:
            outcome.error = "lost"
            await core.life.lost(task)
            await core.life.answered(x.id, 200, outcome.attempts, channel.id, outcome.error)
            return task
        else:
            crash.point("accepted")
            verdict = rules.accept(answer, x.request)
            if isinstance(verdict, Accepted):
                attempt.done(ok=True)
                if verdict.facts.get("existing"):
                    known = await core.life.existing(task, verdict.upstream_id)
                    if known is None:
                        raise Failure(Reason.NOT_FOUND, "The upstream named a task that is not yours")
                    return known
                await core.life.accepted(task, verdict)
                await core.life.answered(x.id, answer.status, outcome.attempts, channel.id, None)
                return task
            blamed = x.protocol.channel_fault(answer)
            fine = not (verdict.elsewhere or blamed)
            attempt.done(ok=fine, fault=f"HTTP {answer.status}", rest=60.0 if blamed else None)
            if not verdict.elsewhere and not blamed:
                await _drop(core, x, task, f"HTTP {answer.status}")
                raise Declined(answer)
            log.warning("upstream.refused", request_id=x.id, channel=channel.name, status=answer.status)
            if blamed:
                failure = Failure(Reason.UPSTREAM, "The upstream account that serves this is not usable now")
            else:
                declined = answer
        core.metrics.failover(x.route.name, channel.name)
        attempt = next(others, None)
    await _drop(core, x, task, outcome.error)
    if declined is not None:
        raise Declined(declined)
    raise failure or unavailable(x.model)


async def _drop(core: Core, x: Exchange, task: Stored, error: str | None) -> None:
    if x.operation.resumes:
        await core.life.not_resumed(task)
    else:
        await core.life.refused(task)
    await core.life.answered(x.id, 400, 1, task.channel_id, error)


async def _post(core: Core, x: Exchange, task: Stored, attempt: Attempt) -> Answer | NotSent | None:
    """Send a submission once; None where nobody knows whether it arrived."""
    channel = attempt.channel
    hook_url = hook_address(task, channel, core.settings.public_url, core.settings.local_url)
    origin = task if x.operation.resumes else await _parent(core, task)
    facts = core.facts(x, channel, origin, hook_url)
    try:
        out = outgoing.build(x.protocol, x.operation, x.request, channel, facts)
    except Failure as failure:
        attempt.cancelled()
        await _drop(core, x, task, failure.message)
        raise
    crash.point("held")
    try:
        with x.waiting():
            async with asyncio.timeout(core.life.timing.submit * 0.9):
                client = transports.through(core.client, channel, out.model)
                answer = await client.ask(out.method, out.url, out.headers, out.body, channel.limits)
    except NotSent as fault:
        attempt.done(ok=False, fault=str(fault))
        return fault
    except (UpstreamError, TimeoutError) as fault:
        attempt.done(ok=False, fault=str(fault) or "timeout")
        return None
    # A proxy's own page says nothing about what the vendor did.
    if answer.status in (500, 502, 504) and answer.json() is None:
        attempt.done(ok=False, fault=f"HTTP {answer.status}")
        return None
    return answer


async def _parent(core: Core, task: Stored) -> Stored | None:
    if task.parent_id is None:
        return None
    parent = task.parent_id
    return await core.db.read(lambda tx: store.load(tx, task.account_id, parent))


# Fetching ----------------------------------------------------------------------------------------------------------


async def fetch(core: Core, x: Exchange) -> None:
    """Serve a FETCH from the stored state, refreshed where it is stale.

    Raises
    ------
    Failure
    """
    assert x.operation.task is not None
    task = await core.load(x, x.operation.task(x.request))
    with x.waiting():
        task = await core.poller.fresh(task)
    links = core.links_for(x)
    if x.operation.render is not None:
        reply = x.operation.render(x.request, task, links)
    else:
        reply = core.life.rules(task).render(task, links)
    await _reply(core, x, task, reply)


async def _reply(core: Core, x: Exchange, task: Stored, reply: Reply) -> None:
    if reply.asset is None:
        await x.reply(reply)
        return
    if isinstance(reply.body, dict):
        data = await read_asset(core, task, int(reply.asset))
        body = {key: base64.b64encode(data).decode() if value is INLINE else value for key, value in reply.body.items()}
        await x.reply(Reply(body, reply.status, reply.content_type, reply.headers))
        return
    await send_asset(core, x, task, int(reply.asset), reply)


async def media(core: Core, x: Exchange) -> None:
    """Serve a MEDIA operation: the file, or the running preview.

    Raises
    ------
    Failure
    """
    assert x.operation.task is not None
    task_id = x.operation.task(x.request)
    task = await opened(core, x, task_id)
    if task.results:
        await send_asset(core, x, task, 0)
        return
    preview = core.life.rules(task).preview
    url = preview(task) if preview is not None else None
    if url is None:
        raise Failure(Reason.NOT_FOUND, "There is no picture yet", code="task_not_found")
    try:
        data, kind = await core.life.fetch_file(task, url)
    except (UpstreamError, Unsafe, OSError, TimeoutError):
        raise Failure(Reason.UPSTREAM, "The preview could not be had") from None
    await x.answer(200, pairs({"content-type": kind or "image/png", "cache-control": "no-store"}), data)


async def opened(core: Core, x: Exchange, task_id: str) -> Stored:
    """Return the task that a link's signature, or else its owner's token, opens.

    Raises
    ------
    Failure
    """
    if signed(core, x, task_id):
        task = await core.db.read(lambda tx: store.load_any(tx, task_id))
    else:
        account = x.caller.account_id
        task = await core.db.read(lambda tx: store.load(tx, account, task_id))
    if task is None:
        raise Failure(Reason.NOT_FOUND, "No such file", code="task_not_found")
    return task


def signed(core: Core, x: Exchange, owner_id: str) -> bool:
    """Tell whether a link's signature opens the files of a task or call; False where there is none.

    Raises
    ------
    Failure
        FORBIDDEN, where there is one and it is not valid.
    """
    query = x.request.query
    if not query.get("sig"):
        return False
    if not core.links.valid(owner_id, query.get("exp", ""), query["sig"], now_ms()):
        raise Failure(Reason.FORBIDDEN, "The link has expired or is not valid")
    return True


async def file(core: Core, x: Exchange, owner_id: str, number: int) -> None:
    """Serve a file of a task or call to its owner, or to whoever has a signed link.

    Raises
    ------
    Failure
    """
    account = None if signed(core, x, owner_id) else x.caller.account_id
    row = await core.db.read(lambda tx: store.asset(tx, owner_id, number, account))
    if row is None:
        raise Failure(Reason.NOT_FOUND, "No such file", code="task_not_found")
    await _send_file(core, x, row)


async def send_asset(core: Core, x: Exchange, task: Task, number: int, reply: Reply | None = None) -> None:
    """Send a file's bytes.

    Raises
    ------
    Failure
    """
    row = await core.db.read(lambda tx: store.asset(tx, task.id, number))
    if row is None:
        raise Failure(Reason.NOT_FOUND, "No such file", code="task_not_found")
    await _send_file(core, x, row, reply)


async def _send_file(core: Core, x: Exchange, row: Row, reply: Reply | None = None) -> None:
    headers = {
        **(reply.headers if reply is not None else {}),
        "content-type": row["content_type"],
        "content-length": str(row["size"]),
        "cache-control": "private, max-age=86400",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
    }
    try:
        chunks: AsyncIterator[bytes] = core.life.assets.get(row["key"])
        first = await anext(chunks, b"")
    except FileNotFoundError:
        raise Failure(Reason.NOT_FOUND, "The file is no longer kept", code="task_not_found") from None
    await x.head(200, pairs(headers))
    await x.send({"type": "http.response.body", "body": first, "more_body": True})
    async for chunk in chunks:
        await x.send({"type": "http.response.body", "body": chunk, "more_body": True})
    await x.send({"type": "http.response.body", "body": b"", "more_body": False})


async def read_asset(core: Core, task: Task, number: int) -> bytes:
    """Return a file whole.

    Raises
    ------
    Failure
    """
    row = await core.db.read(lambda tx: store.asset(tx, task.id, number))
    if row is None:
        raise Failure(Reason.NOT_FOUND, "No such file")
    return await core.life.assets.read(row["key"])


# Translated calls --------------------------------------------------------------------------------------------------


def translator_for(core: Core, x: Exchange) -> tuple[Translator, Route] | None:
    """Return the translator that serves a call which no channel of the caller's own protocol serves."""
    for translator in core.translators:
        if translator.source == x.route.name and translator.serves(x.model):
            protocol_name, _, operation_name = translator.target.partition(".")
            protocol = core.dispatcher.protocols[protocol_name]
            operation = next(item for item in protocol.operations if item.name == operation_name)
            return translator, Route(protocol, operation, {}, translator.target)
    return None


async def translated(core: Core, x: Exchange, translator: Translator, route: Route) -> None:
    """Serve a call by tasks of another protocol: submit them, wait, answer.

    Each task holds and is charged for itself, so the call costs nothing of its own.

    Raises
    ------
    Failure
    """
    calls = [_inner(x, route, body, number) for number, body in enumerate(translator.to(x.request))]
    outcomes = await asyncio.gather(*(start(core, call) for call in calls), return_exceptions=True)
    x.waited += max(call.waited for call in calls)
    tasks = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
    if not tasks:
        first = outcomes[0]
        if isinstance(first, Declined):
            raise _declined(first.answer) from None
        assert isinstance(first, BaseException)
        raise first
    rules = core.life.rules(tasks[0])
    with x.waiting():
        async with asyncio.timeout(translator.timeout):
            ended = await asyncio.gather(*(_awaited(core, task, rules.interval) for task in tasks))
    # What was made is paid for, so it is handed over even where another of the same call failed.
    done = [task for task in ended if task.state is State.SUCCEEDED]
    if not done:
        raise translator.failed(ended[0])
    reply = translator.back(x.request, done, core.links_for(x))
    if translator.inline(x.request):
        images: Sequence[dict[str, Any]] = reply.body["data"]  # pyright: ignore[reportArgumentType, reportCallIssue, reportOptionalSubscript, reportIndexIssue]
        for image, task in zip(images, done, strict=True):
            del image["url"]
            image["b64_json"] = base64.b64encode(await read_asset(core, task, 0)).decode()
    await x.reply(reply)


def _inner(x: Exchange, route: Route, body: Any, number: int) -> Exchange:
    request = HttpRequest(
        {"method": "POST", "path": route.operation.path, "query_string": b"", "headers": []},
        route,
        {"model": x.model},
    )
    request.raw = msgspec.json.encode(body)
    if route.operation.body is not None:
        request.body = msgspec.convert(body, route.operation.body)
    inner = Exchange(f"{x.id}-{number}", route, request, x.receive, x.send)
    inner.caller, inner.ip = x.caller, x.ip
    inner.asked = inner.model = x.model
    return inner


async def _awaited(core: Core, task: Stored, interval: float) -> Stored:
    account, task_id = task.account_id, task.id
    while not task.state.final:
        await asyncio.sleep(min(interval, 0.25))
        found = await core.db.read(lambda tx: store.load(tx, account, task_id))
        if found is None:
            raise Failure(Reason.UPSTREAM, "The upstream did not take the request")
        task = await core.poller.fresh(found)
    return task


def _declined(answer: Answer) -> Failure:
    found = answer.json()
    message = "The upstream refused the request"
    if isinstance(found, dict):
        detail = found.get("detail") or found.get("message") or found.get("error")
        if isinstance(detail, str):
            message = detail
        elif isinstance(detail, list) and detail and isinstance(detail[0], dict):
            message = f"{'.'.join(str(part) for part in detail[0].get('loc', ())[1:])}: {detail[0].get('msg', '')}"
    kinds = {400: Reason.INVALID, 422: Reason.INVALID, 429: Reason.RATE_LIMITED}
    return Failure(kinds.get(answer.status, Reason.UPSTREAM), message)
