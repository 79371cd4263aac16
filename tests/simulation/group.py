"""A consumer group as its coordinator keeps it: members, generations, heartbeats, offsets."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError

from tests.simulation.loop import SimulatedLoop

STABLE, REBALANCE, UNKNOWN = "stable", "rebalance", "unknown"


@dataclass
class Member:
    """One consumer; `joining` is what it waits for while the group rebalances."""

    topics: list[str]
    session_s: float
    seen_at: float
    joining: Any = None
    partitions: list[TopicPartition] = field(default_factory=list)


class Group:
    """Members join, are told of each other by heartbeats, and are dropped when silent."""

    def __init__(self, loop: SimulatedLoop, topics: dict[str, int]) -> None:
        self.offsets: dict[TopicPartition, int] = {}
        self.generation = 0
        self.members: dict[str, Member] = {}
        self._loop = loop
        self._topics = topics
        self._numbers = count(1)
        self._rebalancing = False
        self._round = 0
        self._remembered: dict[TopicPartition, int] = {}
        self._blind_until = 0.0

    def join(
        self, member_id: str, topics: list[str], session_s: float, rebalance_s: float, joined: Any
    ) -> str:
        """Ask for a part; `joined` will tell generation and partitions."""
        now = self._loop.time()
        if member_id not in self.members:
            member_id = f"member-{next(self._numbers)}"
            self.members[member_id] = Member(topics, session_s, now)
            self._watch(member_id)
        member = self.members[member_id]
        member.seen_at, member.joining = now, joined
        self._rebalance(rebalance_s)
        return member_id

    def heartbeat(self, member_id: str, generation: int) -> str:
        member = self.members.get(member_id)
        if member is None or (generation != self.generation and not self._rebalancing):
            return UNKNOWN
        member.seen_at = self._loop.time()
        return REBALANCE if self._rebalancing else STABLE

    def leave(self, member_id: str) -> None:
        if self.members.pop(member_id, None) is not None:
            self._rebalance(10.0)

    def commit(self, member_id: str, generation: int, offsets: dict[TopicPartition, int]) -> None:
        if member_id not in self.members or generation != self.generation:
            raise CommitFailedError
        self.offsets.update(offsets)

    def committed(self, tps: list[TopicPartition]) -> dict[TopicPartition, int | None]:
        known = self._remembered if self._loop.time() < self._blind_until else self.offsets
        return {tp: known.get(tp) for tp in tps}

    def forget(self, seconds: float, remembered: dict[TopicPartition, int]) -> None:
        """Answer for a while with what is remembered, as a broker that has just come back may."""
        self._remembered = remembered
        self._blind_until = self._loop.time() + seconds

    def _watch(self, member_id: str) -> None:
        member = self.members.get(member_id)
        if member is None:
            return
        left_s = member.seen_at + member.session_s - self._loop.time()
        if member.joining is None and left_s <= 0:
            self.leave(member_id)
            return
        self._loop.outside_later(max(left_s, 0.5), self._watch, member_id)

    def _rebalance(self, limit_s: float) -> None:
        if not self._rebalancing:
            self._rebalancing = True
            self._round += 1
            self._loop.outside_later(limit_s, self._give_up_waiting, self._round)
        self._loop.outside_later(0.001, self._complete_if_all_joined)

    def _give_up_waiting(self, round_number: int) -> None:
        """Whoever has not joined again in time is out."""
        if self._rebalancing and round_number == self._round:
            self.members = {i: one for i, one in self.members.items() if one.joining is not None}
            self._complete_if_all_joined()

    def _complete_if_all_joined(self) -> None:
        if not self._rebalancing or any(one.joining is None for one in self.members.values()):
            return
        self._rebalancing = False
        self.generation += 1
        self._share()
        for member_id, member in self.members.items():
            joined, member.joining = member.joining, None
            member.seen_at = self._loop.time()
            if not joined.done():
                joined.set_result((member_id, self.generation, member.partitions))

    def _share(self) -> None:
        names = sorted(self.members)
        for member in self.members.values():
            member.partitions = []
        topics = sorted({topic for one in self.members.values() for topic in one.topics})
        places = [TopicPartition(t, n) for t in topics for n in range(self._topics[t])]
        # Which member gets what is nobody's to rely on.
        first = self._loop.choose(range(len(names))) if names else 0
        for number, place in enumerate(places):
            self.members[names[(first + number) % len(names)]].partitions.append(place)
