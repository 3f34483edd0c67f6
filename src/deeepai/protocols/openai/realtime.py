"""Realtime: sessions over a WebSocket, and the short-lived keys that browsers open them with.

Source: OpenAI's OpenAPI document 2.3.0, its Python and Node SDKs. Callers speak today's API (GA) or the beta, whichever
the upstream does. What the gateway cannot meter, it does not serve: calls over WebRTC and SIP.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, cast
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Meta

from ...declare import (
    Answer,
    AnyRequest,
    Facts,
    Failure,
    Json,
    Local,
    Reason,
    Reply,
    SessionTranslation,
    Socket,
    SocketRules,
    Text,
    Usage,
    View,
)
from .common import ModelName, member
from .errors import error_object
from .realtime_beta import session_update, to_ga, translation
from .realtime_meter import RealtimeMeter

_KEY: Final = "openai-insecure-api-key."
_BETA: Final = "openai-beta.realtime-v1"
_BETA_HEADER: Final = "realtime=v1"
_SECRET: Final = "ek_"
_TRANSCRIBER: Final = "gpt-4o-transcribe"
"""By what a transcription session is routed that names no model; it is charged by those that it names later."""
_SHORT_SECONDS: Final = 60
"""Life of a key made in the older way."""
_TURN: Final = Usage(input=300, audio_in=300, output=100, audio_out=600, seconds=30, unlimited=1, basis="estimated")
"""Half a minute of speech each way: what is held for the next response."""


# The handshake -------------------------------------------------------------------------------------------------


def _offered(request: AnyRequest) -> list[str]:
    return [word.strip() for word in request.header("sec-websocket-protocol").split(",") if word.strip()]


def handshake_key(request: AnyRequest) -> str:
    """Return the key among the subprotocols: browsers can set no header."""
    return next((word.removeprefix(_KEY) for word in _offered(request) if word.startswith(_KEY)), "")


def subprotocol(request: AnyRequest) -> str | None:
    """Answer the one that names no key."""
    return "realtime" if "realtime" in _offered(request) else None


def speaks_beta(request: AnyRequest) -> bool:
    """Tell whether the caller wants the beta's shape of events."""
    return _BETA in _offered(request) or _BETA_HEADER in request.header("openai-beta")


def upstream_beta(request: AnyRequest, facts: Facts) -> bool:
    """Tell whether the upstream is spoken to in the beta's shape: see `OpenAISettings.realtime`.

    The API of Azure's dated addresses is the beta's (Azure OpenAI's guide to Realtime by WebSockets).
    """
    spoken = facts.settings.get("realtime")
    if spoken == "both":
        return speaks_beta(request)
    return spoken == "beta" or (spoken is None and str(facts.settings.get("api_version", ""))[:1].isdigit())


def _transcribes(request: AnyRequest) -> bool:
    return request.query.get("intent") == "transcription"


def session_translation(request: AnyRequest, facts: Facts) -> SessionTranslation | None:
    """Return what turns the beta's events and today's into each other, where the two sides differ."""
    return translation(
        caller_beta=speaks_beta(request),
        upstream_beta=upstream_beta(request, facts),
        transcribes=_transcribes(request),
    )


def session_model(request: AnyRequest) -> str:
    """Return the model in the query; a transcription session need not name one."""
    model = request.query.get("model", "")
    if model or not _transcribes(request):
        if not 0 < len(model) <= 256:
            raise Failure(Reason.INVALID, "You must provide a model parameter", param="model", code="missing")
        return model
    return _TRANSCRIBER


def _transcriber(session: Json) -> str:
    """Return the model that a transcription session names."""
    named = member(session, "audio", "input", "transcription", "model")
    return named if isinstance(named, str) and 0 < len(named) <= 256 else _TRANSCRIBER


def check(request: AnyRequest) -> None:
    """Refuse to join a call: calls belong to whoever made them, and none is made here."""
    if "call_id" in request.query:
        raise Failure(Reason.INVALID, "Calls are not offered here", param="call_id", code="unsupported_parameter")


def upstream_path(request: AnyRequest, facts: Facts) -> str:
    """Return the upstream's path, with the query as it came but for the model's name.

    The vendor wants none for a transcription session; here it may stand there, for routing and for the key's rights.
    """
    query = {name: value for name, value in request.query.items() if name != "model"}
    model = [f"model={facts.model}"] if query.get("intent") != "transcription" else []
    return "/realtime?" + "&".join([*model, urlencode(query, quote_via=quote)]).rstrip("&")


