"""Objects belong to who made them and live where they were made: two accounts, two upstreams, large files."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.operator import paid, rows, usage_row
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.http import Got, call
from tests.support.until import PATIENCE, until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
MODEL = "gpt-4o-mini"
ANN = "sk-live-ann-00000000000000000000000001"
BOB = "sk-live-bob-00000000000000000000000002"
ANN_TEST = "sk-test-ann-00000000000000000000000003"
NARROW = "sk-live-ann-narrow-0000000000000000004"
POOR = "sk-live-poor-000000000000000000000005"
MEGABYTE = 2**20


@dataclass
class House:
    """A gateway over two upstreams, the second of which serves what only it has."""

    gateway: Gateway
    near: Sandbox
    far: Sandbox
    _clients: list[OpenAI] = field(default_factory=list[OpenAI])

    def client(self, key: str) -> OpenAI:
        made = OpenAI(base_url=f"{self.gateway.url}/v1", api_key=key, max_retries=0)
        self._clients.append(made)
        return made

    def close(self) -> None:
        for client in self._clients:
            client.close()


TOML = """
[[channels]]
name = "near"
protocol = "openai"
base_url = "{near}/openai/v1"
credential = "sk-upstream-near-000000000000"
priority = 5
models = ["gpt-4o-mini", "gpt-4.1"]

[[channels]]
name = "far"
protocol = "openai"
base_url = "{far}/openai/v1"
credential = "sk-upstream-far-0000000000000"
models = ["gpt-4o-mini", "gpt-4o"]

[[channels]]
name = "trial"
protocol = "openai"
base_url = "{far}/openai/v1"
credential = "sk-upstream-trial-00000000000"
mode = "test"

