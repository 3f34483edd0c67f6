"""Which application serves a path: vendors' paths, the control plane's, the gateway's own."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest

from deeepai.asgi import Receive, Scope, Send
from deeepai.control.api import ControlAPI
from deeepai.control.routes import Context
from deeepai.control.sections import SECTIONS
from deeepai.gateway.routing import Router, paths
from deeepai.planes import App, Planes
from deeepai.protocols import PROTOCOLS
from tests.gateway.asgi import operation, protocol


def stand_in(name: str) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError(f"{name} was called")

    return app


DATA, PAGE, ASSET, STATIC = (stand_in(name) for name in ("data", "page", "asset", "static"))
PAGES = {"/": PAGE, "/docs": PAGE, "/healthz": PAGE}
BELOW = {"/assets/": ASSET, "/hooks/": ASSET, "/static/": STATIC}
TOY = protocol(
    operation(name="thing", path="/api/v1/thing"),
    operation(name="one", path="/api/v1/things/{id}", method="GET"),
    operation(name="chat", path="/v1/chat"),
    operation(name="under", path="/api/tasks/visual/{id}"),
    operation(name="clash", path="/api/tokens"),
    own_paths=("/toy/", "/api/owned/"),
)


def planes(router: Router) -> tuple[Planes, ControlAPI]:
    control = ControlAPI(cast("Context", None))
    return Planes(DATA, router, control, PAGES, BELOW), control


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat",
        "/v1/unknown",
        "/toy/x",
        "/unknown",
        "/docs/unknown",
        "/api",
        "/apis/x",
        "/assets",
        "/api/v1/thing",
        "/api/v1/thing/",
        "/api//v1/thing",
        "/api/v1/things/7",
        "/api/owned/whatever",
        "/api/tasks/visual/7",
    ],
)
def test_what_a_protocol_declares_or_nobody_has_is_the_data_plane_s(path: str) -> None:
    assert planes(Router([TOY]))[0].find(path) is DATA


@pytest.mark.parametrize(
    "path",
    [
        "/api/login",
        "/api/tokens",
        "/api/tokens/tok_1",
        "/api/tasks",
        "/api/tasks/tsk_1",
        "/api/prices/a/b/c",
        "/api/",
        "/api/nothing",
        "/api/v1",
        "/api/v1/other",
        "/api/v1/things",
        "/api/tasks/visual",
    ],
)
def test_the_control_plane_has_its_own_and_what_nobody_knows(path: str) -> None:
    found, control = planes(Router([TOY]))
    assert found.find(path) is control


@pytest.mark.parametrize(
    ("path", "app"),
    [
        ("/", PAGE),
        ("/docs", PAGE),
        ("/healthz", PAGE),
        ("/assets/tsk/0", ASSET),
        ("/hooks/x", ASSET),
        ("/static/docs.css", STATIC),
    ],
)
def test_the_gateways_own_pages(path: str, app: Any) -> None:
    assert planes(Router([TOY]))[0].find(path) is app


def test_no_declared_path_is_hidden() -> None:
    found, control = planes(Router(PROTOCOLS.values()))
    for declared in PROTOCOLS.values():
        for each in declared.operations:
            for path, _ in paths(declared, each):
                assert found.find(re.sub(r"\{\w+\}", "a-1", path)) is DATA, f"{each.method} {path}"
    for routes in SECTIONS.values():
        for route in routes:
            assert found.find(f"/api{re.sub(r'{.*?}', 'a-1', route.path)}") is control, route.path
