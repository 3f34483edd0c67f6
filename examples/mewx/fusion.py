"""A picture in the style of another (生成图片融合示例): as a photograph, and as drawn.

    DEEEPAI_TOKEN=sk-… python examples/mewx/fusion.py https://…/photo.jpg https://…/style.jpg

Both are fetched by whoever does it, so their addresses must be open to all.
"""

from __future__ import annotations

import sys

from common import make

SOURCE, STYLE, *_ = [*sys.argv[1:], "https://example.com/a.jpg", "https://example.com/style.jpg"][:2]

for name, engine in (("photograph", 1), ("drawn", 2)):
    body = {
        "source_img": SOURCE,
        "source_mode": 1,
        "style_img": STYLE,
        "engine": engine,
        "cn_list": [{"type": 1, "weight": 60, "guidance_start": 0, "guidance_end": 1}],
        "type": "neuralstyle",
    }
    print(name, make("images/neuralstyle/generate", body)["urls"][0], sep="\t", flush=True)
