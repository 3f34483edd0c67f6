"""Certificates that a test makes for itself."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def certificate(host: str) -> tuple[bytes, bytes]:
    """Return a key, and a certificate for a name or an address, for a day; each as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    shown = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([shown]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    shape = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(pem, *shape), made.public_bytes(pem)


@dataclass(frozen=True)
class Certificate:
    """Of 127.0.0.1, by nobody but itself."""

    path: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> Certificate:
        """Make one, in place of what lies in the folder."""
        files = cls(folder / "certificate.pem", folder / "key.pem")
        key, made = certificate("127.0.0.1")
        files.path.write_bytes(made)
        files.key.write_bytes(key)
        return files

    @property
    def serial(self) -> int:
        return x509.load_pem_x509_certificate(self.path.read_bytes()).serial_number

    def trusted(self, *protocols: str) -> ssl.SSLContext:
        """Return what a caller that knows it connects with."""
        context = ssl.create_default_context(cafile=str(self.path))
        if protocols:
            context.set_alpn_protocols(protocols)
        return context
