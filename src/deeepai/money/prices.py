"""The price book: what a call costs, from what it consumed. The shipped one lies in `pricebook/`, a file a vendor.

An entry says its rates as decimal strings in USD:

* `per_million`: tokens by sort. Input of a sort without a rate costs what `input` does; so with output.
* `per_call`, `per_image`, `per_second`, `per_search`, `per_million_characters`
* `steps_included`: an image with more steps costs more in proportion.
* `per_megapixel`: `first` is the price of an image of up to 10⁶ pixels, `further` of each 10⁶ beyond, `input` of each
  10⁶ of input images.
* `tiers`: other token rates where all input together is above so many tokens; of several calls, that of the largest.
* `by`: rows of rates for certain values of `Usage.params`; the first that fits counts, and lays its rates over the
  entry's own. One with token rates has tiers of its own.
* `without_tokens`: rates in place of all others where nobody told how many tokens it took; for estimates, the dearer
  of the two counts.
* `vendor_cost`: where the vendor says what the call cost, that counts.
* `max_input`, `max_output`: tokens that the model takes at most, and gives in one answer; no rates, but what a call may
  cost whose caller sets no limit. `limits.toml` has those of shipped models.

Amounts are exact whole numbers of 10⁻¹⁸ USD until the end, and rounded up once to 10⁻⁹ USD.
"""

from __future__ import annotations

import functools
import logging
import re
import tomllib
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from importlib import resources
from typing import Annotated, Any

import msgspec

from deeepai.declare import Usage

log = logging.getLogger(__name__)

_ATTO = 10**18
_NANO = 10**9
_MOST = Decimal(10**6)
_DEFAULT_LIMITS = (131_072, 16_384)
"""Tokens that a model of which nothing is known takes, and gives, at most."""
_DATED = re.compile(r"[-@](?:20\d\d-?\d\d-?\d\d|\d{4}|latest)(?:-preview)?$")
_NO_VENDORS = frozenset({"hosts", "others", "local"})
"""Files of several vendors' models."""
_PLAIN = {
    "cached": "input",
    "cached_audio": "cached",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "audio_in": "input",
    "image_in": "input",
    "audio_out": "output",
    "image_out": "output",
}
_SORTS = (
    *("input", "cached", "cached_audio", "cache_write", "cache_write_1h", "audio_in", "image_in"),
    *("output", "audio_out", "image_out"),
)


