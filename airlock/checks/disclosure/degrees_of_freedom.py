"""Finds models that have hardly more persons than parameters."""

from collections.abc import Iterator
from decimal import Decimal

from ..findings import Code, Finding, found
from ..formats.table import number
from ..subject import Subject, Table
from .column_names import is_count, is_degrees_of_freedom, words
from .variant_tables import is_of_variants

_COEFFICIENT = frozenset({"estimate", "coef", "coefficient", "coefficients", "beta", "b", "effect"})
_SPREAD = frozenset({"se", "error", "stderr", "std", "p", "pvalue", "t", "z", "ci", "lower", "upper"})
_RESIDUAL = frozenset({"resid", "residual", "residuals", "error", "denominator", "den", "within"})
_TEST = frozenset({"chi", "chi2", "chisq", "wald", "lrt", "score", "deviance", "q", "cochran", "model", "numerator"})


def check(subject: Subject) -> Iterator[Finding]:
    """Judge columns and rows that say degrees of freedom, then persons less the terms of one model."""
    table = subject.model
    if not isinstance(table, Table) or not table.rows:
        return
    heads = [words(name) for name in table.header]
    is_model = any(head & _COEFFICIENT for head in heads) and any(head & _SPREAD for head in heads)
    of_test = any(head & _TEST for head in heads)
    least = subject.policy.min_dof
    for index, name in enumerate(table.header):
        residual = bool(heads[index] & _RESIDUAL) or (is_model and not of_test)
        if is_degrees_of_freedom(name) and residual and not heads[index] & _TEST:
            for row, cell in enumerate(table.column(index), start=1):
                value = number(cell, decimal_comma=table.decimal_comma)
                if value is not None and value < least:
                    yield found(Code.LOW_DEGREES_OF_FREEDOM, row=row, column=index + 1)
    yield from _labelled(table, least=least, is_model=is_model)
    of_persons = subject.promise is None or subject.promise.unit == "person"
    if is_model and of_persons and not is_of_variants(table):
        yield from _persons_less_terms(table, least=least)


def _labelled(table: Table, *, least: int, is_model: bool) -> Iterator[Finding]:
    """Judge rows labelled as degrees of freedom below or beside the terms."""
    for row, cells in enumerate(table.rows, start=1):
        label = cells[0] if cells else ""
        if not is_degrees_of_freedom(label) or words(label) & _TEST:
            continue
        if not (is_model or words(label) & _RESIDUAL or any(is_count(other[0]) for other in table.rows if other)):
            continue
        for column, cell in enumerate(cells[1:], start=2):
            value = number(cell, decimal_comma=table.decimal_comma)
            if value is not None and value < least:
                yield found(Code.LOW_DEGREES_OF_FREEDOM, row=row, column=column)


def _persons_less_terms(table: Table, *, least: int) -> Iterator[Finding]:
    """Take the rows with an intercept as one model; tables of a model a row are judged with two parameters."""
    first = [cells[0].strip() if cells else "" for cells in table.rows]
    at = next((i for i, name in enumerate(table.header) if words(name) & _COEFFICIENT), 0)
    estimates = [number(cell, decimal_comma=table.decimal_comma) is not None for cell in table.column(at)]
    labelled = [row for row, label in enumerate(first) if is_count(label) or is_degrees_of_freedom(label)]
    terms = [row for row, known in enumerate(estimates) if known and row not in labelled]
    one_model = any("intercept" in label.lower() or label.lower() in ("const", "_cons") for label in first)
    parameters = len(terms) if one_model or labelled else 2
    for row in labelled:
        if is_count(first[row]):
            yield from _few(table.rows[row][1:], row + 1, parameters + least, start=2)
    for index, name in enumerate(table.header):
        if is_count(name):
            column = table.column(index)
            for row in terms:
                yield from _few([column[row]], row + 1, parameters + least, start=index + 1)


def _few(cells: list[str] | tuple[str, ...], row: int, least: int, *, start: int) -> Iterator[Finding]:
    for column, cell in enumerate(cells, start=start):
        value = number(cell)
        if value is not None and Decimal(0) < value < least:
            yield found(Code.LOW_DEGREES_OF_FREEDOM, row=row, column=column)
