"""What submissions cost, in the vendor's points: a call consumes as many `calls` as points.

Source: the vendor's pages of 2023 and 2024. Not said there, and taken to be 1: a fusion, `audit`, `fix_faces`; of a
template that is not listed here, 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ...declare import Request, Usage
from .bodies import Code, Cute, Painting, numbered
from .flags import flags

BodyT = TypeVar("BodyT")
POINT = 10_000_000
"""10⁻⁹ USD; of what is left in points. Not verified: the vendor's price of a point is told nowhere."""
VERSIONS = {"1": 1, "1.1": 1, "2": 5, "3": 5}
USUAL_VERSION = "1.1"
TEMPLATES = {3: 1, 54: 10}
"""Those that do not cost 5."""
USUAL_TEMPLATE = 5
MX_UPSCALERS = {1: 1, 2: 2, 3: 6, 4: 4}


def points(count: int) -> Usage:
    """Return the consumption of some points."""
    return Usage(calls=count)


def one(request: Request[Any]) -> Usage:
    """Return a point."""
    return points(1)


def of_code(request: Request[Code]) -> Usage:
    """Return the points of an art QR code: the template's, else the version's."""
    template = numbered(request.body.template_id, "template_id")
    if template:
        return points(TEMPLATES.get(int(template), USUAL_TEMPLATE))
    return points(VERSIONS[flags(request.body.prompt or "").get("v", USUAL_VERSION)])


def parts(body: Cute | Painting) -> Mapping[str, int]:
    """Return the points of a picture by what they are for."""
    audit = 1 if body.args.audit else 0
    if isinstance(body, Cute):
        return {"audit": audit, "fix_faces": 0, "upscaler": body.args.upscaler}
    return {"audit": audit, "fix_faces": int(body.args.fix_faces), "upscaler": MX_UPSCALERS[body.args.upscaler]}


def of_picture(request: Request[Cute] | Request[Painting]) -> Usage:
    """Return the points of a picture."""
    return points(sum(parts(request.body).values()))


def named(name: str) -> Callable[[Request[BodyT]], str]:
    """Make what tells the name of a price that is always the same."""
    return lambda request: name
