#!/usr/bin/env bash
# runwayml 5.24.0 (Python): of a task that was cancelled, the synchronous waiter does not take notice.
#
# A task may end as SUCCEEDED, FAILED or CANCELLED. Seen, with a server that says CANCELLED to every question:
# wait_for_task_output() of the synchronous client asks until its own time is over, and raises TaskTimeoutError (after
# ten minutes, where no timeout is given); that of AsyncRunwayML asks once and raises
# TaskFailedError.
#
# Whoever serves this client must tell of a cancelled task as FAILED.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check runwayml==5.24.0
cat > "$work/look.py" <<'PY'
import asyncio
import http.server
import json
import threading

import runwayml

TASK = "17f20503-6c24-4c16-946b-35dbbce2af2f"
asked = []


class Vendor(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        body = json.dumps({"id": TASK, "status": "CANCELLED", "createdAt": "2026-01-01T00:00:00.000Z"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def how(wait):
    asked.clear()
    try:
        wait()
        return "returned", len(asked)
    except Exception as fault:
        return type(fault).__name__, len(asked)


async def later():
    async with runwayml.AsyncRunwayML(api_key="none", base_url=url) as client:
        task = await client.tasks.retrieve(TASK)
        await task.wait_for_task_output(timeout=20)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
client = runwayml.RunwayML(api_key="none", base_url=url)
first = how(lambda: client.tasks.retrieve(TASK).wait_for_task_output(timeout=20))
second = how(lambda: asyncio.run(later()))
print("synchronous:", first, "asynchronous:", second)
assert first[0] == "TaskTimeoutError" and first[1] > 2, "this has changed"
assert second == ("TaskFailedError", 2), "this has changed"
PY
"$work/venv/bin/python" "$work/look.py"