[prices."gpt-4.1:training"]
per_million = {{ input = "25" }}
"""
PEOPLE = "".join(
    f'[[users]]\nname = "{name}"\npassword = "{name}-password"\n{credit}\n'
    for name, credit in (("ann", "credit = 50"), ("bob", "credit = 50"), ("poor", ""))
) + "".join(
    f'[[tokens]]\nname = "{name}"\nkey = "{key}"\naccount = "{account}"\n{more}\n'
    for name, key, account, more in (
        ("ann", ANN, "ann", ""),
        ("bob", BOB, "bob", ""),
        ("ann-test", ANN_TEST, "ann", 'mode = "test"'),
        ("narrow", NARROW, "ann", 'models = ["gpt-4o"]'),
        ("poor", POOR, "poor", ""),
    )
)


@pytest.fixture(scope="module")
def house(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    far = Sandbox().start()
    data = Path(tmp_path_factory.mktemp("objects"))
    (data / "deeepai.toml").write_text(TOML.format(near=sandbox.url, far=far.url) + PEOPLE)
    gateway = Gateway(data, sandbox).start()
    coverage_results.watch(gateway.url)
    made = House(gateway, sandbox, far)
    yield made
    made.close()
    gateway.stop()
    far.stop()


def channel_of(house: House, name: str) -> str:
    (found,) = rows(
        house.gateway, "SELECT c.name FROM objects o JOIN channels c ON c.id = o.channel_id WHERE o.id = ?", name
    )
    return found["name"]


# Owners ------------------------------------------------------------------------------------------------------------


def test_nobody_sees_another_s_objects(house: House) -> None:
    ann, bob = house.client(ANN), house.client(BOB)
    file = ann.files.create(file=("a.txt", b"secret"), purpose="assistants")
    store = ann.vector_stores.create(file_ids=[file.id])
    response = ann.responses.create(model=MODEL, input="A secret")
    conversation = ann.conversations.create()
    content: Any = [{"type": "input_file", "file_id": file.id}]
    tool: Any = {"type": "file_search", "vector_store_ids": [store.id]}
    python: Any = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file.id]}}
    attempts = {
        file.id: [
            lambda: bob.files.retrieve(file.id),
            lambda: bob.files.content(file.id),
            lambda: bob.files.delete(file.id),
            lambda: bob.vector_stores.create(file_ids=[file.id]),
            lambda: bob.responses.create(model=MODEL, input=[{"role": "user", "content": content}]),
            lambda: bob.responses.create(model=MODEL, input="x", tools=[python]),
            lambda: bob.containers.create(name="x", file_ids=[file.id]),
        ],
        store.id: [
            lambda: bob.vector_stores.retrieve(store.id),
            lambda: bob.vector_stores.search(store.id, query="secret"),
            lambda: bob.responses.create(model=MODEL, input="x", tools=[tool]),
        ],
        response.id: [
            lambda: bob.responses.retrieve(response.id),
            lambda: bob.responses.delete(response.id),
            lambda: bob.responses.create(model=MODEL, input="x", previous_response_id=response.id),
        ],
        conversation.id: [
            lambda: bob.conversations.items.list(conversation.id),
            lambda: bob.responses.create(model=MODEL, input="x", conversation={"id": conversation.id}),
        ],
    }

    before = house.near.newest()
    for name, tries in attempts.items():
        for attempt in tries:
            # A previous response that is not there is a bad request at OpenAI.
            with pytest.raises((openai.NotFoundError, openai.BadRequestError)) as refused:
                attempt()
            assert refused.value.message.count(name) == 1
            assert "ot found" in refused.value.message or "No such object" in refused.value.message
    # The gateway itself may have looked at other tests' work meanwhile.
    came = house.near.since(before)
    assert not [one for one in came if one["method"] != "GET" or any(name in one["path"] for name in attempts)]
    assert file.id not in [one.id for one in bob.files.list()]
    assert file.id in [one.id for one in ann.files.list()]
    unknown = call(house.gateway, "GET", "/v1/files/file-unknown", key=BOB).body
    foreign = call(house.gateway, "GET", f"/v1/files/{file.id}", key=BOB).body
    assert foreign.replace(file.id.encode(), b"ID") == unknown.replace(b"file-unknown", b"ID")


def test_ids_are_found_however_they_are_written(house: House) -> None:
    file = house.client(ANN).files.create(file=("a.txt", b"secret"), purpose="assistants")
    hidden = b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": [{"type": "file", "file": '
    for key in (b'"file_id"', b'"file\\u005fid"', b'"\\u0066ile_id"'):
        body = hidden + b"{" + key + b': "' + file.id.encode() + b'"}}]}]}'
        got = call(house.gateway, "POST", "/v1/chat/completions", body, BOB, {"content-type": "application/json"})
        assert got.status == 404
    # What is the caller's own words names nothing.
    said: Any = {"model": MODEL, "input": "x", "metadata": {"file_id": file.id}}
    got = call(house.gateway, "POST", "/v1/responses", said, BOB)
    assert got.status == 200
    # Nor does an echo of it make anything one's own.
    assert call(house.gateway, "GET", f"/v1/files/{file.id}", key=BOB).status == 404
    batch: Any = {"metadata": {"output_file_id": file.id, "file_id": file.id}}
    assert call(house.gateway, "POST", "/v1/conversations", batch, BOB).status == 200
    assert call(house.gateway, "GET", f"/v1/files/{file.id}", key=BOB).status == 404


def test_a_test_token_does_not_reach_live_objects(house: House) -> None:
    live = house.client(ANN).files.create(file=("a.txt", b"live"), purpose="assistants")
    trial = house.client(ANN_TEST)
    with pytest.raises(openai.NotFoundError):
        trial.files.retrieve(live.id)
    own = trial.files.create(file=("a.txt", b"trial"), purpose="assistants")
    assert channel_of(house, own.id) == "trial"
    listed = [one.id for one in trial.files.list()]
    assert own.id in listed
    assert live.id not in listed
    made = trial.responses.create(model=MODEL, input="x", background=True)
    assert not rows(house.gateway, "SELECT 1 FROM holds WHERE request_id = ?", made._request_id)
    until(lambda: trial.responses.retrieve(made.id).status == "completed")
    assert usage_row(house.gateway, made._request_id or "")["cost"] == 0


def test_a_token_s_models_bound_what_its_work_may_use(house: House) -> None:
    narrow, ann = house.client(NARROW), house.client(ANN)
    assert narrow.files.list().data is not None
    line = b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o-mini", '
    line += b'"messages": [{"role": "user", "content": "x"}]}}\n'
    given = narrow.files.create(file=("in.jsonl", line), purpose="batch")
    with pytest.raises(openai.PermissionDeniedError):
        narrow.batches.create(input_file_id=given.id, endpoint="/v1/chat/completions", completion_window="24h")
    assistant = ann.beta.assistants.create(model=MODEL)
    thread = narrow.beta.threads.create()
    with pytest.raises(openai.PermissionDeniedError):
        narrow.beta.threads.runs.create(thread.id, assistant_id=assistant.id)


def test_work_is_held_for_before_it_is_sent(house: House) -> None:
    poor = house.client(POOR)
    line = b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o-mini", '
    line += b'"messages": [{"role": "user", "content": "x"}]}}\n'
    given = poor.files.create(file=("in.jsonl", line), purpose="batch")
    before = house.near.newest()
    with pytest.raises(openai.PermissionDeniedError, match="does not cover"):
        poor.batches.create(input_file_id=given.id, endpoint="/v1/chat/completions", completion_window="24h")
    with pytest.raises(openai.PermissionDeniedError, match="does not cover"):
        poor.responses.create(model=MODEL, input="x", background=True)
    came = [one["path"] for one in house.near.since(before) if one["method"] != "GET" or given.id in one["path"]]
    assert came == [f"/openai/v1/files/{given.id}/content"]
    assert not rows(house.gateway, "SELECT 1 FROM tasks t JOIN accounts a ON a.id = t.account_id WHERE a.name = 'poor'")


# Places ------------------------------------------------------------------------------------------------------------


def test_an_object_stays_where_it_was_made(house: House) -> None:
    ann = house.client(ANN)
    file = ann.files.create(file=("a.txt", b"text"), purpose="assistants")
    assert channel_of(house, file.id) == "near"
    made = ann.responses.create(model="gpt-4o", input="Only far has it")
    assert channel_of(house, made.id) == "far"
    # Both serve this model; what went before decides.
    for _ in range(3):
        made = ann.responses.create(model=MODEL, input="Go on", previous_response_id=made.id)
        assert channel_of(house, made.id) == "far"
    back: Any = [one.to_dict() for one in made.output]
    again = ann.responses.create(model=MODEL, input=[*back, {"role": "user", "content": "Go on"}])
    assert channel_of(house, again.id) == "far"
    content: Any = [{"type": "input_file", "file_id": file.id}]
    with pytest.raises(openai.BadRequestError, match="different upstreams"):
        ann.responses.create(model=MODEL, input=[{"role": "user", "content": content}], previous_response_id=made.id)
    with pytest.raises(openai.BadRequestError, match=f"'{file.id}' is kept by an upstream that has no 'gpt-4o'"):
        ann.responses.create(model="gpt-4o", input=[{"role": "user", "content": content}])
    assert ann.responses.create(model=MODEL, input=[{"role": "user", "content": content}]).output_text


def test_lists_hold_one_s_own_in_order_from_every_upstream(house: House) -> None:
    ann, bob = house.client(ANN), house.client(BOB)
    mine: list[str] = []
    for number in range(7):
        model = ("gpt-4o", "gpt-4.1")[number % 2]
        mine.append(ann.beta.assistants.create(model=model, name=f"mine {number}").id)
        bob.beta.assistants.create(model=model, name=f"his {number}")
    assert {channel_of(house, name) for name in mine} == {"near", "far"}

    def listed(**query: Any) -> list[str]:
        return [one.id for one in ann.beta.assistants.list(**query) if one.id in mine]

    assert listed() == mine[::-1]
    assert listed(limit=2) == mine[::-1]
    assert listed(limit=3, order="asc") == mine
    first = ann.beta.assistants.list(limit=3)
    assert [one.id for one in first.data] == mine[::-1][:3]
    assert first.has_more
    after = ann.beta.assistants.list(limit=2, after=mine[4])
    assert [one.id for one in after.data] == [mine[3], mine[2]]
    before = ann.beta.assistants.list(limit=2, before=mine[2])
    assert [one.id for one in before.data] == [mine[4], mine[3]]
    assert before.has_more
    # What the upstream no longer has is passed over.
    ann.beta.assistants.delete(mine[5])
    assert listed(limit=2) == [mine[6], *mine[4::-1]]
    for query in ("limit=0", "limit=x", "order=up", f"after={mine[5]}"):
        assert call(house.gateway, "GET", f"/v1/assistants?{query}", key=ANN).status in (400, 404)


# Large files -------------------------------------------------------------------------------------------------------


def resident(house: House) -> int:
    """Bytes of memory of the gateway's workers."""
    total = 0
    for pid in house.gateway.pids():
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
    return total


