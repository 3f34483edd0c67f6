"""The command line on a data folder, as an operator uses it beside a running gateway or without one."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deeepai.accounts.vault import Vault
from deeepai.cli import app
from deeepai.control import bootstrap
from deeepai.money.ledger import Ledger
from deeepai.settings import Settings
from deeepai.storage.connect import open_database


class Cli:
    def __init__(self, data: Path) -> None:
        self.data = data

    def __call__(self, *words: str, env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(app, [*words, "--data", str(self.data)], env={"COLUMNS": "200", **(env or {})})

    def ok(self, *words: str, env: dict[str, str] | None = None) -> str:
        result = self(*words, env=env)
        assert result.exit_code == 0, result.output
        return result.stdout

    def rows(self, *words: str) -> list[dict[str, Any]]:
        return json.loads(self.ok(*words, "--json"))

    def fails(self, *words: str) -> str:
        result = self(*words)
        assert result.exit_code != 0
        assert "Traceback" not in result.output
        return result.output


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    settings = Settings.load({}, data=str(tmp_path))

    async def first_start() -> None:
        Vault.open(settings.secret_path)
        database = await open_database(settings.database_url)
        await bootstrap.first_start(database, Ledger(database, node="test"), settings)
        await database.close()

    asyncio.run(first_start())
    return Cli(tmp_path)


def test_without_a_store_it_says_so(tmp_path: Path) -> None:
    assert "deeepai serve" in Cli(tmp_path / "none").fails("tokens", "list")
    assert not (tmp_path / "none").exists()


def test_what_is_refused_early_is_one_line(cli: Cli) -> None:
    for words in (("users", "add", "bob", "--credit", "-5"), ("users", "add", "bob", "--credit", "0.0000000001")):
        command = [sys.executable, "-m", "deeepai", *words, "--data", str(cli.data)]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert (ended.returncode, ended.stdout) == (1, ""), ended
        assert ended.stderr.startswith("error: credit")
        assert len(ended.stderr.splitlines()) == 1
    assert [user["name"] for user in cli.rows("users", "list")] == ["admin"]


def test_users_and_accounts(cli: Cli) -> None:
    said = cli.ok("users", "add", "ann", "--credit", "2.5")
    assert "password " in said
    assert [user["name"] for user in cli.rows("users", "list")] == ["admin", "ann"]
    assert "exists already" in cli.fails("users", "add", "ann")
    cli.ok("users", "disable", "ann")
    assert cli.rows("users", "list")[1]["status"] == "disabled"
    assert "last administrator" in cli.fails("users", "disable", "admin")
    cli.ok("users", "enable", "ann")
    assert "password" in cli.ok("users", "password", "ann")
    cli.ok("accounts", "add", "firm", "--owner", "ann")
    assert "available now 1.25" in cli.ok("accounts", "grant", "firm", "1.25", "--reference", "r")
    assert "granted before" in cli.ok("accounts", "grant", "firm", "1.25", "--reference", "r")
    assert cli.ok("accounts", "balance", "ann") == "available 2.5, held 0, spent 0 USD\n"
    assert {row["name"]: row["available"] for row in cli.rows("accounts", "list")} == {
        "admin": "100",
        "ann": "2.5",
        "firm": "1.25",
    }
    assert "all balances proved" in cli.ok("ledger", "verify")
    assert "no account" in cli.fails("accounts", "balance", "nobody")


def test_a_false_balance_is_found(cli: Cli) -> None:
    connection = sqlite3.connect(cli.data / "deeepai.db")
    connection.execute("UPDATE accounts SET available = available + 1")
    connection.commit()
    connection.close()
    result = cli("ledger", "verify")
    assert result.exit_code == 1
    assert "fault" in result.stdout
    assert len(result.stdout.splitlines()) == 1


def test_tokens(cli: Cli) -> None:
    made = json.loads(
        cli.ok("tokens", "add", "ci", "--budget", "1.5", "--models", "gpt-*, o3", "--rpm", "5", "--test", "--json")
    )
    assert made["key"].startswith("sk-test-")
    token = next(row for row in cli.rows("tokens", "list") if row["id"] == made["id"])
    assert (token["budget"], token["models"], token["rpm"], token["mode"]) == ("1.5", ["gpt-*", "o3"], 5, "test")
    cli.ok("tokens", "set", made["id"], "--budget", "none", "--rpm", "0", "--expires", "2030-01-01")
    token = next(row for row in cli.rows("tokens", "list") if row["id"] == made["id"])
    assert (token["budget"], token["rpm"], token["expires_at"]) == (None, None, "2030-01-01T00:00:00Z")
    cli.ok("tokens", "disable", made["id"])
    assert made["key"] not in cli.ok("tokens", "list")
    assert "disabled" in cli.ok("tokens", "list")
    cli.ok("tokens", "remove", made["id"])
    assert "no such token" in cli.fails("tokens", "enable", made["id"])
    assert "is no amount" in cli.fails("tokens", "add", "x", "--budget", "much")
    assert "is no date" in cli.fails("tokens", "add", "x", "--expires", "soon")
    assert "address or network" in cli.fails("tokens", "add", "x", "--ips", "here")


def test_channels(cli: Cli) -> None:
    cli.ok("channels", "add", "up", "openai", "--key-env", "UP", "--models", "a,b", "--map", "a=c", env={"UP": "sk-up"})
    (channel,) = cli.rows("channels", "list")
    assert (channel["base_url"], channel["has_credential"]) == ("https://api.openai.com/v1", True)
    assert (channel["models"], channel["model_map"]) == (["a", "b"], {"a": "c"})
    assert "sk-up" not in cli.ok("channels", "list")
    cli.ok("channels", "set", "up", "--priority", "-5", "--models", "none")
    cli.ok("channels", "disable", "up")
    (channel,) = cli.rows("channels", "list")
    assert (channel["priority"], channel["models"], channel["status"]) == (-5, None, "disabled")
    assert "no protocol 'telegraph'" in cli.fails("channels", "add", "x", "telegraph")
    assert "the environment has no" in cli.fails("channels", "add", "x", "openai", "--key-env", "NOT_SET")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        cli.ok("channels", "set", "up", "--base-url", f"http://127.0.0.1:{nobody.getsockname()[1]}/v1")
        assert "up does not answer well: no connection" in cli.fails("channels", "test", "up")
    assert "There is no such channel" in cli.fails("channels", "test", "nobody")
    cli.ok("channels", "remove", "up")
    assert cli.rows("channels", "list") == []


class ModelsServer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers["authorization"] == "Bearer sk-up"
        body = b'{"data":[]}' if known else b'{"error":{"message":"Incorrect API key provided: sk-bad"}}'
        self.send_response(200 if known else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def test_testing_a_channel(cli: Cli) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), ModelsServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, key in (("good", "sk-up"), ("bad", "sk-bad")):
            cli.ok("channels", "add", name, "openai", "--key-env", "UP", env={"UP": key})
            cli.ok("channels", "set", name, "--base-url", f"http://127.0.0.1:{server.server_port}/v1")
        assert "good answers well, after " in cli.ok("channels", "test", "good")
        refused = cli.fails("channels", "test", "bad")
        assert "the account was refused" in refused
        assert "sk-bad" not in refused
        server.shutdown()


def test_prices_groups_and_aliases(cli: Cli) -> None:
    cli.ok("prices", "set", "mine", '{"per_call": "0.02"}')
    assert [price["key"] for price in cli.rows("prices", "list") if price["own"]] == ["mine"]
    assert "0.02" in cli.ok("prices", "list", "mine")
    assert "mine: " in cli.fails("prices", "set", "mine", '{"per_call": "much"}')
    cli.ok("prices", "remove", "mine")
    cli.ok("groups", "set", "vip", "0.8")
    assert [group["name"] for group in cli.rows("groups", "list")] == ["default", "vip"]
    cli.ok("groups", "remove", "vip")
    cli.ok("aliases", "set", "fast", "gpt-4o-mini")
    assert "fast" in {alias["name"] for alias in cli.rows("aliases", "list")}
    cli.ok("aliases", "remove", "fast")


def test_codes(cli: Cli) -> None:
    made = json.loads(cli.ok("codes", "add", "5", "--count", "2", "--json"))
    assert "5 USD added" in cli.ok("codes", "redeem", made[0]["code"], "admin")
    assert "used already" in cli.fails("codes", "redeem", made[0]["code"], "admin")
    cli.ok("codes", "disable", made[1]["id"])
    assert sorted(code["status"] for code in cli.rows("codes", "list")) == ["disabled", "used"]
    assert cli.ok("accounts", "balance", "admin").startswith("available 105,")


def test_records_of_nothing(cli: Cli) -> None:
    assert cli.rows("usage", "list") == []
    assert cli.rows("usage", "totals") == []
    assert cli.rows("tasks", "list") == []
    assert "no such task" in cli.fails("tasks", "show", "none")
    assert "--by takes" in cli.fails("usage", "totals", "--by", "password")


def test_the_declarative_file(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[aliases]]\nname = "fast"\ntarget = "gpt-4o-mini"\n')
    assert "good" in cli.ok("config", "check", str(file))
    assert cli.ok("config", "apply", str(file)) == "alias fast: gpt-4o-mini\n"
    assert cli.ok("config", "apply", str(file)) == "nothing to change\n"
    file.write_text('[[aliases]]\nname = "fast"\nbad = 1\n')
    for command in ("check", "apply"):
        assert f"{file}:3" in cli.fails("config", command, str(file))
    assert "does not exist" in cli.fails("config", "check")


def test_a_wrong_setting_is_said(cli: Cli) -> None:
    result = cli("tokens", "list", env={"DEEEPAI_PORT": "http"})
    assert result.exit_code == 1
    assert "DEEEPAI_PORT" in result.output
