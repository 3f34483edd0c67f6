"""Credentials that a channel computes."""

from __future__ import annotations

from collections.abc import Mapping

import jwt

from ...declare import Signing
from . import bearer


def key_pair(*, seconds: int = 1800, early: int = 5) -> Signing:
    """Sign tokens with a pair `ACCESS|SECRET` (HS256); any other credential is a key of its own, as relays have.

    Parameters
    ----------
    seconds, early : int
        For how long a token is good, and from how long before it is made: clocks differ.
    """

    def headers(credential: str, now: int) -> Mapping[str, str]:
        access, pair, secret = credential.partition("|")
        if not pair or credential.startswith("sk-"):
            return bearer(credential)
        claims = {"iss": access, "exp": now + seconds, "nbf": now - early}
        return bearer(jwt.encode(claims, secret, algorithm="HS256"))

    return Signing(headers, seconds - 300.0)
