"""Accounts, tokens and channels as the gateway sees them: plain values, read from the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["live", "test"]


@dataclass(frozen=True, slots=True)
class SubToken:
    """What a key stands for that was made of a token, to be handed on.

    Attributes
    ----------
    protocol : str
        Whose interfaces alone it opens (`Protocol.kin`).
    holder : str
        Whose objects it reaches; empty: those of the token itself.
    most : int or None
        Charged calls that may be made with it.
    expires_at : int
        ms since 1970.
    """

    id: str
    protocol: str
    holder: str
    most: int | None
    expires_at: int


@dataclass(frozen=True, slots=True)
class Token:
    """A caller's key with all that decides what it may do. Money is 10⁻⁹ USD, times are ms since 1970."""

    id: str
    account_id: str
    user_id: str | None
    name: str
    mode: Mode
    enabled: bool
    """False where the token, its account or its user is disabled."""
    expires_at: int | None
    budget: int | None
    models: tuple[str, ...] | None
    ips: tuple[str, ...] | None
    rpm: int | None
    concurrency: int | None
    price_group: str
    """The token's own, else its account's."""
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    sub: SubToken | None = None
    """The sub-token that stands for it here."""

    @property
    def holder(self) -> str:
        """Whose objects are reached; empty: the token's own."""
        return "" if self.sub is None else self.sub.holder


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits towards an upstream, in seconds."""

    connect: float = 10.0
    first_byte: float = 300.0
    between: float = 120.0
    whole: float = 1800.0


@dataclass(frozen=True, slots=True)
class Channel:
    """One configured upstream, its credential in clear."""

    id: str
    name: str
    protocol: str
    base_url: str
    credential: str | None
    models: tuple[str, ...] | None
    """Names or patterns; None: the protocol's own."""
    model_map: dict[str, str]
    mode: Mode
    price_groups: tuple[str, ...] | None
    priority: int
    weight: int
    concurrency: int | None
    rpm: int | None
    enabled: bool
    limits: Limits
    settings: dict[str, Any]
    source: str

    def __repr__(self) -> str:
        """Show all but the credential."""
        return f"Channel({self.name!r}, {self.protocol!r}, {self.base_url!r})"
