"""Drives a video from the submission to its end by zhipuai; prints one line of JSON. Runs in its own environment."""

from __future__ import annotations

import json
import os
import time

from zhipuai import ZhipuAI
from zhipuai.core import APIAuthenticationError, APIRequestFailedError

BASE, KEY = f"{os.environ['GATEWAY']}/cogvideox/v4", os.environ["TOKEN"]
client = ZhipuAI(api_key=KEY, base_url=BASE, max_retries=0)
accepted = client.videos.generations(model="cogvideox-2", prompt="a lighthouse by zhipuai", request_id="order-000019")
deadline = time.monotonic() + 60
done = client.videos.retrieve_videos_result(id=accepted.id)
while done.task_status == "PROCESSING":
    assert time.monotonic() < deadline, "the video did not come"
    time.sleep(0.1)
    done = client.videos.retrieve_videos_result(id=accepted.id)

errors = {}
for name, key, body in (
    ("key", "sk-wrong", {"model": "cogvideox-2", "prompt": "x"}),
    ("model", KEY, {"model": "no-such-model", "prompt": "x"}),
):
    try:
        ZhipuAI(api_key=key, base_url=BASE, max_retries=0).videos.generations(**body)
    except (APIAuthenticationError, APIRequestFailedError) as fault:
        errors[name] = [type(fault).__name__, fault.response.json()["error"]["code"]]

films = [[film.url, film.cover_image_url] for film in done.video_result or []]
print(
    json.dumps(
        {
            "accepted": [accepted.id, accepted.model, accepted.task_status, accepted.request_id],
            "done": [done.task_status, done.request_id, films],
            "errors": errors,
        }
    )
)
