"""Files that a synchronous answer names: kept, and named by the gateway's own links, before the vendor forgets them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace

import aiohttp
import msgspec
import structlog

from ...accounts.models import Channel
from ...declare import MALFORMED, Answer, Json, Outputs
from ...safe_fetch import Unsafe
from ...storage.ids import now_ms
from ...tasks import store
from ...tasks.files import Source, one
from ...upstream import Cut, Response, UpstreamError
from .. import candidates
from ..attempts import Taken
from ..core import Core
from ..exchange import Exchange

log = structlog.get_logger()

_UNFETCHED = (UpstreamError, Unsafe, aiohttp.ClientError, TimeoutError, OSError, ValueError)
_DATA = "data:"


async def keep(core: Core, x: Exchange, taken: Taken[Response], answer: Answer, outputs: Outputs) -> bytes:
    """Keep the files that an answer names; return its body with links in their place, or with their bytes.

    A file that cannot be had stays under the vendor's address.

    Raises
    ------
    Cut
        Its bytes are wanted and cannot be had: that it was made costs its vendor's customer, so no other is asked.
    """
    channel, models = taken.attempt.channel, outputs.models
    # By what the model is called behind aliases.
    model = taken.candidate.model
    if models is not None and not (models(model) or models(channel.model_map.get(model, model))):
        return answer.body
    body = answer.json()
    try:
        urls, inline = outputs.of(body), outputs.inline(body)
    except MALFORMED:
        urls = inline = ()
    if not urls and not inline:
        return answer.body
    of_call = store.Owner(x.id, x.caller.account_id, x.protocol.name, now_ms(), mode=x.caller.mode)
    links = candidates.links_for(core, x)
    ours: dict[str, str] = {}
    wanted, left = list(dict.fromkeys(urls)), core.settings.max_fetch
    if outputs.named_by_caller:
        wanted, left = wanted[: core.settings.chat_files], core.settings.chat_file_bytes
    for number, url in enumerate(wanted):
        owner = _lasting(of_call, channel, url) if outputs.lasting else of_call
        number = 0 if outputs.lasting else number
        if outputs.lasting and await core.db.read(lambda tx, o=owner: store.asset(tx, o.id, 0)) is not None:
            ours[url] = links.asset(owner)
            continue
        try:
            with x.waiting():
                size, why = await _keep(core, channel, owner, (number, url, outputs.keyed), left)
        except _UNFETCHED as fault:
            log.warning("output.unfetched", request_id=x.id, number=number, error=str(fault))
            continue
        if outputs.named_by_caller:
            left -= size
        if why is None:
            ours[url] = links.asset(owner, number)
    for url in dict.fromkeys(inline):
        try:
            with x.waiting():
                data = await _whole(core, channel, url)
        except _UNFETCHED as fault:
            raise Cut(f"a file that cannot be had: {fault}") from None
        ours[url] = base64.b64encode(data).decode()
    # The longest first, those that could not be had too: one address may begin another.
    named = [url for url in urls if not url.startswith(_DATA)]
    inside = re.compile("|".join(re.escape(url) for url in sorted(named, key=len, reverse=True)) or "(?!)")
    return msgspec.json.encode(_replaced(body, ours, inside))


def _lasting(owner: store.Owner, channel: Channel, url: str) -> store.Owner:
    """Return under what an account has a file that an address always names."""
    told = "\0".join((owner.account_id, owner.mode, channel.id, url))
    return replace(owner, id="out_" + hashlib.sha256(told.encode()).hexdigest()[:32])


async def _keep(
    core: Core, channel: Channel, owner: store.Owner, named: tuple[int, str, bool], most: int
) -> tuple[int, str | None]:
    """Keep a file of at most so many bytes; return its size, and why it is not kept, if so."""
    files, (number, url, keyed) = core.life.files, named
    why = await files.refusal(owner)
    if why is not None:
        return 0, why
    if url.startswith(_DATA):
        data, said = _inside(url)
        return await files.keep(owner, number, Source(one(data), said, url), most=most)
    async with core.life.results.opened(channel, url, keyed=keyed) as (said, pieces):
        return await files.keep(owner, number, Source(pieces, said, url), most=most)


async def _whole(core: Core, channel: Channel, url: str) -> bytes:
    if url.startswith(_DATA):
        return _inside(url)[0]
    return (await core.life.results.fetch_from(channel, url, most=core.settings.max_answer))[0]


def _inside(url: str) -> tuple[bytes, str]:
    """Return the bytes that stand in an address, and what they are called there."""
    head, _, data = url.partition(",")
    return base64.b64decode(data), head.removeprefix(_DATA).partition(";")[0]


def _replaced(value: Json, ours: Mapping[str, str], inside: re.Pattern[str]) -> Json:
    if isinstance(value, str):
        link = ours.get(value)
        if link is None and "](" in value:
            return inside.sub(lambda found: ours.get(found[0], found[0]), value)
        return value if link is None else link
    if isinstance(value, dict):
        return {key: _replaced(item, ours, inside) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, ours, inside) for item in value]
    return value
