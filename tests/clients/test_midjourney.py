"""Midjourney as its web clients drive it: submissions, buttons, windows, callbacks, every prefix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from deeepai.protocols import PROTOCOLS
from tests.operator import rows, usage_row
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.pictures import opened, png_url
from tests.support.receiver import Receiver
from tests.support.until import PATIENCE, until

MILL = 1_000_000
"""10⁻⁹ USD."""
FINAL = ("SUCCESS", "FAILURE", "CANCEL")


class Client:
    """What a web client does."""

    def __init__(self, gateway: Gateway, prefix: str = "", headers: dict[str, str] | None = None) -> None:
        self.gateway = gateway
        self._base = f"{gateway.url}{prefix}/mj"
        self._headers = headers or {"mj-api-secret": gateway.live}

    def post(self, path: str, body: Any) -> requests.Response:
        return requests.post(self._base + path, json=body, headers=self._headers, timeout=PATIENCE)

    def get(self, path: str) -> requests.Response:
        return requests.get(self._base + path, headers=self._headers, timeout=PATIENCE)

    def submit(self, path: str, code: int = 1, **body: Any) -> str:
        """Submit; return the task's id."""
        answer = self.post(path, body)
        found = answer.json()
        assert (answer.status_code, found.get("code")) == (200, code), (path, answer.text)
        assert isinstance(found["description"], str)
        assert isinstance(found["properties"], dict)
        return found["result"]

    def fetch(self, task: str) -> dict[str, Any]:
        answer = self.get(f"/task/{task}/fetch")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(self, task: str) -> dict[str, Any]:
        """Wait for a task's end, as the gateway's own callbacks tell it."""

        def look() -> dict[str, Any] | None:
            if not rows(self.gateway, "SELECT 1 FROM tasks WHERE id = ? AND finished_at > 0", task):
                return None
            return self.fetch(task)

        return until(look)

    def made(self, path: str, **body: Any) -> dict[str, Any]:
        """Submit, and wait for success."""
        task = self.ended(self.submit(path, **body))
        assert task["status"] == "SUCCESS", task
        assert task["progress"] == "100%"
        return task

    def press(self, task: dict[str, Any], part: str, code: int = 1, **more: Any) -> str:
        return self.submit("/submit/action", code, taskId=task["id"], customId=button(task, part), **more)

    def pressed(self, task: dict[str, Any], part: str, **more: Any) -> dict[str, Any]:
        done = self.ended(self.press(task, part, **more))
        assert done["status"] == "SUCCESS", done
        return done


def button(task: dict[str, Any], part: str) -> str:
    return next(each["customId"] for each in task["buttons"] if part in each["customId"])


def picture_at(url: str) -> Image.Image:
    answer = requests.get(url, timeout=PATIENCE)
    assert answer.status_code == 200, (url, answer.text)
    return opened(answer.content)


def cost(gateway: Gateway, task: dict[str, Any]) -> int:
    return rows(gateway, "SELECT cost FROM tasks WHERE id = ?", task["id"])[0]["cost"]


@pytest.fixture
def mj(gateway: Gateway) -> Client:
    return Client(gateway)


@pytest.fixture(scope="module")
def grid(gateway: Gateway) -> dict[str, Any]:
    return Client(gateway).made("/submit/imagine", prompt="a mill by a river --ar 3:2", state="order-1")


@pytest.fixture(scope="module")
def single(gateway: Gateway, grid: dict[str, Any]) -> dict[str, Any]:
    return Client(gateway).pressed(grid, "upsample::2")


# Submissions -------------------------------------------------------------------------------------------------------


