"""A role's word about itself."""

import errno
import os
from pathlib import Path
from threading import Thread

import pytest
from structlog.testing import capture_logs

from streams.servers.status import INSTANCE_VARIABLE, READY, STARTING, StatusFile


def test_a_word_comes_back_with_its_writer(tmp_path: Path) -> None:
    StatusFile(tmp_path, "replay").write(state=READY, progress=0.25)
    status = StatusFile(tmp_path, "replay").read()
    assert status is not None
    assert (status.role, status.state, status.progress) == ("replay", READY, 0.25)
    assert status.is_by(os.getpid())
    assert not status.is_by(1_999_999_999)


@pytest.mark.parametrize(
    ("number", "name"), [("1", "worker.json"), ("2", "worker-2.json"), ("10", "worker-10.json")]
)
def test_workers_write_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str, name: str
) -> None:
    monkeypatch.setenv(INSTANCE_VARIABLE, number)
    StatusFile(tmp_path, "worker").write(state=STARTING)
    assert (tmp_path / "run" / name).exists()


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"role": 1}'])
def test_a_missing_or_torn_file_says_nothing(tmp_path: Path, content: bytes | None) -> None:
    file = StatusFile(tmp_path, "web")
    if content is not None:
        file.path.parent.mkdir()
        file.path.write_bytes(content)
    assert file.read() is None


def test_a_reader_never_sees_half_a_word(tmp_path: Path) -> None:
    file = StatusFile(tmp_path, "learner")
    file.write(state=STARTING)

    def write() -> None:
        for n in range(500):
            file.write(state=READY * 50, progress=n / 500)

    writer = Thread(target=write)
    writer.start()
    while writer.is_alive():
        assert file.read() is not None
    writer.join()
    assert [path.name for path in file.path.parent.iterdir()] == ["learner.json"]


def test_a_word_the_disk_refuses_is_logged_and_leaves_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = StatusFile(tmp_path, "web")
    file.write(state="ready")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with capture_logs() as logged:
        file.write(state="stopped")
    [word] = logged
    assert (word["event"], word["reason"]) == ("status not written", "No space left on device")
    assert [found.name for found in (tmp_path / "run").iterdir()] == ["web.json"]
    told = file.read()
    assert told
    assert told.state == "ready"
