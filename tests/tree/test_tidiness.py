"""A run of tests that is killed leaves nothing: its programs end, and its temporary files are gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.plugins.tidiness import MARK
from tests.support.caretaker import left
from tests.support.until import until

ROOT = Path(__file__).parents[2]
TEST = """
import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.servers import new_postgresql, valkey_url

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(10**6)"


def test_hangs():
    asyncio.run(new_postgresql())
    valkey_url()
    words = ["deaf", "-c", DEAF]
    deaf = subprocess.Popen(words, executable=sys.executable, stdout=subprocess.PIPE, start_new_session=True)
    deaf.stdout.readline()
    Path("folder").write_text(os.environ["TMPDIR"])
    signal.pause()
"""


@pytest.mark.parametrize(
    ("signal_", "options"), [(signal.SIGTERM, ()), (signal.SIGKILL, ("-n", "1"))], ids=["SIGTERM", "SIGKILL"]
)
def test_a_killed_run_leaves_nothing(tmp_path: Path, signal_: signal.Signals, options: Sequence[str]) -> None:
    (tmp_path / "test_hangs.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    plugins = ("-p", "tests.plugins.tidiness", "-p", "no:cacheprovider")
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *plugins, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    note = tmp_path / "folder"
    folder = until(lambda: run.poll() is None and note.exists() and note.read_text())
    started = {Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] for pid in left(MARK, folder)}
    assert {Path(os.fsdecode(name)).name.split()[0] for name in started} >= {"postgres", "valkey-server", "deaf"}
    run.send_signal(signal_)
    run.wait()
    until(lambda: not left(MARK, folder) and not Path(folder).exists(), lambda: len(left(MARK, folder)))
