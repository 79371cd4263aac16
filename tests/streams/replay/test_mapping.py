from pathlib import Path

import pytest

from streams.replay.mapping import BadMapping, mappings_shipped, read_mapping

GOOD = """
name: shop
columns: {order: no, time: at, unit_price: price}
currency: EUR
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mapping.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_least_that_a_mapping_needs(tmp_path: Path) -> None:
    mapping = read_mapping(written(tmp_path, GOOD))
    assert mapping.wanted() == ("no", "at", "price")
    assert (mapping.time.format, mapping.time.zone, mapping.anonymous) == ("iso", "UTC", "keep")


@pytest.mark.parametrize("name", sorted(mappings_shipped()))
def test_every_mapping_that_is_shipped_is_right(name: str) -> None:
    assert read_mapping(mappings_shipped()[name]).columns.order


def test_the_example_shows_every_key_there_is() -> None:
    mapping = read_mapping(mappings_shipped()["example"])
    unset = [
        name for name in mapping.__struct_fields__ if getattr(mapping, name) in ("", (), {}, None)
    ]
    no_column = [
        name for name in mapping.columns.__struct_fields__ if not getattr(mapping.columns, name)
    ]
    assert unset == []
    assert no_column == ["line_total"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("name: My Shop", r"matching regex.*\$\.name"),
        ("surplus: 1", "unknown field `surplus`"),
        ("currency: euro", r"\$\.currency"),
        ("currency: ''", r"\$\.currency"),
        ("# currency:", "expected currency or columns.currency"),
        ("columns: {order: no, time: at}", "either unit_price or line_total"),
        (
            "columns: {order: no, time: at, unit_price: a, line_total: b}",
            "either unit_price or line_total",
        ),
        ("columns: {time: at, unit_price: price}", "missing required field `order`"),
        ("columns: {order: no, time: at, unit_price: p, colour: c}", "unknown field `colour`"),
        ("time: {zone: Mars/Olympus}", "'Mars/Olympus' is no time zone"),
        ("time: {format: whenever}", "'whenever', expected iso, epoch_s"),
        ("anonymous: maybe", r"Invalid enum value 'maybe'.*\$\.anonymous"),
        ("ignore: [{column: a, because: b}]", r"ignore\[0\]: expected exactly one of"),
        (
            "ignore: [{column: a, because: b, equals: x, below: 0}]",
            r"ignore\[0\]: expected exactly one of",
        ),
        ("ignore: [{column: a, equals: x}]", "missing required field `because`"),
        ("traits: [email]", r"Expected `object`.*\$\.traits"),
        ("channel: telepathy", r"\$\.channel"),
        ("a: [", "not readable as YAML"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(tmp_path: Path, change: str, said: str) -> None:
    key = change.removeprefix("# ").split(":", 1)[0]
    kept = [line for line in GOOD.splitlines() if not line.startswith(f"{key}:")]
    path = written(tmp_path, "\n".join([*kept, change]))
    with pytest.raises(BadMapping, match=said) as raised:
        read_mapping(path)
    assert str(path) in str(raised.value)


def test_a_missing_mapping_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadMapping, match=r"none\.yaml: there is no such file"):
        read_mapping(tmp_path / "none.yaml")
