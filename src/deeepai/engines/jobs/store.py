"""Where jobs are kept: a table, and a folder each. What was under way when the program ended begins anew."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from .job import Job, JobState

MOST_ATTEMPTS: Final = 2
"""A job whose process ended twice is not tried again."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, module TEXT NOT NULL, account TEXT NOT NULL, request TEXT NOT NULL, facts TEXT NOT NULL,
    large INTEGER NOT NULL, seconds REAL NOT NULL, state TEXT NOT NULL, progress INTEGER NOT NULL, told TEXT NOT NULL,
    result TEXT, code TEXT NOT NULL, message TEXT NOT NULL, attempts INTEGER NOT NULL,
    created REAL NOT NULL, started REAL NOT NULL, finished REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_by_end ON jobs (finished);
"""
_COLUMNS: Final = (
    "id, module, account, request, facts, large, seconds, state, progress, told, result, code, message, attempts, "
    "created, started, finished"
)
_encode = msgspec.json.Encoder().encode


class Store:
    """Jobs of one folder, which one program has open.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(folder / "jobs.db", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)

    def place(self, files: Mapping[str, bytes | Path]) -> str:
        """Make a new job's folder with its files; paths are moved there. Return its id."""
        name = secrets.token_hex(16)
        folder = self.folder / name
        (folder / "in").mkdir(parents=True)
        (folder / "out").mkdir()
        for file, held in files.items():
            if isinstance(held, bytes):
                (folder / "in" / file).write_bytes(held)
            else:
                shutil.move(held, folder / "in" / file)
        return name

    def add(
        self,
        name: str,
        module: str,
        account: str,
        request: Mapping[str, Any],
        facts: Mapping[str, Any],
        large: bool,
        seconds: float,
    ) -> Job:
        """Keep a new job whose folder is made."""
        folder = self.folder / name
        job = Job(name, module, account, dict(request), dict(facts), folder, large, seconds, created=time.time())
        self.save(job)
        return job

    def save(self, job: Job) -> None:
        """Keep a job as it stands."""
        values: Sequence[Any] = (
            job.id,
            job.module,
            job.account,
            _encode(job.request),
            _encode(job.facts),
            job.large,
            job.seconds,
            job.state.value,
            job.progress,
            _encode(job.told),
            None if job.result is None else _encode(job.result),
            job.code,
            job.message,
            job.attempts,
            job.created,
            job.started,
            job.finished,
        )
        marks = ",".join("?" * len(values))
        self._database.execute(f"INSERT OR REPLACE INTO jobs ({_COLUMNS}) VALUES ({marks})", values)

    def get(self, name: str) -> Job | None:
        """Return a job."""
        row = self._database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (name,)).fetchone()
        return None if row is None else self._job(row)

    def unfinished(self) -> Iterator[Job]:
        """Yield what has no end, oldest first."""
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE finished = 0 ORDER BY created, id").fetchall()
        return map(self._job, rows)

    def tidy(self) -> None:
        """Delete folders of no job: the program ended while their files came."""
        known = {name for (name,) in self._database.execute("SELECT id FROM jobs")}
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

    def forget(self, before: float) -> int:
        """Delete jobs that ended before a time (Unix seconds), with their files; return how many."""
        rows = self._database.execute("SELECT id FROM jobs WHERE finished > 0 AND finished < ?", (before,)).fetchall()
        for (name,) in rows:
            shutil.rmtree(self.folder / name, ignore_errors=True)
            self._database.execute("DELETE FROM jobs WHERE id = ?", (name,))
        return len(rows)

    def close(self) -> None:
        """Close the table."""
        self._database.close()

    def _job(self, row: Sequence[Any]) -> Job:
        (name, module, account, request, facts, large, seconds, state, progress, told, result, code, message, *rest) = (
            row
        )
        attempts, created, started, finished = rest
        decode = msgspec.json.decode
        return Job(
            name,
            module,
            account,
            decode(request),
            decode(facts),
            self.folder / name,
            bool(large),
            seconds,
            JobState(state),
            progress,
            decode(told),
            None if result is None else decode(result),
            code,
            message,
            attempts,
            created,
            started,
            finished,
        )
