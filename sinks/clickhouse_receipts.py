"""Receipts from ClickHouse: what was decided about an action, why, and what became of it.

A customer's history may stand under several names (merges): whoever asks for a customer gets what
was decided under each of them. Times are milliseconds of the log's time.
"""

from datetime import datetime
from typing import Any

import orjson
from clickhouse_connect.driver.client import Client

Told = dict[str, Any]
SHOWN_AT_MOST = 50

_DECISIONS = """
SELECT at, customer, rule, occasion, action_id, verdict, status, reason, action, message_channel,
    offer, coupon, arm, propensity, held_until, playbook_version, passed, rivals, hazard,
    hazard_version, inputs, log_partition, log_offset, log_index
FROM decisions FINAL
"""
_OF_ACTION = _DECISIONS + "WHERE action_id = {action_id:String} ORDER BY at, log_offset, log_index"
_OF_RULE = (
    _DECISIONS
    + """WHERE customer IN {customers:Array(String)} AND rule = {rule:String}
ORDER BY at DESC, log_offset DESC LIMIT {most:UInt16}"""
)
_AT_THE_SAME_TIME = (
    _DECISIONS
    + """WHERE customer = {customer:String} AND at = fromUnixTimestamp64Milli({at_ms:Int64}, 'UTC')
AND action_id != {action_id:String} ORDER BY log_offset, log_index LIMIT {most:UInt16}"""
)
_ACTIONS = """
SELECT decided_at, expires_at, message_channel, template, locale, variables, kind, consent, offer,
    coupon, arm, propensity, owner, task, task_due, playbook_version
FROM actions FINAL WHERE action_id = {action_id:String} ORDER BY decided_at
"""
_EVENT = """
SELECT occurred_at, type, channel, source, properties
FROM events FINAL
WHERE customer = {customer:String}
    AND log_partition = {partition:UInt16} AND log_offset = {offset:UInt64}
LIMIT 1
"""
_DELIVERY = """
SELECT occurred_at, type, properties
FROM events FINAL
WHERE customer IN {customers:Array(String)}
    AND (startsWith(type, 'message_') OR type = 'unsubscribed' OR startsWith(type, 'coupon_'))
    AND (JSONExtractString(properties, 'action_id') = {action_id:String}
        OR ({coupon:String} != '' AND JSONExtractString(properties, 'coupon') = {coupon:String}))
ORDER BY occurred_at, log_offset
"""
_COUPON = """
SELECT at, asked, outcome, status, order_id, goods_cents, currency
FROM coupon_verdicts FINAL WHERE code = {code:String} ORDER BY at, log_offset, log_index
"""
_TARGET = "SELECT customer FROM merged_customers WHERE origin = {customer:String} LIMIT 1"
_ORIGINS = "SELECT origin FROM merged_customers WHERE customer = {customer:String} ORDER BY origin"


def names_of(client: Client, customer: str) -> list[str]:
    """Every name that is this customer's today, the one that counts first."""
    found = _rows(client, _TARGET, customer=customer)
    target = str(found[0]["customer"]) if found else customer
    origins = (str(row["origin"]) for row in _rows(client, _ORIGINS, customer=target))
    return list(dict.fromkeys((target, customer, *origins)))


def decisions_of(client: Client, customers: list[str], rule: str) -> list[Told]:
    """What a rule decided about a customer, newest first."""
    found = _rows(client, _OF_RULE, customers=customers, rule=rule, most=SHOWN_AT_MOST)
    return [_opened(row) for row in found]


def story_of(client: Client, action_id: str) -> Told | None:
    """All about one action: decisions, the event, what else was decided then, delivery, coupon.

    None where nothing was ever decided under this id.
    """
    decisions = [_opened(row) for row in _rows(client, _OF_ACTION, action_id=action_id)]
    if not decisions:
        return None
    first, last = decisions[0], decisions[-1]
    customer = str(last["customer"])
    beside = _rows(
        client,
        _AT_THE_SAME_TIME,
        customer=customer,
        at_ms=last["at"],
        action_id=action_id,
        most=SHOWN_AT_MOST,
    )
    coupon = next((one["coupon"] for one in decisions if one["coupon"]), "")
    delivery = _rows(
        client,
        _DELIVERY,
        customers=names_of(client, customer),
        action_id=action_id,
        coupon=coupon,
    )
    return {
        "action_id": action_id,
        "customer": customer,
        "rule": last["rule"],
        "occasion": last["occasion"],
        "decisions": decisions,
        "event": _event(client, first),
        "beside": [_opened(row) for row in beside],
        "actions": [_opened(row) for row in _rows(client, _ACTIONS, action_id=action_id)],
        "delivery": [_opened(row) for row in delivery],
        "coupon": _rows(client, _COUPON, code=coupon) if coupon else [],
    }


def _event(client: Client, decision: Told) -> Told | None:
    """The event that the decision stands at; None where a due timer brought it."""
    found = _rows(
        client,
        _EVENT,
        customer=decision["customer"],
        partition=decision["log_partition"],
        offset=decision["log_offset"],
    )
    return _opened(found[0]) if found else None


def _rows(client: Client, sql: str, **parameters: Any) -> list[Told]:
    return [
        {name: _in_ms(value) for name, value in row.items()}
        for row in client.query(sql, parameters=parameters).named_results()
    ]


def _in_ms(value: Any) -> Any:
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else value


def _opened(row: Told) -> Told:
    """JSON columns as what they hold."""
    for name in ("inputs", "variables", "properties"):
        if name in row:
            row[name] = orjson.loads(row[name] or b"{}")
    return row
