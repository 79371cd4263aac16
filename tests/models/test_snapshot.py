"""Snapshots on their topic: read as what their model's are, refused for what is wrong with them."""

import msgspec
import pytest

from models.events import ModelName
from models.hazard import NOTHING_LEARNED, HazardSnapshot
from models.playbook.edition import Edition
from models.ranking import RankingSnapshot
from models.snapshot import (
    KINDS,
    Snapshot,
    SnapshotRecord,
    adopted_key,
    checksum,
    read_record,
    recorded,
    refusal,
)
from tests.builders import snapshot
from tests.models.test_segments import snapshot as segments

SOUND: dict[ModelName, Snapshot] = {
    "hazard": snapshot(version=3),
    "ranking": RankingSnapshot(version=3, lessons=60),
    "segments": segments(high_value_cents=90_000),
    "playbook": Edition(version=3, main="playbook.yaml", files={"playbook.yaml": "playbook: 1"}),
}


def test_every_model_of_the_log_has_its_kind_and_a_sound_example() -> None:
    assert set(KINDS) == set(SOUND) == set(ModelName.__args__)


@pytest.mark.parametrize("model", KINDS)
def test_a_record_is_read_as_it_was_written(model: ModelName) -> None:
    record = recorded(model, SOUND[model])
    assert read_record(msgspec.json.encode(record)) == record
    assert refusal(record) == ""


@pytest.mark.parametrize("model", KINDS)
def test_content_that_does_not_fit_its_checksum_is_refused(model: ModelName) -> None:
    record = SnapshotRecord(model, checksum(NOTHING_LEARNED), SOUND[model])
    assert refusal(record) == "its checksum does not fit its content"


def test_numbers_that_mean_nothing_are_refused_with_the_reason() -> None:
    bad = RankingSnapshot(version=1, weights=(float("nan"),) * 14)
    assert refusal(recorded("ranking", bad)) == "weights: a number is not finite"
    assert "heads: horizons ()" in refusal(recorded("hazard", HazardSnapshot(version=1)))


def test_a_model_of_a_later_release_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError, match="moods"):
        read_record(b'{"model":"moods","checksum":"","snapshot":{}}')


def test_the_checksum_is_of_the_whole_content_and_survives_the_topic() -> None:
    one = snapshot(weights=(0.1, 1 / 3, -0.0) + (0.0,) * 8)
    again = msgspec.json.decode(msgspec.json.encode(one), type=HazardSnapshot)
    assert checksum(again) == checksum(one)
    others = [snapshot(version=2), snapshot(intercept=1e-12), snapshot(lessons=1_001)]
    assert checksum(one) not in {checksum(other) for other in others}


def test_each_model_has_its_own_word() -> None:
    assert len({adopted_key(model) for model in KINDS}) == len(KINDS)
