"""Runway's client of 2025: films by models that later ones do not name, and a task that is stopped."""

import json
import os

import runwayml
from runwayml import RunwayML, TaskFailedError
from runwayml.lib import polling

polling.POLL_TIME, polling.POLL_JITTER = 0.5, 0.2
FOX = "https://example.com/fox.png"
CLIP = "https://example.com/fox.mp4"

with RunwayML(api_key=os.environ["TOKEN"], base_url=os.environ["GATEWAY"] + "/runwayml", max_retries=0) as client:
    frames = [{"uri": FOX, "position": "first"}, {"uri": FOX, "position": "last"}]
    turbo = client.image_to_video.create(
        model="gen3a_turbo", prompt_image=frames, prompt_text="a fox", ratio="1280:768", duration=5
    ).wait_for_task_output()
    aleph = client.video_to_video.create(
        model="gen4_aleph", video_uri=CLIP, prompt_text="by night", ratio="1280:720"
    ).wait_for_task_output()
    endless = client.image_to_video.create(
        model="gen4_turbo", prompt_image=FOX, prompt_text="[sandbox:never-finish] x", ratio="1280:720", duration=5
    )
    client.tasks.delete(endless.id)
    try:
        stopped = endless.wait_for_task_output(timeout=60).status
    except TaskFailedError as failed:
        stopped = failed.task_details.status
films = {"turbo": [turbo.status, turbo.output[0]], "aleph": [aleph.status, aleph.output[0]]}
print(json.dumps({"version": runwayml.__version__, "films": films, "stopped": stopped}))
