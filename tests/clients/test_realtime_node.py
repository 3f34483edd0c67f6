"""OpenAI's own Node SDK against the gateway: Realtime sessions."""

from __future__ import annotations

import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.clients.test_node import run
from tests.stack import Gateway


def certificate() -> tuple[str, str]:
    """A key and a certificate for 127.0.0.1, for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    shape = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return key.private_bytes(pem, *shape).decode(), made.public_bytes(pem).decode()


@pytest.mark.operation("openai.realtime", "openai.realtime.client_secrets")
def test_realtime(gateway: Gateway) -> None:
    key, made = certificate()
    env = {"TLS_KEY": key, "TLS_CERT": made, "NODE_TLS_REJECT_UNAUTHORIZED": "0"}
    seen = run("realtime.mjs", gateway, **env)
    assert seen["ws"]["status"] == seen["browser"]["status"] == "completed"
    assert "by ws" in seen["ws"]["text"]
    assert seen["ws"]["usage"]["output_token_details"]["audio_tokens"] == 0
    assert seen["secret"] == "ek_"
    assert seen["protocol"] == "realtime"
    assert seen["browser"]["usage"]["output_token_details"]["audio_tokens"] == seen["browser"]["audioBytes"] // 2400
    assert seen["ws"]["types"][0] == seen["browser"]["types"][0] == "session.created"
    assert "401" in seen["refused"]
