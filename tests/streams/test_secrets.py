"""Secrets: given ones win, missing ones are made once, wrong ones are named."""

import threading
from pathlib import Path

import pytest

from streams.secrets import BadSecret, Secrets, load_secrets, open_key_store
from streams.settings import Settings


def test_secrets_are_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    first = load_secrets(settings)
    assert load_secrets(settings) == first
    assert first.token_key != first.master_key
    files = list((tmp_path / "keys").iterdir())
    assert sorted(file.name for file in files) == ["master.key", "token.key"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_roles_that_start_at_once_agree(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    start = threading.Barrier(8)
    found: list[Secrets] = []

    def load() -> None:
        start.wait()
        found.append(load_secrets(settings))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({one.token_key for one in found}) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 2


def test_given_secrets_win_and_nothing_is_written(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, token_key="ab" * 32, master_key="cd" * 32)
    assert load_secrets(settings) == Secrets(b"\xab" * 32, b"\xcd" * 32)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("text", ["ab", "xy" * 32, "ab" * 33, "é" * 64])
def test_a_wrong_secret_is_named_but_never_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSecret, match="HUITOU_TOKEN_KEY: expected 64 hex") as raised:
        load_secrets(Settings(data_dir=tmp_path, token_key=text))
    assert text not in str(raised.value)


def test_a_spoiled_key_file_is_named(tmp_path: Path) -> None:
    load_secrets(Settings(data_dir=tmp_path))
    (tmp_path / "keys" / "master.key").write_text("")
    with pytest.raises(BadSecret, match=r"master\.key: expected 64 hex"):
        load_secrets(Settings(data_dir=tmp_path))


def test_secrets_do_not_show_in_their_repr() -> None:
    assert "ab" * 8 not in repr(Secrets(b"\xab" * 32, b"\xcd" * 32))


def test_the_key_store_lies_beside_the_secrets(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    store = open_key_store(settings, load_secrets(settings).master_key)
    store.get_or_create("anna")
    store.close()
    assert (tmp_path / "keys" / "customers.sqlite").exists()


def test_the_coupon_key_is_the_same_wherever_the_token_key_is() -> None:
    secrets = Secrets(b"t" * 32, b"m" * 32)
    assert secrets.coupon_key == Secrets(b"t" * 32, b"n" * 32).coupon_key
    assert secrets.coupon_key != Secrets(b"u" * 32, b"m" * 32).coupon_key
    assert secrets.coupon_key not in (secrets.token_key, secrets.master_key)
