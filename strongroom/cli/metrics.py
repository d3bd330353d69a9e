"""Writes the operator's metrics: sums over everybody's attempts, never by project, run or task (T24)."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tes.measures import Measures


class _Attempts(Collector):
    def __init__(self, measures: Measures) -> None:
        self._measures = measures

    def collect(self) -> Iterator[Metric]:
        found = self._measures
        ended = CounterMetricFamily("strongroom_attempts_ended", "Attempts that ended, by cause.", labels=["cause"])
        for cause, count in found.ended.items():
            ended.add_metric([cause.value], count)
        yield ended
        yield GaugeMetricFamily("strongroom_attempts_running", "Attempts that run.", value=found.running)
        seconds = "CPU seconds of all attempts that ended."
        yield CounterMetricFamily("strongroom_attempts_cpu_seconds", seconds, value=found.cpu_seconds)
        peak = "Most memory that one attempt used, in bytes."
        yield GaugeMetricFamily("strongroom_attempts_peak_memory_bytes", peak, value=found.peak_memory_bytes)


def text(measures: Measures) -> bytes:
    """Return what Prometheus reads: this process's own metrics, then the sums over attempts."""
    registry = CollectorRegistry()
    registry.register(_Attempts(measures))
    return generate_latest() + generate_latest(registry)
