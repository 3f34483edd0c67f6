"""Cute pictures: the six examples of the vendor's pages. All of them, or those that are named:

    DEEEPAI_TOKEN=sk-… python examples/mewx/cute.py basic own-size

No model on this machine draws them: a live token needs a channel to the vendor, a test token reaches its stand-in.
"""

from __future__ import annotations

from typing import Any

from common import run


def cute(**changes: Any) -> dict[str, Any]:
    """Return the basic call, with changes."""
    basic = {"prompt": "1girl, garden", "upscaler": 1, "ratio": 1, "extra_model": [], "audit": 0}
    return {"type": "MX-CUTE", "args": {**basic, **changes}}


EXAMPLES: dict[str, list[dict[str, Any]]] = {
    # 基础调用
    "basic": [cute()],
    # 基础调用 - 自定义尺寸
    "own-size": [cute(width=768, height=512)],
    # 基础调用 - 开启审核
    "audit": [cute(audit=1)],
    # 融合模型调用
    "extra-model": [cute(extra_model=[{"id": "100000", "weight": 0.75}])],
    # 反词 - 替换默认反词
    "negative-replaced": [cute(negative_prompt="lowres", negative_type=2)],
    # 反词 - 追加反词
    "negative-added": [cute(negative_prompt="lowres", negative_type=0)],
}

if __name__ == "__main__":
    run("mx/images/cute/generate", EXAMPLES)
