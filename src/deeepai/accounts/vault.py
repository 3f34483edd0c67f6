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
        self.fingerprints = tuple(_derive(key, b"fingerprint").hex() for key in secret_keys)
        """What tells keys apart and tells nothing of them; the current one's first."""

    @classmethod
    def open(cls, path: Path) -> Vault:
        """Read the secret file, base64 lines with the current key first; make it (mode 0600) where there is none.

        Raises
        ------
        VaultError
            The file is not such a file, or cannot be read.
        """
        try:
            try:
                text = path.read_text("ascii")
            except FileNotFoundError:
                _create(path)
                text = path.read_text("ascii")
        except UnicodeDecodeError:
            text = ""
        except OSError as fault:
            raise VaultError(f"{path} cannot be used: {fault.strerror}") from None
        return cls.read(text, str(path))

    @classmethod
    def read(cls, text: str, where: str) -> Vault:
        """Read keys, in base64 or hex, the current one first, divided by commas or spaces.

        Parameters
        ----------
        where : str
            What errors call the text.

        Raises
        ------
        VaultError
            There is none, or one is none.
        """
        try:
            return cls(*(_key(word) for word in text.replace(",", " ").split()))
        except (binascii.Error, ValueError, VaultError):
            raise VaultError(f"{where} does not hold keys of {_SECRET_BYTES} bytes, in base64 or hex") from None

    def knows(self, closed: str) -> bool:
        """Tell whether a value was closed under a key of this vault."""
        return closed.split(".")[1:2] != [] and closed.split(".")[1] in self._ciphers

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


def _key(word: str) -> bytes:
    if len(word) == 2 * _SECRET_BYTES:
        return bytes.fromhex(word)
    return base64.b64decode(word.replace("-", "+").replace("_", "/"), validate=True)


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
