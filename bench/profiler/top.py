"""Where the time went: `python -m bench.profiler.top FILE.PID …` for files of `--profile`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

ROWS = 30


def main() -> None:
    own: Counter[str] = Counter()
    under: Counter[str] = Counter()
    for file in sys.argv[1:]:
        for line in Path(file).read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            frames = stack.split(";")
            own[frames[-1]] += int(count)
            for frame in set(frames):
                under[frame] += int(count)
    total = own.total()
    print(f"{total} samples. First what runs itself, then with all that it calls.")
    for counter in (own, under):
        print()
        for frame, count in counter.most_common(ROWS):
            print(f"{count / total:7.1%}  {frame}")


if __name__ == "__main__":
    main()
