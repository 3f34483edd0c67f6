from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from deeepai.accounts import catalogue, changes, channels, keys, people, redemptions, sessions, tokens
from deeepai.accounts.channels import ChannelChanges, NewChannel
from deeepai.accounts.people import AccountChanges, NewAccount, NewUser, UserChanges
from deeepai.accounts.query import Viewer, cursor, place
from deeepai.accounts.redemptions import NewCodes
from deeepai.accounts.tokens import NewToken, TokenChanges
from deeepai.accounts.units import moment, ms, nano, usd
from deeepai.accounts.vault import Vault
from deeepai.declare import Failure, Reason
from deeepai.money.audit import verify
from deeepai.money.ledger import Ledger
from deeepai.storage.database import Database

from .conftest import Person, make_person


def test_amounts_are_exact() -> None:
    assert nano(Decimal("0.000000001")) == 1
    assert nano(Decimal("-2.5"), signed=True) == -2_500_000_000
    assert usd(1) == Decimal("0.000000001")
    assert str(usd(100_000_000_000)) == "100"
    assert str(usd(-1_500_000_000)) == "-1.5"
    for text in ("0.0000000001", "NaN", "Infinity", "1e30", "-1"):
        with pytest.raises(Failure) as caught:
            nano(Decimal(text))
        assert caught.value.kind is Reason.INVALID


def test_moments_come_back() -> None:
    now = datetime(2026, 1, 31, 12, 30, 15, 250_000, tzinfo=UTC)
    assert moment(ms(now)) == now


def test_cursors_come_back_or_are_refused() -> None:
    assert place(cursor(5, "a")) == (5, "a")
    for text in ("", "%%", cursor("a", "b"), cursor(1), cursor(-1, "a"), cursor(2**70, "a")):
        with pytest.raises(Failure):
            place(text)


async def test_a_token_is_found_by_its_key(db: Database, ann: Person) -> None:
    new = NewToken(
        name="t",
        user_id=ann.user_id,
        budget=Decimal("2.5"),
        models=["gpt-*"],
        ips=["10.0.0.0/8"],
        rpm=7,
        concurrency=3,
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
        settings={"a": 1},
    )
    token_id, key = await db.write(lambda tx: tokens.create(tx, ann.account_id, new))
    found = await db.read(lambda tx: tokens.find(tx, keys.digest(key)))
    assert found is not None
    assert (found.id, found.account_id, found.mode, found.enabled) == (token_id, ann.account_id, "live", True)
    assert (found.budget, found.models, found.ips) == (2_500_000_000, ("gpt-*",), ("10.0.0.0/8",))
    assert (found.rpm, found.concurrency, found.price_group, found.settings) == (7, 3, "default", {"a": 1})
    assert found.expires_at == 1_893_456_000_000
    view = await db.read(lambda tx: tokens.get(tx, token_id))
    assert (view.budget, view.hint, view.mode) == (Decimal("2.5"), keys.hint(key), "live")
    assert key not in str(view)
    assert await db.read(lambda tx: tokens.find(tx, keys.digest(key + "x"))) is None


async def test_a_token_stops_with_its_account_or_user(db: Database, ann: Person) -> None:
    _, key = await db.write(lambda tx: tokens.create(tx, ann.account_id, NewToken(user_id=ann.user_id)))

    async def enabled() -> bool:
        found = await db.read(lambda tx: tokens.find(tx, keys.digest(key)))
        assert found is not None
        return found.enabled

    assert await enabled()
    await db.write(lambda tx: people.update_account(tx, ann.account_id, AccountChanges(status="disabled")))
    assert not await enabled()
    await db.write(lambda tx: people.update_account(tx, ann.account_id, AccountChanges(status="enabled")))
    await db.write(lambda tx: people.update_user(tx, ann.user_id, UserChanges(status="disabled")))
    assert not await enabled()


