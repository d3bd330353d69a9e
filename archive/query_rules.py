"""Decides whether one more question may be asked of a dataset: every run whose outputs may leave is a query (T6)."""

from collections.abc import Collection
from dataclasses import dataclass

from strongroom.errors import NotAllowed


class BudgetSpent(NotAllowed):
    """So many different questions were asked today that a person decides about the next one (409)."""

    status = 409


@dataclass(frozen=True)
class Budget:
    """Questions that a project may ask of a dataset in a day: about different populations, and about near ones."""

    populations: int
    near: int


@dataclass(frozen=True)
class Spent:
    """What of a budget the last day took."""

    populations: int
    near: int


def fewest(asked: int | None, *, k: int) -> int:
    """Return the fewest persons for what may leave: k, or more if the dataset asks for more; 0 for data of nobody."""
    return 0 if asked == 0 else max(k, asked or 0)


def check_size(size: int, *, least: int) -> None:
    """Raise unless a population is large enough for what may leave."""
    if size < least:
        raise NotAllowed(
            f"This run reads data of {size} {'person' if size == 1 else 'persons'} of a dataset whose results may "
            f"leave for {least} or more; choose more files, or a workflow whose outputs all stay inside."
        )


def is_near(one: Collection[str], other: Collection[str], *, k: int) -> bool:
    """Say whether two different populations differ by fewer than `k` persons: the difference tells of those."""
    return 0 < len(set(one) ^ set(other)) < k


def check_budget(spent: Spent, budget: Budget, *, near: bool) -> None:
    """Raise `BudgetSpent` if a new population, or one near to an earlier one, is one too many today."""
    if near and spent.near >= budget.near:
        raise BudgetSpent(
            "This run's persons differ by very few from those of an earlier run, as too many runs did today. "
            "Run on a population of earlier, wait a day, or ask a member of the dataset's DAC to allow more "
            "(`strongroom dataset allow-queries`)."
        )
    if spent.populations >= budget.populations:
        raise BudgetSpent(
            "Today's runs of this project have asked about as many different populations of this dataset as they "
            "may. Run on a population of earlier, wait a day, or ask a member of the dataset's DAC to allow more "
            "(`strongroom dataset allow-queries`)."
        )
