"""A run leaves nothing behind: a caretaker ends what it started, and removes its folder of temporary files.

What is told to end with the run (a fixture's programs, databases) may be cut short: by SIGKILL, by a worker that takes
too long to leave. The caretaker is a process that outlives all of them. `tmp_path` is not in its folder: pytest keeps
the folders of tests that failed, to be looked at.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest

MARK: Final = "TEST_RUN"
"""Variable in the environment of all that a run starts."""
_CARETAKER: Final = Path(__file__).parents[1] / "support" / "caretaker.py"


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # the caretaker of the run looks after its workers, too
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    folder = tempfile.mkdtemp(prefix="deeepai-tests-")
    outer = dict(os.environ)
    os.environ |= {MARK: folder, "TMPDIR": folder, "XDG_RUNTIME_DIR": folder}
    tempfile.tempdir = None
    # In a session of its own: it hears no signal that is meant for the run.
    caretaker = subprocess.Popen(
        [sys.executable, "-I", str(_CARETAKER), MARK, folder],
        stdin=subprocess.PIPE,
        env=outer,
        start_new_session=True,
    )
    # What registers later ends earlier, and may still write into the folder.
    atexit.register(caretaker.communicate)
