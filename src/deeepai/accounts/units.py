"""Units at the edge: USD and dates there, 10⁻⁹ USD and milliseconds since 1970 in the store."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from ..declare import Failure, Reason

Usd = Annotated[Decimal, Meta(description="US dollars, as a decimal string")]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339, with a time zone")]

_NANO = Decimal(10) ** 9
_MOST = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nano(usd: Decimal, param: str = "amount", *, signed: bool = False) -> int:
    """Convert USD to 10⁻⁹ USD.

    Raises
    ------
    Failure
        INVALID, where it is not a number, is finer than 10⁻⁹, too large, or below zero and not `signed`.
    """
    if usd.is_finite() and usd == 0:
        return 0
    value = usd * _NANO if usd.is_finite() and abs(usd.adjusted()) < 20 else None
    if value is None or value != value.to_integral_value() or abs(value) > _MOST:
        raise Failure(Reason.INVALID, f"{param} is no amount of USD with at most 9 decimals", param=param)
    if value < 0 and not signed:
        raise Failure(Reason.INVALID, f"{param} must not be negative", param=param)
    return int(value)


def usd(amount: int) -> Decimal:
    """Convert 10⁻⁹ USD to USD, without trailing zeros."""
    text = f"{Decimal(amount) / _NANO:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def usd_or_none(amount: int | None) -> Decimal | None:
    """Convert where there is an amount."""
    return None if amount is None else usd(amount)


def ms(moment: datetime) -> int:
    """Convert to milliseconds since 1970."""
    return (moment - _EPOCH) // (datetime.resolution * 1000)


def moment(milliseconds: int) -> datetime:
    """Convert from milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def moment_or_none(milliseconds: int | None) -> datetime | None:
    """Convert where there is a time."""
    return None if milliseconds is None else moment(milliseconds)
