"""What rules brought, asked of ClickHouse: exposures from the receipts, outcomes from the orders.

A customer is exposed to a rule when chance first decided whether it acts: the first receipt with a
propensity below one. Rule "" is all rules of which anybody is left out. Names that were merged are
one customer; who was left alone and written to, or in two arms, is counted as mixed.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from models.always_valid import Sample
from models.lift import OUTCOMES, Group, lifts, told

EXPOSED = """
SELECT rule, who, min(at) AS first_at,
  argMin(version, place) AS version,
  argMin(tier, place) AS tier,
  argMin(side, (side = '', place)) AS arm,
  argMin(chance, (side = '', place)) AS propensity,
  uniqExactIf(side, side != '') > 1 OR uniqExact(side = 'holdout') > 1 AS is_mixed
FROM
(
  SELECT of_rule AS rule, if(m.customer = '', d.customer, m.customer) AS who, d.at AS at,
    d.playbook_version AS version, JSONExtractString(d.inputs, 'tier') AS tier,
    multiIf(d.status = 'holdout', 'holdout', of_rule = '', '', d.arm) AS side,
    if(of_rule = '' AND side = '', 0, d.propensity) AS chance,
    (d.at, d.log_partition, d.log_offset, d.log_index) AS place
  FROM decisions AS d
  ARRAY JOIN ['', d.rule] AS of_rule
  LEFT JOIN merged_customers AS m ON m.origin = d.customer
  WHERE d.propensity < 1 AND d.propensity > 0
    AND d.rule IN (SELECT rule FROM decisions WHERE status = 'holdout')
    AND ({rule:String} = '' OR of_rule = {rule:String})
)
GROUP BY rule, who
HAVING first_at + toIntervalDay({days:UInt16}) <= fromUnixTimestamp64Milli({now_ms:Int64}, 'UTC')
"""
ORDERS = """
SELECT o.customer AS who,
  groupArray((
    o.occurred_at,
    if(o.currency = {currency:String}, o.total_cents - o.refunded_cents, 0),
    ifNull(g.cents, 0)
  )) AS orders
FROM order_outcomes AS o
LEFT JOIN
(
  SELECT if(m.customer = '', p.customer, m.customer) AS who, p.order_id AS order_id,
    argMin(if(p.currency = {currency:String}, p.discount_cents, 0), p.occurred_at) AS cents
  FROM orders AS p LEFT JOIN merged_customers AS m ON m.origin = p.customer
  WHERE p.order_state != 'repeated'
  GROUP BY who, order_id
) AS g ON g.who = o.customer AND g.order_id = o.order_id
WHERE NOT o.cancelled
GROUP BY who
"""
LEAVINGS = """
SELECT if(m.customer = '', e.customer, m.customer) AS who, groupArray(e.occurred_at) AS leavings
FROM events AS e LEFT JOIN merged_customers AS m ON m.origin = e.customer
WHERE e.type = 'unsubscribed'
GROUP BY who
"""
_SAMPLES = ", ".join(
    f"avg({name}) AS mean_{name}, varPop({name}) AS spread_{name}" for name in OUTCOMES
)
LIFT = f"""
SELECT rule, version, tier, arm, propensity, is_mixed, count() AS customers, {_SAMPLES}
FROM
(
  SELECT x.rule AS rule, x.version AS version, x.tier AS tier, x.arm AS arm,
    x.propensity AS propensity, x.is_mixed AS is_mixed, x.first_at AS since,
    since + toIntervalDay({{days:UInt16}}) AS until,
    arrayFilter(one -> one.1 > since AND one.1 <= until, o.orders) AS own,
    toFloat64(length(own)) AS orders,
    toFloat64(notEmpty(own)) AS buyers,
    toFloat64(arraySum(one -> one.2, own)) AS revenue_cents,
    toFloat64(arraySum(one -> one.3, own)) AS discount_cents,
    toFloat64(arrayExists(at -> at > since AND at <= until, l.leavings)) AS unsubscribed
  FROM ({EXPOSED}) AS x
  LEFT JOIN ({ORDERS}) AS o ON o.who = x.who
  LEFT JOIN ({LEAVINGS}) AS l ON l.who = x.who
)
GROUP BY rule, version, tier, arm, propensity, is_mixed
ORDER BY rule, version, tier, arm, propensity, is_mixed
"""  # noqa: S608  (put together of constants)


class Counted(NamedTuple):
    """Groups to compare, and how many customers of each rule are in none of them."""

    groups: list[Group]
    mixed: dict[str, int]


def parameters_of(rule: str, days: int, now_ms: int, currency: str) -> dict[str, Any]:
    """Fill in LIFT: `rule` "" is every rule; outcomes are those of `days` after the exposure."""
    return {"rule": rule, "days": days, "now_ms": now_ms, "currency": currency}


def counted(rows: Iterable[Mapping[str, Any]]) -> Counted:
    """Read the rows of LIFT."""
    found = Counted([], {})
    for row in rows:
        if row["is_mixed"]:
            found.mixed[row["rule"]] = found.mixed.get(row["rule"], 0) + row["customers"]
            continue
        found.groups.append(
            Group(
                row["rule"],
                row["version"],
                row["tier"],
                row["arm"],
                row["propensity"],
                tuple(_sample(row, name) for name in OUTCOMES),
            )
        )
    return found


def _sample(row: Mapping[str, Any], name: str) -> Sample:
    count = row["customers"]
    return Sample(count, row[f"mean_{name}"], row[f"spread_{name}"] * count)


def answer_of(rows: Iterable[Mapping[str, Any]], days: int, currency: str) -> dict[str, Any]:
    """Say what rules brought, as the API and the command line tell it."""
    found = counted(rows)
    return {
        "days": days,
        "currency": currency,
        "lifts": [told(one) for one in lifts(found.groups)],
        "mixed": {rule or "all": number for rule, number in sorted(found.mixed.items())},
    }
