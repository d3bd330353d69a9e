"""Finds rows of single cases by what their columns are together: times with outcomes, truths with predictions."""

from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found
from ..formats.table import in_order, number, whole
from ..subject import Subject, Table
from .column_names import is_at_risk, is_count, is_plain_id, is_statistic, is_survival, words

_TIMES = frozenset({"time", "days", "months", "years", "duration", "futime", "followup", "os", "pfs", "ttd", "tte"})
_OUTCOMES = frozenset(
    {"status", "event", "censored", "cens", "dead", "died", "fustat", "death", "relapse", "progression"}
)
_PREDICTED = frozenset(
    {"pred", "predicted", "prediction", "prob", "probability", "proba", "yhat", "residual", "fitted"}
)
_TRUE = frozenset({"true", "truth", "label", "actual", "y", "outcome", "class", "residual", "fitted"})
_AXES = frozenset(
    {"threshold", "bin", "decile", "cutoff", "fpr", "tpr", "quantile", "percentile", "epoch", "step", "term"}
)
_FLAGS = frozenset({0, 1, 2})
_MANY, _DIFFERENT = 20, 15
_PAIR, _VERY_MANY = 2, 100


def check(subject: Subject) -> Iterator[Finding]:
    """Judge tables without counts of persons; a contract that promises the columns was vetted."""
    table = subject.model
    if not isinstance(table, Table) or len(table.rows) < _MANY or subject.promise is not None:
        return
    if _is_of_segments(table):
        yield found(Code.ROW_LEVEL)
        return
    if any(
        is_at_risk(name) or is_survival(name) or (is_count(name) and not _is_flag(table, at))
        for at, name in enumerate(table.header)
    ):
        return
    if _times_of_cases(table) or _predictions(table):
        yield found(Code.ROW_LEVEL)
        return
    measured = _measured(table)
    if measured > _PAIR:
        yield found(Code.ROW_LEVEL)
    elif measured == _PAIR and len(table.rows) >= _VERY_MANY:
        yield found(Code.ROW_LEVEL, Severity.WARN)  # the points of a plot: of persons, or of genes


def _times_of_cases(table: Table) -> bool:
    times = [at for at, name in enumerate(table.header) if words(name) & _TIMES]
    flags = [at for at, name in enumerate(table.header) if words(name) & _OUTCOMES and _is_flag(table, at)]
    return bool(times and flags) and any(len(set(table.column(at))) >= _DIFFERENT for at in times)


def _predictions(table: Table) -> bool:
    named = [words(name) for name in table.header]
    if any(one & _AXES for one in named):
        return False
    guesses = [at for at, one in enumerate(named) if one & _PREDICTED]
    truths = [at for at, one in enumerate(named) if one & _TRUE]
    return bool(guesses) and any(at not in guesses or len(guesses) > 1 for at in truths)


def _is_of_segments(table: Table) -> bool:
    """Return whether rows are segments of samples' genomes, as copy numbers are written."""
    named = {name.strip().lower() for name in table.header}
    return bool(named & {"seg.mean", "segmean", "seg_mean"}) and any(words(name) & {"id"} for name in table.header)


def _measured(table: Table) -> int:
    """Return how many columns have many values, where all are numbers in no order and rows hardly repeat; else 0."""
    if any(is_statistic(name) or words(name) & _AXES for name in table.header):
        return 0
    exact = 0
    for at in range(len(table.header)):
        values = [number(cell, decimal_comma=table.decimal_comma) for cell in table.column(at) if cell.strip()]
        written = [value for value in values if value is not None]
        if is_plain_id(table.header[at]) and "id" in words(table.header[at]) and len(set(written)) == len(table.rows):
            continue
        if len(written) < len(values) or in_order(written):
            return 0
        exact += len(set(written)) >= _DIFFERENT
    return exact if len(set(table.rows)) > 0.9 * len(table.rows) else 0


def _is_flag(table: Table, column: int) -> bool:
    return {whole(cell) for cell in table.column(column) if cell.strip()} <= _FLAGS