async def test_a_deleted_token_is_gone(db: Database, ann: Person) -> None:
    token_id, key = await db.write(lambda tx: tokens.create(tx, ann.account_id, NewToken()))
    await db.write(lambda tx: tokens.delete(tx, token_id))
    assert await db.read(lambda tx: tokens.find(tx, keys.digest(key))) is None
    assert await db.read(lambda tx: tokens.list_tokens(tx, None)) == []
    with pytest.raises(Failure):
        await db.write(lambda tx: tokens.update(tx, token_id, TokenChanges(status="enabled")))


@pytest.mark.parametrize(
    "new",
    [
        NewToken(ips=["10.0.0.0/99"]),
        NewToken(budget=Decimal(-1)),
        NewToken(price_group="none such"),
        NewToken(user_id="usr_none"),
    ],
)
async def test_a_token_with_a_fault_is_refused(db: Database, ann: Person, new: NewToken) -> None:
    with pytest.raises(Failure) as caught:
        await db.write(lambda tx: tokens.create(tx, ann.account_id, new))
    assert caught.value.kind is Reason.INVALID
    assert caught.value.param


async def test_an_own_key_is_taken_once(db: Database, ann: Person) -> None:
    key = "sk-chosen-by-the-operator"
    await db.write(lambda tx: tokens.create(tx, ann.account_id, NewToken(), key=key))
    for other, kind in ((key, Reason.CONFLICT), ("sk-short", Reason.INVALID), ("sk-" + "ä" * 40, Reason.INVALID)):
        with pytest.raises(Failure) as caught:
            await db.write(lambda tx, other=other: tokens.create(tx, ann.account_id, NewToken(), key=other))
        assert caught.value.kind is kind


async def test_viewers_see_what_is_theirs(db: Database, ann: Person) -> None:
    bob, cat = await make_person(db, "bob"), await make_person(db, "cat")
    firm = await db.write(lambda tx: people.create_account(tx, NewAccount(name="firm", owner_id=ann.user_id)))
    await db.write(lambda tx: people.set_member(tx, firm, bob.user_id, "member"))
    of_ann, _ = await db.write(lambda tx: tokens.create(tx, firm, NewToken(name="a", user_id=ann.user_id)))
    of_bob, _ = await db.write(lambda tx: tokens.create(tx, firm, NewToken(name="b", user_id=bob.user_id)))

    async def seen(user_id: str, *, admin: bool = False) -> set[str]:
        viewer = Viewer(user_id, admin)
        return {token.id for token in await db.read(lambda tx: tokens.list_tokens(tx, viewer))}

    assert await seen(ann.user_id) == {of_ann, of_bob}
    assert await seen(bob.user_id) == {of_bob}
    assert await seen(cat.user_id) == set()
    assert await seen(cat.user_id, admin=True) == {of_ann, of_bob}
    for work in (
        lambda tx: tokens.get(tx, of_ann, Viewer(bob.user_id)),
        lambda tx: tokens.update(tx, of_ann, TokenChanges(name="mine"), Viewer(bob.user_id)),
        lambda tx: tokens.delete(tx, of_ann, Viewer(cat.user_id)),
        lambda tx: people.get_account(tx, firm, Viewer(cat.user_id)),
    ):
        with pytest.raises(Failure) as caught:
            await db.write(work)
        assert caught.value.kind is Reason.NOT_FOUND
    assert (await db.read(lambda tx: tokens.get(tx, of_ann))).name == "a"
    await db.write(lambda tx: people.remove_member(tx, firm, bob.user_id))
    assert await seen(bob.user_id) == set()
    assert (await db.read(lambda tx: tokens.get(tx, of_bob))).status == "disabled"


async def test_the_last_administrator_stays(db: Database) -> None:
    root, _ = await db.write(lambda tx: people.create_user(tx, NewUser(name="root", role="admin"), "x"))
    for last in (UserChanges(role="user"), UserChanges(status="disabled")):
        with pytest.raises(Failure) as caught:
            await db.write(lambda tx, last=last: people.update_user(tx, root, last))
        assert caught.value.kind is Reason.CONFLICT
    assert (await db.read(lambda tx: people.get_user(tx, root))).role == "admin"


