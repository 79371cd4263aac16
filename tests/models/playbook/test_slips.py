"""What a person sees who slipped: each slip in the words of whoever writes YAML by hand."""

import pytest

from models.playbook.check import check

SHOP = "shop:\n  name: Ours\n  time_zone: Asia/Taipei\n  currency: EUR\n"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("caps:\n\t- at_most: 4\n", "6:1", "a tab stands here; expected spaces"),
        ("caps:\n\u00a0 - at_most: 4\n    per: 7d\n", "7:8", "not U+00A0"),
        ("holdout:\n\u3000\u3000share: 5%\n  seed: a\n", "", "not U+3000"),
        ("holdout：\n  share: 5%\n", "6:8", "a plain colon and a space, not ："),
        ("segments:\n  a:\n    description: Five percent: for all\n", "7:30", "quotes around"),
        ("segments:\n  a: {if: 'a' in customer.tags}\n", "6:15", "quotes around"),
        ("holdout:\n  share: 5%\n   seed: 1\n", "7:8", "in one column"),
        ('segments:\n  a:\n    if: "true\n', "7:9", "expected a quote that ends"),
        ("segments:\n  a:\n    if: @x\n", "7:9", "quotes around what begins"),
        ("shop2:\n  name: 'it's ours'\n", "6:13", "in one column, and quotes that end"),
        ("caps: [a, b}\n", "5:12", "a comma between two entries"),
        ("caps: \x00\n", "5:7", "can't stand in YAML: 'U+0000'; expected letters"),
    ],
)
def test_a_slip_is_told_with_what_was_expected(text: str, place: str, said: str) -> None:
    checked = check("p.yaml", (SHOP + text).encode(), lambda _: None)
    [first, *_] = [str(one) for one in checked.errors]
    assert first.startswith(f"p.yaml:{place}")
    assert said in first


def test_what_began_lines_before_says_where() -> None:
    text = SHOP + "segments:\n  a:\n    if: 'true'\n   description: x\n"
    [problem] = check("p.yaml", text.encode(), lambda _: None).errors
    assert "block mapping that began in line 6" in problem.message or (
        "block mapping that began in line 7" in problem.message
    )
    assert problem.place.line == 8


def test_a_missing_part_says_what_belongs_there() -> None:
    checked = check("p.yaml", (SHOP + "triggers:\n  one:\n").encode(), lambda _: None)
    assert [one.expected for one in checked.errors] == [
        "when: with the moment",
        "then: with the steps, one after another",
    ]


def test_a_step_of_no_known_kind_is_shown() -> None:
    text = SHOP + "triggers:\n  one:\n    when: {silence: 30d}\n    then: [{xyz: 1}]\n"
    [problem] = check("p.yaml", text.encode(), lambda _: None).errors
    assert (problem.message, problem.value) == ("it is not said what this is", "xyz")


def test_of_an_event_that_is_misspelt_its_fields_are_not_called_unknown() -> None:
    when = '{event: product_veiwed, if: event.product_id == "a"}'
    text = SHOP + f"triggers:\n  one:\n    when: {when}\n    then: [{{tag: a}}]\n"
    [problem] = check("p.yaml", text.encode(), lambda _: None).errors
    assert problem.suggestion == "product_viewed"


def test_a_mistake_in_the_shop_does_not_make_its_country_unknown() -> None:
    shop = SHOP.replace("EUR", "EURO") + "  country: TW\n"
    text = shop + "triggers:\n  one:\n    when: {holiday: christmas}\n    then: [{tag: a}]\n"
    [problem] = check("p.yaml", text.encode(), lambda _: None).errors
    assert problem.message == "this is no currency"
    nowhere = text.replace("EURO", "EUR").replace("  country: TW\n", "")
    [problem] = check("p.yaml", nowhere.encode(), lambda _: None).errors
    assert "in which country" in problem.message


def test_one_possible_number_is_no_range() -> None:
    [problem] = check("p.yaml", ("playbook: 2\n" + SHOP).encode(), lambda _: None).errors
    assert problem.expected == "1"
