"""Two accounts, each in both modes, at one gateway: nothing of one is ever seen, moved or paid by another.

What they may do is read in the gateway's own document: every operation there, with ids of their own and of the others.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.operator import rows
from tests.stack import Gateway, Sandbox, channels_in_test_mode
from tests.support.http import Got, call

EXAMPLES: Final = max(6, int(os.environ.get("DRILL_EXAMPLES", "0")) // 10)
STEPS: Final = 40
"""Requests of an example; each that names what is another's is sent twice."""
WORLDS: Final = ("ann-live", "ann-test", "bob-live", "bob-test")
KEYS: Final = {world: f"sk-{world}-0000000000000000" for world in WORLDS}
PEOPLE: Final = "".join(
    f'[[users]]\nname = "{name}"\npassword = "{name}-password-1"\ncredit = 1000\n\n' for name in ("ann", "bob")
) + "".join(
    f'[[tokens]]\nname = "{world}"\nkey = "{KEYS[world]}"\naccount = "{world[:3]}"\nmode = "{world[4:]}"\n\n'
    for world in WORLDS
)
_ID_KEY: Final = re.compile(r"(?:^|_|[a-z])(?:id|ids|Id|Ids)$|^(?:conversation|previous_response_id|container)$")
_LONG_NUMBER: Final = re.compile(r"\d{10,}")
_MADE_ID: Final = re.compile(r"(?!models/)(?=.*\d).{8,}")
_MADE: Final = (("id",), ("task_id",), ("result",), ("data", "task_id"), ("data", "id"), ("name",))
"""Where answers tell the id of what was made."""


@dataclass(frozen=True)
class Asked:
    """An operation of the document, as it may be asked for; `{…}` stands for an id of a family."""

    method: str
    path: str
    body: Any = None
    family: str = ""

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def names(self) -> bool:
        """Whether it names what was made before."""
        return bool(self.family) or "{" in re.sub(r"\{(?:model|engine_id)\}", "", self.path)

    @property
    def of(self) -> str:
        return self.family or family(self.path)


def family(path: str) -> str:
    """Return what the things of a path have in common."""
    first, *more = path.strip("/").split("/")
    return f"{first}/{more[0]}" if first in ("v1", "v1beta") and more else first


FILE: Final = (
    '--cut\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    '--cut\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    "{mark}\r\n--cut--\r\n"
)
INPUT: Final = {"model": "gpt-4o", "input": "and then"}
FILE_PART: Final = {"type": "file", "file": {"file_id": "{id}"}}
FURTHER: Final = (
    *[Asked("POST", "/v1/files", FILE)] * 8,
    *[Asked("POST", path, {"prompt": "a cat"}) for path in ("/mj/submit/imagine", "/flux/v1/flux-dev")] * 4,
    *[Asked("POST", "/v1/videos", {"model": "sora-2", "prompt": "a cat", "seconds": "4"})] * 4,
    Asked("POST", "/v1/responses", INPUT | {"background": True}),
    Asked("POST", "/v1/responses", {"model": "claude-sonnet-4-5", "input": "a tale"}),
    Asked(
        "POST",
        "/v1/chat/completions",
        {"model": "gpt-4o", "store": True, "messages": [{"role": "user", "content": "a tale"}]},
    ),
    Asked("POST", "/v1/responses", INPUT | {"previous_response_id": "{id}"}, "v1/responses"),
    Asked(
        "POST", "/v1/responses", INPUT | {"model": "claude-sonnet-4-5", "previous_response_id": "{id}"}, "v1/responses"
    ),
    Asked("POST", "/v1/responses", INPUT | {"conversation": "{id}"}, "v1/conversations"),
    Asked(
        "POST",
        "/v1/responses",
        INPUT | {"tools": [{"type": "file_search", "vector_store_ids": ["{id}"]}]},
        "v1/vector_stores",
    ),
    Asked(
        "POST",
        "/v1/chat/completions",
        {"model": "gpt-4o", "messages": [{"role": "user", "content": [FILE_PART]}]},
        "v1/files",
    ),
    Asked("POST", "/v1/vector_stores", {"name": "a store", "file_ids": ["{id}"]}, "v1/files"),
    Asked(
        "POST",
        "/v1/batches",
        {"input_file_id": "{id}", "endpoint": "/v1/chat/completions", "completion_window": "24h"},
        "v1/files",
    ),
    Asked("POST", "/v1/threads/runs", {"assistant_id": "{id}", "thread": {"messages": []}}, "v1/assistants"),
    Asked("POST", "/mj/submit/change", {"taskId": "{id}", "action": "UPSCALE", "index": 1}, "mj"),
    Asked("POST", "/mj/submit/simple-change", {"content": "{id} V2"}, "mj"),
    Asked("GET", "/flux/v1/get_result?id={id}", None, "flux"),
    *(Asked("GET", "/assets/{id}/0", None, of) for of in ("mj", "flux", "v1/videos", "kling")),
)


