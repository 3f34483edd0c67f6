"""Black Forest Labs' own Python client against the gateway; and what that client does not do, over plain HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from deeepai.accounts.vault import Vault
from deeepai.protocols.flux import SLUGS
from deeepai.tasks.secrets import webhook_secret
from tests.operator import rows, usage_row
from tests.stack import Gateway, Sandbox
from tests.support.pictures import opened, png_base64
from tests.support.receiver import Receiver
from tests.support.until import PATIENCE, until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from blackforest import BFLClient
    from blackforest.client import BFLError
    from blackforest.types.general.client_config import ClientConfig

WAIT = ClientConfig(sync=True, timeout=PATIENCE, polling_interval=0.1)


def inputs(slug: str) -> dict[str, Any]:
    """What a model must be given."""
    given: dict[str, Any] = {"prompt": f"a lighthouse for {slug}"}
    if "fill" in slug or "expand" in slug:
        given |= {"image": png_base64(256)}
    if "expand" in slug:
        given |= {"top": 64}
    if "canny" in slug or "depth" in slug:
        given |= {"control_image": png_base64(256)}
    if "finetuned" in slug:
        given |= {"finetune_id": "mine"}
    return given


@pytest.fixture
def client(gateway: Gateway) -> Iterator[BFLClient]:
    made = BFLClient(api_key=gateway.live, base_url=f"{gateway.url}/flux/_")
    yield made
    made.session.close()


def submit(gateway: Gateway, slug: str = "flux-dev", **body: Any) -> requests.Response:
    return requests.post(f"{gateway.url}/flux/v1/{slug}", headers={"x-key": gateway.live}, json=body, timeout=PATIENCE)


def result(gateway: Gateway, task: str) -> dict[str, Any]:
    """Poll to the end."""
    url = f"{gateway.url}/flux/v1/get_result?id={task}"

    def look() -> dict[str, Any] | None:
        found = requests.get(url, headers={"x-key": gateway.live}, timeout=PATIENCE).json()
        return None if found["status"] == "Pending" else found

    return until(look)


@pytest.mark.operation("flux.generate", "flux.get_result")
@pytest.mark.parametrize("place", ["/flux/_", ""])
def test_generate_and_wait(gateway: Gateway, place: str) -> None:
    """Below `/flux`, and at the root for those who change the host alone."""
    client = BFLClient(api_key=gateway.live, base_url=gateway.url + place)
    done = client.generate("flux-pro-1.1", {"prompt": "a cat", "width": 512, "height": 256, "seed": 7}, WAIT)
    assert done.result["seed"] == 7
    assert done.result["prompt"] == "a cat"
    assert done.result["sample"].startswith(f"{gateway.url}/assets/")
    image = opened(requests.get(done.result["sample"], timeout=PATIENCE).content)
    assert image.size == (512, 256)
    client.clear_polling_urls()
    if not place:
        assert client.get_task_status(done.id).status == "Ready"


@pytest.mark.operation("flux.generate", "flux.get_result")
def test_every_model(gateway: Gateway, client: BFLClient) -> None:
    known = [slug for slug in SLUGS if slug in BFLClient.model_input_registry]
    assert len(known) == len(BFLClient.model_input_registry)
    accepted = {slug: client.generate(slug, inputs(slug)).id for slug in known}
    for slug in SLUGS:
        if slug not in accepted:
            answer = submit(gateway, slug, **inputs(slug))
            assert answer.status_code == 200, (slug, answer.text)
            accepted[slug] = answer.json()["id"]
    for slug, task in accepted.items():
        done = result(gateway, task)
        assert done["status"] == "Ready", (slug, done)
        assert set(done) == {"id", "status", "result", "progress", "details", "preview"}
        (row,) = rows(gateway, "SELECT cost, model FROM tasks WHERE id = ?", task)
        assert row["model"] == slug
        assert row["cost"] > 0
    aliases = [f"/bfl/v1/{SLUGS[0]}", f"/v1/{SLUGS[0]}", "/flux/v1/image"]
    for path in aliases:
        answer = requests.post(
            gateway.url + path,
            headers={"authorization": f"Bearer {gateway.live}"},
            json={"prompt": "alias"},
            timeout=PATIENCE,
        )
        assert result(gateway, answer.json()["id"])["status"] == "Ready", path


@pytest.mark.operation("flux.credits")
def test_credits(gateway: Gateway) -> None:
    for path in ("/flux/v1/credits", "/v1/credits", "/bfl/v1/credits"):
        found = requests.get(gateway.url + path, headers={"x-key": gateway.live}, timeout=PATIENCE).json()
        assert 0 < found["credits"] <= 100 * 100


def test_errors(gateway: Gateway, client: BFLClient) -> None:
    with pytest.raises(BFLError, match="Incorrect API key"):
        BFLClient(api_key="sk-wrong", base_url=f"{gateway.url}/flux/_").generate("flux-dev", {"prompt": "x"})
    refused = submit(gateway, "flux-pro-1.1", prompt="x", width=1000)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", "width"]
    with pytest.raises(BFLError, match="not found"):
        client.get_task_status("00000000-0000-0000-0000-000000000000")
    assert requests.get(f"{gateway.url}/flux/v1/get_result", headers={"x-key": gateway.live}, timeout=PATIENCE).json()[
        "detail"
    ][0]["loc"] == ["query", "id"]


@pytest.mark.parametrize(
    ("trigger", "status"),
    [("moderated", "Request Moderated"), ("moderated-output", "Content Moderated"), ("fail-midway", "Error")],
)
def test_what_fails_is_free(gateway: Gateway, trigger: str, status: str) -> None:
    answer = submit(gateway, prompt=f"[sandbox:{trigger}] a thing")
    done = result(gateway, answer.json()["id"])
    assert done["status"] == status
    assert done["result"] is None
    assert done["details"]
    row = usage_row(gateway, answer.headers["x-request-id"])
    assert row["cost"] == 0
    assert row["error"]
    kinds = [
        entry["kind"] for entry in rows(gateway, "SELECT kind FROM ledger WHERE request_id = ?", row["request_id"])
    ]
    assert sorted(kinds) == ["hold", "void"]


def test_the_vendor_s_refusal_leaves_nothing(gateway: Gateway) -> None:
    before = rows(gateway, "SELECT count(*) AS n FROM tasks")
    answer = submit(gateway, prompt="[sandbox:status=400] a thing")
    assert answer.status_code == 400
    assert rows(gateway, "SELECT count(*) AS n FROM tasks") == before
    assert usage_row(gateway, answer.headers["x-request-id"])["cost"] == 0


def account(gateway: Gateway, task: str) -> str:
    return rows(gateway, "SELECT account_id FROM tasks WHERE id = ?", task)[0]["account_id"]


@pytest.mark.operation("flux.generate")
@pytest.mark.parametrize("trigger", ["", "[sandbox:moderated-output] ", "[sandbox:duplicate-callback] "])
def test_webhooks(gateway: Gateway, trigger: str) -> None:
    secret = "the caller's own secret"
    with Receiver() as receiver:
        answer = submit(gateway, prompt=f"{trigger}call me", webhook_url=receiver.url, webhook_secret=secret)
        accepted = answer.json()
        assert accepted["status"] == "Pending"
        assert accepted["webhook_url"] == receiver.url
        until(lambda: receiver.received)
        until(lambda: rows(gateway, "SELECT 1 FROM outbox WHERE task_id = ? AND state = 'delivered'", accepted["id"]))
        (told,) = receiver.received
    assert told.body["id"] == accepted["id"]
    digest = hmac.new(secret.encode(), told.raw, hashlib.sha256).hexdigest()
    assert told.headers["x-bfl-signature"] == f"sha256={digest}"
    signing = Vault.open(gateway.data / "secret.key").derive("webhooks")
    verifier = Webhook(webhook_secret(signing, account(gateway, accepted["id"])))
    assert verifier.verify(told.raw, told.headers) == told.body
    if "moderated" in trigger:
        assert told.body["status"] == "Error"
        return
    assert told.body["status"] == "Ready"
    assert requests.get(told.body["result"]["sample"], timeout=PATIENCE).headers["content-type"] == "image/jpeg"
    seen = json.dumps(gateway.sandbox.requests() if gateway.sandbox else [])
    assert receiver.url not in seen
    assert secret not in seen


def test_a_webhook_is_tried_again_with_the_same_id(gateway: Gateway) -> None:
    with Receiver(status=500) as receiver:
        task = submit(gateway, prompt="again", webhook_url=receiver.url).json()["id"]
        until(lambda: len(receiver.received) >= 2)
        receiver.status = 204
        until(lambda: rows(gateway, "SELECT 1 FROM outbox WHERE task_id = ? AND state = 'delivered'", task))
        received = list(receiver.received)
    assert len({told.headers["webhook-id"] for told in received}) == 1
    assert len({told.raw for told in received}) == 1


@pytest.mark.operation("flux.generate", "flux.get_result")
def test_a_storm_of_polls_reaches_the_vendor_as_a_few(gateway: Gateway, sandbox: Sandbox) -> None:
    task = submit(gateway, prompt="[sandbox:never-finish] storm").json()["id"]
    (row,) = rows(gateway, "SELECT upstream_id FROM tasks WHERE id = ?", task)

    def polls() -> int:
        return sum(
            request["path"].endswith("/get_result") and row["upstream_id"] in str(request["query"])
            for request in sandbox.requests()
        )

    before = polls()
    url = f"{gateway.url}/flux/v1/get_result?id={task}"
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda _: requests.get(url, headers={"x-key": gateway.live}, timeout=PATIENCE).json(), range(50))
        )
    assert {answer["status"] for answer in answers} == {"Pending"}
    assert polls() - before <= 2
