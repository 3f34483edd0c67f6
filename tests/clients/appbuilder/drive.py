"""Has decks made by AppBuilder's three components; prints one line of JSON. Runs in its own environment."""

from __future__ import annotations

import json
import os
from typing import Any

from appbuilder import Message, PPTGenerationFromFile, PPTGenerationFromInstruction, PPTGenerationFromPaper

GATEWAY, TOKEN = os.environ["GATEWAY"], os.environ["TOKEN"]
CUSTOM = {
    "title": "网络安全大赛",
    "catalogs": [{"catalog": "威胁", "sub_catalog": ["攻击", "勒索"]}, {"catalog": "防御", "sub_catalog": ["检测"]}],
    "contents": [{"catalog_index": 0, "sub_catalog_index": 0, "content": ["第一行", "第二行"]}],
}


def made(component: Any, said: dict[str, Any], token: str = TOKEN) -> str:
    """Return the address of a deck; its own pause between two questions is five seconds."""
    client = component(secret_key=token, gateway=GATEWAY)
    return client.run(Message(said), poll_request_times=600, poll_request_interval=0.1).content


found = {
    "text": made(PPTGenerationFromInstruction, {"text": "生成一个介绍北京的PPT", "custom_data": {}}),
    "outline": made(PPTGenerationFromInstruction, {"text": "", "custom_data": CUSTOM}),
    "file": made(PPTGenerationFromFile, {"file_url": os.environ["FILE"]}),
    "paper": made(PPTGenerationFromPaper, {"file_key": os.environ["PAPER"]}),
}
try:
    made(PPTGenerationFromInstruction, {"text": "x", "custom_data": {}}, "sk-wrong")
except Exception as fault:
    found["error"] = str(fault)
print(json.dumps(found))