class Blocks:
    """A large file that is made as it is read."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        size = min(self.left, 65536 if size < 0 else size)
        self.left -= size
        return b"x" * size


def upload(house: House, size: int, *, chunked: bool, key: str = ANN) -> Got:
    boundary = "test"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n'
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()

    def pieces() -> Iterator[bytes]:
        yield head
        blocks = Blocks(size)
        while block := blocks.read():
            yield block
        yield tail

    connection = http.client.HTTPConnection("127.0.0.1", house.gateway.port, timeout=PATIENCE)
    headers = {"authorization": f"Bearer {key}", "content-type": f"multipart/form-data; boundary={boundary}"}
    if not chunked:
        headers["content-length"] = str(len(head) + size + len(tail))
    connection.request("POST", "/v1/files", pieces(), headers, encode_chunked=chunked)
    answer = connection.getresponse()
    got = Got(answer.status, dict(answer.getheaders()), answer.read())
    connection.close()
    return got


@pytest.mark.parametrize("chunked", [False, True])
def test_large_files_pass_through_without_being_held(house: House, chunked: bool) -> None:
    upload(house, MEGABYTE, chunked=chunked)
    before, highest = resident(house), 0
    done = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.is_set():
            highest = max(highest, resident(house))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        got = upload(house, 40 * MEGABYTE, chunked=chunked)
        assert got.status == 200
        assert got.json["bytes"] == 40 * MEGABYTE
        with house.client(ANN).files.with_streaming_response.content(got.json["id"]) as answer:
            assert int(answer.headers["content-length"]) == 40 * MEGABYTE
            size = sum(len(block) for block in answer.iter_bytes())
        assert size == 40 * MEGABYTE
    finally:
        done.set()
        watcher.join()
    assert highest - before < 12 * MEGABYTE


def test_an_upload_that_is_cut_makes_nothing(house: House) -> None:
    before = rows(house.gateway, "SELECT count(*) AS n FROM objects")[0]["n"]
    seen = house.near.newest()

    def came() -> list[dict[str, Any]]:
        return [one for one in house.near.since(seen) if one["method"] == "POST"]

    with socket.create_connection(("127.0.0.1", house.gateway.port), timeout=PATIENCE) as caller:
        head = (
            "POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + ANN + "\r\n"
            "content-type: multipart/form-data; boundary=test\r\ncontent-length: 5000000\r\n\r\n"
        )
        caller.sendall(head.encode())
        caller.sendall(b'--test\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n')
        caller.sendall(b"x" * 3_000_000)
        until(came)
    until(lambda: came()[0]["disconnected"])
    assert rows(house.gateway, "SELECT count(*) AS n FROM objects")[0]["n"] == before


def test_an_upload_that_is_not_whole_makes_nothing(house: House) -> None:
    def post(body: bytes) -> Got:
        head = {"content-type": "multipart/form-data; boundary=test"}
        return call(house.gateway, "POST", "/v1/files", body, ANN, head)

    file = b'--test\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nabc\r\n'
    purpose = b'--test\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    before = rows(house.gateway, "SELECT count(*) AS n FROM objects")[0]["n"]
    for body, param in (
        (file + purpose, None),
        (file + b"--test--\r\n", "purpose"),
        (purpose + b"--test--\r\n", "file"),
        (b"nonsense", None),
    ):
        got = post(body)
        assert got.status == 400
        assert got.json["error"]["param"] == param
    assert post(file + purpose + b"--test--\r\n").status == 200
    assert rows(house.gateway, "SELECT count(*) AS n FROM objects")[0]["n"] == before + 1


# Training ----------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.fine_tuning.jobs.create", "openai.fine_tuning.jobs.get", "openai.fine_tuning.jobs.list")
@pytest.mark.operation("openai.fine_tuning.jobs.events", "openai.fine_tuning.jobs.checkpoints")
@pytest.mark.operation("openai.fine_tuning.jobs.cancel", "openai.fine_tuning.jobs.pause")
@pytest.mark.operation("openai.fine_tuning.jobs.resume")
def test_fine_tuning(house: House) -> None:
    client, gateway = house.client(ANN), house.gateway
    given = client.files.create(file=("train.jsonl", b'{"messages": []}\n' * 20), purpose="fine-tune")
    jobs = client.fine_tuning.jobs
    made = jobs.create(model="gpt-4.1", training_file=given.id)
    until(lambda: jobs.retrieve(made.id).status == "succeeded")
    done = jobs.retrieve(made.id)
    row = paid(gateway, made._request_id)
    assert row["consumed"]["input"] == done.trained_tokens
    assert row["cost"] == (done.trained_tokens or 0) * 25_000
    assert client.files.content(done.result_files[0]).read()
    assert jobs.list(limit=1).data[0].id == made.id
    assert jobs.list_events(made.id).data
    assert not jobs.checkpoints.list(made.id).data
    with house.near.slowly(), house.far.slowly():
        other = jobs.create(model="gpt-4.1", training_file=given.id)
        assert jobs.pause(other.id).status == "paused"
        assert jobs.resume(other.id).status == "queued"
        assert jobs.cancel(other.id).status == "cancelled"
    assert paid(gateway, other._request_id)["cost"] == 0


def test_work_is_charged_once_though_the_gateway_dies(tmp_path: Path) -> None:
    slow = Sandbox(speed=4).start()
    (tmp_path / "deeepai.toml").write_text(TOML.format(near=slow.url, far=slow.url) + PEOPLE)
    gateway = Gateway(tmp_path, slow).start()
    try:
        said = {"model": MODEL, "input": "Think long", "background": True}
        got = call(gateway, "POST", "/v1/responses", said, ANN)
        assert got.json["status"] == "queued"
        gateway.kill()
        (hold,) = rows(gateway, "SELECT amount FROM holds")
        assert hold["amount"] > 0
        gateway.start()
        row = paid(gateway, got.request_id)
        assert row["basis"] == "vendor"
        assert row["cost"] > 0
        assert call(gateway, "GET", f"/v1/responses/{got.json['id']}", key=ANN).json["status"] == "completed"
        assert len(rows(gateway, "SELECT 1 FROM ledger WHERE request_id = ? AND kind = 'charge'", got.request_id)) == 1
        assert not rows(gateway, "SELECT 1 FROM holds")
    finally:
        gateway.stop()
        slow.stop()


def test_the_ledger_proves(house: House) -> None:
    until(lambda: not rows(house.gateway, "SELECT 1 FROM holds"))
    found = house.gateway.cli("ledger", "verify")
    assert found.returncode == 0, found.stdout + found.stderr