@pytest.mark.operation("midjourney.imagine", "midjourney.fetch", "midjourney.image")
def test_imagine(mj: Client, gateway: Gateway) -> None:
    body = {"prompt": "Cat 山 --ar 3:2", "base64Array": [png_url()], "state": "order-17", "notifyHook": "", "odd": 1}
    task = mj.made("/submit/imagine", **body)
    assert len(task["id"]) == 16
    assert task["id"].isdigit()
    assert (task["action"], task["state"]) == ("IMAGINE", "order-17")
    assert "Cat 山 --ar 3:2" in task["prompt"]
    assert task["submitTime"] <= task["startTime"] <= task["finishTime"]
    assert [each["label"] for each in task["buttons"]] == ["U1", "U2", "U3", "U4", "", "V1", "V2", "V3", "V4"]
    assert task["imageUrl"].startswith(f"{gateway.url}/mj/image/{task['id']}")
    image = picture_at(task["imageUrl"])
    assert image.width / image.height == pytest.approx(1.5, abs=0.02)
    assert mj.get(f"/image/{task['id']}").headers["content-type"] == "image/png"
    assert requests.get(f"{gateway.url}/mj/image/{task['id']}", timeout=PATIENCE).status_code == 401
    assert cost(gateway, task) == 100 * MILL
    (upstream,) = rows(gateway, "SELECT upstream_id FROM tasks WHERE id = ?", task["id"])
    assert upstream["upstream_id"] not in str(task)


@pytest.mark.parametrize("header", ["Authorization: Bearer {}", "Authorization: {}", "mj-api-secret: Bearer {}"])
def test_where_the_key_may_stand(gateway: Gateway, header: str, grid: dict[str, Any]) -> None:
    name, _, value = header.partition(": ")
    headers = {name: value.format(gateway.live)}
    if name != "Authorization":
        headers["Authorization"] = "Bearer midjourney-proxy"
    assert Client(gateway, headers=headers).fetch(grid["id"])["id"] == grid["id"]


@pytest.mark.operation("midjourney.change", "midjourney.simple-change")
def test_changes(mj: Client, gateway: Gateway, grid: dict[str, Any]) -> None:
    one = mj.made("/submit/change", taskId=grid["id"], action="UPSCALE", index=2, state="s")
    assert (one["action"], one["state"]) == ("UPSCALE", "s")
    assert one["description"] == f"/up {grid['id']} U2"
    same = mj.made("/submit/simple-change", content=f"{grid['id']} u2")
    assert picture_at(one["imageUrl"]).tobytes() == picture_at(same["imageUrl"]).tobytes()
    assert cost(gateway, one) == cost(gateway, same) == 50 * MILL
    varied = mj.made("/submit/change", taskId=grid["id"], action="VARIATION", index=3)
    again = mj.made("/submit/change", taskId=grid["id"], action="REROLL")
    assert (varied["action"], again["action"]) == ("VARIATION", "REROLL")
    assert again["description"] == f"/up {grid['id']} R"
    assert cost(gateway, varied) == cost(gateway, again) == 100 * MILL
    for content in (f"{grid['id']}  U2", f"{grid['id']} U5", f"{grid['id']}", "U2"):
        refused = mj.post("/submit/simple-change", {"content": content})
        assert (refused.status_code, refused.json()["code"]) == (400, 4)
    not_a_grid = mj.post("/submit/change", {"taskId": one["id"], "action": "UPSCALE", "index": 1})
    assert (not_a_grid.status_code, not_a_grid.json()["code"]) == (400, 4)


@pytest.mark.operation("midjourney.action")
def test_buttons(mj: Client, gateway: Gateway, grid: dict[str, Any], single: dict[str, Any]) -> None:
    assert single["action"] == "UPSCALE"
    for task, part, action, price in (
        (grid, "variation::1", "VARIATION", 100),
        (grid, "reroll::0", "IMAGINE", 100),
        (single, "low_variation", "VARIATION", 100),
        (single, "high_variation", "VARIATION", 100),
        (single, "Outpaint::50", "ZOOM", 100),
        (single, "pan_left", "PAN", 100),
        (single, "_2x_subtle", "UPSCALE_HD", 50),
    ):
        done = mj.pressed(task, part, state=part)
        assert (done["action"], done["state"]) == (action, part)
        assert cost(gateway, done) == price * MILL, part
        assert picture_at(done["imageUrl"]).width
    before = rows(gateway, "SELECT count(*) AS n FROM tasks")
    assert mj.press(single, "BOOKMARK") == single["id"]
    assert rows(gateway, "SELECT count(*) AS n FROM tasks") == before
    unknown = mj.post("/submit/action", {"taskId": grid["id"], "customId": "MJ::Nothing::1"})
    assert (unknown.status_code, unknown.json()["code"]) == (400, 4)


