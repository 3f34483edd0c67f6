from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deeepai.accounts import keys, passwords
from deeepai.accounts.vault import Vault, VaultError


def test_what_was_closed_opens_in_its_place_only() -> None:
    vault = Vault(os.urandom(32))
    closed = vault.encrypt("sk-upstream-é", "channels.credential:1")
    assert "upstream" not in closed
    assert vault.decrypt(closed, "channels.credential:1") == "sk-upstream-é"
    with pytest.raises(VaultError):
        vault.decrypt(closed, "channels.credential:2")


def test_the_same_secret_closes_differently_each_time() -> None:
    vault = Vault(os.urandom(32))
    assert vault.encrypt("a", "x") != vault.encrypt("a", "x")


@pytest.mark.parametrize(
    "spoil", [lambda text: text[:-4] + "AAA=", lambda text: "v2" + text[2:], lambda text: "rubbish"]
)
def test_changed_text_does_not_open(spoil) -> None:
    vault = Vault(os.urandom(32))
    with pytest.raises(VaultError) as caught:
        vault.decrypt(spoil(vault.encrypt("secret-word", "x")), "x")
    assert "secret-word" not in str(caught.value)


def test_after_a_change_of_the_key_old_secrets_still_open() -> None:
    old, new = os.urandom(32), os.urandom(32)
    closed = Vault(old).encrypt("a", "x")
    assert Vault(new, old).decrypt(closed, "x") == "a"
    with pytest.raises(VaultError, match="another secret key"):
        Vault(new).decrypt(closed, "x")
    with pytest.raises(VaultError):
        Vault(old).decrypt(Vault(new, old).encrypt("a", "x"), "x")


def test_the_secret_file_is_private_and_made_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret.key"
    with ThreadPoolExecutor(8) as pool:
        vaults = list(pool.map(lambda _: Vault.open(path), range(16)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    closed = vaults[0].encrypt("a", "x")
    assert all(vault.decrypt(closed, "x") == "a" for vault in vaults)


@pytest.mark.parametrize("content", ["", "short\n", "no base64 !!\n"])
def test_a_spoilt_secret_file_is_said(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret.key"
    path.write_text(content)
    with pytest.raises(VaultError):
        Vault.open(path)


def test_purposes_have_keys_of_their_own() -> None:
    vault = Vault(os.urandom(32))
    assert vault.derive("links") == vault.derive("links")
    assert vault.derive("links") != vault.derive("webhooks")


async def test_passwords_match_themselves_only() -> None:
    stored = await passwords.hashed("correct horse")
    assert stored.startswith("scrypt$")
    assert "correct" not in stored
    assert await passwords.matches("correct horse", stored)
    assert not await passwords.matches("correct horses", stored)
    assert not await passwords.matches("correct horse", None)
    assert await passwords.hashed("correct horse") != stored


def test_keys_have_their_forms() -> None:
    live, test = keys.new_key("live"), keys.new_key("test")
    assert live.startswith("sk-")
    assert len(live) == 51
    assert live[3:].isalnum()
    assert test.startswith("sk-test-")
    assert len(test) == 56
    assert test[8:].isalnum()
    assert keys.new_key("live") != live
    assert len(keys.digest(live)) == 64
    assert keys.hint(live) == f"sk-{live[3:7]}…{live[-4:]}"
    for key in (live, test, keys.new_code(), keys.new_session_key(), keys.new_access_key()):
        assert keys.SECRET.fullmatch(key)
        assert len(keys.hint(key)) < 20
