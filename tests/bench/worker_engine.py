"""The whole product as an engine among its rivals: role `worker` on an installation of its own."""

from streams import topics
from streams.playbook_packs import names
from streams.settings import Settings
from tests.bench.broker import Counter
from tests.bench.histories import ADOPTION, PACKS_ADOPTION
from tests.bench.installations import prepare
from tests.bench.rig import start_role
from tests.bench.rounds import Engine, Running, Work
from tests.bench.shop import Shop

COMMIT_INTERVAL_MS = 50
SETUP = (
    "role worker as it stands: models, tiers, {rules}, timers, facts, profiles, actions, "
    f"lessons; a transaction per partition and {COMMIT_INTERVAL_MS} ms"
)


class WorkerEngine(Engine):
    """Folds a shop's history; each run writes it into a new installation, before the worker starts.

    (It can't read a topic that others read: it writes into its log.)
    """

    guarantee = "exactly once"
    counted_by = "committed source offsets"

    def __init__(self, shop: Shop, *, packs: bool) -> None:
        self._shop = shop
        self._adopts = (ADOPTION, PACKS_ADOPTION) if packs else (ADOPTION,)
        self.name = "product" if packs else "without_playbook"
        self.title = f"Huitou, the whole product, {'all packs on' if packs else 'no playbook'}"
        rules = f"a playbook of {len(names())} packs" if packs else "no rules"
        self.setup = SETUP.format(rules=rules)

    async def start(self, work: Work, counter: Counter) -> Running:
        chosen = Settings(
            data_dir=work.directory / work.name,
            kafka=work.kafka,
            namespace=f"{work.name}-",
            partitions=work.partitions,
            commit_interval_ms=COMMIT_INTERVAL_MS,
        )
        await prepare(chosen, self._shop.log(self._adopts))
        group, events = chosen.named("worker"), chosen.named(topics.EVENTS)
        return Running(start_role(chosen, "worker"), lambda: counter.committed(group, events))
