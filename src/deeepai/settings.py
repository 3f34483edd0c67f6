"""Settings of one gateway: from the environment (`DEEEPAI_*`), then from the command line.

The supervisor hands them to the gateway's processes as JSON in one environment variable.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, unquote

import msgspec
from msgspec import Meta

PREFIX: Final = "DEEEPAI_"
PRIVATE: Final = 0o077
"""The umask of all programs: what they make is their user's alone, whatever the folder was."""
HANDOVER: Final = "DEEEPAI_SETTINGS"
"""Name of the variable that holds the JSON form."""
INTERNAL: Final = frozenset({HANDOVER, *(PREFIX + word for word in ("PARENT", "CRASH_AT", "TEST_RESULTS", "API_KEY"))})
"""Names that the programs, the tests and the samples of requests use among themselves."""
OF_ENGINES: Final = frozenset(
    PREFIX + name for name in ("ENGINES_CHAT_URL", "ENGINES_CHAT_KEY", "ENGINES_CHAT_MODEL", "SLIDES_RENDERER")
)
"""Names that the engines' program reads by itself."""

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#@]+/?", re.IGNORECASE)
_SERVICE: Final = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP)(_\w+)?$")

Seconds = Annotated[float, Meta(gt=0)]
Bytes = Annotated[int, Meta(ge=1)]