@pytest.mark.operation("midjourney.action", "midjourney.modal")
def test_windows(mj: Client, gateway: Gateway, single: dict[str, Any]) -> None:
    """A window costs nothing until its input is sent, under the same id; then it is charged once."""
    answer = mj.post("/submit/action", {"taskId": single["id"], "customId": button(single, "Inpaint"), "state": "s"})
    told = answer.json()
    assert (told["code"], told["description"]) == (21, "Waiting for window confirm")
    assert told["properties"]["remix"] is True
    waiting = told["result"]
    assert mj.fetch(waiting)["status"] == "MODAL"
    (task,) = rows(gateway, "SELECT state, hold_id FROM tasks WHERE id = ?", waiting)
    assert task == {"state": "waiting", "hold_id": None}
    assert not rows(gateway, "SELECT 1 FROM holds WHERE task_id = ?", waiting)
    refused = mj.post("/submit/modal", {"taskId": waiting})
    assert refused.json()["code"] == 4
    assert mj.fetch(waiting)["status"] == "MODAL"
    assert mj.submit("/submit/modal", taskId=waiting, prompt="a red mill", maskBase64=png_url(color="white")) == waiting
    done = mj.ended(waiting)
    assert (done["status"], done["prompt"], done["state"]) == ("SUCCESS", "a red mill", "s")
    assert cost(gateway, done) == 100 * MILL
    charges = rows(
        gateway,
        "SELECT 1 FROM ledger WHERE kind = 'charge' AND request_id IN (SELECT request_id FROM usage WHERE task_id = ?)",
        waiting,
    )
    assert len(charges) == 1
    twice = mj.post("/submit/modal", {"taskId": waiting, "prompt": "again"})
    assert (twice.status_code, twice.json()["code"]) == (400, 4)


@pytest.mark.operation("midjourney.modal")
def test_zoom_and_remix(mj: Client, gateway: Gateway, grid: dict[str, Any], single: dict[str, Any]) -> None:
    zoom = mj.press(single, "CustomZoom", 21)
    mj.submit("/submit/modal", taskId=zoom, prompt="a mill --zoom 1.5")
    assert mj.ended(zoom)["status"] == "SUCCESS"
    wrong = mj.press(single, "CustomZoom", 21)
    mj.submit("/submit/modal", taskId=wrong, prompt="a mill --zoom 5")
    failed = mj.ended(wrong)
    assert (failed["status"], failed["progress"]) == ("FAILURE", "100%")
    assert "Invalid parameter" in failed["failReason"]
    assert cost(gateway, failed) == 0
    spent = rows(gateway, "SELECT sum(spent) AS n FROM accounts")
    remix = mj.press(grid, "variation::1", 21, enableRemix=True)
    assert not rows(gateway, "SELECT 1 FROM holds WHERE task_id = ?", remix)
    assert rows(gateway, "SELECT sum(spent) AS n FROM accounts") == spent
    mj.submit("/submit/modal", taskId=remix, prompt="a mill in snow")
    done = mj.ended(remix)
    assert (done["status"], done["prompt"]) == ("SUCCESS", "a mill in snow")
    assert cost(gateway, done) == 100 * MILL


@pytest.mark.operation(
    "midjourney.blend",
    "midjourney.describe",
    "midjourney.shorten",
    "midjourney.swap",
    "midjourney.action",
    "midjourney.modal",
)
def test_other_submissions(mj: Client, gateway: Gateway) -> None:
    both = [png_url(), png_url(color="olive")]
    blend = mj.made("/submit/blend", base64Array=both, dimensions="PORTRAIT")
    assert blend["action"] == "BLEND"
    assert picture_at(blend["imageUrl"]).width < picture_at(blend["imageUrl"]).height
    described = mj.made("/submit/describe", base64=png_url())
    assert described["action"] == "DESCRIBE"
    assert described["prompt"].count("--ar") == 4
    drawn = mj.press(described, "PicReader::1", 21)
    mj.submit("/submit/modal", taskId=drawn, prompt="")
    assert mj.ended(drawn)["status"] == "SUCCESS"
    assert not any("all" in each["customId"] for each in described["buttons"])
    short = mj.made("/submit/shorten", prompt="a very tall tower over very deep water")
    assert "Shortened prompts" in short["properties"]["finalPrompt"]
    assert short["imageUrl"] is None
    swap = mj.made("/insight-face/swap", sourceBase64=both[0], targetBase64=both[1])
    assert swap["action"] == "SWAP_FACE"
    assert picture_at(swap["imageUrl"]).width
    assert all(cost(gateway, task) > 0 for task in (blend, described, short, swap))


