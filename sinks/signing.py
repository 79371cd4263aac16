"""Signing what we post, as Standard Webhooks says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode

SECRET_PREFIX = "whsec_"  # noqa: S105


class BadSecret(ValueError):
    """A signing secret can't be read; the text does not repeat it."""


def headers_of(notice: str, body: bytes, at_s: int, secrets: str) -> dict[str, str]:
    """Write the headers of one attempt at `at_s` (Unix time).

    `secrets` are parted by commas while a new one takes over from an old one: both sign then. None:
    no signature. BadSecret when one is not base64 after its "whsec_".
    """
    headers = {
        "content-type": "application/json",
        "webhook-id": notice,
        "webhook-timestamp": str(at_s),
    }
    signed = b"%s.%d." % (notice.encode(), at_s) + body
    signatures = [
        "v1," + b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()
        for secret in (part.strip() for part in secrets.split(","))
        if secret
    ]
    if signatures:
        headers["webhook-signature"] = " ".join(signatures)
    return headers


def _key(secret: str) -> bytes:
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise BadSecret("webhook secret: expected base64 after whsec_") from error
