"""Model weights: packs that come inside packages, and models that the operator adds."""

from .installer import PACKS, SMOLLM2, PackError, default_folder, find, install, remove

__all__ = ["PACKS", "SMOLLM2", "PackError", "default_folder", "find", "install", "remove"]
