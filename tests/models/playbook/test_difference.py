"""Differences of two playbooks: by rule, with the keys that say something else."""

from pathlib import Path

import models.playbook
from models.playbook.difference import Change, KeyChange, differences, written

STARTER = Path(models.playbook.__file__).with_name("starter.yaml").read_text("utf-8")


def changed(old: str, new: str) -> tuple[Change, ...]:
    return differences({"playbook.yaml": STARTER}, {"playbook.yaml": STARTER.replace(old, new)})


def test_the_same_playbook_differs_in_nothing() -> None:
    assert changed("a", "a") == ()


def test_a_key_is_told_with_its_old_and_new_value() -> None:
    assert changed("wait: 24h", "wait: 48h") == (
        Change("triggers", "browse_reminder", "changed", (KeyChange("when.wait", "24h", "48h"),)),
    )


def test_a_key_that_was_added_or_left_out_is_told() -> None:
    assert changed("silence: 30d", "silence: 30d\n      if: customer.orders > 2") == (
        Change(
            "triggers",
            "thirty_days_of_silence",
            "changed",
            (KeyChange("when.if", "", "customer.orders > 2"),),
        ),
    )
    found = changed("      priority: 40\n", "")
    assert found[0].keys == (KeyChange("guard.priority", "40", ""),)


def test_a_step_is_told_by_its_number() -> None:
    found = changed("offer: next_order_10\n        expires", "offer: other\n        expires")
    assert found[0].keys == (KeyChange("then[1].offer", "next_order_10", "other"),)


def test_a_renamed_rule_is_no_new_one() -> None:
    assert changed("  thirty_days_of_silence:", "  a_month_of_silence:") == (
        Change(
            "triggers",
            "a_month_of_silence",
            "renamed",
            before="thirty_days_of_silence",
        ),
    )


def test_added_and_removed_rules_are_told_whole() -> None:
    rule = "triggers:\n  hello:\n    when: {event: order_completed}\n    then: [{tag: met}]\n"
    old, new = {"a.yaml": STARTER}, {"a.yaml": STARTER, "b.yaml": rule}
    keys = (KeyChange("when.event", "", "order_completed"), KeyChange("then[1].tag", "", "met"))
    assert differences(old, new) == (Change("triggers", "hello", "added", keys),)
    assert [(one.name, one.kind) for one in differences(new, old)] == [("hello", "removed")]


def test_parts_without_names_are_told_too() -> None:
    assert changed("at_most: 4", "at_most: 5") == (
        Change("caps", "", "changed", (KeyChange("[1].at_most", "4", "5"),)),
    )
    found = changed("holdout:\n  share: 5%\n", "")
    assert [(one.section, one.kind) for one in found] == [("holdout", "removed")]


def test_files_are_read_as_one() -> None:
    whole = written(
        {
            "a.yaml": "include: b.yaml\ncaps: [{at_most: 1}]\noffers: {x: {percent: 5%}}",
            "b.yaml": "caps: [{at_most: 2}]\noffers: {y: {percent: 6%}}",
            "c.yaml": "",
        }
    )
    assert whole == {
        "caps": [{"at_most": "1"}, {"at_most": "2"}],
        "offers": {"x": {"percent": "5%"}, "y": {"percent": "6%"}},
    }
