"""Write docs/coverage.md out of the declarations and the results of the last test run."""

from __future__ import annotations

from pathlib import Path

from deeepai.control.coverage import write_markdown

if __name__ == "__main__":
    write_markdown(Path(__file__).parents[1] / "docs" / "coverage.md")
