"""A stand-in for the vendors: stateful, deterministic, speaks their wire formats over HTTP."""
