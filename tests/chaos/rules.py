"""The shop's playbook in a storm: rules that wait, hold, draw, give coupons; then changed."""

import time
from datetime import UTC, datetime, timedelta

from streams.playbook_editions import apply_files
from tests.chaos.stage import Stage

_FIRST = """
playbook: 1
shop: {name: Storm, time_zone: UTC, currency: USD, locale: en}
channels: {email: {enabled: true}, sms: {enabled: true}}
caps: [{at_most: 6, per: 1d}, {at_most: 2, per: 1h, channels: sms}]
quiet_hours: [{from: "FROM", to: "TO"}]
holdout: {share: 10%}
segments: {spenders: {if: customer.value > 60}}
offers:
  ten: {percent: 10%, valid_for: 20d, budget: {coupons: 12}}
  gift: {amount: 5, valid_for: 10d, code: shared, owner_only: false}
messages:
  hello:
    consent: marketing
    words: {en: {subject: Hello, paragraphs: ["{{ tier }}"], signature: Us, unsubscribe: Stop}}
  news:
    consent: service
    words: {en: {subject: News, paragraphs: [Text], signature: Us}}
triggers:
  thanks:
    when: {event: order_completed, if: customer.orders == 1, wait: 10m, unless: order_cancelled,
           same_item: true}
    then: [{message: hello, offer: ten}]
    guard: {once: customer, priority: 80}
  browse:
    when: {event: product_viewed, wait: 2h, unless: order_completed}
    then:
      - message: hello
        channels: [sms, email]
      - wait: 3h
        unless: order_completed
      - split:
          - {arm: words, share: 50%, then: [{message: hello}]}
          - {arm: coupon, share: 50%, then: [{message: hello, offer: gift}]}
  cart:
    when: {event: product_added, wait: 30m, unless: order_completed}
    then: [{message: news}, {tag: tempted}]
    guard: {once: 1d}
  silent:
    when: {silence: 8h}
    then: [{message: hello}]
    guard: {quiet_hours: drop}
  looked:
    when: {event: [product_viewed, page_viewed]}
    then: [{message: news}]
    guard: {once: 30m, holdout: false}
  spender:
    when: {enters_segment: spenders}
    then: [{message: news}]
"""
QUIET_AFTER, QUIET_FOR = timedelta(minutes=25), timedelta(minutes=20)


def editions() -> tuple[str, str]:
    """The playbook, and what becomes of it; its quiet hours come soon after now and soon end.

    At fixed hours a storm at night would hold every message to its end, and prove nothing.
    """
    quiet = datetime.fromtimestamp(time.time(), UTC) + QUIET_AFTER
    first = _FIRST.replace("FROM", f"{quiet:%H:%M}").replace("TO", f"{quiet + QUIET_FOR:%H:%M}")
    second = first.replace("wait: 2h", "wait: 1h").replace("  silent:", "  quiet_eight_hours:")
    second = second.replace("{coupons: 12}", "{coupons: 20}")
    return first, second


async def apply(stage: Stage, text: str, edition: int) -> None:
    """Take an edition into use, while the shop is open."""
    stage.note("playbook", edition=edition)
    await apply_files(
        stage.settings, "playbook.yaml", {"playbook.yaml": text}, by="chaos", based_on=edition - 1
    )
