"""Creative text: the three examples of the vendor's pages. All of them, or those that are named:

DEEEPAI_TOKEN=sk-… python examples/mewx/creative_text.py 3-art-template
"""

from __future__ import annotations

from typing import Any

from common import run

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    # 1. 光影文字 - 使用模版
    "1-shadow-template": [{"type": "textshadow", "text": "星河", "template_id": 1, "ratio": 1}],
    # 2. 光影文字 - 自定义 prompt 调用
    "2-shadow-custom": [
        {"type": "textshadow", "text": "星河", "prompt": "雪山, 日出 --iw 0.45", "model": "67", "ratio": 4}
    ],
    # 3. 艺术字调用 - 使用模版
    "3-art-template": [{"type": "textart", "text": "福", "template_id": 3, "prompt": "--type 1", "ratio": 1}],
}

if __name__ == "__main__":
    run("images/shadow/generate", EXAMPLES)