@pytest.mark.operation("midjourney.edits", "midjourney.retexture", "midjourney.video", "midjourney.upload")
def test_later_submissions(mj: Client, gateway: Gateway) -> None:
    assert mj.made("/submit/edits", prompt="a hat", image=png_url())["action"] == "EDIT"
    assert mj.made("/submit/edit", prompt="a hat", image=png_url())["action"] == "EDIT"
    assert mj.made("/submit/retexture", prompt="glass", image=png_url())["action"] == "RETEXTURE"
    video = mj.made("/submit/video", prompt="a wave", image=png_url(), batchSize=2)
    assert len(video["videoUrls"]) == 2
    assert getattr(picture_at(video["videoUrl"]), "n_frames", 1) > 1
    assert all(each["url"].startswith(gateway.url) for each in video["videoUrls"])
    clip = mj.pressed(video, "video_virtual_upscale::1")
    longer = mj.made("/submit/video", action="extend", taskId=clip["id"], index=0, prompt="on", batchSize=1)
    assert longer["action"] == "VIDEO"
    answer = mj.post("/submit/upload-discord-images", {"base64Array": [png_url()]})
    assert isinstance(answer.json()["result"], list)
    assert usage_row(gateway, answer.headers["x-request-id"])["status"] == 200


# Looking -----------------------------------------------------------------------------------------------------------


@pytest.mark.operation(
    "midjourney.list-by-condition", "midjourney.list", "midjourney.queue", "midjourney.image-seed", "midjourney.cancel"
)
def test_queries(mj: Client, gateway: Gateway, grid: dict[str, Any], single: dict[str, Any]) -> None:
    ids = [int(grid["id"]), single["id"], "0", 1]
    listed = mj.post("/task/list-by-condition", {"ids": ids}).json()
    assert {task["id"] for task in listed} == {grid["id"], single["id"]}
    for empty in ({"ids": None}, {"ids": []}, {}):
        assert mj.post("/task/list-by-ids", empty).json() == []
    assert Client(gateway, headers={"mj-api-secret": gateway.live}).fetch(grid["id"])["id"] == grid["id"]
    assert grid["id"] in {task["id"] for task in mj.get("/task/list").json()}
    seed = mj.get(f"/task/{grid['id']}/image-seed").json()
    assert (seed["code"], seed["result"].isdigit()) == (1, True)
    running = mj.submit("/submit/imagine", prompt="[sandbox:never-finish] x")
    assert running in {task["id"] for task in mj.get("/task/queue").json()}
    early = mj.get(f"/task/{running}/image-seed")
    assert (early.status_code, early.json()["code"]) == (400, 4)
    follow = mj.post("/submit/change", {"taskId": running, "action": "REROLL"})
    assert (follow.status_code, follow.json()["code"]) == (400, 4)
    assert mj.post(f"/task/{running}/cancel", {}).json()["code"] == 1
    cancelled = mj.ended(running)
    assert (cancelled["status"], cancelled["failReason"]) == ("CANCEL", "取消任务")
    assert cost(gateway, cancelled) == 0
    unknown = mj.get("/task/1741531578038412/fetch")
    assert (unknown.status_code, unknown.json()["description"]) == (400, "task_no_found")


@pytest.mark.parametrize(
    ("prompt", "code"),
    [("[sandbox:moderated] x", 24), ("[sandbox:queue-full] x", 23), ("[sandbox:no-account] x", 3), (" ", 4)],
)
def test_refusals_cost_nothing(mj: Client, gateway: Gateway, prompt: str, code: int) -> None:
    before = rows(gateway, "SELECT count(*) AS n FROM tasks"), rows(gateway, "SELECT sum(spent) AS n FROM accounts")
    answer = mj.post("/submit/imagine", {"prompt": prompt})
    assert answer.json()["code"] == code
    if code == 24:
        assert answer.json()["properties"]["bannedWord"]
    after = rows(gateway, "SELECT count(*) AS n FROM tasks"), rows(gateway, "SELECT sum(spent) AS n FROM accounts")
    assert after == before
    request_id = answer.headers["x-request-id"]
    assert not rows(gateway, "SELECT 1 FROM holds WHERE request_id = ?", request_id)


