"""The services of one gateway process, which all steps share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..accounts.directory import Directory
from ..accounts.limits import Limiter
from ..accounts.tokens import write_last_used
from ..declare import Reframer, TaskTranslator, UsageTeller
from ..money.ledger import Ledger
from ..settings import Settings
from ..storage.cache import Cache
from ..storage.database import Database
from ..tasks.channel_hints import ChannelHints
from ..tasks.life import TaskLife
from ..tasks.links import SignedLinks
from ..tasks.poller import Poller
from ..upstream import Client
from .body import Intake
from .dispatch import Dispatcher
from .metrics import Metrics
from .model_list import ModelList
from .pricing import Prices
from .routing import Router
from .translation import TranslatorIndex
from .watching import TaskWatch


@dataclass(slots=True)
class Core:
    """The services of one process."""

    settings: Settings
    db: Database
    router: Router
    task_translators: Mapping[str, Sequence[TaskTranslator]]
    """By the operation that they serve."""
    translators: TranslatorIndex
    reframers: Mapping[str, Reframer]
    tellers: Mapping[str, UsageTeller]
    """By operation."""
    directory: Directory
    limiter: Limiter
    cache: Cache
    prices: Prices
    ledger: Ledger
    dispatcher: Dispatcher
    client: Client
    life: TaskLife
    hints: ChannelHints
    poller: Poller
    watch: TaskWatch
    links: SignedLinks
    metrics: Metrics
    models: ModelList
    intake: Intake
    seen: dict[str, int] = field(default_factory=dict[str, int])
    """When each token was last used (ms), not yet written."""

    async def write_seen(self) -> None:
        """Write when tokens were last used."""
        seen, self.seen = self.seen, {}
        if seen:
            await self.db.write(lambda tx: write_last_used(tx, seen))