def minted_query(request: AnyRequest, session: Json) -> Mapping[str, str]:
    """Return the query of a session that a minted key opens; it is what the key was made for, whatever is asked."""
    query = dict(request.query)
    if session.get("type") == "transcription":
        return {**query, "intent": "transcription", "model": _transcriber(session)}
    if query.get("model", session["model"]) != session["model"]:
        raise Failure(Reason.FORBIDDEN, "The key was made for another model", param="model")
    return {**query, "model": session["model"]}


def headers(request: AnyRequest, facts: Facts) -> Mapping[str, str]:
    """Say which shape of events is spoken with the upstream, whatever is spoken with the caller."""
    words = [word.strip() for word in request.header("openai-beta").split(",")]
    others = [word for word in words if word and word != _BETA_HEADER]
    beta = [_BETA_HEADER] if upstream_beta(request, facts) else []
    return {**dict(request.present(("openai-safety-identifier",))), "openai-beta": ",".join([*others, *beta])}


# Events --------------------------------------------------------------------------------------------------------


class _Named(msgspec.Struct):
    event_id: str | None = None


class _Opening(msgspec.Struct):
    type: str = ""
    error: dict[str, Any] | None = None


def error_event(failure: Failure, request_id: str, event: str) -> str:
    """Return the error event."""
    try:
        at_fault = msgspec.json.decode(event, type=_Named).event_id if event else None
    except (msgspec.DecodeError, RecursionError):
        at_fault = None
    error = {**error_object(failure), "event_id": at_fault}
    return msgspec.json.encode({"type": "error", "event_id": f"evt_{request_id}", "error": error}).decode()


_STATUS: Final = {"server_error": 500, "insufficient_quota": 429, "requests": 429, "tokens": 429}
_CODE_STATUS: Final = {"invalid_api_key": 401, "insufficient_quota": 429, "rate_limit_exceeded": 429}


def opening(event: str) -> Answer | None:
    """Read a session's first event where it is an error, as an HTTP answer."""
    try:
        first = msgspec.json.decode(event, type=_Opening)
    except (msgspec.DecodeError, RecursionError):
        return None
    if first.type != "error":
        return None
    error = first.error or {}
    code, kind = str(error.get("code")), str(error.get("type"))
    status = _CODE_STATUS.get(code) or _STATUS.get(kind, 400)
    body = {"error": {name: error.get(name) for name in ("message", "type", "param", "code")}}
    return Answer(status, {"content-type": "application/json"}, msgspec.json.encode(body))


def meter(request: AnyRequest, requested_model: str, model: str, allow: Callable[[str], None]) -> RealtimeMeter:
    """Make a session's meter."""
    return RealtimeMeter(requested_model, model, allow)


def first_events(request: AnyRequest, facts: Facts, session: Json) -> Sequence[str]:
    """Tell the upstream what the session is to be like."""
    wanted = {name: value for name, value in cast("dict[str, Any]", session).items() if name != "model"}
    if wanted.keys() <= {"type"}:
        return ()
    return (session_update(wanted, beta=upstream_beta(request, facts)),)


SOCKET: Final = SocketRules(
    key=handshake_key,
    secret_prefix=_SECRET,
    protocol=subprotocol,
    query=minted_query,
    meter=meter,
    translation=session_translation,
    first=first_events,
    opening=opening,
    error=error_event,
    cancel='{"type":"response.cancel"}',
)


# Keys for single sessions --------------------------------------------------------------------------------------


class ExpiresAfter(msgspec.Struct, omit_defaults=True):
    """When a key expires."""

    anchor: Annotated[str, Meta(pattern="^created_at$")] = "created_at"
    seconds: Annotated[int, Meta(ge=10, le=7200)] = 600


class SessionBody(msgspec.Struct, omit_defaults=True):
    """A session, in the present shape; every other field of the specification is kept."""

    type: Annotated[str, Meta(pattern="^(realtime|transcription)$")] = "realtime"
    model: ModelName | None = None


class SecretBody(msgspec.Struct, omit_defaults=True):
    """Body of the request for a key."""

    session: SessionBody | None = None
    expires_after: ExpiresAfter | None = None


class FlatSessionBody(msgspec.Struct, omit_defaults=True):
    """A session in the older, flat shape; every other field is kept."""

    model: ModelName


class TranscriptionBody(msgspec.Struct, omit_defaults=True):
    """A transcription session in the older shape."""

    input_audio_transcription: dict[str, Any] | None = None


def _raw(request: AnyRequest) -> dict[str, Any]:
    return cast("dict[str, Any]", msgspec.json.decode(request.raw))


