"""The sampling profiler for the gateway under load."""