class TokenRates(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """USD per 10⁶ tokens."""

    input: str | None = None
    cached: str | None = None
    cached_audio: str | None = None
    cache_write: str | None = None
    cache_write_1h: str | None = None
    audio_in: str | None = None
    image_in: str | None = None
    output: str | None = None
    audio_out: str | None = None
    image_out: str | None = None


class AreaRates(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """USD per 10⁶ pixels."""

    first: str = "0"
    further: str = "0"
    input: str = "0"


class Tier(msgspec.Struct, forbid_unknown_fields=True):
    """Token rates above so many tokens of input."""

    above_input: int
    per_million: TokenRates


class Rates(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rates in USD, each a decimal string."""

    per_million: TokenRates | None = None
    per_call: str | None = None
    per_image: str | None = None
    per_second: str | None = None
    per_search: str | None = None
    per_million_characters: str | None = None
    per_megapixel: AreaRates | None = None
    steps_included: int | None = None


class Row(Rates, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rates for a call whose parameters have these values; a list means any of them. Letter case does not matter."""

    when: dict[str, str | list[str]]
    tiers: list[Tier] = []


class Table(Rates, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rates, and rows of others that depend on parameters."""

    by: list[Row] = []


class Entry(Table, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What stands under a price key.

    Attributes
    ----------
    source, date : str
        Where the price was seen, and of when it is.
    vendor : str
        Whose model it is; empty where several serve it.
    names : list of str
        Further keys; as the key itself, each may hold `*`.
    """

    source: str = "operator"
    date: str = ""
    vendor: str = ""
    note: str = ""
    names: list[str] = []
    tiers: list[Tier] = []
    without_tokens: Table | None = None
    vendor_cost: bool = False
    max_input: Annotated[int, msgspec.Meta(ge=1, le=10**9)] | None = None
    max_output: Annotated[int, msgspec.Meta(ge=1, le=10**9)] | None = None


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no decimal number") from None
    if not (value.is_finite() and 0 <= value <= _MOST):
        raise ValueError(f"{text!r} is not between 0 and {_MOST}")
    return value


def _rate(text: str | None, per: int = 1) -> int:
    """Return a rate in 10⁻¹⁸ USD for one of `per`."""
    if text is None:
        return 0
    rate = Fraction(_decimal(text)) * _ATTO / per
    if rate.denominator != 1:
        raise ValueError(f"{text!r} has too many decimals")
    return rate.numerator


def _rate_of(rates: TokenRates, sort: str) -> str | None:
    own: str | None = getattr(rates, sort)
    return own if own or sort not in _PLAIN else _rate_of(rates, _PLAIN[sort])


class _Tokens:
    """Token rates, in 10⁻¹⁸ USD a token."""

    __slots__ = ("output", "rates")

    def __init__(self, rates: TokenRates) -> None:
        self.rates = tuple(_rate(_rate_of(rates, sort), 10**6) for sort in _SORTS)
        self.output = self.rates[_SORTS.index("output")]

    def cost(self, usage: Usage) -> int:
        plain, cached, cached_audio, written, kept, audio_in, image_in, output, audio_out, image_out = self.rates
        return (
            usage.input * plain
            + usage.cached * cached
            + usage.cached_audio * cached_audio
            + usage.cache_write * written
            + usage.cache_write_1h * kept
            + usage.audio_in * audio_in
            + usage.image_in * image_in
            + usage.output * output
            + usage.audio_out * audio_out
            + usage.image_out * image_out
        )


class _Sum:
    """Rates made ready: costs are in 10⁻¹⁸ USD."""

    __slots__ = ("area", "call", "character", "image", "millisecond", "search", "steps", "tiers", "tokens")

    def __init__(self, rates: Rates, tiers: list[Tier]) -> None:
        self.tokens = None if rates.per_million is None else _Tokens(rates.per_million)
        self.tiers = sorted(((tier.above_input, _Tokens(tier.per_million)) for tier in tiers), key=lambda t: -t[0])
        self.call = _rate(rates.per_call)
        self.image = _rate(rates.per_image)
        self.search = _rate(rates.per_search)
        self.steps = rates.steps_included
        if self.steps is not None and self.steps < 1:
            raise ValueError("steps_included is at least 1")
        self.millisecond = _rate(rates.per_second, 10**3)
        self.character = _rate(rates.per_million_characters, 10**6)
        area = rates.per_megapixel
        self.area = area and (_rate(area.first), _rate(area.further, 10**6), _rate(area.input, 10**6))

    def cost(self, usage: Usage) -> int:
        total = usage.calls * self.call + usage.searches * self.search
        if self.tokens is not None:
            total += self._tokens(usage).cost(usage)
        if self.image:
            image = usage.images * self.image
            # Rounded up below 10⁻¹⁸ USD, where steps do not divide.
            total += image if not self.steps or usage.steps <= self.steps else -(-image * usage.steps // self.steps)
        if self.millisecond:
            total += max(0, round(usage.seconds * 1000)) * self.millisecond
        if self.character:
            total += usage.characters * self.character
        if self.area is not None:
            first, further, given = self.area
            images = max(1, usage.images)
            pixels = max(0, round(usage.megapixels * 10**6) - images * 10**6)
            total += images * first + pixels * further + max(0, round(usage.input_megapixels * 10**6)) * given
        return total

    def _tokens(self, usage: Usage) -> _Tokens:
        assert self.tokens is not None
        if self.tiers:
            cached = usage.cached + usage.cached_audio + usage.cache_write + usage.cache_write_1h
            everything = usage.largest or usage.input + cached + usage.audio_in + usage.image_in
            for above, tokens in self.tiers:
                if everything > above:
                    return tokens
        return self.tokens


class _Chooser:
    """A table made ready: picks the rates that fit a call's parameters."""

    __slots__ = ("plain", "rows")

    def __init__(self, table: Table, tiers: list[Tier]) -> None:
        self.plain = _Sum(table, tiers)
        self.rows: list[tuple[list[tuple[str, frozenset[str]]], _Sum]] = []
        for row in table.by:
            if not row.when:
                raise ValueError("a row says when it counts")
            wanted = [
                (name, frozenset(value.lower() for value in ([values] if isinstance(values, str) else values)))
                for name, values in row.when.items()
            ]
            rates = {
                name: own if (own := getattr(row, name)) is not None else getattr(table, name)
                for name in Rates.__struct_fields__
            }
            self.rows.append((wanted, _Sum(Rates(**rates), row.tiers if row.per_million is not None else tiers)))

    def cost(self, usage: Usage) -> int:
        params = usage.params
        for wanted, rates in self.rows if params else ():
            if all(params.get(name, "").lower() in values for name, values in wanted):
                return rates.cost(usage)
        return self.plain.cost(usage)


class _Price:
    """An entry made ready."""

    __slots__ = ("_chosen", "_rates", "_vendor_cost", "_without_tokens", "tokens")

    def __init__(self, entry: Entry) -> None:
        self._rates = _Chooser(entry, entry.tiers)
        self._without_tokens = None if entry.without_tokens is None else _Chooser(entry.without_tokens, [])
        self._vendor_cost = entry.vendor_cost
        rates = self._rates.plain
        self._chosen = bool(self._rates.rows)
        other = rates.call or rates.image or rates.millisecond or rates.character or rates.search
        other = other or rates.area is not None or rates.tiers
        other = other or self._without_tokens is not None or self._vendor_cost
        # What most models are: nothing to choose.
        self.tokens = None if other else rates.tokens
        """The rates, where nothing but tokens counts unless a parameter chooses others."""

    @property
    def plain(self) -> bool:
        """Whether nothing but tokens counts."""
        return self.tokens is not None and not self._chosen

    def cost(self, usage: Usage) -> int:
        """Return 10⁻¹⁸ USD."""
        if self.tokens is not None and not (self._chosen and usage.params):
            return self.tokens.cost(usage)
        if self._vendor_cost and usage.cost is not None:
            return max(0, usage.cost) * _NANO
        if self._without_tokens is None:
            return self._rates.cost(usage)
        if usage.basis == "estimated":
            return max(self._rates.cost(usage), self._without_tokens.cost(usage))
        told = any(getattr(usage, sort) for sort in _SORTS)
        return (self._rates if told else self._without_tokens).cost(usage)


def parse(entry: Mapping[str, Any]) -> Entry:
    """Read an entry.

    Raises
    ------
    ValueError
        It is none.
    """
    try:
        found = msgspec.convert(dict(entry), Entry)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    _Price(found)
    if all(getattr(found, name) is None for name in Rates.__struct_fields__) and not found.without_tokens:
        raise ValueError("an entry has at least one rate")
    return found


class PriceBook:
    """Prices by key: a model's name, or the price key of an operation. A key may hold `*`; `*` alone is the default.

    An exact key counts before a pattern, and of two patterns the one with more letters.
    """

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = dict(entries)
        self._keys = {id(entry): key for key, entry in self._entries.items()}
        self._exact: dict[str, Entry] = {}
        patterns: list[tuple[str, Entry]] = []
        for key, entry in self._entries.items():
            for name in (key, *entry.names):
                if "*" in name:
                    patterns.append((name, entry))
                elif name == key or name not in self._entries:
                    self._exact[name] = entry
        self._patterns = sorted(patterns, key=lambda pair: (-len(pair[0].replace("*", "")), pair[0]))
        self._find = functools.lru_cache(maxsize=4096)(self._match)
        self.limits = functools.lru_cache(maxsize=4096)(self._limits)

    @classmethod
    def shipped(cls) -> PriceBook:
        """Return the book that comes with the gateway."""
        return _shipped()

    def overridden(self, entries: Mapping[str, Mapping[str, Any]]) -> PriceBook:
        """Return a book in which these entries take the place of those with the same key.

        One that is no entry leaves its key without a price: refusing is safer than a price that nobody meant.
        """
        merged = dict(self._entries)
        for key, entry in entries.items():
            try:
                merged[key] = parse(entry)
            except ValueError as error:
                log.error("the price of %s is not readable: %s", key, error)
                merged.pop(key, None)
        return PriceBook(merged)

    def listing(self) -> dict[str, dict[str, Any]]:
        """Return all entries by key, as plain values."""
        return {key: msgspec.to_builtins(entry) for key, entry in self._entries.items()}

    def names(self) -> Collection[str]:
        """Return all keys that are no patterns."""
        return self._exact.keys()

    def vendor(self, key: str) -> str:
        """Return whose model a key names, as far as that is known."""
        entry = self._entry(key)
        return "" if entry is None else entry.vendor

    def check(self, key: str, entry: Mapping[str, Any]) -> None:
        """Check an entry.

        Raises
        ------
        ValueError
            It is none.
        """
        if not key:
            raise ValueError("a price key is not empty")
        parse(entry)

    def _entry(self, key: str) -> Entry | None:
        entry = self._exact.get(key)
        if entry is None:
            entry = next((entry for pattern, entry in self._patterns if _fits(pattern, key)), None)
        return entry

    def _match(self, key: str) -> _Price | None:
        entry = self._entry(key)
        # Made ready when it is asked for: most never are.
        return None if entry is None else _Price(entry)

    def _limits(self, key: str) -> tuple[int, int]:
        """Return how many tokens a model takes at most, and gives in one answer."""
        entry = self._entry(key)
        shipped = _shipped_limits()
        model = key.rpartition("/")[2]
        own = self._keys.get(id(entry), key)
        names = (key, _DATED.sub("", key), model, _DATED.sub("", model), own)
        most_in, most_out = next((shipped[name] for name in names if name in shipped), _DEFAULT_LIMITS)
        if entry is None:
            return most_in, most_out
        return entry.max_input or most_in, entry.max_output or most_out

    def most(self, key: str, usage: Usage) -> Usage:
        """Return what a call may use at most, by its estimate and the model's limits."""
        most_in, most_out = self.limits(key)
        output = usage.unlimited * most_out
        spoken = bool(usage.audio_out)
        return msgspec.structs.replace(
            usage,
            input=usage.input + usage.unseen * most_in,
            output=usage.output + (0 if spoken else output),
            audio_out=usage.audio_out + (output if spoken else 0),
            largest=max(usage.largest, most_in) if usage.largest and usage.unseen else usage.largest,
        )

    def cost_of_call(self, key: str, usage: Usage, multiplier: Decimal | int | str = 1) -> int | None:
        """Return what a usage costs as `cost` does, where it is one call though it does not say so."""
        price = self._find(key)
        if price is None:
            return None
        if not usage.calls and not price.plain:
            usage = msgspec.structs.replace(usage, calls=1)
        return _times(price.cost(usage), multiplier)

    def bounds(self, key: str, usage: Usage, multiplier: Decimal | int | str = 1) -> tuple[int, int] | None:
        """Return what a call costs by its estimate, as `cost_of_call` does, and what it may cost at most.

        The latter is 0 where the estimate is the most.
        """
        price = self._find(key)
        if price is None:
            return None
        tokens = price.tokens
        if tokens is None or usage.unseen or usage.audio_out or (usage.params and not price.plain):
            cost = self.cost_of_call(key, usage, multiplier)
            if not cost or not (usage.unlimited or usage.unseen):
                return cost or 0, 0
            return cost, self.cost_of_call(key, self.most(key, usage), multiplier) or 0
        attos = tokens.cost(usage)
        most = attos + usage.unlimited * self.limits(key)[1] * tokens.output if usage.unlimited and attos else 0
        return _times(attos, multiplier), _times(most, multiplier)

    def cost(self, key: str, usage: Usage, multiplier: Decimal | int | str = 1) -> int | None:
        """Return what a usage costs in 10⁻⁹ USD, rounded up; None where the key has no price.

        Parameters
        ----------
        usage : Usage
            With the basis "estimated", the dearer of the rates that may apply counts.
        multiplier : Decimal, int or decimal str
            The price group's.
        """
        price = self._find(key)
        return None if price is None else _times(price.cost(usage), multiplier)


def _times(attos: int, multiplier: Decimal | int | str) -> int:
    """Return 10⁻¹⁸ USD, many times, in 10⁻⁹ USD, rounded up."""
    if multiplier == 1:
        return -(-attos // _NANO)
    numerator, denominator = _ratio(multiplier)
    return -(-attos * numerator // (_NANO * denominator))


def _fits(pattern: str, key: str) -> bool:
    """Tell whether a key fits a pattern whose `*` stands for any text; nothing else is special."""
    first, *middle, last = pattern.split("*")
    if len(key) < len(first) + len(last) or not (key.startswith(first) and key.endswith(last)):
        return False
    at, end = len(first), len(key) - len(last)
    for piece in middle:
        at = key.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


@functools.lru_cache(maxsize=256)
def _ratio(multiplier: Decimal | int | str) -> tuple[int, int]:
    return _decimal(str(multiplier)).as_integer_ratio()


@functools.cache
def _shipped_limits() -> dict[str, tuple[int, int]]:
    """Return the limits of shipped models by name: tokens in, tokens out."""
    tables = tomllib.loads(resources.files("deeepai.money").joinpath("limits.toml").read_text("utf-8"))
    limits: dict[str, tuple[int, int]] = {}
    for pair, names in tables["models"].items():
        most_in, _, most_out = pair.partition("/")
        limits |= dict.fromkeys(names, (int(most_in), int(most_out)))
    return limits


@functools.cache
def _shipped() -> PriceBook:
    entries: dict[str, Entry] = {}
    for file in resources.files("deeepai.money").joinpath("pricebook").iterdir():
        said = tomllib.loads(file.read_text("utf-8"))
        shared = {name: said.pop(name) for name in ("source", "date") if isinstance(said.get(name), str)}
        vendor = file.name.removesuffix(".toml").removeprefix("listed-").partition("-")[0]
        if vendor not in _NO_VENDORS:
            shared["vendor"] = vendor
        # That each can be read is for the tests to see, not for every start.
        entries |= {key: msgspec.convert({**shared, **entry}, Entry) for key, entry in said.items()}
    return PriceBook(entries)