async def make_secret(view: View[SecretBody]) -> Reply:
    """Mint a key for one kind of session."""
    body = view.request.body
    session: dict[str, Any] = {"type": "realtime", **(_raw(view.request).get("session") or {})}
    transcribes = session["type"] == "transcription"
    model = _transcriber(session) if transcribes else session.get("model")
    if model is None:
        raise Failure(Reason.INVALID, "Missing required parameter: 'session.model'", param="session.model")
    seconds = (body.expires_after or ExpiresAfter()).seconds
    value, expires_at = await view.mint(_SECRET, model, session, seconds)
    shown = {**session, "id": f"sess_{secrets.token_hex(12)}", "object": f"realtime.{_kind(transcribes)}"}
    return Reply({"value": value, "expires_at": expires_at, "session": shown})


def _kind(transcribes: bool) -> str:
    return "transcription_session" if transcribes else "session"


async def make_session(view: View[object]) -> Reply:
    """Mint a key, in the older way."""
    session = _raw(view.request)
    value, expires_at = await view.mint(_SECRET, session["model"], session, _SHORT_SECONDS)
    return _older(session, "realtime.session", value, expires_at)


async def make_transcription_session(view: View[object]) -> Reply:
    """Mint a key for a transcription session, in the older way."""
    session = _raw(view.request)
    minted = {"type": "transcription", **to_ga(session)}
    value, expires_at = await view.mint(_SECRET, _transcriber(minted), minted, _SHORT_SECONDS)
    return _older(session, "realtime.transcription_session", value, expires_at)


def _older(session: Mapping[str, Any], kind: str, value: str, expires_at: int) -> Reply:
    secret = {"value": value, "expires_at": expires_at}
    return Reply({**session, "id": f"sess_{secrets.token_hex(12)}", "object": kind, "client_secret": secret})


async def refuse_call(view: View[object]) -> Reply:
    """Say that calls are not offered."""
    text = "Calls over WebRTC and SIP are not offered here: open a WebSocket at /v1/realtime"
    error = {"message": text, "type": "invalid_request_error", "param": None, "code": "not_implemented"}
    return Reply({"error": error}, 501)


_SHOWN: Final = {"type": "realtime", "model": "gpt-realtime", "instructions": "Be brief."}
_SHOWN_KEY: Final = {"value": "ek_68af296e8e408191a1120ab6383263c2", "expires_at": 1760000600}

OPERATIONS = (
    Socket(
        name="realtime",
        models=("*realtime*",),
        method="GET",
        path="/v1/realtime",
        upstream_template="/realtime",
        rules=SOCKET,
        rows=(2,),
        summary=Text("Open a Realtime session (WebSocket)", "Realtime 实时会话（WebSocket）"),
        media="none",
        query=("model",),
        model=session_model,
        estimate=lambda request: _TURN,
        upstream_path=upstream_path,
        headers=headers,
        check=check,
    ),
    Local(
        name="realtime.client_secrets",
        method="POST",
        path="/v1/realtime/client_secrets",
        rows=(2,),
        summary=Text("Make a short-lived key for a Realtime session", "创建 Realtime 临时密钥"),
        body=SecretBody,
        example={"session": _SHOWN, "expires_after": {"anchor": "created_at", "seconds": 600}},
        example_answer={**_SHOWN_KEY, "session": {**_SHOWN, "id": "sess_1", "object": "realtime.session"}},
        answer=make_secret,
        fails=(Reason.NO_MODEL, Reason.UNAVAILABLE),
    ),
    Local(
        name="realtime.sessions",
        method="POST",
        path="/v1/realtime/sessions",
        rows=(2,),
        summary=Text("Make a short-lived key, in the older way", "创建 Realtime 会话（旧版）"),
        body=FlatSessionBody,
        example={"model": "gpt-realtime", "modalities": ["audio", "text"], "voice": "alloy"},
        example_answer={
            "id": "sess_1",
            "object": "realtime.session",
            "model": "gpt-realtime",
            "client_secret": _SHOWN_KEY,
        },
        answer=make_session,
        fails=(Reason.NO_MODEL, Reason.UNAVAILABLE),
    ),
    Local(
        name="realtime.transcription_sessions",
        method="POST",
        path="/v1/realtime/transcription_sessions",
        rows=(2,),
        summary=Text("Make a short-lived key for a transcription session", "创建 Realtime 转写会话（旧版）"),
        body=TranscriptionBody,
        example={"input_audio_transcription": {"model": "gpt-4o-transcribe"}},
        example_answer={"id": "sess_1", "object": "realtime.transcription_session", "client_secret": _SHOWN_KEY},
        answer=make_transcription_session,
        fails=(Reason.NO_MODEL, Reason.UNAVAILABLE),
    ),
    Local(
        name="realtime.calls",
        method="POST",
        path="/v1/realtime/calls",
        summary=Text("Calls over WebRTC: not offered", "WebRTC 通话（不提供）"),
        media="none",
        open=True,
        answer=refuse_call,
        status=501,
    ),
)
