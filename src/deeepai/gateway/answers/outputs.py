"""Files that a synchronous answer names: kept, and named by the gateway's own links, before the vendor forgets them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import aiohttp
import msgspec
import structlog

from ...declare import MALFORMED, Answer, Json, Outputs
from ...storage.ids import now_ms
from ...tasks import store
from ...tasks.assets import sniff
from ...tasks.safe_fetch import Unsafe
from ...upstream import Response, UpstreamError
from .. import candidates
from ..attempts import Taken
from ..core import Core
from ..exchange import Exchange

log = structlog.get_logger()


async def keep(core: Core, x: Exchange, taken: Taken[Response], answer: Answer, outputs: Outputs) -> bytes:
    """Keep the files that an answer names; return its body with links in their place.

    A file that cannot be had stays under the vendor's address.
    """
    channel, models = taken.attempt.channel, outputs.models
    # By what the model is called behind aliases.
    model = taken.candidate.model
    if models is not None and not (models(model) or models(channel.model_map.get(model, model))):
        return answer.body
    body = answer.json()
    try:
        urls = outputs.of(body)
    except MALFORMED:
        urls = ()
    if not urls:
        return answer.body
    owner = store.Owner(x.id, x.caller.account_id, x.protocol.name, now_ms())
    links = candidates.links_for(core, x)
    ours: dict[str, str] = {}
    for number, url in enumerate(dict.fromkeys(urls)):
        try:
            with x.waiting():
                data, said = await core.life.results.fetch_from(channel, url)
        except (UpstreamError, Unsafe, aiohttp.ClientError, TimeoutError, OSError) as fault:
            log.warning("output.unfetched", request_id=x.id, number=number, error=str(fault))
            continue
        kind = sniff(data[:16], said)
        key = await core.life.assets.put(owner, number, data, kind)
        size = len(data)
        await core.db.write(
            lambda tx, n=number, k=key, t=kind, s=size, u=url: store.add_asset(
                tx, owner, n, key=k, content_type=t, size=s, source=u, now=now_ms()
            )
        )
        ours[url] = links.asset(owner, number)
    # The longest first, those that could not be had too: one address may begin another.
    inside = re.compile("|".join(re.escape(url) for url in sorted(urls, key=len, reverse=True)))
    return msgspec.json.encode(_replaced(body, ours, inside))


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
