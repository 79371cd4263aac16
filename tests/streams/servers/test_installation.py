"""What `up` hands on and tells."""

import json
import shlex
from pathlib import Path

import pytest

from streams.servers.child import Child, PidFile
from streams.servers.errors import NotStarted
from streams.servers.installation import Background, Wishes, curl_line, end_left_overs
from streams.settings import Settings


@pytest.mark.parametrize(
    ("wishes", "arguments"),
    [
        (Wishes(), None),
        (Wishes(demo=True, once=True), ["--demo"]),
        (Wishes(demo=True, speed=1.0), ["--demo", "--speed", "1.0"]),
        (Wishes(demo=True, days=9), ["--demo", "--days", "9"]),
    ],
)
def test_the_replay_gets_what_was_wished(wishes: Wishes, arguments: list[str] | None) -> None:
    assert wishes.replay_arguments() == arguments


def test_the_curl_line_is_one_command_with_a_valid_order() -> None:
    words = shlex.split(curl_line("http://127.0.0.1:8470", "demo"))
    assert words[:3] == ["curl", "-u", "demo:"]
    assert words[-1] == "http://127.0.0.1:8470/v1/track"
    assert json.loads(words[words.index("-d") + 1])["event"] == "Order Completed"


def test_a_write_key_of_ones_own_is_not_shown() -> None:
    assert "hunter2" not in curl_line("http://127.0.0.1:8470", "hunter2")


def test_work_in_the_background_comes_back_or_says_why_not() -> None:
    def fail() -> dict[str, int]:
        raise ValueError("stuck at the learner")

    good, bad = Background(lambda: {"lost": 0}), Background(fail)
    while not (good.is_done and bad.is_done):
        pass
    assert good.result() == {"lost": 0}
    with pytest.raises(NotStarted, match="stuck at the learner"):
        bad.result()


def test_roles_left_over_from_a_killed_supervisor_end_before_a_new_start(tmp_path: Path) -> None:
    children = [Child.start(tmp_path, name, ["sleep", "60"]) for name in ("web", "worker-2")]
    for child in children:
        kept = child.identity
        PidFile(kept.pid, kept.born_at, None, 1_999_999_999).write(tmp_path, child.name)
    end_left_overs(Settings(data_dir=tmp_path, workers=2))
    assert not any(child.is_alive() for child in children)
