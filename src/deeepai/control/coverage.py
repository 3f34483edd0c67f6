"""How much of the interface tree is declared, and how much the last test run proved."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from ..protocols import PROTOCOLS

Status = Literal["missing", "declared", "tested"]

RESULTS_ENV: Final = "DEEEPAI_TEST_RESULTS"
_TREE: Final = Path(__file__).with_name("tree.tsv")
_IN_SOURCE_TREE: Final = Path(__file__).parents[3] / "tests" / "results" / "operations.json"
_SIGNS: Final[Mapping[Status, str]] = {"tested": "✅", "declared": "🔵", "missing": "—"}
_CHINESE: Final[Mapping[Status, str]] = {"tested": "已测试", "declared": "已声明", "missing": "未实现"}


class Result(msgspec.Struct, frozen=True):
    """How the tests of an operation ended, in the last run that held any."""

    passed: int
    failed: int

    @property
    def proved(self) -> bool:
        """Whether something passed and nothing failed."""
        return self.passed > 0 and self.failed == 0


def operations_by_row() -> dict[int, list[str]]:
    """Return the operations that declare each row of the tree, as `protocol.operation`."""
    found: dict[int, list[str]] = {}
    for protocol in PROTOCOLS.values():
        for operation in protocol.operations:
            for row in operation.rows:
                found.setdefault(row, []).append(f"{protocol.name}.{operation.name}")
    return found


def read_results(path: Path | None = None) -> dict[str, Result]:
    """Read what the last test run proved; empty where there was none, as in an installed package.

    Parameters
    ----------
    path : Path, optional
        Else what DEEEPAI_TEST_RESULTS names, else the source tree's `tests/results/operations.json`.
    """
    path = path or Path(os.environ.get(RESULTS_ENV) or _IN_SOURCE_TREE)
    if not path.is_file():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Result])


def rows(results_path: Path | None = None) -> list[dict[str, Any]]:
    """Return every row of the tree.

    Returns
    -------
    list of dict
        `row` (from 1), `tree` (the path of headings), `protocol`, `operations` (names), and `status`: missing,
        declared, or tested (every operation of the row is proved).
    """
    results = read_results(results_path)
    declared = operations_by_row()
    with _TREE.open(encoding="utf-8", newline="") as file:
        return [
            {
                "row": int(line["row"]),
                "tree": line["tree"],
                "protocol": line["protocol"],
                "operations": (names := sorted(declared.get(int(line["row"]), ()))),
                "status": _status(names, results),
            }
            for line in csv.DictReader(file, delimiter="\t")
        ]


def _status(names: list[str], results: Mapping[str, Result]) -> Status:
    if not names:
        return "missing"
    proved = all((result := results.get(name)) is not None and result.proved for name in names)
    return "tested" if proved else "declared"


def markdown(results_path: Path | None = None) -> str:
    """Return the table as a page in Markdown."""
    found = rows(results_path)
    counts = Counter(row["status"] for row in found)
    figures = " · ".join(
        f"{_SIGNS[status]} {status} {_CHINESE[status]}: **{counts[status]}**"
        for status in ("tested", "declared", "missing")
    )
    lines = [
        "# Interface coverage / 接口覆盖情况",
        "",
        "Written by `deeepai.control.coverage` out of the declarations and the results of the last test run; do not"
        " edit.",
        "*Tested*: a test saw the gateway answer every operation of the row with success, and none failed.",
        "",
        "由声明与最近一次测试结果自动生成，请勿手工修改。*已测试*：该行的每个操作都有测试证明网关成功应答，且无一失败。",
        "",
        f"{figures} · total 合计: **{len(found)}**",
        "",
        "| # | Interface 接口 | Protocol 协议 | Operations 操作 | Status 状态 |",
        "|---:|---|---|---|---|",
    ]
    for row in found:
        names = ", ".join(f"`{name}`" for name in row["operations"])
        status: Status = row["status"]
        tree = row["tree"].replace("|", "\\|")
        lines.append(f"| {row['row']} | {tree} | {row['protocol']} | {names} | {_SIGNS[status]} {_CHINESE[status]} |")
    return "\n".join(lines) + "\n"


def write_markdown(path: Path, results_path: Path | None = None) -> None:
    """Write the page to a file, such as `docs/coverage.md`."""
    path.write_text(markdown(results_path), encoding="utf-8")
