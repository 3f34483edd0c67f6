"""Protocols and translators, declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .jobs import Links, Task, UpstreamCall
from .operations import AnyOperation
from .streams import Translation
from .values import Answer, Failure, Json, Part, Reply, Request, Text, Usage


class ChannelSettings(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Settings that a channel of a protocol may have beside those of every channel; none, if not derived from."""


@dataclass(frozen=True, slots=True)
class Signing:
    """Credentials that are computed and hold for a while, such as a token signed with a key pair.

    Attributes
    ----------
    headers : callable
        The headers, from the channel's credential and the time in s since 1970.
    seconds : float
        For how long they are good.
    """

    headers: Callable[[str, int], Mapping[str, str]]
    seconds: float


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback about to be sent.

    Attributes
    ----------
    secret : str
        What its receiver can check a signature with: the account's `whsec_…`.
    now : int
        Seconds since 1970.
    """

    url: str
    body: bytes
    secret: str
    now: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    """A wire format, declared.

    Attributes
    ----------
    prefixes : mapping
        Path prefixes, each with the parameters that it sets; every operation stands under each of them.
    key_headers, key_queries : tuple of str
        Where a caller's token may stand beside `Authorization`.
    key_schemes : tuple of str
        Words that may stand in the place of `Bearer`, in lower case.
    key_placeholders : tuple of str
        Words that clients send as a bearer when the key stands in another header.
    authorize : callable
        Headers that carry a channel's credential.
    signing : Signing or None
        What stands in the place of `authorize` where the credential must be computed; it may leave a credential as it
        is.
    error : callable
        A failure in the protocol's own shape; takes the operation (None before routing) and the request id.
    env_key, env_key_also, env_base_url : str, tuple of str, str
        Environment names of the vendor's SDK.
    models : tuple of str
        Model names (or patterns) that a channel serves when it lists none.
    claims : callable
        What to answer on an unknown path that is meant for this protocol; None where it is not.
    channel_fault : callable
        Whether an answer blames the channel's own account (bad key, out of credit): such an answer fails over and is
        never shown to the caller.
    too_long : callable
        Whether an answer says that the request does not fit the model's context; another model may be tried then.
    mark_header : str
        A header that all of the vendor's clients send: with it, a path that another protocol has too is this one's.
    id_header : str
        Where the vendor's clients look for the request id, beside `x-request-id`.
    own_paths : tuple of str
        Path prefixes that are this protocol's alone; an unknown path below one is answered in its error shape.
    base_paths : mapping
        Path prefixes under which clients look for the protocol's paths, too, each with what stands in its place here:
        other vendors' addresses of this format, older versions, and `""` for clients that leave the version out.
    model_paths : mapping
        As `base_paths`, of prefixes that end in `{model}`: they name the model that is otherwise named in the body.
    sign : callable
        Headers with the vendor's own signature of a `Callback`, made for each try; they stand in the place of Standard
        Webhooks' where the names are the same.
    settings : type
        What a channel's settings may hold for this protocol.
    family : str
        Of protocols in which the same jobs are told, the name of one: each shows the others' tasks, which keep what the
        vendor says in one form, and follow-ups of one may name what another's tasks made.
    local : bool
        This machine's engines speak the format, below its name.
    """

    name: str
    title: Text
    operations: tuple[AnyOperation, ...]
    error: Callable[[Failure, AnyOperation | None, str], Reply]
    authorize: Callable[[str], Mapping[str, str]]
    base_url: str
    signing: Signing | None = None
    prefixes: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {"": {}})
    key_headers: tuple[str, ...] = ()
    key_queries: tuple[str, ...] = ()
    key_schemes: tuple[str, ...] = ()
    key_placeholders: tuple[str, ...] = ()
    env_key: str | None = None
    env_key_also: tuple[str, ...] = ()
    env_base_url: str | None = None
    models: tuple[str, ...] = ()
    claims: Callable[[str], Failure | None] | None = None
    channel_fault: Callable[[Answer], bool] = lambda answer: answer.status == 401
    too_long: Callable[[Answer], bool] = lambda answer: False
    mark_header: str | None = None
    id_header: str | None = None
    own_paths: tuple[str, ...] = ()
    base_paths: Mapping[str, str] = field(default_factory=dict[str, str])
    model_paths: Mapping[str, str] = field(default_factory=dict[str, str])
    forward_headers: tuple[str, ...] = ()
    answer_headers: tuple[str, ...] = ()
    sign: Callable[[Callback], Mapping[str, str]] = lambda callback: {}
    settings: type[ChannelSettings] = ChannelSettings
    family: str = ""
    local: bool = False
    probe: UpstreamCall | None = None
    """A cheap request whose answer tells whether the channel's address and credential are good."""

    @property
    def kin(self) -> str:
        """Under which name its tasks, and what they make, are kept."""
        return self.family or self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalAnswer:
    """Answers an operation by the gateway itself, for models that no channel serves it for.

    Attributes
    ----------
    source : str
        Operation name, `protocol.operation`; it costs nothing.
    alongside : str
        The operation that a channel has to serve the model for, itself or by a translator.
    answer : callable
        May take its time: it is called in a thread.
    """

    source: str
    alongside: str
    answer: Callable[[Request[Any]], Reply]


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskTranslator:
    """Serves a call of one protocol by tasks of another.

    Attributes
    ----------
    source, target : str
        Operation names, `protocol.operation`.
    requests : callable
        One JSON body of the target's for each task to submit, from the request and the model's name; raises `Failure`
        for what the target cannot carry.
    answer : callable
        The source's answer, from the finished tasks and the bytes of the first file of each, where `inline` wants
        them.
    failed : callable
        What the end of a task says where none succeeded.
    error : callable
        What the target's refusal says; the source's protocol gives it its shape.
    inline : callable
        Whether the answer holds the files' bytes.
    timeout : float
        Seconds.
    models : tuple of str
        Names (or patterns) of the models that it is for, as the channel names them; all, if empty.
    """

    source: str
    target: str
    requests: Callable[[Request[Any], str], Sequence[Mapping[str, Json]]]
    answer: Callable[[Request[Any], Sequence[Task], Links, Sequence[bytes]], Reply]
    failed: Callable[[Task], Failure]
    error: Callable[[Answer], Failure]
    inline: Callable[[Request[Any]], bool]
    timeout: float = 300.0
    models: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class JobTranslator:
    """Serves a submission of one protocol by a submission of another.

    The task is the source's, and is shown by the source's face; the target's vendor does it, by the target's rules.

    Attributes
    ----------
    source, target : str
        Operation names, `protocol.operation`.
    takes : callable
        Whether it is the one for a request, where several lead to one protocol; raises `Failure` as `request` does.
    request : callable
        The target's body, JSON's fields or a form's parts, from the source's request and the model's name; raises
        `Failure` for what the target cannot carry.
    error : callable
        What the target's refusal says; the source's protocol gives it its shape.
    facts : callable
        What the target's body asks for at last, kept among the task's facts: `seconds` (text) and `size`.
    models : tuple of str
        Names (or patterns) of the models that it is for, as the channel names them; all, if empty.
    """

    source: str
    target: str
    takes: Callable[[Request[Any]], bool]
    request: Callable[[Request[Any], str], Mapping[str, Json] | Sequence[Part]]
    error: Callable[[Answer], Failure]
    facts: Callable[[Mapping[str, Json]], Mapping[str, Json]]
    models: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CallTranslator:
    """Serves an operation of one protocol by an operation of another, one call by one call.

    Attributes
    ----------
    source, target : str
        Operation names, `protocol.operation`.
    stream_target : str
        The target where a stream is wanted, if that is another operation.
    models : tuple of str
        Names (or patterns) of the models that it is for, as the channel names them; all, if empty.
    takes : callable
        Whether it is the one for a request, where several lead to one protocol; raises `Failure` as `request` does.
    request : callable
        The target's body, JSON's fields or a form's parts, from the source's request and the model's name; raises
        `Failure` for what the target cannot carry.
    answer : callable
        The source's body, from the request, the target's answer, and what is charged for it. Raises `Failure`: of the
        kinds MODERATED and UNPROCESSABLE where nothing was made of what was asked for, which the caller is told;
        else where the upstream is at fault.
    error : callable
        What the target's error answer says; the source's protocol gives it its shape.
    events : callable
        Turns the target's stream into the source's, where they have one.
    estimates : bool
        What a call will probably consume is said by the target, which counts other things than the source.
    """

    source: str
    target: str
    request: Callable[[Request[Any], str], Mapping[str, Json] | Sequence[Part]]
    answer: Callable[[Request[Any], Answer, Usage | None], bytes]
    error: Callable[[Answer], Failure]
    takes: Callable[[Request[Any]], bool] = lambda request: True
    models: tuple[str, ...] = ()
    events: Callable[[Request[Any]], Translation] | None = None
    stream_target: str | None = None
    estimates: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageTeller:
    """Tells the callers of an operation what was counted here, where their vendor told nothing of it.

    Attributes
    ----------
    operation : str
        `protocol.operation`.
    carries : callable
        Whether an event may carry usage.
    whole : callable
        A whole answer, with the usage in it.
    events : callable
        The last events of a stream, with the usage in them; by the request, those events, and those that came before.
    """

    operation: str
    carries: Callable[[bytes], bool]
    whole: Callable[[bytes, Usage], bytes]
    events: Callable[[Request[Any], bytes, Sequence[bytes], Usage], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reframer:
    """Turns a whole answer of an operation into its event stream, and back, where an upstream sent the other one.

    Attributes
    ----------
    operation : str
        `protocol.operation`.
    to_events : callable
        The stream that a whole answer stands for; raises `Failure` for what is no answer.
    to_document : callable
        The whole answer that a stream's events add up to; raises `Failure` where they come to no end.
    """

    operation: str
    to_events: Callable[[Request[Any], bytes], bytes]
    to_document: Callable[[Request[Any], bytes], bytes]