def test_a_queued_task(mj: Client) -> None:
    task = mj.submit("/submit/imagine", 22, prompt="[sandbox:queued] x")
    assert mj.ended(task)["status"] == "SUCCESS"


@pytest.mark.parametrize("trigger", ["moderated-output", "fail-midway"])
def test_failures_are_given_back(mj: Client, gateway: Gateway, trigger: str) -> None:
    task = mj.ended(mj.submit("/submit/imagine", prompt=f"[sandbox:{trigger}] x"))
    assert (task["status"], task["progress"]) == ("FAILURE", "100%")
    assert task["failReason"]
    assert cost(gateway, task) == 0
    (row,) = rows(gateway, "SELECT request_id FROM tasks WHERE id = ?", task["id"])
    kinds = rows(gateway, "SELECT kind FROM ledger WHERE request_id = ? ORDER BY kind", row["request_id"])
    assert [each["kind"] for each in kinds] == ["hold", "void"]


# Prefixes ----------------------------------------------------------------------------------------------------------


def test_every_prefix(gateway: Gateway, grid: dict[str, Any]) -> None:
    prefixes = [prefix for prefix in PROTOCOLS["midjourney"].prefixes if prefix]
    wanted = {"/mj-fast", "/mj-relax", "/mj-turbo", "/fast", "/relax", "/turbo", "/mj-relay", "/mj-origin", "/mj-proxy"}
    assert wanted | {"/mj-fast-origin", "/mj-turbo-relay", "/relax-proxy"} <= set(prefixes)
    for prefix in prefixes:
        assert Client(gateway, prefix).fetch(grid["id"])["status"] == "SUCCESS", prefix
    for wrong in ("/mj-slow", "/quick", "/mj-fast-nothing"):
        answer = Client(gateway, wrong).get(f"/task/{grid['id']}/fetch")
        assert (answer.status_code, answer.json()["code"]) == (400, 4), wrong


@pytest.mark.operation("midjourney.imagine")
@pytest.mark.parametrize(("prefix", "price"), [("/mj-fast", 100), ("/mj-relax", 50), ("/turbo", 200), ("", 100)])
def test_a_speed_has_its_price(gateway: Gateway, prefix: str, price: int) -> None:
    task = Client(gateway, prefix).made("/submit/imagine", prompt="quick or slow")
    assert cost(gateway, task) == price * MILL


def test_a_speed_cannot_be_had_cheaper_by_the_prompt(gateway: Gateway, sandbox: Sandbox) -> None:
    """The path decides; what the prompt says against it is taken out on the way."""
    task = Client(gateway, "/mj-relax").made("/submit/imagine", prompt="sneaky --turbo")
    assert cost(gateway, task) == 50 * MILL
    sent = [str(call["body"]) for call in sandbox.requests() if "sneaky" in str(call["body"])]
    assert sent
    assert not any("--turbo" in body for body in sent)


def test_how_pictures_are_addressed(gateway: Gateway, sandbox: Sandbox) -> None:
    origin = Client(gateway, "/mj-origin").made("/submit/imagine", prompt="at its origin")
    assert origin["imageUrl"].startswith(sandbox.url)
    for prefix in ("/mj-relay", "/mj-proxy", ""):
        task = Client(gateway, prefix).made("/submit/imagine", prompt=f"served here {prefix}")
        assert task["imageUrl"].startswith(gateway.url)
        assert picture_at(task["imageUrl"]).format == "PNG"


# Callbacks ---------------------------------------------------------------------------------------------------------


