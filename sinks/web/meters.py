"""Numbers about the page itself, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)


class Meters:
    """One server's meters, in a registry of their own."""

    def __init__(self, open_pages: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        pages = Gauge("huitou_web_open_pages", "Pages that listen", registry=self._registry)
        pages.set_function(open_pages)
        self.profile_seconds = Histogram(
            "huitou_web_profile_seconds",
            "Time to answer a profile",
            buckets=SECONDS,
            registry=self._registry,
        )
        self.recommendation_seconds = Histogram(
            "huitou_web_recommendation_seconds",
            "Time to answer recommendations",
            buckets=SECONDS,
            registry=self._registry,
        )
        self.answers = Counter(
            "huitou_web_answers_total", "Answers by status", ("status",), registry=self._registry
        )
        self.unreadable = Counter(
            "huitou_web_unreadable_fields_total",
            "Personal fields that no longer open",
            registry=self._registry,
        )

    def text(self) -> bytes:
        """All of them in Prometheus' text form."""
        return generate_latest(self._registry)
