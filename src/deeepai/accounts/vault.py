"""Encrypts upstream credentials at rest: AES-256-GCM under keys derived from one secret file."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_SECRET_BYTES = 32
_NONCE_BYTES = 12


class VaultError(Exception):
    """A secret file that cannot be used, or a value that this vault cannot open."""


class Vault:
    """Opens and closes small secrets.

    Parameters
    ----------
    secrets : sequence of bytes
        32 bytes each. The first closes; the others still open what was closed before a change of the secret.
    """

    def __init__(self, *secret_keys: bytes) -> None:
        if not secret_keys or any(len(key) != _SECRET_BYTES for key in secret_keys):
            raise VaultError(f"a secret key has {_SECRET_BYTES} bytes")
        self._secret = secret_keys[0]
        self._ciphers: dict[str, AESGCM] = {}
        for secret in secret_keys:
            key = _derive(secret, b"vault")
            self._ciphers.setdefault(hashlib.sha256(key).hexdigest()[:8], AESGCM(key))
        self._current = next(iter(self._ciphers))

    @classmethod
    def open(cls, path: Path) -> Vault:
        """Read the secret file, base64 lines with the current key first; make it (mode 0600) where there is none.

        Raises
        ------
        VaultError
            The file is not such a file.
        """
        try:
            lines = path.read_text("ascii").split()
        except FileNotFoundError:
            _create(path)
            lines = path.read_text("ascii").split()
        except UnicodeDecodeError:
            lines = []
        try:
            return cls(*(base64.b64decode(line, validate=True) for line in lines))
        except (binascii.Error, VaultError):
            raise VaultError(f"{path} does not hold base64 lines of {_SECRET_BYTES} bytes") from None

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for another purpose, such as signing links."""
        return _derive(self._secret, purpose.encode())

    def encrypt(self, text: str, where: str) -> str:
        """Close a secret.

        Parameters
        ----------
        text : str
        where : str
            Table, column and row it is for; it opens nowhere else.
        """
        nonce = os.urandom(_NONCE_BYTES)
        closed = nonce + self._ciphers[self._current].encrypt(nonce, text.encode(), where.encode())
        return f"v1.{self._current}.{base64.urlsafe_b64encode(closed).decode()}"

    def decrypt(self, closed: str, where: str) -> str:
        """Open a secret.

        Raises
        ------
        VaultError
            It was closed under another key, for another place, or was changed.
        """
        try:
            version, key_id, data = closed.split(".")
            raw = base64.urlsafe_b64decode(data)
            if version != "v1":
                raise ValueError(version)
            return self._ciphers[key_id].decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], where.encode()).decode()
        except KeyError:
            raise VaultError(f"{where} was encrypted under another secret key") from None
        except (ValueError, InvalidTag):
            raise VaultError(f"{where} cannot be decrypted") from None


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"deeepai " + purpose).derive(secret)


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(os.urandom(_SECRET_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link fails where the name is taken: of two first starters, both use the same file.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
