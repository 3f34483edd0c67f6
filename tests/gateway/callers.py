"""A caller's exchange, and as much of a gateway's services as deciding takes: no socket, no store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from deeepai.accounts.directory import Directory, Snapshot
from deeepai.accounts.models import Channel, Token
from deeepai.declare import AnyOperation
from deeepai.gateway.body import HttpRequest
from deeepai.gateway.core import Core
from deeepai.gateway.dispatch import Dispatcher
from deeepai.gateway.exchange import Exchange
from deeepai.gateway.model_list import ModelList
from deeepai.gateway.pricing import Prices
from deeepai.gateway.routing import Route
from deeepai.gateway.translation import TranslatorIndex
from tests.gateway.asgi import protocol, receive, scope


def token(**more: Any) -> Token:
    values: dict[str, Any] = {
        "id": "t",
        "account_id": "a",
        "user_id": None,
        "name": "t",
        "mode": "live",
        "enabled": True,
        "expires_at": None,
        "budget": None,
        "models": None,
        "ips": None,
        "rpm": None,
        "concurrency": None,
        "price_group": "default",
        **more,
    }
    return Token(**values)


def exchange(
    operation: AnyOperation, caller: Token | None = None, headers: Mapping[str, str] | None = None, **params: str
) -> Exchange:
    """Return a request for an operation of the toy protocol, its caller known."""
    route = Route(protocol(operation), operation, {}, f"toy.{operation.name}")
    request = HttpRequest(scope(operation.method, operation.path, headers), route, params)

    async def send(message: Mapping[str, Any]) -> None:
        raise AssertionError(f"nothing is to be sent: {message}")

    made = Exchange("req_1", route, request, receive([]), send)
    made.caller = caller or token()
    return made


def core(operation: AnyOperation, channels: Sequence[Channel], **snapshot: Any) -> Core:
    """Return the services that choose and price; `snapshot` says what the operator's configuration holds."""
    dispatcher = Dispatcher({"toy": protocol(operation)})
    dispatcher.use(channels)
    configuration = Snapshot(channels=tuple(channels), **snapshot)
    prices = Prices()
    prices.use(configuration)
    translators = TranslatorIndex.build({"toy": protocol(operation)}, ())
    directory = cast("Directory", SimpleNamespace(snapshot=configuration))
    services = SimpleNamespace(
        dispatcher=dispatcher,
        directory=directory,
        prices=prices,
        translators=translators,
        models=ModelList(dispatcher, directory, prices, translators, {}),
        metrics=SimpleNamespace(failover=lambda operation, channel: None),
    )
    return cast("Core", services)
