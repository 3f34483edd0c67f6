"""What is kept: decks and parsed texts, each of one account, in a table and a folder; both outlive the program."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import msgspec

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS decks (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL, template TEXT NOT NULL,
    text TEXT NOT NULL, deck TEXT NOT NULL, job TEXT NOT NULL, pages INTEGER NOT NULL, revision INTEGER NOT NULL,
    edited INTEGER NOT NULL, created REAL NOT NULL, updated REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS decks_by_account ON decks (account, created);
CREATE TABLE IF NOT EXISTS texts (id TEXT PRIMARY KEY, account TEXT NOT NULL, created REAL NOT NULL);
"""
_KEPT_TEXTS: Final = 36 * 3600.0
"""Seconds: a text is good to the end of its day, wherever that is."""


@dataclass(slots=True)
class Record:
    """A deck.

    Attributes
    ----------
    template : str
        Its id.
    text : str
        What it was made of, in Markdown.
    deck : dict
        As it was written; empty where only its file is known.
    job : str
        The job that makes it now; empty: none does.
    revision : int
        Of its files; 0: there are none.
    edited : bool
        Its tree was changed by hand, so that the file says more than the deck.
    created, updated : float
        Unix seconds; `updated` is 0 where nothing has changed since.
    """

    id: str
    account: str
    name: str
    subject: str
    template: str
    text: str
    deck: Mapping[str, Any]
    job: str = ""
    pages: int = 0
    revision: int = 0
    edited: bool = False
    created: float = 0.0
    updated: float = 0.0


_COLUMNS: Final = tuple(field.name for field in fields(Record))


class DeckStore:
    """Decks and texts of one folder, which one program has open.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("decks", "texts", "covers"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(folder / "docmee.db", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the table."""
        self._database.close()

    # Decks

    def new(self, account: str, subject: str, template: str, text: str, deck: Mapping[str, Any]) -> Record:
        """Keep a new deck, of which there is no file."""
        name = str(18 * 10**17 + secrets.randbelow(10**17))
        record = Record(name, account, subject, subject, template, text, deck, created=time.time())
        self.folder(record).mkdir()
        self.save(record)
        return record

    def save(self, record: Record) -> None:
        """Keep a deck as it stands."""
        values = [getattr(record, name) for name in _COLUMNS]
        values[_COLUMNS.index("deck")] = msgspec.json.encode(record.deck).decode()
        marks = ",".join("?" * len(values))
        names = ",".join(_COLUMNS)
        self._database.execute(f"INSERT OR REPLACE INTO decks ({names}) VALUES ({marks})", values)

    def get(self, account: str, name: str) -> Record | None:
        """Return a deck of an account's."""
        return self._one("id = ? AND account = ?", name, account)

    def any(self, name: str) -> Record | None:
        """Return a deck whoever's it is: for the files, whose addresses nobody guesses."""
        return self._one("id = ?", name)

    def _one(self, where: str, *values: str) -> Record | None:
        found = self._some(f"WHERE {where}", *values)
        return found[0] if found else None

    def page(self, account: str, start: int, count: int) -> tuple[list[Record], int]:
        """Return some of an account's decks, newest first, and how many there are."""
        found = self._some("WHERE account = ? ORDER BY created DESC, id DESC LIMIT ? OFFSET ?", account, count, start)
        (total,) = self._database.execute("SELECT count(*) FROM decks WHERE account = ?", (account,)).fetchone()
        return found, total

    def unfinished(self) -> list[Record]:
        """Return the decks that a job makes."""
        return self._some("WHERE job <> ''")

    def _some(self, rest: str, *values: str | int) -> list[Record]:
        rows = self._database.execute(f"SELECT {','.join(_COLUMNS)} FROM decks {rest}", values).fetchall()
        return [self._record(row) for row in rows]

    @staticmethod
    def _record(row: tuple[Any, ...]) -> Record:
        values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
        values["deck"], values["edited"] = msgspec.json.decode(values["deck"]), bool(values["edited"])
        return Record(**values)

    def folder(self, record: Record) -> Path:
        """Return where a deck's files lie."""
        return self._folder / "decks" / record.id

    def file(self, record: Record, suffix: str) -> Path:
        """Return a deck's present file: `pptx`, `png` or `json`."""
        return self.folder(record) / f"{record.revision}.{suffix}"

    def take(self, record: Record, made: Path) -> None:
        """Take what a job has made as a deck's next files, and drop those before."""
        before, record.revision = record.revision, record.revision + 1
        for name, suffix in (("deck.pptx", "pptx"), ("cover.png", "png"), ("tree.json", "json")):
            if (made / name).is_file():
                shutil.copyfile(made / name, self.file(record, suffix))
        self.save(record)
        for file in self.folder(record).glob(f"{before - 1}.*"):
            # The one before is still asked for by who was told of it.
            file.unlink(missing_ok=True)

    def delete(self, record: Record) -> None:
        """Delete a deck and its files."""
        self._database.execute("DELETE FROM decks WHERE id = ?", (record.id,))
        shutil.rmtree(self.folder(record), ignore_errors=True)

    # Texts

    def add_text(self, account: str, made: Path) -> str:
        """Keep a document that was read; return its id."""
        self._sweep()
        name = secrets.token_hex(16)
        shutil.copytree(made, self._folder / "texts" / name)
        self._database.execute("INSERT INTO texts VALUES (?, ?, ?)", (name, account, time.time()))
        return name

    def text(self, account: str, name: str) -> Path | None:
        """Return the folder of a document of an account's."""
        row = self._database.execute("SELECT id FROM texts WHERE id = ? AND account = ?", (name, account)).fetchone()
        return None if row is None else self._folder / "texts" / row[0]

    def _sweep(self) -> None:
        rows = self._database.execute("SELECT id FROM texts WHERE created < ?", (time.time() - _KEPT_TEXTS,)).fetchall()
        for (name,) in rows:
            shutil.rmtree(self._folder / "texts" / name, ignore_errors=True)
            self._database.execute("DELETE FROM texts WHERE id = ?", (name,))

    # Covers

    def cover(self, template: str) -> Path:
        """Return where a template's picture lies, or will."""
        return self._folder / "covers" / f"{template}.png"
