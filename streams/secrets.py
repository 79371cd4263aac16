"""The installation's two secrets: the token key and the master key, given or made once."""

import os
import secrets
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from sinks.keys import KEY_BYTES, SqliteKeyStore
from streams.settings import Settings

KEYS_DIR = "keys"
STORE_NAME = "customers.sqlite"


@dataclass(frozen=True, repr=False)
class Secrets:
    """What names customers (`token_key`) and what wraps their data keys (`master_key`)."""

    token_key: bytes
    master_key: bytes

    @property
    def coupon_key(self) -> bytes:
        """What scatters coupon codes; made from the token key, so it is the same in every role."""
        return blake2b(key=self.token_key, person=b"huitou coupons", digest_size=KEY_BYTES).digest()


class BadSecret(ValueError):
    """A secret is not 64 hexadecimal digits."""


def load_secrets(settings: Settings) -> Secrets:
    """Read both secrets from the settings, else from data_dir/keys, where they are made once.

    Whoever comes first makes them; roles that start at the same time agree. Raises BadSecret.
    """
    folder = settings.data_dir / KEYS_DIR
    return Secrets(
        token_key=_given_or_kept(
            "HUITOU_TOKEN_KEY", settings.token_key.get_secret_value(), folder / "token.key"
        ),
        master_key=_given_or_kept(
            "HUITOU_MASTER_KEY", settings.master_key.get_secret_value(), folder / "master.key"
        ),
    )


def key_store_path(settings: Settings) -> Path:
    """Where the customers' keys lie."""
    return settings.data_dir / KEYS_DIR / STORE_NAME


def open_key_store(settings: Settings, master_key: bytes) -> SqliteKeyStore:
    """Open the installation's key store, made now if there is none."""
    return SqliteKeyStore(key_store_path(settings), master_key)


def _given_or_kept(name: str, given: str, path: Path) -> bytes:
    if given:
        return _key(given, name)
    if not path.exists():
        _make(path)
    return _key(path.read_text(encoding="ascii").strip(), str(path))


def _key(text: str, source: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise BadSecret(f"{source}: expected {2 * KEY_BYTES} hexadecimal digits") from None
    if len(key) != KEY_BYTES:
        raise BadSecret(
            f"{source}: expected {2 * KEY_BYTES} hexadecimal digits, got {2 * len(key)}"
        )
    return key


def _make(path: Path) -> None:
    """Write a fresh key under its name at once and whole, or keep the one that came first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink()
