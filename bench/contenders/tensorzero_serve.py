"""Run TensorZero's HTTP gateway out of its wheel until a signal; run by the Python of TensorZero's own environment."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import tensorzero  # pyright: ignore[reportMissingImports]


def main() -> None:
    config, address = sys.argv[1:]
    gateway = tensorzero._start_http_gateway(  # pyright: ignore
        config_file=config, clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
    )
    unfinished = Path(address + ".part")
    unfinished.write_text(str(gateway.base_url))  # pyright: ignore
    unfinished.rename(address)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    gateway.close()  # pyright: ignore


main()
