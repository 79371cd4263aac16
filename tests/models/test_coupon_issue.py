"""From an offer of the playbook to a coupon: its code, its terms, its word."""

import pytest

from models.clock import DAY_MS
from models.coupon_codes import CODE_CHARS, read_code
from models.coupon_issue import Issue, cost_cents, issue, kind_of, shared_serial
from models.coupons import Issued, Sharing, Terms
from models.discounts import Amount, FreeShipping, Gift, Kind, Percent, Steps
from models.playbook import offer as playbook

SECRET = b"a secret of the shop"
OFF = playbook.AmountOff(amount_cents=500, valid_ms=DAY_MS)
WISH = Issue("welcome", 3, "anna", 1_000, "action", "EUR")


@pytest.mark.parametrize(
    ("offer", "kind"),
    [
        (playbook.PercentOff(percent=0.125, min_order_cents=100), Percent(1_250, None, 100)),
        (playbook.PercentOff(percent=0.29), Percent(2_900)),
        (playbook.AmountOff(amount_cents=500, min_order_cents=900), Amount(500, 900)),
        (playbook.Gift(gift="p1", min_order_cents=5), Gift("p1", 0, 5)),
        (playbook.FreeShipping(free_shipping=True, min_order_cents=5), FreeShipping(None, 5)),
        (
            playbook.SaveBySteps(
                spend_and_save=(
                    playbook.SpendAndSave(spend_cents=1_000, save_cents=100),
                    playbook.SpendAndSave(spend_cents=9_000, save_cents=900),
                ),
                min_order_cents=2_000,
            ),
            Steps(((2_000, 100), (9_000, 900))),
        ),
    ],
)
def test_every_kind_of_offer_becomes_a_kind_of_coupon(offer: playbook.Offer, kind: Kind) -> None:
    assert kind_of(offer) == kind


def test_a_coupon_is_its_owners_until_it_expires() -> None:
    given = issue(SECRET, 2, 7, OFF, WISH)
    assert read_code(given.code) == given.code == given.word.key
    assert len(given.code) == CODE_CHARS
    assert given.until_ms == 1_000 + DAY_MS
    assert given.word.action_id == "action"
    assert given.word.event == Issued(
        1_000,
        Terms("welcome", Amount(500), "anna", given.until_ms, gives_back=False, currency="EUR"),
    )


def test_what_refund_and_stacking_do_is_the_offers_word() -> None:
    offer = playbook.AmountOff(amount_cents=5, after_refund="give_back", stackable=True)
    event = issue(SECRET, 0, 0, offer, WISH).word.event
    assert isinstance(event, Issued)
    assert event.terms.gives_back
    assert event.terms.stackable


def test_a_coupon_for_whoever_has_it_has_no_owner() -> None:
    offer = playbook.AmountOff(amount_cents=5, owner_only=False)
    event = issue(SECRET, 0, 0, offer, WISH).word.event
    assert isinstance(event, Issued)
    assert event.terms.owner == ""
    assert event.terms.sharing is Sharing.NOT


def test_the_same_place_gives_the_same_code_and_another_another() -> None:
    codes = {issue(SECRET, part, count, OFF, WISH).code for part in range(4) for count in range(50)}
    assert len(codes) == 200
    assert issue(SECRET, 2, 7, OFF, WISH) == issue(SECRET, 2, 7, OFF, WISH)


@pytest.mark.parametrize(
    ("owner_only", "sharing"), [(True, Sharing.GIVEN), (False, Sharing.ANYONE)]
)
def test_a_shared_code_is_one_for_an_offer_and_an_edition(
    owner_only: bool, sharing: Sharing
) -> None:
    offer = playbook.AmountOff(amount_cents=5, code="shared", owner_only=owner_only)
    one = issue(SECRET, 0, 0, offer, WISH)
    other = issue(SECRET, 3, 99, offer, WISH._replace(owner="bert"))
    later = issue(SECRET, 0, 0, offer, WISH._replace(edition=4))
    assert one.code == other.code != later.code
    for given, owner in ((one, "anna"), (other, "bert")):
        assert isinstance(given.word.event, Issued)
        assert given.word.event.terms.owner == owner
        assert given.word.event.terms.sharing is sharing


def test_no_shared_serial_is_a_customers_own() -> None:
    assert min(shared_serial(f"offer{number}", 1) for number in range(1_000)) >= 2**49


def test_an_offer_tells_what_it_can_cost() -> None:
    assert cost_cents(OFF) == 500
    assert cost_cents(playbook.PercentOff(percent=0.1)) is None