class SettingsError(ValueError):
    """A setting that cannot be used; names the variable, never repeats its value."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. Each is read from `DEEEPAI_` and its name in capitals; lists are divided by commas.

    Attributes
    ----------
    data : str
        Folder of all state.
    host, port : str, int
        Where the gateway listens; port 0 takes a free one.
    tls_cert, tls_key : str, optional
        Files of a certificate with its chain and of its key, which may stand in the first: TLS is spoken then, and no
        plain HTTP.
    workers : int
        Processes that serve requests.
    database : str, optional
        `postgresql://…` or `sqlite:///…`; by default `deeepai.db` in the data folder.
    valkey : str, optional
        `valkey://…` or `redis://…`, for what several gateways share.
    public_url : str, optional
        Address under which callers and vendors reach the gateway.
    trusted_proxies : tuple of str
        Networks whose `X-Forwarded-For` is believed.
    max_connections, max_connections_by_address : int, optional
        Callers' connections of one worker, in all and of one address that is no trusted proxy's; by default what its
        open files allow.
    head_limit : float
        Seconds within which the head of a request must be whole.
    body_rate : float
        Bytes a second that a body must bring, measured over as many seconds.
    reader_limit : float
        Seconds after which a caller that takes nothing of its answer is closed.
    cors_origins : tuple of str
        Origins whose pages may call the gateway's interfaces; `*` is any, `none` is none.
    database_wait : float
        Seconds for which a start waits for a database that cannot be reached.
    secret : str, optional
        The key itself, in place of its file; base64 or hex, after a change with the older ones behind it.
    secret_file : str, optional
        The key that credentials are encrypted with; by default `secret.key` in the data folder.
    config : str, optional
        The declarative file; by default `deeepai.toml` in the data folder, where there is one.
    standby : bool
        Whether the process that takes over from a gateway that ended is started beforehand.
    grace : float
        Seconds that open requests have to finish at a stop.
    lease_ttl : float
        Seconds that leases on balances and tasks hold.
    poll_tick : float
        Seconds between two looks for due tasks and callbacks.
    submit_limit, unknown_limit : float
        Seconds that a job's submission may take, and that a lost one is looked for.
    session_idle, session_limit : float
        Seconds for which a session over a WebSocket may be silent, and may last.
    keep_alive : float
        Seconds of silence after which the caller of a stream is told that it goes on.
    callback_wait_scale : float
        Multiplies the waits between two tries of a callback.
    max_body, max_upload, max_answer, max_fetch : int
        Bytes: a caller's body, one that only passes through, an upstream's whole answer, a file fetched from a URL.
    account_share : float
        The part of what all share (a channel's places, memory for bodies) that one account may have.
    body_memory : int
        Bytes of memory that callers' bodies may take, in each worker.
    asset_store : str, optional
        URL or folder; by default `assets` in the data folder.
    usage_days : float
        Days for which rows of usage are kept; 0 keeps them for ever. The ledger is always kept.
    answer_days : float
        Days for which answers are kept that callers may go on from and whose upstreams keep none; 0 keeps none.
    asset_days, task_days : float
        Days for which files, and tasks that have ended, are kept; 0 keeps them for ever.
    test_days : float
        Days for which whatever test-mode tokens made is kept, at most.
    asset_quota, answer_quota, replay_quota : int
        Bytes kept for each account: of files, of answers to go on from, of answers under idempotency keys.
    test_quota : int
        Bytes of each of the three that are kept for an account's test-mode tokens.
    chat_files, chat_file_bytes : int
        Files, and bytes of them together, that are kept of one chat's answer.
    disk_reserve : int
        Bytes that are to stay free on each disk: below that no file is kept, and the node is not ready.
    asset_link_ttl : float
        Seconds for which a signed link to a file opens it.
    sqlite_synchronous : str
        How much of SQLite's durability survives a power cut.
    allow_private_callbacks : tuple of str
        Private networks that callers' URLs may reach nevertheless.
    initial_credit : Decimal
        USD granted to the first account at the first start.
    debt_bound : Decimal
        USD that an account's open requests may cost beyond what is held for them, all together.
    engines, sandbox : bool
        Whether those programs are started.
    packs : str, optional
        Folder of the engines' weights; by default `deeepai/packs` in the user's cache.
    sandbox_speed : float
        How many times faster than real the sandbox's jobs run.
    """

    data: str = "data"
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8100
    tls_cert: str | None = None
    tls_key: str | None = None
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    database: str | None = None
    valkey: str | None = None
    public_url: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    max_connections: Annotated[int, Meta(ge=1)] | None = None
    max_connections_by_address: Annotated[int, Meta(ge=1)] | None = None
    head_limit: Seconds = 30.0
    body_rate: Annotated[float, Meta(ge=0)] = 500.0
    reader_limit: Seconds = 60.0
    cors_origins: tuple[str, ...] = ("*",)
    database_wait: Annotated[float, Meta(ge=0)] = 60.0
    secret: str | None = None
    secret_file: str | None = None
    config: str | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    standby: bool = True
    grace: Annotated[float, Meta(ge=0)] = 10.0
    lease_ttl: Seconds = 30.0
    poll_tick: Seconds = 0.5
    submit_limit: Seconds = 60.0
    unknown_limit: Seconds = 900.0
    session_idle: Seconds = 900.0
    session_limit: Seconds = 3600.0
    keep_alive: Seconds = 15.0
    callback_wait_scale: Seconds = 1.0
    max_body: Bytes = 128 << 20
    max_upload: Bytes = 512 << 20
    max_answer: Bytes = 64 << 20
    max_fetch: Bytes = 512 << 20
    account_share: Annotated[float, Meta(gt=0, le=1)] = 0.75
    body_memory: Bytes = 192 << 20
    asset_store: str | None = None
    usage_days: Annotated[float, Meta(ge=0)] = 365.0
    answer_days: Annotated[float, Meta(ge=0)] = 30.0
    asset_days: Annotated[float, Meta(ge=0)] = 30.0
    task_days: Annotated[float, Meta(ge=0)] = 90.0
    test_days: Annotated[float, Meta(gt=0)] = 3.0
    asset_quota: Annotated[int, Meta(ge=0)] = 5 << 30
    answer_quota: Annotated[int, Meta(ge=0)] = 256 << 20
    replay_quota: Annotated[int, Meta(ge=0)] = 256 << 20
    test_quota: Annotated[int, Meta(ge=0)] = 64 << 20
    chat_files: Annotated[int, Meta(ge=0, le=64)] = 4
    chat_file_bytes: Annotated[int, Meta(ge=0)] = 32 << 20
    disk_reserve: Annotated[int, Meta(ge=0)] = 64 << 20
    asset_link_ttl: Seconds = 7 * 86400.0
    sqlite_synchronous: Literal["normal", "full"] = "normal"
    allow_private_callbacks: tuple[str, ...] = ()
    initial_credit: Decimal = Decimal(100)
    debt_bound: Decimal = Decimal(1)
    engines: bool = True
    sandbox: bool = True
    packs: str | None = None
    sandbox_speed: Seconds = 1.0

    @property
    def folder(self) -> Path:
        """The data folder, absolute."""
        return Path(self.data).expanduser().absolute()

    @property
    def debt_nanos(self) -> int:
        """The bound on possible debts in 10⁻⁹ USD."""
        return int(self.debt_bound * 10**9)

    @property
    def spool(self) -> Path:
        """Where large bodies lie while their requests last."""
        return self.folder / "spool"

    @property
    def shared(self) -> Path:
        """What the workers of one gateway tell each other, where there are several."""
        return self.folder / "workers"

    @property
    def node_path(self) -> Path:
        """What one node has to itself."""
        return self.folder / "node.json"

    @property
    def database_url(self) -> str:
        """The database's URL."""
        return self.database or f"sqlite:///{quote(str(self.folder / 'deeepai.db'))}"

    @property
    def secret_path(self) -> Path:
        """The secret key's file."""
        return Path(self.secret_file).expanduser().absolute() if self.secret_file else self.folder / "secret.key"

    @property
    def config_path(self) -> Path:
        """The declarative file; it need not exist."""
        return Path(self.config).expanduser().absolute() if self.config else self.folder / "deeepai.toml"

    @property
    def assets_url(self) -> str:
        """The asset store, as a URL."""
        place = self.asset_store or str(self.folder / "assets")
        return place if "://" in place else Path(place).expanduser().absolute().as_uri()

    def quota(self, kind: Literal["files", "replays", "answers"], mode: str) -> int:
        """Return the bytes of a kind that are kept for an account."""
        if mode == "test":
            return self.test_quota
        return {"files": self.asset_quota, "replays": self.replay_quota, "answers": self.answer_quota}[kind]

    @property
    def local_assets(self) -> Path | None:
        """The asset store's folder, where it is on this machine."""
        url = self.assets_url
        return Path(unquote(url.removeprefix("file://"))) if url.startswith("file://") else None

    @property
    def stored(self) -> tuple[Path, ...]:
        """The folders on this machine in which something is stored."""
        folders = [self.folder]
        if self.database_url.startswith("sqlite:///"):
            folders.append(Path(unquote(self.database_url.removeprefix("sqlite:///"))).absolute().parent)
        if self.local_assets is not None:
            folders.append(self.local_assets)
        return tuple(dict.fromkeys(folders))

    @property
    def url(self) -> str:
        """The gateway's address: the public one, else the local one."""
        return (self.public_url or self.local_url).rstrip("/")

    @property
    def local_url(self) -> str:
        """The gateway's address on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)
        scheme = "https" if self.tls_cert else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.port}"

    def __repr__(self) -> str:
        """Show where the state lies; the rest may be secret."""
        return f"Settings(data={self.data!r})"

    def __post_init__(self) -> None:
        for name in ("trusted_proxies", "allow_private_callbacks"):
            for network in getattr(self, name):
                try:
                    ip_network(network, strict=False)
                except ValueError:
                    raise ValueError(f"{name} holds something that is no network") from None
        for origin in self.cors_origins:
            if origin not in ("*", "none") and not _ORIGIN.fullmatch(origin):
                raise ValueError("cors_origins holds something that is no origin, such as https://chat.example.com")
        if self.tls_key is not None and self.tls_cert is None:
            raise ValueError("tls_key is of no use without tls_cert")
        if self.public_url is not None and not self.public_url.startswith(("http://", "https://")):
            raise ValueError("public_url must start with http:// or https://")
        if not self.initial_credit.is_finite() or self.initial_credit < 0:
            raise ValueError("initial_credit must not be negative")
        if not self.debt_bound.is_finite() or not 0 <= self.debt_bound <= 10**6:
            raise ValueError("debt_bound is between 0 and 1000000")

    def changed(self, **changes: Any) -> Settings:
        """Return a copy with other values, checked."""
        return _convert({**msgspec.to_builtins(self), **changes})

    def to_json(self) -> str:
        """Return the JSON form."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Read the JSON form."""
        return msgspec.json.decode(text, type=cls)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, /, **flags: Any) -> Settings:
        """Read the environment; flags that are not None win over it.

        Raises
        ------
        SettingsError
            A value cannot be used, or nobody knows a name.
        """
        environ = os.environ if environ is None else environ
        _check_names(environ)
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(cls):
            variable = PREFIX + field.name.upper()
            text = environ.get(variable, "").strip()
            if not text or _linked(variable, text):
                continue
            if field.type == tuple[str, ...]:
                values[field.name] = [part.strip() for part in text.split(",") if part.strip()]
            elif field.type is bool:
                values[field.name] = _boolean(field.name, text)
            else:
                values[field.name] = text
        values.update({name: value for name, value in flags.items() if value is not None})
        return _convert(values)


def _linked(name: str, value: str) -> bool:
    """Tell whether Kubernetes put a variable there, for a service whose name begins as ours."""
    return _SERVICE.search(name) is not None or (name.endswith("_PORT") and value.startswith(("tcp://", "udp://")))


def _check_names(environ: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.__struct_fields__}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known | INTERNAL | OF_ENGINES and not _linked(name, environ[name]):
            nearest = difflib.get_close_matches(name, known, 1, 0.0)[0]
            raise SettingsError(f"there is no setting {name}; {nearest} is the nearest")


def _boolean(name: str, text: str) -> bool:
    word = text.lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise SettingsError(f"{PREFIX}{name.upper()}: expected true or false")


def _convert(values: dict[str, Any]) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as fault:
        what, _, where = str(fault).partition(" - at `$.")
        name = where.rstrip("`").split("[")[0]
        raise SettingsError(f"{PREFIX}{name.upper()}: {what}" if name else what) from None
