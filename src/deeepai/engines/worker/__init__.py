"""Processes of their own for native libraries, and the line between them and the program."""

from .worker import MOST_WAITING, Worker

__all__ = ["MOST_WAITING", "Worker"]