@pytest.fixture(scope="module")
def gateway(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    toml = channels_in_test_mode(sandbox.url) + PEOPLE
    made = Gateway(Path(tmp_path_factory.mktemp("tenants")), sandbox, toml=toml).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def operations(gateway: Gateway) -> Sequence[Asked]:
    """What callers may do, out of the gateway's document."""
    found: list[Asked] = []
    for path, methods in json.loads(call(gateway, "GET", "/openapi.json").body)["paths"].items():
        if path.startswith("/api/") or "realtime" in path:
            continue
        for method, operation in methods.items():
            if method not in ("get", "post", "delete"):
                continue
            content = operation.get("requestBody", {}).get("content", {})
            body = content.get("application/json", {}).get("example")
            query = [
                f"{one['name']}={{id}}"
                for one in operation.get("parameters", ())
                if one.get("in") == "query" and _ID_KEY.search(one["name"])
            ]
            found.append(Asked(method.upper(), path + ("?" + "&".join(query) if query else ""), body))
    assert len(found) > 100
    return (*found, *FURTHER)


@dataclass
class Known:
    """What everybody has made, and which request was whose."""

    ids: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Whose each is, and of which family."""
    requests: dict[str, str] = field(default_factory=dict[str, str])
    foreign: Counter[str] = field(default_factory=Counter[str])
    """How often what is another's was asked for, by family."""

    def of(self, world: str, kind: str) -> list[str]:
        return [made for made, whose in self.ids.items() if whose == (world, kind)]


def marked(value: Any, world: str, name: str, key: str = "") -> Any:
    """Return a body whose texts say whose they are, and whose ids are one thing's."""
    if isinstance(value, dict):
        return {inner: marked(item, world, name, inner) for inner, item in value.items()}
    if isinstance(value, list):
        return [marked(item, world, name, key) for item in value]
    if not isinstance(value, str):
        return value
    if "{id}" in value:
        return value.replace("{id}", name)
    if _ID_KEY.search(key):
        return name
    text = _LONG_NUMBER.sub(name, value)
    return f"{text} {_mark(world)}" if " " in text else text


def _mark(world: str) -> str:
    return f"mark-of-{world}"


def made_up(name: str) -> str:
    """Return an id that looks like another and is nobody's."""
    cut = max(name.rfind("_"), name.rfind("-")) + 1
    return name[:cut] + name[cut:].translate(str.maketrans("0123456789abcdefABCDEF", "9012345678fabcdeFABCDE"))


def harvest(got: Got) -> list[str]:
    """Return the ids of what an answer says was made."""
    try:
        answer = got.json
    except ValueError:
        return []
    found: list[str] = []
    for place in _MADE:
        value = answer
        for part in place:
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str) and _MADE_ID.fullmatch(value):
            found.append(value)
    return found


def ask(gateway: Gateway, world: str, asked: Asked, name: str) -> Got:
    path = re.sub(r"\{model\}|\{engine_id\}", "gpt-4o", asked.path)
    body, headers = asked.body, {}
    if body is FILE:
        body = FILE.format(mark=_mark(world)).encode()
        headers = {"content-type": "multipart/form-data; boundary=cut"}
    elif body is not None:
        body = marked(body, world, name)
    return call(gateway, asked.method, re.sub(r"\{\w+\}", name, path), body, KEYS[world], headers)


def take(gateway: Gateway, known: Known, asked: Asked, world: str, name: str) -> None:
    """Ask, and look at what that shows."""
    got = ask(gateway, world, asked, name)
    known.requests[got.headers["x-request-id"]] = world
    text = got.body.decode("utf-8", "replace")
    owner = known.ids.get(name, (world, ""))[0]
    if owner != world:
        known.foreign[asked.of] += 1
        control = ask(gateway, world, asked, made_up(name))
        known.requests[control.headers["x-request-id"]] = world
        assert got.status == control.status, f"{asked} with an id of {owner}'s says {text[:300]} to {world}"
    elif got.status < 300 and asked.method == "POST":
        for fresh in harvest(got):
            known.ids.setdefault(fresh, (world, family(asked.path)))
    for other in WORLDS:
        if other != world:
            assert _mark(other) not in text, f"{asked} shows {world} what {other} wrote"
    for made, (whose, _) in known.ids.items():
        if whose != world and made != name:
            assert made not in text, f"{asked} shows {world} what {whose} made: {made}"


def test_nothing_of_one_is_seen_moved_or_paid_by_another(gateway: Gateway, operations: Sequence[Asked]) -> None:
    known, faults = Known(), list[str]()
    namers = [asked for asked in operations if asked.names]
    makers = [asked for asked in operations if not asked.names]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=(HealthCheck.too_slow,),
    )
    @given(seed=st.integers(0, 2**32))
    def run(seed: int) -> None:
        # Drawn by it, as what there is to draw from depends on what was made before.
        chance = Random(seed)
        for _ in range(STEPS):
            world, owner = chance.choice(WORLDS), chance.choice(WORLDS)
            asked = chance.choice(makers if chance.random() < 0.4 else namers)
            try:
                take(gateway, known, asked, world, chance.choice(known.of(owner, asked.of) or ["nothing-0000"]))
            except AssertionError as fault:
                # What was made before is part of it, so that it cannot be had again alone.
                faults.append(str(fault))

    run()
    assert not faults
    assert len(known.foreign) > 5, known.foreign
    accounts = {row["name"]: row["id"] for row in rows(gateway, "SELECT id, name FROM accounts")}
    tokens = {row["name"]: row["id"] for row in rows(gateway, "SELECT id, name FROM tokens")}
    charged = rows(gateway, "SELECT request_id, account_id, token_id, cost FROM usage")
    assert len({known.requests.get(row["request_id"]) for row in charged} - {None}) == len(WORLDS)
    for row in charged:
        world = known.requests.get(row["request_id"])
        if world is not None:
            assert (row["account_id"], row["token_id"]) == (accounts[world[:3]], tokens[world])
            assert row["cost"] == 0 or world.endswith("live")
    for row in rows(gateway, "SELECT request_id, account_id, token_id FROM tasks"):
        world = known.requests.get(row["request_id"])
        if world is not None:
            assert (row["account_id"], row["token_id"]) == (accounts[world[:3]], tokens[world])
    assert gateway.cli("ledger", "verify").returncode == 0
