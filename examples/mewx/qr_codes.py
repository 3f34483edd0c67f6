"""Art QR codes: the eight examples of the vendor's pages. All of them, or those that are named:

DEEEPAI_TOKEN=sk-… python examples/mewx/qr_codes.py 1-custom 4-template
"""

from __future__ import annotations

import base64
import sys
import urllib.request
from typing import Any

from common import make, run

PATH = "images/generate"
CONTENT = "https://example.com"
EYES = ("square", "circle", "plus", "box", "octagon", "random", "tiny-plus")


def custom(flags: str, prompt: str = "一朵花") -> dict[str, Any]:
    """Return a call with keywords of one's own."""
    return {"prompt": f"{prompt} {flags}", "model": "67", "qr_content": CONTENT}


EXAMPLES: dict[str, list[dict[str, Any]]] = {
    # 1. 自定义调用 - 普通示例
    "1-custom": [custom("--v 1.1")],
    # 2. 自定义调用 - 不同版本
    "2-versions": [custom(f"--v {version}") for version in ("1", "1.1", "2", "3")],
    # 3. 自定义调用 - 二维码强度
    "3-strength": [custom("--v 1.1 --iw 0.45")],
    # 4. 模版调用 - 普通示例
    "4-template": [{"template_id": 2, "qr_content": CONTENT}],
    # 5. 模版调用 - 二维码强度
    "5-template-strength": [{"template_id": 2, "qr_content": CONTENT, "prompt": "--iw 0.45"}],
    # 6. 自定义调用 - 上传图片: filled in below
    "6-picture": [],
    # 7. 不同码眼调用
    "7-eyes": [custom(f"--v 1.1 --shape {shape}") for shape in EYES],
    # 8. 不同版本, each on a canvas of another shape
    "8-canvas": [custom("--v 2 --ar 9:16 --seed 7", "星空"), custom("\n--v 3 --ar 16:9 --seed 7", "秋天的枫树")],
}


def picture() -> str:
    """Return the picture of a QR code in base64: one that is drawn first."""
    drawn = make(PATH, EXAMPLES["4-template"][0])["urls"][0]
    with urllib.request.urlopen(drawn, timeout=60) as answer:
        return base64.b64encode(answer.read()).decode()


if __name__ == "__main__":
    if "6-picture" in (sys.argv[1:] or EXAMPLES):
        EXAMPLES["6-picture"] = [{"prompt": "珊瑚 --v 2", "model": "67", "qr_image": picture()}]
    run(PATH, EXAMPLES)