@pytest.mark.operation("midjourney.imagine")
@pytest.mark.parametrize("trigger", ["", "[sandbox:fail-midway] ", "[sandbox:duplicate-callback] "])
def test_callbacks(mj: Client, gateway: Gateway, sandbox: Sandbox, trigger: str) -> None:
    with Receiver() as receiver:
        task = mj.submit("/submit/imagine", prompt=f"{trigger}tell me", notifyHook=receiver.url, state="mine")
        mj.ended(task)
        until(
            lambda: (
                not rows(gateway, "SELECT 1 FROM outbox WHERE task_id = ? AND state = 'pending'", task)
                and rows(gateway, "SELECT 1 FROM outbox WHERE task_id = ? AND state = 'delivered'", task)
            )
        )
        told = [each.body for each in receiver.received]
    assert {each["id"] for each in told} == {task}
    assert {each["state"] for each in told} == {"mine"}
    assert told[-1]["status"] == ("FAILURE" if "fail" in trigger else "SUCCESS")
    assert [each["status"] in FINAL for each in told].count(True) == 1
    final = mj.fetch(task)
    assert set(told[-1]) == set(final)
    for name in ("action", "status", "progress", "prompt", "buttons", "failReason", "finishTime"):
        assert told[-1][name] == final[name], name
    if "fail" not in trigger:
        assert picture_at(told[-1]["imageUrl"]).width
    assert len({each.headers["webhook-id"] for each in receiver.received}) == len(told)
    assert receiver.url not in str(sandbox.requests())


def test_a_window_s_callbacks(mj: Client, gateway: Gateway, single: dict[str, Any]) -> None:
    with Receiver() as receiver:
        waiting = mj.press(single, "CustomZoom", 21, notifyHook=receiver.url)
        until(lambda: receiver.received)
        assert receiver.received[0].body["status"] == "MODAL"
        mj.submit("/submit/modal", taskId=waiting, prompt="closer --zoom 2")
        until(lambda: receiver.received[-1].body["status"] == "SUCCESS")
    with Receiver() as later:
        waiting = mj.press(single, "CustomZoom", 21)
        mj.submit("/submit/modal", taskId=waiting, prompt="closer --zoom 2", notifyHook=later.url)
        until(lambda: later.received and later.received[-1].body["status"] == "SUCCESS")


# Two upstreams -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Sandbox]]:
    """A gateway with two Midjourney accounts at two proxies."""
    second = Sandbox().start()
    other = (
        '[[channels]]\nname = "midjourney-2"\nprotocol = "midjourney"\n'
        f'base_url = "{second.url}/midjourney"\ncredential = "sk-upstream-second-000000000000"\n'
    )
    made = Gateway(Path(tmp_path_factory.mktemp("pair")), sandbox, toml=other).start()
    coverage_results.watch(made.url)
    yield made, second
    made.stop()
    second.stop()


@pytest.mark.operation("midjourney.imagine", "midjourney.action", "midjourney.change", "midjourney.image-seed")
def test_follow_ups_go_where_the_original_was_made(pair: tuple[Gateway, Sandbox]) -> None:
    gateway, second = pair
    assert gateway.sandbox is not None
    mj = Client(gateway)

    def place(task: dict[str, Any]) -> str:
        return rows(
            gateway, "SELECT c.name FROM tasks t JOIN channels c ON c.id = t.channel_id WHERE t.id = ?", task["id"]
        )[0]["name"]

    grids: dict[str, dict[str, Any]] = {}
    for number in range(40):
        task = mj.made("/submit/imagine", prompt=f"one of two {number}")
        grids.setdefault(place(task), task)
        if len(grids) == 2:
            break
    assert set(grids) == {"midjourney", "midjourney-2"}
    for name, grid in grids.items():
        for _ in range(2):
            one = mj.pressed(grid, "upsample::1")
            assert place(one) == name
            assert place(mj.made("/submit/change", taskId=grid["id"], action="REROLL")) == name
        zoom = mj.press(one, "CustomZoom", 21)
        mj.submit("/submit/modal", taskId=zoom, prompt="x --zoom 2")
        assert place(mj.ended(zoom)) == name
        assert mj.get(f"/task/{grid['id']}/image-seed").json()["code"] == 1
    (known,) = rows(gateway, "SELECT upstream_id FROM tasks WHERE id = ?", grids["midjourney-2"]["id"])
    assert known["upstream_id"] in {job["id"] for job in second.jobs()}
    assert known["upstream_id"] not in {job["id"] for job in gateway.sandbox.jobs()}
    blend = [mj.made("/submit/blend", base64Array=[png_url(), png_url(color="olive")]) for _ in range(2)]
    assert all(task["status"] == "SUCCESS" for task in blend)
