"""What the gateway counts, for Prometheus to fetch."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class GatewayMetrics:
    """Counters of one gateway process, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "huitou_gateway_requests_total",
            "Requests answered.",
            ("route", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "huitou_gateway_request_seconds",
            "Time from a request's head to its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.events = Counter(
            "huitou_gateway_events_total",
            "Events the log has confirmed.",
            ("type",),
            registry=self._registry,
        )
        self.rejected = Counter(
            "huitou_gateway_rejected_total",
            "Messages that went to the dead letters.",
            ("source",),
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "huitou_gateway_requests_in_flight",
            "Requests being worked on.",
            registry=self._registry,
        )
        self._pending = Gauge(
            "huitou_gateway_pending_bytes",
            "Bytes that wait for the broker.",
            registry=self._registry,
        )

    def watch(self, in_flight: Callable[[], float], pending_bytes: Callable[[], float]) -> None:
        """Read the two gauges from where they are known."""
        self._in_flight.set_function(in_flight)
        self._pending.set_function(pending_bytes)

    def page(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)