async def test_names_are_taken_once(db: Database, ann: Person) -> None:
    bob = await make_person(db, "bob")
    for work in (
        lambda tx: people.create_user(tx, NewUser(name="ann"), "x"),
        lambda tx: people.update_user(tx, bob.user_id, UserChanges(name="ann")),
    ):
        with pytest.raises(Failure) as caught:
            await db.write(work)
        assert caught.value.kind is Reason.CONFLICT


async def test_sessions_end(db: Database, ann: Person) -> None:
    _, key = await db.write(lambda tx: sessions.create(tx, ann.user_id, "session", expires_at=2**50))
    _, late = await db.write(lambda tx: sessions.create(tx, ann.user_id, "session", expires_at=1))
    found = await db.read(lambda tx: sessions.find(tx, key))
    assert found is not None
    assert (found.user_id, found.admin) == (ann.user_id, False)
    assert await db.read(lambda tx: sessions.find(tx, late)) is None
    assert await db.read(lambda tx: sessions.find(tx, "session-guess")) is None
    await db.write(lambda tx: people.update_user(tx, ann.user_id, UserChanges(), "new"))
    assert await db.read(lambda tx: sessions.find(tx, key)) is None


def a_channel(**fields: object) -> NewChannel:
    return NewChannel(name="up", protocol="openai", base_url="https://example.com/v1/", **fields)  # pyright: ignore


async def test_a_channel_keeps_its_credential_closed(db: Database, vault: Vault) -> None:
    new = a_channel(
        credential="sk-upstream-secret", models=["m"], model_map={"a": "b"}, settings={"connect": 2, "x": 1}
    )
    channel_id = await db.write(lambda tx: channels.create(tx, vault, new))
    stored = await db.read(lambda tx: tx.fetchval("SELECT credential FROM channels"))
    assert "upstream" not in stored
    (channel,) = await db.read(lambda tx: channels.load_all(tx, vault))
    assert (channel.credential, channel.base_url) == ("sk-upstream-secret", "https://example.com/v1")
    assert (channel.limits.connect, channel.settings, channel.models) == (2, {"x": 1}, ("m",))
    assert "secret" not in repr(channel)
    view = await db.read(lambda tx: channels.get(tx, channel_id))
    assert view.has_credential
    assert "secret" not in str(view)
    (locked,) = await db.read(lambda tx: channels.load_all(tx, Vault(b"0" * 32)))
    assert (locked.enabled, locked.credential) == (False, None)


async def test_a_channel_changes_only_when_it_does(db: Database, vault: Vault) -> None:
    channel_id = await db.write(lambda tx: channels.create(tx, vault, a_channel(credential="one")))
    before = await db.read(changes.version)
    same = ChannelChanges(credential="one", priority=0)
    assert not await db.write(lambda tx: channels.update(tx, vault, channel_id, same))
    assert await db.read(changes.version) == before
    assert await db.write(lambda tx: channels.update(tx, vault, channel_id, ChannelChanges(credential="two")))
    assert await db.read(changes.version) == before + 1
    assert await db.write(lambda tx: channels.update(tx, vault, channel_id, ChannelChanges(credential=None)))
    assert not (await db.read(lambda tx: channels.get(tx, "up"))).has_credential


@pytest.mark.parametrize(
    "url", ["ftp://a", "https://", "http://u:p@h/", "http://h/?a=b", "http://h:99999", "h", "http://[::1"]
)
async def test_base_urls_are_checked(db: Database, vault: Vault, url: str) -> None:
    with pytest.raises(Failure) as caught:
        await db.write(lambda tx: channels.create(tx, vault, NewChannel(name="u", protocol="openai", base_url=url)))
    assert caught.value.param == "base_url"


@pytest.mark.parametrize("limit", [0, -1, "5", True, 1e9])
async def test_time_limits_are_checked(db: Database, vault: Vault, limit: object) -> None:
    with pytest.raises(Failure):
        await db.write(lambda tx: channels.create(tx, vault, a_channel(settings={"connect": limit})))


