"""Keyed tokens: how a customer, an e-mail or a phone is named where personal data must not be."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache

TOKEN_CHARS = 22
# "=" is no character of a token, so a partition's own rows can never be taken for a customer's.
PARTITION_KEY = b"=partition"
POSITION_KEY = b"=position"
"""Row of every table's partition: how far of its source the table is made of."""


def is_customer_key(key: bytes) -> bool:
    """Whether a key of topic `customers` names a customer."""
    return key[:1] != b"="


def token_of(token_key: bytes, kind: str, identifier: str) -> str:
    """Name `identifier` by a keyed hash: 22 URL-safe characters (128 bits).

    `kind` keeps customers, e-mails and phones apart ("customer", "email", "phone"). Any length and
    any characters are fine; without the key the token can be neither made nor guessed.

    >>> token_of(b"k" * 32, "customer", "c1") == token_of(b"k" * 32, "customer", "c1")
    True
    >>> len(token_of(b"k" * 32, "email", "anna@example.com"))
    22
    """
    text = f"{kind}\x00{identifier}".encode("utf-8", "surrogatepass")
    digest = hmac.new(token_key, text, hashlib.sha256).digest()
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


@lru_cache(maxsize=65_536)
def partition_of(token: str, partitions: int) -> int:
    """Partition that owns a customer: the token's first bytes, already uniform, modulo the count.

    >>> partition_of("AAAAAAAAAAAAAAAAAAAAAA", 4)
    0
    """
    return int.from_bytes(urlsafe_b64decode(token[:8]), "big") % partitions
