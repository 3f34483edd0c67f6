"""Users, accounts, tokens, redemption codes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, Any

import typer

from ..accounts import passwords, people, redemptions
from ..accounts import tokens as token_store
from ..accounts.people import NewAccount, NewUser, UserChanges
from ..accounts.query import Viewer
from ..accounts.redemptions import NewCodes
from ..accounts.tokens import NewToken, TokenChanges
from ..accounts.units import nano
from ..declare import Failure, Reason
from ..storage.database import Tx
from ..storage.ids import new_id
from .common import (
    DataOption,
    JsonOption,
    LimitOption,
    Store,
    parse_moment,
    parse_usd,
    print_json,
    run,
    show,
    split,
    struct,
)

users = typer.Typer(help="Users.", no_args_is_help=True)
accounts = typer.Typer(help="Accounts and their balances.", no_args_is_help=True)
tokens = typer.Typer(help="Callers' tokens.", no_args_is_help=True)
codes = typer.Typer(help="Redemption codes.", no_args_is_help=True)
EVERYTHING = Viewer("", admin=True)

UserArgument = Annotated[str, typer.Argument(help="Name or id")]
AccountArgument = Annotated[str, typer.Argument(help="Name or id")]
TokenArgument = Annotated[str, typer.Argument(help="Id, as `deeepai tokens list` shows it")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(users, name="users")
    app.add_typer(accounts, name="accounts")
    app.add_typer(tokens, name="tokens")
    app.add_typer(codes, name="codes")


async def find_user(tx: Tx, name: str) -> str:
    """Return a user's id."""
    found = await people.user_named(tx, name)
    if found is None:
        raise Failure(Reason.NOT_FOUND, f"There is no user {name!r}")
    return found[0].id


async def find_account(tx: Tx, name: str | None) -> str:
    """Return an account's id; the oldest one's for None."""
    if name is None:
        found = await tx.fetchval("SELECT MIN(id) FROM accounts")
    else:
        account = await people.account_named(tx, name)
        found = None if account is None else account.id
    if found is None:
        raise Failure(Reason.NOT_FOUND, f"There is no account {name!r}")
    return found


# Users -------------------------------------------------------------------------------------------------------------


@users.command("list")
def list_users(data: DataOption = None, as_json: JsonOption = False, limit: LimitOption = 1000) -> None:
    """List users."""
    found = run(data, lambda store: store.read(lambda tx: people.list_users(tx, limit=limit)))
    show(found, ("id", "name", "email", "role", "status", "source", "created_at"), as_json=as_json)


@users.command("add")
def add_user(
    name: str,
    password: Annotated[str | None, typer.Option(help="By default one is generated and printed")] = None,
    email: str | None = None,
    admin: Annotated[bool, typer.Option("--admin", help="May administer the gateway")] = False,
    no_account: Annotated[bool, typer.Option("--no-account", help="Without an account of the user's own")] = False,
    credit: Annotated[str | None, typer.Option(help="USD granted")] = None,
    data: DataOption = None,
) -> None:
    """Make a user."""
    values: dict[str, Any] = {
        "name": name,
        "password": password,
        "email": email,
        "role": "admin" if admin else "user",
        "account": not no_account,
    }
    new = struct(NewUser, values)
    word = password or passwords.generate()
    amount = nano(parse_usd(credit), "credit") if credit else 0

    async def work(store: Store) -> tuple[str, str | None]:
        stored = await passwords.hashed(word)

        async def make(tx: Tx) -> tuple[str, str | None]:
            made = await people.create_user(tx, new, stored)
            if amount and made[1] is not None:
                await store.ledger.grant(tx, made[1], amount, kind="grant", reference=f"grant:{new_id()}")
            return made

        return await store.write(make)

    user_id, account_id = run(data, work)
    print(f"user {user_id}" + (f", account {account_id}" if account_id else ""))
    if password is None:
        print(f"password {word}")


def _change_user(data: DataOption, name: str, changes: UserChanges, password: str | None = None) -> None:
    async def work(store: Store) -> None:
        stored = None if password is None else await passwords.hashed(password)

        async def change(tx: Tx) -> None:
            await people.update_user(tx, await find_user(tx, name), changes, stored)

        await store.write(change)

    run(data, work)


@users.command("password")
def set_password(
    name: UserArgument,
    password: Annotated[str | None, typer.Option(help="By default one is generated and printed")] = None,
    data: DataOption = None,
) -> None:
    """Set a user's password; ends all of the user's sessions."""
    struct(UserChanges, {"password": password} if password else {})
    word = password or passwords.generate()
    _change_user(data, name, UserChanges(), word)
    if password is None:
        print(f"password {word}")


@users.command("enable")
def enable_user(name: UserArgument, data: DataOption = None) -> None:
    """Let a user sign in again."""
    _change_user(data, name, UserChanges(status="enabled"))


@users.command("disable")
def disable_user(name: UserArgument, data: DataOption = None) -> None:
    """Stop a user's sessions and tokens."""
    _change_user(data, name, UserChanges(status="disabled"))


# Accounts ----------------------------------------------------------------------------------------------------------


