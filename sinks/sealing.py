"""Sealing: personal text in, ciphertext out, under the customer's own key (decision 19).

A sealed text is the URL-safe base64 of one version byte, a random nonce and AES-256-GCM's output.
The customer's token and the field's name are bound to it: moved to another customer or field, it
does not open.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

from cryptography.exceptions import InvalidTag

from sinks.keys import NONCE_BYTES, DataKey, KeyStore

_VERSION = b"\x01"
_SYSTEM = "system:"


class SealBroken(ValueError):
    """The text was not sealed here, for this customer and under this field's name."""


class Sealer:
    """Seals and opens the personal fields of customers by the keys of one store."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def seal(self, customer: str, field: str, text: str) -> str:
        """Seal one field; raises KeyDestroyed for a customer who was forgotten.

        A customer's "id" gets the same ciphertext for as long as the key stays in memory.
        """
        key = self._store.get_or_create(customer)
        if field != "id":
            return _seal(key, customer, field, text.encode())
        if not key.sealed_id:
            key.sealed_id = _seal(key, customer, field, text.encode())
        return key.sealed_id

    def seal_many(self, customer: str, fields: dict[str, str]) -> dict[str, str]:
        """Seal several fields of one customer."""
        return {field: self.seal(customer, field, text) for field, text in fields.items()}

    def unseal(self, customer: str, field: str, sealed: str) -> str:
        """Open one field; raises KeyDestroyed, KeyMissing or SealBroken."""
        return _unseal(self._store.get(customer), customer, field, sealed).decode()

    def seal_system(self, name: str, raw: bytes) -> str:
        """Seal bytes that belong to no customer under the system key `name`."""
        reserved = _SYSTEM + name
        return _seal(self._store.get_or_create(reserved), reserved, "", raw)

    def unseal_system(self, name: str, sealed: str) -> bytes:
        """Open what `seal_system` sealed under the same name."""
        reserved = _SYSTEM + name
        return _unseal(self._store.get(reserved), reserved, "", sealed)


def _bound_to(customer: str, field: str) -> bytes:
    return f"{customer}\x00{field}".encode()


def _seal(key: DataKey, customer: str, field: str, raw: bytes) -> str:
    nonce = os.urandom(NONCE_BYTES)
    sealed = key.cipher.encrypt(nonce, raw, _bound_to(customer, field))
    return urlsafe_b64encode(_VERSION + nonce + sealed).rstrip(b"=").decode()


def _unseal(key: DataKey, customer: str, field: str, sealed: str) -> bytes:
    try:
        whole = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        if whole[:1] != _VERSION:
            raise SealBroken(
                f"a sealed text begins with version 1, not {whole[:1].hex() or 'nothing'}"
            )
        nonce, rest = whole[1 : 1 + NONCE_BYTES], whole[1 + NONCE_BYTES :]
        return key.cipher.decrypt(nonce, rest, _bound_to(customer, field))
    except (InvalidTag, Base64Error, ValueError) as error:
        if isinstance(error, SealBroken):
            raise
        raise SealBroken("not sealed for this customer and field") from None
