"""What a key may spend and has spent, as OpenAI's old dashboard and relays tell it.

Source: new-api's controllers `billing` and `token`; the dashboard's dates count here, as they once did at OpenAI.
"""

from __future__ import annotations

import datetime
from decimal import Decimal

from ...declare import AnyRequest, Failure, Json, Local, Reason, Reply, Text, View

UNIT = 2000
"""10⁻⁹ USD of a relay's unit of quota: 500,000 of them are one dollar."""
_NANO = 10**9
_DAY = datetime.timedelta(days=1)
_LAST = datetime.datetime(9999, 12, 30, tzinfo=datetime.UTC)


def _usd(amount: int) -> float:
    return float(Decimal(amount) / _NANO)


async def subscription(view: View[object]) -> Reply:
    """Tell what the key has spent and may still spend, together: clients take off what they know was spent."""
    allowance = await view.allowance()
    limit = _usd(allowance.spent + allowance.available)
    return Reply(
        {
            "object": "billing_subscription",
            "has_payment_method": True,
            "soft_limit_usd": limit,
            "hard_limit_usd": limit,
            "system_hard_limit_usd": limit,
            "access_until": allowance.expires_at // 1000 if allowance.expires_at else 0,
        }
    )


def _date(request: AnyRequest, name: str) -> datetime.datetime | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        date = datetime.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
        # The day after the last day that Python knows has no date.
        return min(date, _LAST)
    except ValueError:
        raise Failure(Reason.INVALID, f"Invalid '{name}': expected YYYY-MM-DD", param=name) from None


def check_dates(request: AnyRequest) -> None:
    """Refuse what is no date."""
    _date(request, "start_date")
    _date(request, "end_date")


async def usage(view: View[object]) -> Reply:
    """Tell what the key spent from one day to another (both with it, UTC), or ever; in US cents."""
    start, end = _date(view.request, "start_date"), _date(view.request, "end_date")
    if start is None and end is None:
        total = (await view.allowance()).spent
    else:
        since = 0 if start is None else int(start.timestamp() * 1000)
        last = datetime.datetime.now(datetime.UTC) if end is None else end
        total = await view.spent(since, int((last + _DAY).timestamp() * 1000))
    return Reply({"object": "list", "total_usage": float(Decimal(total) * 100 / _NANO)})


async def token_usage(view: View[object]) -> Reply:
    """Tell of the key in relays' units of quota."""
    allowance = await view.allowance()
    used, left = -(-allowance.spent // UNIT), allowance.available // UNIT
    limits: dict[str, Json] = dict.fromkeys(allowance.models or (), True)
    return Reply(
        {
            "code": True,
            "message": "ok",
            "data": {
                "object": "token_usage",
                "name": allowance.name,
                "total_granted": used + left,
                "total_used": used,
                "total_available": left,
                "unlimited_quota": not allowance.bounded,
                "model_limits": limits,
                "model_limits_enabled": allowance.models is not None,
                "expires_at": allowance.expires_at // 1000 if allowance.expires_at else 0,
            },
        }
    )


_LIMIT = 12.5

OPERATIONS = (
    Local(
        name="billing.subscription",
        method="GET",
        path="/v1/dashboard/billing/subscription",
        aliases=("/dashboard/billing/subscription",),
        summary=Text("What your key may spend (USD)", "查询额度"),
        media="none",
        answer=subscription,
        example_answer={
            "object": "billing_subscription",
            "has_payment_method": True,
            "soft_limit_usd": _LIMIT,
            "hard_limit_usd": _LIMIT,
            "system_hard_limit_usd": _LIMIT,
            "access_until": 0,
        },
    ),
    Local(
        name="billing.usage",
        method="GET",
        path="/v1/dashboard/billing/usage",
        aliases=("/dashboard/billing/usage",),
        summary=Text("What your key has spent (US cents)", "查询用量"),
        media="none",
        query=("start_date", "end_date"),
        example_params={"start_date": "2026-10-01", "end_date": "2026-10-31"},
        check=check_dates,
        answer=usage,
        example_answer={"object": "list", "total_usage": 345.6},
    ),
    Local(
        name="billing.token",
        method="GET",
        path="/api/usage/token",
        summary=Text("What your key may spend and has spent (units of quota)", "查询令牌用量"),
        media="none",
        answer=token_usage,
        example_answer={
            "code": True,
            "message": "ok",
            "data": {
                "object": "token_usage",
                "name": "default",
                "total_granted": 1000000,
                "total_used": 12345,
                "total_available": 987655,
                "unlimited_quota": False,
                "model_limits": {},
                "model_limits_enabled": False,
                "expires_at": 0,
            },
        },
    ),
)
