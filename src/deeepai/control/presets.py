"""Presets: what is known of vendors that speak a protocol of another's, so that a channel needs only a key.

The table is `presets.toml`. A preset fills in what a new channel leaves out; the channel that is stored is whole, and
goes on without its preset.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Annotated, Any, Final

import msgspec
import structlog
from msgspec import UNSET, Meta, UnsetType

from ..accounts.channels import ChannelFields, NewChannel
from ..accounts.models import Channel
from ..accounts.people import Name
from ..declare import Failure, Protocol, Reason
from . import channel_settings

_log = structlog.get_logger("deeepai.channels")
_WORD: Final = re.compile(r"\{(\w+)\}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Words(msgspec.Struct, forbid_unknown_fields=True):
    """A text in two languages."""

    en: str
    zh: str


class Preset(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is known of a vendor.

    Attributes
    ----------
    base_url : str
        May hold words in braces, which a channel's settings give.
    environment : list of str
        Where the vendor's own clients look for the key.
    base_url_environment : str, optional
        Where they look for another address.
    automatic : bool
        Whether a start makes a channel of such a key; not of keys that are used for much else.
    needs : list of str
        Settings without which a channel cannot work.
    local : bool
        A server of one's own: needs no key.
    models : list of str
        Names or patterns; empty: the channel must list its own.
    source, date : str
        Where and when `base_url` was looked up.
    """

    name: str = ""
    title: Words
    protocol: str = "openai"
    base_url: str
    environment: list[str] = []
    base_url_environment: str | None = None
    automatic: bool = True
    needs: list[str] = []
    local: bool = False
    models: list[str] = []
    settings: dict[str, Any] = {}
    note: Words | None = None
    documentation: str
    source: str
    date: str


class ChannelEntry(ChannelFields, kw_only=True, forbid_unknown_fields=True):
    """A channel to be made: of a protocol, or of a preset, which fills in what is left out."""

    name: Name
    protocol: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    preset: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET


def _load() -> dict[str, Preset]:
    raw = tomllib.loads(resources.files("deeepai.control").joinpath("presets.toml").read_text("utf-8"))
    return {name: msgspec.convert({**entry, "name": name}, Preset) for name, entry in raw.items()}


PRESETS: Final[Mapping[str, Preset]] = _load()


def resolve(
    entry: ChannelEntry, protocols: Mapping[str, Protocol], environ: Mapping[str, str] | None = None
) -> NewChannel:
    """Fill in what a new channel leaves out.

    Parameters
    ----------
    environ : mapping, optional
        Where a preset's key is looked for, if the entry has none.

    Raises
    ------
    Failure
        INVALID.
    """
    preset: Preset | None = None
    if isinstance(entry.preset, str):
        preset = PRESETS.get(entry.preset)
        if preset is None:
            raise Failure(Reason.INVALID, f"There is no preset {entry.preset!r}", param="preset")
        if isinstance(entry.protocol, str) and entry.protocol != preset.protocol:
            message = f"The preset {preset.name} speaks {preset.protocol}, not {entry.protocol}"
            raise Failure(Reason.INVALID, message, param="protocol")
    name = preset.protocol if preset is not None else entry.protocol
    protocol = protocols.get(name) if isinstance(name, str) else None
    if not isinstance(name, str) or protocol is None:
        said = "A channel needs a protocol or a preset" if name is UNSET else "There is no such protocol"
        raise Failure(Reason.INVALID, f"{said}; there are {', '.join(sorted(protocols))}", param="protocol")
    fields = {field: getattr(entry, field) for field in ChannelFields.__struct_fields__}
    new = NewChannel(name=entry.name, protocol=name, **fields)
    if preset is not None:
        _fill(new, preset, environ or {})
    elif new.base_url is UNSET:
        new.base_url = protocol.base_url
    if isinstance(new.settings, dict):
        check_settings(new.settings, protocol)
    return new


def _faults(settings: Mapping[str, Any], protocol: Protocol) -> Iterator[Failure]:
    preset = PRESETS.get(str(settings.get("preset")))
    return channel_settings.faults(settings, protocol, () if preset is None else preset.needs)


def check_settings(settings: Mapping[str, Any], protocol: Protocol) -> None:
    """Refuse settings that nobody knows, that cannot be used, or by which a channel could reach nothing.

    Raises
    ------
    Failure
        INVALID, with the setting's name.
    """
    for failure in _faults(settings, protocol):
        raise failure


def warn(channels: Iterable[Channel], protocols: Mapping[str, Protocol], warned: set[tuple[str, str | None]]) -> None:
    """Say once in the log what is wrong with the settings of stored channels, which go on without it.

    Parameters
    ----------
    warned : set
        What was said before, by channel and setting.
    """
    for channel in channels:
        protocol = protocols.get(channel.protocol)
        for failure in _faults(channel.settings, protocol) if protocol is not None else ():
            if (channel.id, failure.param) not in warned:
                warned.add((channel.id, failure.param))
                _log.warning("channel.setting", channel=channel.name, setting=failure.param, error=failure.message)


def _fill(new: NewChannel, preset: Preset, environ: Mapping[str, str]) -> None:
    given = new.settings if isinstance(new.settings, dict) else {}
    settings = {**preset.settings, **given, "preset": preset.name}
    if missing := [word for word in preset.needs if not settings.get(word)]:
        raise Failure(Reason.INVALID, f"The preset {preset.name} needs settings.{missing[0]}", param="settings")
    if new.base_url is UNSET:
        new.base_url = _WORD.sub(lambda found: _word(settings, found[1]), preset.base_url)
    if not isinstance(new.models, list):
        if not preset.models:
            message = f"The preset {preset.name} names no models: list those that the channel serves"
            raise Failure(Reason.INVALID, message, param="models")
        new.models = list(preset.models)
    new.settings = settings
    if new.credential is UNSET and not preset.local:
        new.credential = _key(preset, environ)
        if new.credential is None:
            known = f" (or {' or '.join(preset.environment)} in the environment)" if preset.environment else ""
            raise Failure(Reason.INVALID, f"The preset {preset.name} needs a credential{known}", param="credential")


def _key(preset: Preset, environ: Mapping[str, str]) -> str | None:
    return next(filter(None, (environ.get(name, "").strip() for name in preset.environment)), None)


def _word(settings: Mapping[str, Any], name: str) -> str:
    value = settings[name]
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        raise Failure(Reason.INVALID, f"settings.{name} must be letters, digits and . _ -", param="settings")
    return value


def environment_channels(protocols: Mapping[str, Protocol], environ: Mapping[str, str]) -> list[NewChannel]:
    """Return a channel for each preset whose key stands in the environment."""
    found: list[NewChannel] = []
    for preset in PRESETS.values():
        if not preset.automatic or not preset.models or preset.needs or preset.protocol not in protocols:
            continue
        key = _key(preset, environ)
        if key is None:
            continue
        entry = ChannelEntry(name=f"{preset.name}-environment", preset=preset.name, credential=key)
        base_url = environ.get(preset.base_url_environment, "").strip() if preset.base_url_environment else ""
        if base_url:
            entry.base_url = base_url
        found.append(resolve(entry, protocols))
    return found


def environment_keys() -> set[str]:
    """Return the names under which a start looks for presets' keys."""
    return {name for preset in PRESETS.values() if preset.automatic for name in preset.environment}
