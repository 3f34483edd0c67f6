"""`python -m deeepai.sandbox`: serve the sandbox."""

from __future__ import annotations

import argparse

from .server import run


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m deeepai.sandbox", description="A stand-in for the vendors.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--speed", type=float, default=1.0, help="how many times faster than the vendors")
    parser.add_argument("--seed", type=int, default=None, help="makes ids the same in each run")
    parser.add_argument("--key", default=None, help="the only credential accepted")
    parser.add_argument("--realtime", choices=("ga", "beta", "both"), default="ga", help="whose events are spoken")
    parser.add_argument("--drafts", action="store_true", help="the first file of a kind stands for all: for load")
    options = vars(parser.parse_args())
    run(options.pop("host"), options.pop("port"), **options)


if __name__ == "__main__":
    main()
