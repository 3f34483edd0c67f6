"""Vidu's wire formats: that of its web site, which relays have, and the vendor's own."""

from .ent import vidu_ent
from .web import vidu

__all__ = ["vidu", "vidu_ent"]
