"""Keys planted in logs do not come out."""

from __future__ import annotations

import secrets
import string
import subprocess
import sys

PROGRAM = """
import logging, sys, structlog
from deeepai.logs import configure
from deeepai.settings import Settings
from tests.support.until import PATIENCE
configure(Settings(log_format=sys.argv[2]))
key = sys.argv[1]
log = structlog.get_logger()
log.info("plain", text=f"the key is {key}", nested={"header": ["authorization", f"Bearer {key}"]})
log.warning(f"in the event {key}")
logging.getLogger("library").error("GET /v1/models?key=%s", key)
try:
    raise RuntimeError(f"x-key: {key}")
except RuntimeError:
    log.exception("failed")
"""


def test_no_planted_key_comes_out() -> None:
    tail = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(48))
    for prefix in ("sk-", "sk-test-", "session-", "access-"):
        for form in ("json", "console"):
            done = subprocess.run([sys.executable, "-c", PROGRAM, prefix + tail, form], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-2000:]
            assert "plain" in done.stderr
            assert "failed" in done.stderr
            assert tail not in done.stderr + done.stdout
            assert tail[8:] not in done.stderr + done.stdout
