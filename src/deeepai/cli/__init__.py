"""The command line: one group of commands for each noun.

Commands work on the data folder's store itself, also while the gateway runs: it sees changes within half a second.
"""

from __future__ import annotations

import typer

from . import kept, people, programs, records, upstreams

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


def main() -> None:
    """Run the command line."""
    app()
