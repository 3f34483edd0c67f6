from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.realtime import CONFIG, FAULTS, MODEL, channel
from tests.gateway.vendor_socket import VendorSocket
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.ports import reserve_port
from tests.wire import people


@pytest.fixture(scope="session")
def vendor() -> Iterator[VendorSocket]:
    made = VendorSocket()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def voice(sandbox: Sandbox, vendor: VendorSocket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    models = f'models = ["{MODEL}*"]'
    toml = (
        channel("second", vendor.port, 10, models, f'model_map = {{"{MODEL}aliased" = "real"}}')
        + channel("quick", vendor.port, 20, f'models = ["{MODEL}mute"]', "settings = { first_byte = 0.5 }")
        + channel("aged", vendor.port, 20, f'models = ["{MODEL}aged*"]', 'settings = { realtime = "beta" }')
        + channel("both", vendor.port, 20, f'models = ["{MODEL}both"]', 'settings = { realtime = "both" }')
        + channel("dead", reserve_port(), 20, f'models = ["{MODEL}failover"]')
        # A channel each, so that one that rests takes nothing from another test.
        + "".join(
            channel(f"first-{word}", vendor.port, 20, f'models = ["{MODEL}{word}"]', path="first") for word in FAULTS
        )
    )
    folder = Path(tmp_path_factory.mktemp("realtime"))
    toml += channel("tested", sandbox.port, 5, 'mode = "test"', path="openai")
    made = Gateway(folder, sandbox, toml=toml + CONFIG + people.PEOPLE).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()
