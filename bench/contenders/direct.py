"""No gateway at all: the upstream itself, which the others' added latency is measured from."""

from __future__ import annotations

from bench.contenders.base import Contender


class Direct(Contender):
    name = "direct"
    does = "the upstream itself"

    def start(self, upstream: int) -> None:
        self.port = upstream