@accounts.command("list")
def list_accounts(data: DataOption = None, as_json: JsonOption = False, limit: LimitOption = 1000) -> None:
    """List accounts with their balances in USD."""
    found = run(data, lambda store: store.read(lambda tx: people.list_accounts(tx, EVERYTHING, limit=limit)))
    show(found, ("id", "name", "kind", "price_group", "status", "available", "held", "spent"), as_json=as_json)


@accounts.command("add")
def add_account(
    name: str,
    owner: Annotated[str | None, typer.Option(help="User that owns it")] = None,
    group: Annotated[str, typer.Option(help="Price group")] = "default",
    data: DataOption = None,
) -> None:
    """Make an organisation's account."""

    async def make(tx: Tx) -> str:
        owner_id = None if owner is None else await find_user(tx, owner)
        return await people.create_account(tx, NewAccount(name=name, price_group=group, owner_id=owner_id))

    print(f"account {run(data, lambda store: store.write(make))}")


@accounts.command("grant")
def grant(
    account: AccountArgument,
    amount: Annotated[str, typer.Argument(help="USD; below zero it is taken away")],
    note: str | None = None,
    reference: Annotated[str | None, typer.Option(help="The same reference is granted once")] = None,
    data: DataOption = None,
) -> None:
    """Add money to an account."""
    usd = parse_usd(amount)

    async def work(store: Store) -> tuple[bool, Decimal]:
        async def give(tx: Tx) -> tuple[bool, Decimal]:
            account_id = await find_account(tx, account)
            given = await store.ledger.grant(
                tx,
                account_id,
                nano(usd, signed=True),
                kind="grant" if usd > 0 else "adjust",
                reference=f"grant:{reference or new_id()}",
                note=note,
            )
            return given, (await people.get_account(tx, account_id)).available

        return await store.write(give)

    given, available = run(data, work)
    print(f"{'granted' if given else 'granted before'}; available now {available:f} USD")


