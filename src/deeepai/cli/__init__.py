"""The command line: one group of commands for each noun.

Commands work on the data folder's store itself, also while the gateway runs: it sees changes within half a second.
"""

from __future__ import annotations

import os
import sys

import typer

from ..declare import Failure
from ..settings import PRIVATE
from . import database, kept, people, programs, records, upstreams, webhooks

app = typer.Typer(
    name="deeepai",
    help="A self-hosted gateway in front of every AI API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
programs.register(app)
people.register(app)
kept.register()
upstreams.register(app)
records.register(app)
webhooks.register(app)
database.register(app)


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] != ["engines"]:
        # Weights may be for several users; what lies in a data folder is for one.
        os.umask(PRIVATE)
    try:
        app()
    except Failure as failure:
        # What a command refuses before it opens the store.
        message = f"{failure.param}: {failure.message}" if failure.param else failure.message
        typer.echo(f"error: {message}", err=True)
        sys.exit(1)
