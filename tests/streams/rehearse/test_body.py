"""Scenario values are what JSON would have them be."""

from models.playbook.source import Mapping, compose
from streams.rehearse.body import part_at, plain

BODY = """
userId: 007
count: 7
price: 59.0
birthday: 1990-03-05
"quoted": "7"
empty:
truth: true
products: [{sku: a}, {sku: b}]
"""


def root() -> Mapping:
    node, _ = compose("s.yaml", BODY.encode())
    assert isinstance(node, Mapping)
    return node


def test_words_get_the_types_that_json_has() -> None:
    assert plain(root()) == {
        "userId": "007",
        "count": 7,
        "price": 59.0,
        "birthday": "1990-03-05",
        "quoted": "7",
        "empty": None,
        "truth": True,
        "products": [{"sku": "a"}, {"sku": "b"}],
    }


def test_a_path_leads_to_the_part_it_names() -> None:
    assert plain(part_at(root(), "products[1].sku")) == "b"


def test_a_path_that_leads_on_stops_at_what_would_hold_it() -> None:
    assert plain(part_at(root(), "products[1].price")) == {"sku": "b"}
    assert plain(part_at(root(), "products[9].sku")) == [{"sku": "a"}, {"sku": "b"}]
