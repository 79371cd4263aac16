"""The end of a run: read all that is left behind, ask the oracle, compare."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from models import customer as customers
from sinks.keys import SqliteKeyStore
from sinks.sealing import Sealer
from streams import topics
from streams.gateway_admission import DEAD_LETTERS_KEY
from streams.secrets import key_store_path, load_secrets
from tests.chaos import compare
from tests.chaos.compare import Counters
from tests.chaos.coupons import compare_coupons, read_coupons, redeemed
from tests.chaos.harvest import Topics, Warehouse, read_profiles, read_topics
from tests.chaos.history import GARBAGE
from tests.chaos.offsets import Places
from tests.chaos.oracle import Oracle
from tests.chaos.shop import Shop
from tests.chaos.stage import Stage
from tests.real.rig import Log

# A reader of whatever release wrote the rows.
ANY_VERSION = 1_000_000


@dataclass
class Verdict:
    """The counters, and how much there was to go wrong."""

    counters: Counters = field(default_factory=Counters)
    sizes: dict[str, int] = field(default_factory=dict)


async def judge(stage: Stage, shop: Shop, folded_to: Places) -> Verdict:
    """Compare everything that the stage's cast was there for."""
    customers.STATE_VERSION = ANY_VERSION
    async with Log(stage.settings) as log:
        found = await read_topics(log)
        coupons = await read_coupons(log, folded_to, found.events)
    folded = [r for r in found.events if r.offset < folded_to[topics.EVENTS, r.partition]]
    oracle = await asyncio.to_thread(_ask_oracle, stage, found, folded)
    verdict = Verdict()
    counters = verdict.counters
    compare.compare_log(counters, found, oracle, folded)
    compare_coupons(counters, coupons, oracle.coupon_words, stage.settings.partitions)
    compare.compare_budgets(counters, found)
    if stage.of("learner"):
        compare.compare_learner(counters, found, stage.settings.partitions)
    compare.compare_door(counters, shop.taken, found.events)
    compare.compare_letters(
        counters, found, oracle, _buried(stage, found), shop.garbage_tries, shop.garbage_taken
    )
    sent = oracle.actions
    if stage.of("sinks"):
        late = compare.expired(folded, oracle.actions)
        sent = [action for action in oracle.actions if action.action_id not in late]
        compare.compare_provider(counters, stage.provider.deliveries, sent)
        await asyncio.to_thread(_compare_warehouse, counters, stage, found, oracle)
        profiles = await read_profiles(stage.settings, stage.ground.valkey)
        compare.compare_profiles(counters, profiles, oracle)
    verdict.sizes = {
        "events": len(folded),
        "customers": len(oracle.customers),
        "facts": len(oracle.facts),
        "actions": len(oracle.actions),
        "redemptions": redeemed(coupons),
        "coupons_given": len(compare.decisions(found, "sent")),
        "coupons_refused": len(compare.decisions(found, "out_of_budget")),
        "budget_answers": len(coupons.answers),
        "passed_on": len(oracle.for_log),
        "garbage": len(oracle.unreadable) + len(shop.garbage_taken),
        "snapshots": len(found.snapshots),
        "requests_repeated": shop.repeats,
        "expired": len(oracle.actions) - len(sent),
        "provider_requests": len(stage.provider.requests),
    }
    return verdict


def _ask_oracle(stage: Stage, found: Topics, folded: list[Any]) -> Oracle:
    partitions = stage.settings.partitions
    oracle = Oracle(partitions, found.snapshots, load_secrets(stage.settings).coupon_key)
    for partition in range(partitions):
        oracle.fold(record for record in folded if record.partition == partition)
    return oracle


def _compare_warehouse(counters: Counters, stage: Stage, found: Topics, oracle: Oracle) -> None:
    warehouse = Warehouse(stage.settings, stage.ground.clickhouse)
    try:
        compare.compare_warehouse(counters, warehouse, found, oracle)
    finally:
        warehouse.close()


def _buried(stage: Stage, found: Topics) -> Counter[str]:
    """Open the gateway's dead letters and count them by the garbage's own name."""
    master_key = load_secrets(stage.settings).master_key
    store = SqliteKeyStore(key_store_path(stage.settings), master_key)
    try:
        sealer = Sealer(store)
        raws = [
            sealer.unseal_system(DEAD_LETTERS_KEY, letter.sealed_raw)
            for letter in found.letters
            if letter.source == "gateway"
        ]
    finally:
        store.close()
    return Counter(_name_in(raw) for raw in raws)


def _name_in(raw: bytes) -> str:
    at = raw.find(GARBAGE.encode())
    return raw[at:].split(b'"', 1)[0].decode() if at >= 0 else orjson.dumps(raw.hex()[:80]).decode()