async def test_a_channel_with_open_tasks_stays_unless_forced(db: Database, vault: Vault) -> None:
    channel_id = await db.write(lambda tx: channels.create(tx, vault, a_channel()))
    await db.write(
        lambda tx: tx.execute(
            "INSERT INTO tasks (id, protocol, operation, account_id, token_id, channel_id, request_id, model, "
            "price_key, price_group, estimate, state, hook_key, mode, submitted_at) VALUES "
            "('t', 'p', 'o', 'a', 'k', $1, 'r', 'm', 'm', 'default', '{}', 'running', 'h', 'live', 1)",
            channel_id,
        )
    )
    with pytest.raises(Failure) as caught:
        await db.write(lambda tx: channels.delete(tx, channel_id))
    assert caught.value.kind is Reason.CONFLICT
    await db.write(lambda tx: channels.retire(tx, channel_id))
    assert (await db.read(lambda tx: channels.get(tx, channel_id))).status == "disabled"
    await db.write(lambda tx: channels.delete(tx, channel_id, force=True))
    assert await db.read(channels.list_channels) == []


async def test_what_the_file_declares_changes_there_only(db: Database) -> None:
    await db.write(lambda tx: catalogue.set_alias(tx, "a", "b", source="file"))
    await db.write(lambda tx: catalogue.set_group(tx, "vip", "0.5", source="file"))
    for work in (
        lambda tx: catalogue.set_alias(tx, "a", "c"),
        lambda tx: catalogue.delete_alias(tx, "a"),
        lambda tx: catalogue.set_group(tx, "vip", "2"),
        lambda tx: catalogue.delete_group(tx, "vip"),
    ):
        with pytest.raises(Failure) as caught:
            await db.write(work)
        assert caught.value.kind is Reason.CONFLICT


async def test_a_price_group_in_use_stays(db: Database, ann: Person) -> None:
    await db.write(lambda tx: catalogue.set_group(tx, "vip", "0.5"))
    await db.write(lambda tx: people.update_account(tx, ann.account_id, AccountChanges(price_group="vip")))
    with pytest.raises(Failure):
        await db.write(lambda tx: catalogue.delete_group(tx, "vip"))
    await db.write(lambda tx: people.update_account(tx, ann.account_id, AccountChanges(price_group="default")))
    await db.write(lambda tx: catalogue.delete_group(tx, "vip"))
    for text in ("x", "-1", "NaN", "1001"):
        with pytest.raises(Failure):
            await db.write(lambda tx, text=text: catalogue.set_group(tx, "g", text))


async def test_a_code_is_redeemed_once_however_many_try(db: Database, ann: Person) -> None:
    ledger = Ledger(db, node="test")
    (made,) = await db.write(lambda tx: redemptions.create(tx, NewCodes(amount=Decimal("2.5"))))

    async def redeem() -> Decimal | Reason:
        try:
            return await db.write(lambda tx: redemptions.redeem(tx, ledger, made[1], ann.account_id))
        except Failure as failure:
            return failure.kind

    results = await asyncio.gather(*(redeem() for _ in range(8)))
    assert sorted(map(str, results)) == ["2.5"] + ["Reason.CONFLICT"] * 7
    assert await ledger.balance(ann.account_id) == (2_500_000_000, 0, 0)
    assert (await verify(db)).ok
    (code,) = await db.read(redemptions.list_codes)
    assert (code.status, code.used_by) == ("used", ann.account_id)


async def test_codes_that_are_not_valid(db: Database, ann: Person) -> None:
    ledger = Ledger(db, node="test")
    past = NewCodes(amount=Decimal(1), expires_at=datetime.now(UTC) - timedelta(seconds=1))
    (late,) = await db.write(lambda tx: redemptions.create(tx, past))
    (off,) = await db.write(lambda tx: redemptions.create(tx, NewCodes(amount=Decimal(1))))
    await db.write(lambda tx: redemptions.set_status(tx, off[0], "disabled"))
    for code in (late[1], off[1], "code-unknown"):
        with pytest.raises(Failure) as caught:
            await db.write(lambda tx, code=code: redemptions.redeem(tx, ledger, code, ann.account_id))
        assert caught.value.kind is Reason.NOT_FOUND
    assert await ledger.balance(ann.account_id) == (0, 0, 0)
