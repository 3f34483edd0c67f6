from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from deeepai.settings import Settings, SettingsError


def test_environment_then_flags() -> None:
    environ = {
        "DEEEPAI_PORT": "9000",
        "DEEEPAI_WORKERS": "3",
        "DEEEPAI_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
        "DEEEPAI_SANDBOX": "off",
        "DEEEPAI_INITIAL_CREDIT": "12.50",
        "DEEEPAI_GRACE": "0",
        "DEEEPAI_VALKEY": "",
        "OTHER": "x",
    }
    settings = Settings.load(environ, port=9001, host=None)
    assert (settings.port, settings.workers, settings.host) == (9001, 3, "127.0.0.1")
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    assert (settings.sandbox, settings.engines, settings.valkey) == (False, True, None)
    assert (settings.initial_credit, settings.grace) == (Decimal("12.50"), 0)


def test_places_lie_in_the_data_folder(tmp_path: Path) -> None:
    settings = Settings.load({}, data=str(tmp_path / "a b"))
    assert settings.database_url == f"sqlite:///{tmp_path}/a%20b/deeepai.db"
    assert settings.secret_path == tmp_path / "a b" / "secret.key"
    assert settings.config_path == tmp_path / "a b" / "deeepai.toml"
    assert settings.assets_url == (tmp_path / "a b" / "assets").as_uri()
    assert Settings.load({}, asset_store="s3://bucket/x").assets_url == "s3://bucket/x"


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:8100"), ("::", "http://[::1]:8100"), ("192.168.0.7", "http://192.168.0.7:8100")],
)
def test_addresses(host: str, url: str) -> None:
    assert Settings.load({}, host=host).url == url
    assert Settings.load({}, host=host, public_url="https://ai.example.com/").url == "https://ai.example.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "http"),
        ("WORKERS", "0"),
        ("SANDBOX", "maybe"),
        ("LOG_LEVEL", "loud"),
        ("INITIAL_CREDIT", "-1"),
        ("TRUSTED_PROXIES", "10.0.0.0/40"),
        ("PUBLIC_URL", "example.com"),
    ],
)
def test_a_wrong_value_is_said_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({f"DEEEPAI_{name}": value})
    assert name.lower() in str(caught.value).lower()


def test_each_setting_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    assert [name for name in Settings.__struct_fields__ if f"| `DEEEPAI_{name.upper()}` |" not in page] == []


def test_a_child_process_reads_the_same() -> None:
    settings = Settings.load({}, port=1, trusted_proxies=["10.0.0.0/8"], initial_credit="0.1")
    assert Settings.from_json(settings.to_json()) == settings
    assert settings.changed(port=2).port == 2


def test_a_name_that_nobody_knows_is_told_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="no setting DEEEPAI_DATABSE; DEEEPAI_DATABASE is the nearest"):
        Settings.load({"DEEEPAI_DATABSE": "postgresql://x"})
    with pytest.raises(SettingsError, match="DEEEPAI_SECRET_FILE is the nearest"):
        Settings.load({"DEEEPAI_SECRETFILE": ""})


def test_what_kubernetes_sets_for_a_service_of_our_name_is_passed_over() -> None:
    environ = {
        "DEEEPAI_SERVICE_HOST": "10.0.0.1",
        "DEEEPAI_SERVICE_PORT": "8100",
        "DEEEPAI_SERVICE_PORT_HTTP": "8100",
        "DEEEPAI_PORT": "tcp://10.0.0.1:8100",
        "DEEEPAI_PORT_8100_TCP": "tcp://10.0.0.1:8100",
        "DEEEPAI_PORT_8100_TCP_ADDR": "10.0.0.1",
        "DEEEPAI_GATEWAY_PORT": "tcp://10.0.0.1:8100",
    }
    assert Settings.load(environ).port == 8100


def test_the_key_is_shown_nowhere() -> None:
    settings = Settings.load({"DEEEPAI_SECRET": "planted-secret", "DEEEPAI_DATABASE": "postgresql://u:hunter2@h/d"})
    assert "planted" not in repr(settings)
    assert "hunter2" not in repr(settings)
    assert Settings.from_json(settings.to_json()) == settings
