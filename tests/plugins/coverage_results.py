"""Records which operations the tests really proved: `@pytest.mark.operation("flux.generate", "flux.get_result")`.

A mark counts only if a gateway answered that operation with success while the test ran: the gateways' own counters are
read before and after it. Fixtures that run a gateway (of one worker process) say so by `watch(url)`, and by
`forget(url)` before they stop one in the middle of a test. The results of a run go to `tests/results/operations.json`
(or where DEEEPAI_TEST_RESULTS says): a whole run replaces the file, a part of one only the operations that ran.
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MARK = "operation"
WAIT = 20.0
"""Seconds that a counter is waited for: it rises just after the answer's last byte, on a busy machine, too."""

_LINE = re.compile(r'deeepai_requests_total\{operation="([^"]+)",status="(101|[23]\d\d)"\} (\S+)')


class Watch:
    """Successful answers by operation, of all gateways that are watched, since the last `reset`."""

    def __init__(self) -> None:
        self._before: dict[str, Counter[str]] = {}
        self._gone: Counter[str] = Counter()

    def add(self, url: str) -> None:
        self._before[url] = _read(url) or Counter()

    def remove(self, url: str) -> None:
        self._gone += _rise(self._before.pop(url), _read(url))

    def reset(self) -> None:
        self._gone = Counter()
        for url in self._before:
            self.add(url)

    def risen(self) -> Counter[str]:
        total = Counter(self._gone)
        for url, before in self._before.items():
            total += _rise(before, _read(url))
        return total

    def __bool__(self) -> bool:
        return bool(self._before or self._gone)


_watch = Watch()


def watch(url: str) -> None:
    """Count the answers of the gateway at `url` from now on."""
    _watch.add(url.rstrip("/"))


def forget(url: str) -> None:
    """Count them no more; what they were so far still counts for the test that runs."""
    _watch.remove(url.rstrip("/"))


def _read(url: str) -> Counter[str] | None:
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return None
    found: Counter[str] = Counter()
    for operation, _, count in _LINE.findall(text):
        found[operation] += int(float(count))
    return found


def _rise(before: Counter[str], after: Counter[str] | None) -> Counter[str]:
    if after is None:
        return Counter()
    # A gateway that was started anew counts from nought.
    return Counter({name: count - before[name] if count >= before[name] else count for name, count in after.items()})


def _marked(item: pytest.Item) -> list[str]:
    return sorted({name for mark in item.iter_markers(MARK) for name in mark.args})


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}(name, ...): operations that the test proves, `protocol.operation`")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config), "operation-results")


def pytest_itemcollected(item: pytest.Item) -> None:
    item.user_properties += [(MARK, name) for name in _marked(item)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    names = _marked(item)
    if not names:
        yield
        return
    _watch.reset()
    yield
    deadline = time.monotonic() + WAIT
    while missing := [name for name, count in _counts(names).items() if count <= 0]:
        if not _watch:
            pytest.fail(f"{', '.join(missing)}: no gateway is watched; its fixture must call watch(url)", pytrace=False)
        if time.monotonic() > deadline:
            pytest.fail(
                f"marked as proof of {', '.join(missing)}, but no gateway answered that with success during the test",
                pytrace=False,
            )
        time.sleep(0.02)


def _counts(names: list[str]) -> dict[str, int]:
    risen = _watch.risen()
    return {name: risen[name] for name in names}


class Recorder:
    """Gathers the reports of all workers, and writes the results at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._results: dict[str, dict[str, int]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = "failed" if report.failed else "passed" if report.passed and report.when == "call" else None
        if outcome is None:
            return
        for name, value in report.user_properties:
            if name == MARK:
                self._results.setdefault(str(value), {"passed": 0, "failed": 0})[outcome] += 1

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        ran = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        whole = ran and self._whole(session)
        if not self._results and not whole:
            return
        path = results_path(self._config.rootpath)
        known: dict[str, Any] = {}
        if not whole and path.exists():
            known = json.loads(path.read_text("utf-8"))
        text = json.dumps(known | self._results, indent=2, sort_keys=True) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def _whole(self, session: pytest.Session) -> bool:
        """Tell whether all tests ran: none chosen, no end before the last."""
        option = self._config.option
        chosen = self._config.args_source is pytest.Config.ArgsSource.ARGS or any(
            getattr(option, name, None)
            for name in ("keyword", "markexpr", "deselect", "lf", "stepwise", "ignore", "ignore_glob", "collectonly")
        )
        return not chosen and not session.shouldstop and not session.shouldfail


def results_path(root: Path) -> Path:
    """Where the results of the tests of a tree go."""
    return Path(os.environ.get("DEEEPAI_TEST_RESULTS") or root / "tests" / "results" / "operations.json")
