"""The control plane: its HTTP API, the declarative file, the first start."""
