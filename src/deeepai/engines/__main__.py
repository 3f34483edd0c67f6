"""`python -m deeepai.engines`: serve the engines."""

from __future__ import annotations

import argparse
import ipaddress
from pathlib import Path

from .packs import default_folder
from .server import serve


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m deeepai.engines", description="Models that run on this machine.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--packs", type=Path, default=default_folder(), help="folder of the models' weights")
    parser.add_argument("--data", type=Path, help="folder of jobs and what they make; without it they go at the end")
    parser.add_argument(
        "--allow-private",
        type=ipaddress.ip_network,
        action="append",
        default=[],
        help="a private network whose addresses callers may name",
    )
    parser.add_argument("--lazy", action="store_true", help="load each model at its first request, not at the start")
    args = parser.parse_args()
    serve(args.host, args.port, args.packs, data=args.data, allowed=args.allow_private, warm=not args.lazy)


if __name__ == "__main__":
    main()
