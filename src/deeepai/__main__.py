"""`python -m deeepai`: the command line."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; as a supervisor's child, the gateway at once, without all that commands need."""
    from .settings import HANDOVER, Settings

    if sys.argv[1:2] == ["gateway"] and HANDOVER in os.environ:
        from .server import serve

        serve(Settings.from_json(os.environ[HANDOVER]), *sys.argv[2:])
    else:
        from .cli import main as command_line

        command_line()


if __name__ == "__main__":
    main()
