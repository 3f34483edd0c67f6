"""Sessions over WebSockets: what the gateway must know of their events, and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol as Interface

from .values import Answer, AnyRequest, Failure, Json, Usage
from .views import Facts


@dataclass(frozen=True, slots=True)
class Spent:
    """Work of a session that is to be charged.

    Attributes
    ----------
    usage : Usage
        What the vendor told, or what follows from the length of the sound.
    prompt, text : str
        Text in and out that nobody counted: the gateway does.
    key : str or None
        The price key, where it is not the session's model.
    """

    usage: Usage
    prompt: str = ""
    text: str = ""
    key: str | None = None


class Meter(Interface):
    """Follows the events of one session, both ways; does no input or output."""

    @property
    def busy(self) -> bool:
        """Whether work is under way that nobody told the usage of."""
        ...

    def sent(self, event: str) -> str:
        """Take an event of the caller; return it as the upstream is to see it.

        Raises
        ------
        Failure
            The upstream must not see it.
        """
        ...

    def came(self, event: str) -> Spent | None:
        """Take an event of the upstream; return what must be charged before the caller sees it."""
        ...

    def left(self) -> Spent | None:
        """Return what was under way when the session ended; nothing the second time."""
        ...


class SessionTranslation(Interface):
    """Turns the events of one session where caller and upstream speak differently; does no input or output."""

    def sent(self, event: str) -> str:
        """Return an event of the caller as the upstream is to see it.

        Raises
        ------
        Failure
            The upstream has no words for it.
        """
        ...

    def came(self, event: str) -> Sequence[str]:
        """Return an event of the upstream as the caller is to see it: none, one or several."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SocketRules:
    """How a session over a WebSocket begins, is metered, and ends.

    Attributes
    ----------
    key : callable
        The caller's key where it stands in the handshake beside the usual headers, or an empty string.
    secret_prefix : str
        How keys begin that the gateway mints for single sessions.
    query : callable
        The query of a session that is opened by a minted key, from the request and what the key was made for.
    protocol : callable
        The one of the subprotocols offered that is answered, if any.
    meter : callable
        Makes a session's meter, from the request, the model's names as the caller and as the upstream knows it, and a
        function that refuses (by a `Failure`) another model which an event asks for.
    translation : callable
        What turns the session's events, from the request and what is known of the channel; None where both sides
        speak alike, so that events pass as they are. The meter sees what the upstream sees and says.
    first : callable
        Events that tell the upstream of the session that a minted key was made for, in the upstream's words.
    opening : callable
        What the session's first event amounts to as an HTTP answer, where it is a refusal.
    error : callable
        The protocol's own error event, from the failure, the request id and the caller's event that is at fault.
    cancel : str
        The event that ends the work under way.
    """

    key: Callable[[AnyRequest], str]
    secret_prefix: str
    query: Callable[[AnyRequest, Json], Mapping[str, str]]
    protocol: Callable[[AnyRequest], str | None]
    meter: Callable[[AnyRequest, str, str, Callable[[str], None]], Meter]
    translation: Callable[[AnyRequest, Facts], SessionTranslation | None]
    first: Callable[[AnyRequest, Facts, Json], Sequence[str]]
    opening: Callable[[str], Answer | None]
    error: Callable[[Failure, str, str], str]
    cancel: str
