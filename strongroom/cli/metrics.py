"""Writes the operator's metrics: sums over everybody's attempts and requests, never by project, run or task (T24)."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from airlock.figures import Figures
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


class _Airlock(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        found = self._figures
        yield GaugeMetricFamily(
            "strongroom_requests_waiting", "Requests that wait for stewards.", value=found.waiting
        )
        ends = CounterMetricFamily("strongroom_requests_ended", "Requests by what became of them.", labels=["end"])
        for end in ("returned", "rejected", "withdrawn", "revoked"):
            ends.add_metric([end], getattr(found, end))
        yield ends
        hours = GaugeMetricFamily(
            "strongroom_request_state_hours", "Hours in each state.", labels=["state", "quantile"]
        )
        for state, spent in {**found.states, "turnaround": found.turnaround}.items():
            hours.add_metric([state, "0.5"], spent.median_hours)
            hours.add_metric([state, "0.9"], spent.p90_hours)
        yield hours
        codes = CounterMetricFamily("strongroom_findings", "Findings in requests, by code.", labels=["code"])
        for code, count in found.findings.items():
            codes.add_metric([code], count)
        yield codes
        yield CounterMetricFamily("strongroom_blocks_lifted", "Blocks that a senior lifted.", value=found.lifted)
        for name, what, rate in (
            ("first_pass", "Share of requests approved in their first turn.", found.first_pass_rate),
            ("disagreement", "Share of files on which stewards did not agree.", found.disagreement_rate),
        ):
            if rate is not None:
                yield GaugeMetricFamily(f"strongroom_{name}_rate", what, value=rate)


def text(measures: Measures, figures: Figures) -> bytes:
    """Return what Prometheus reads: this process's own metrics, then the sums over attempts and requests."""
    registry = CollectorRegistry()
    registry.register(_Attempts(measures))
    registry.register(_Airlock(figures))
    return generate_latest() + generate_latest(registry)
