"""The control API's operations, a module for each noun."""

from __future__ import annotations

from ..routes import Route
from . import accounts, channels, codes, login, prices, tasks, tokens, usage, users, webhooks

SECTIONS: dict[str, tuple[Route, ...]] = {
    "Login": login.ROUTES,
    "Users": users.ROUTES,
    "Accounts": accounts.ROUTES,
    "Tokens": tokens.ROUTES,
    "Channels": channels.ROUTES,
    "Prices": prices.ROUTES,
    "Tasks": tasks.ROUTES,
    "Webhooks": webhooks.ROUTES,
    "Usage": usage.ROUTES,
    "Redemption codes": codes.ROUTES,
}
