from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.spoiled import cases
from tests.spoiled.cases import Case
from tests.spoiled.vendor import Script, Vendors
from tests.stack import Gateway, Sandbox

_FAULT = re.compile(r'"level": "(?:error|critical)"|^Traceback')


@dataclass
class Place:
    """A gateway whose channels lead to vendors that can be spoiled, one for each case."""

    gateway: Gateway
    scripts: dict[str, Script]
    _read: int = 0

    def script(self, case: Case) -> Script:
        return self.scripts[case.name]

    def faults(self) -> list[str]:
        """What the gateway has logged since the last look that it should not have."""
        with (self.gateway.data / "serve.log").open("rb") as log:
            log.seek(self._read)
            text = log.read()
            self._read += len(text)
        return [line for line in text.decode("utf-8", "replace").splitlines() if _FAULT.search(line)]


@pytest.fixture(scope="session")
def vendors(sandbox: Sandbox) -> Iterator[Vendors]:
    made = Vendors(sandbox)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def place(vendors: Vendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Its ledger is proved in the end."""
    scripts = {case.name: vendors.script() for case in cases.ALL}
    head = '[[users]]\nname = "rich"\npassword = "rich-password"\ncredit = 1000000\n\n[groups]\ndefault = 1\n'
    head += "".join(f'"{case.name}" = 1\n' for case in cases.ALL)
    head += f'\n[prices."{cases.MODEL}"]\nper_million = {{ input = "1", cached = "0.5", output = "10" }}\n\n'
    folder = Path(tmp_path_factory.mktemp("spoiled"))
    (folder / "deeepai.toml").write_text(head + "".join(case.config(vendors, scripts[case.name]) for case in cases.ALL))
    gateway = Gateway(folder).start()
    yield Place(gateway, scripts)
    proof = gateway.cli("ledger", "verify")
    gateway.stop()
    assert proof.returncode == 0, proof.stdout
