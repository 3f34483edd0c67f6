"""The database's tables."""

from __future__ import annotations

from typing import Annotated

import typer

from ..storage.migrations import applied, migrate, scripts
from .common import DataOption, Store, run

db = typer.Typer(help="The database.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(db, name="db")


@db.callback()
def group() -> None:
    """The database."""


@db.command("migrate")
def bring_up_to_date(
    after: Annotated[
        bool,
        typer.Option("--after", help="Also what waits until no node of the release before runs any more"),
    ] = False,
    data: DataOption = None,
) -> None:
    """Bring the tables up to date, as each start does."""

    async def work(store: Store) -> tuple[list[str], list[str]]:
        done = await migrate(store.database, after=after)
        known = await applied(store.database)
        return done, [name for name, _ in scripts() if name not in known]

    done, left = run(data, work)
    rest = f"; left for --after: {', '.join(left)}" if left else ""
    print("\n".join(done) or f"nothing to do{rest}")
