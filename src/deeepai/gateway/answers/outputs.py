"""Files that a synchronous answer names: kept, and named by the gateway's own links, before the vendor forgets them."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

import aiohttp
import msgspec
import structlog

from ...accounts.models import Channel
from ...declare import MALFORMED, Answer, Json, Outputs
from ...storage.ids import now_ms
from ...tasks import store
from ...tasks.assets import sniff
from ...tasks.safe_fetch import Unsafe
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
    owner = store.Owner(x.id, x.caller.account_id, x.protocol.name, now_ms())
    links = candidates.links_for(core, x)
    ours: dict[str, str] = {}
    for number, url in enumerate(dict.fromkeys(urls)):
        try:
            with x.waiting():
                data, said = await _file(core, channel, url)
        except _UNFETCHED as fault:
            log.warning("output.unfetched", request_id=x.id, number=number, error=str(fault))
            continue
        kind = sniff(data[:16], said)
        key = await core.life.assets.put(owner, number, data, kind)
        size, source = len(data), None if url.startswith(_DATA) else url
        await core.db.write(
            lambda tx, n=number, k=key, t=kind, s=size, u=source: store.add_asset(
                tx, owner, n, key=k, content_type=t, size=s, source=u, now=now_ms()
            )
        )
        ours[url] = links.asset(owner, number)
    for url in dict.fromkeys(inline):
        try:
            with x.waiting():
                data, _ = await _file(core, channel, url)
        except _UNFETCHED as fault:
            raise Cut(f"a file that cannot be had: {fault}") from None
        ours[url] = base64.b64encode(data).decode()
    # The longest first, those that could not be had too: one address may begin another.
    named = [url for url in urls if not url.startswith(_DATA)]
    inside = re.compile("|".join(re.escape(url) for url in sorted(named, key=len, reverse=True)) or "(?!)")
    return msgspec.json.encode(_replaced(body, ours, inside))


async def _file(core: Core, channel: Channel, url: str) -> tuple[bytes, str | None]:
    """Return a file's bytes and what its sender calls it."""
    if not url.startswith(_DATA):
        return await core.life.results.fetch_from(channel, url)
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