@accounts.command("balance")
def balance(account: AccountArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show an account's balance in USD."""

    async def look(tx: Tx) -> people.Balance:
        return people.balance_of(await people.get_account(tx, await find_account(tx, account)))

    found = run(data, lambda store: store.read(look))
    if as_json:
        print_json(found)
    else:
        print(f"available {found.available:f}, held {found.held:f}, spent {found.spent:f} USD")


# Tokens ------------------------------------------------------------------------------------------------------------


@tokens.command("list")
def list_tokens(
    account: Annotated[str | None, typer.Option(help="Name or id")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
    limit: LimitOption = 1000,
) -> None:
    """List tokens."""

    async def look(tx: Tx) -> list[token_store.TokenView]:
        account_id = None if account is None else await find_account(tx, account)
        return await token_store.list_tokens(tx, None, account_id=account_id, limit=limit)

    columns = ("id", "name", "hint", "mode", "status", "expires_at", "budget", "spent", "models", "rpm", "source")
    show(run(data, lambda store: store.read(look)), columns, as_json=as_json)


BudgetOption = Annotated[str | None, typer.Option(help="USD; 'none' lifts the limit")]
ModelsOption = Annotated[str | None, typer.Option(help="Names or patterns, divided by commas; 'none' allows all")]
IpsOption = Annotated[str | None, typer.Option(help="Addresses or networks, divided by commas; 'none' allows all")]
ExpiresOption = Annotated[str | None, typer.Option(help="Date, or date and time; 'none' for never")]
RpmOption = Annotated[int | None, typer.Option(help="Requests a minute; 0 lifts the limit")]
ConcurrencyOption = Annotated[int | None, typer.Option(help="Requests at once; 0 lifts the limit")]
GroupOption = Annotated[str | None, typer.Option(help="Price group; 'none' for the account's")]
CacheOption = Annotated[int | None, typer.Option(help="Seconds for which equal requests get the same answer; 0: never")]
FallbacksOption = Annotated[
    str | None, typer.Option(help="Models to try where the one asked for fails, divided by commas; 'none' for none")
]
RoutingOption = Annotated[str | None, typer.Option(help="weight, price or latency; 'none' for the default")]


def _settings(cache: int | None, fallbacks: str | None, routing: str | None) -> dict[str, Any]:
    """Return the settings that were given; those to be taken away are null."""
    found: dict[str, Any] = {} if cache is None else {"cache": cache or None}
    if fallbacks is not None:
        found["fallbacks"] = None if fallbacks.lower() == "none" else split(fallbacks)
    if routing is not None:
        found["routing"] = None if routing.lower() == "none" else routing
    return found


def _fields(
    name: str | None,
    budget: str | None,
    models: str | None,
    ips: str | None,
    expires: str | None,
    rpm: int | None,
    concurrency: int | None,
    group: str | None,
) -> dict[str, Any]:
    """Return the fields that were given; 'none' and 0 are null."""
    fields: dict[str, Any] = {} if name is None else {"name": name}
    readers: tuple[tuple[str, str | None, Callable[[str], Any]], ...] = (
        ("budget", budget, parse_usd),
        ("models", models, split),
        ("ips", ips, split),
        ("expires_at", expires, parse_moment),
        ("price_group", group, str),
    )
    for field, text, reader in readers:
        if text is not None:
            fields[field] = None if text.lower() == "none" else reader(text)
    for field, number in (("rpm", rpm), ("concurrency", concurrency)):
        if number is not None:
            fields[field] = number or None
    return fields


@tokens.command("add")
def add_token(
    name: str,
    account: Annotated[str | None, typer.Option(help="Name or id", show_default="the oldest")] = None,
    user: Annotated[str | None, typer.Option(help="Member that it belongs to")] = None,
    test: Annotated[bool, typer.Option("--test", help="Test mode: the sandbox answers, nothing is paid")] = False,
    budget: BudgetOption = None,
    models: ModelsOption = None,
    ips: IpsOption = None,
    expires: ExpiresOption = None,
    rpm: RpmOption = None,
    concurrency: ConcurrencyOption = None,
    group: GroupOption = None,
    cache: CacheOption = None,
    fallbacks: FallbacksOption = None,
    routing: RoutingOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print its key, this once."""
    fields = _fields(name, budget, models, ips, expires, rpm, concurrency, group)
    fields["settings"] = _settings(cache, fallbacks, routing)
    new = struct(NewToken, {**fields, "mode": "test" if test else "live"})

    async def make(tx: Tx) -> tuple[str, str]:
        if user is not None:
            new.user_id = await find_user(tx, user)
        return await token_store.create(tx, await find_account(tx, account), new)

    token_id, key = run(data, lambda store: store.write(make))
    if as_json:
        print_json({"id": token_id, "key": key})
    else:
        print(f"token {token_id}\nkey {key}")


@tokens.command("set")
def set_token(
    token: TokenArgument,
    name: str | None = None,
    budget: BudgetOption = None,
    models: ModelsOption = None,
    ips: IpsOption = None,
    expires: ExpiresOption = None,
    rpm: RpmOption = None,
    concurrency: ConcurrencyOption = None,
    group: GroupOption = None,
    cache: CacheOption = None,
    fallbacks: FallbacksOption = None,
    routing: RoutingOption = None,
    data: DataOption = None,
) -> None:
    """Change a token."""
    fields = _fields(name, budget, models, ips, expires, rpm, concurrency, group)
    settings = _settings(cache, fallbacks, routing)

    async def work(tx: Tx) -> None:
        if settings:
            fields["settings"] = {**(await token_store.get(tx, token)).settings, **settings}
        await token_store.update(tx, token, struct(TokenChanges, fields))

    run(data, lambda store: store.write(work))


def _token_command(work: Callable[[Tx, str], Awaitable[None]]) -> Callable[..., None]:
    def command(token: TokenArgument, data: DataOption = None) -> None:
        run(data, lambda store: store.write(lambda tx: work(tx, token)))

    return command


tokens.command("enable", help="Enable a token.")(
    _token_command(lambda tx, token: token_store.update(tx, token, TokenChanges(status="enabled")))
)
tokens.command("disable", help="Disable a token.")(
    _token_command(lambda tx, token: token_store.update(tx, token, TokenChanges(status="disabled")))
)
tokens.command("remove", help="Delete a token for good.")(
    _token_command(lambda tx, token: token_store.delete(tx, token))
)


# Codes -------------------------------------------------------------------------------------------------------------


@codes.command("list")
def list_codes(
    status: Annotated[str | None, typer.Option(help="enabled, disabled or used")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
    limit: LimitOption = 1000,
) -> None:
    """List redemption codes."""
    found = run(data, lambda store: store.read(lambda tx: redemptions.list_codes(tx, status=status, limit=limit)))
    show(found, ("id", "name", "hint", "amount", "status", "expires_at", "used_by", "used_at"), as_json=as_json)


@codes.command("add")
def add_codes(
    amount: Annotated[str, typer.Argument(help="USD, each")],
    count: Annotated[int, typer.Option(min=1, max=1000)] = 1,
    name: str = "code",
    expires: Annotated[str | None, typer.Option(help="Date, or date and time")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make redemption codes and print them, this once."""
    new = NewCodes(
        amount=parse_usd(amount), count=count, name=name, expires_at=parse_moment(expires) if expires else None
    )
    made = run(data, lambda store: store.write(lambda tx: redemptions.create(tx, new)))
    if as_json:
        print_json([{"id": code_id, "code": code} for code_id, code in made])
    else:
        for _, code in made:
            print(code)


@codes.command("disable")
def disable_code(code: Annotated[str, typer.Argument(help="Id")], data: DataOption = None) -> None:
    """Disable a code that is not used yet."""
    run(data, lambda store: store.write(lambda tx: redemptions.set_status(tx, code, "disabled")))


@codes.command("redeem")
def redeem(code: str, account: AccountArgument, data: DataOption = None) -> None:
    """Turn a code into money of an account."""

    async def work(store: Store) -> Decimal:
        async def turn(tx: Tx) -> Decimal:
            return await redemptions.redeem(tx, store.ledger, code, await find_account(tx, account))

        return await store.write(turn)

    print(f"{run(data, work):f} USD added")
