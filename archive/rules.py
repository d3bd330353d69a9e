"""Decides who may make, fill, share, see and delete datasets (pure)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from strongroom.errors import BadRequest, Conflict, NotAllowed, NotFound
from strongroom.projects import Role
from strongroom.thresholds import FLOOR

OBSERVABILITY = ("coarse", "open")
SENSITIVITY = ("standard", "high")
LONGEST_TITLE = 300
MOST_BROUGHT = FLOOR["max_bytes"]  # of one file that is brought in: what a check reads (T30)
TOO_LARGE = f"A file that is brought in has at most {MOST_BROUGHT >> 20} MiB; ask an operator to add larger ones."
CUSTODIANS = frozenset({Role.OPERATOR, Role.DAC_MEMBER})
_DATASET = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True)
class Asker:
    """Who asks: roles on the platform, and in the dataset's home project if it has one."""

    platform: frozenset[Role]
    home: frozenset[Role] = frozenset()
    person: str = ""


@dataclass(frozen=True)
class Asked:
    """What the rules need to know of a dataset."""

    home: str | None
    derived: bool
    deleted: bool = False
    brought_by: str | None = None  # who brings its files in, by an ingress


def check_dataset_id(dataset: str) -> None:
    """Raise `BadRequest` unless `dataset` can name a dataset."""
    if not _DATASET.fullmatch(dataset):
        raise BadRequest("id: 1 to 64 small letters, digits and hyphens, beginning with no hyphen.")


def check_shape(title: str, observability: str, sensitivity: str) -> None:
    """Raise `BadRequest` unless a dataset can be described so."""
    if len(title) > LONGEST_TITLE or not title.isprintable():
        raise BadRequest(f"title: one line of at most {LONGEST_TITLE} characters.")
    if observability not in OBSERVABILITY:
        raise BadRequest("observability: coarse (the default) or open (public and demo data only).")
    if sensitivity not in SENSITIVITY:
        raise BadRequest("sensitivity: standard (the default) or high.")


def check_custodian(asker: Asker, asked: Asked) -> None:
    """Raise unless the asker answers for this dataset: on the platform, or as operator of its home project."""
    if asked.deleted:
        raise NotFound("There is no such dataset.")
    if asker.platform & CUSTODIANS or (asked.home is not None and Role.OPERATOR in asker.home):
        return
    raise NotAllowed("Datasets are kept by operators and DAC members; ask one of them.")


def check_may_allow(asker: Asker) -> None:
    """Raise unless the asker decides about access to data: more questions are more data (T6)."""
    if Role.DAC_MEMBER not in asker.platform:
        raise NotAllowed("More queries are allowed by a DAC member; ask one.")


def check_min_population(least: int | None) -> None:
    """Raise `BadRequest` unless so few persons can be the fewest."""
    if least is not None and not 0 <= least <= 1_000_000:
        raise BadRequest("min_population: 0 (data of no person) to 1000000; leave it out for the platform's own.")


def check_may_create(asker: Asker, home: str | None) -> None:
    """Raise unless the asker may make a dataset, in this home project if one is named."""
    check_custodian(asker, Asked(home, derived=False))


def check_may_fill(asker: Asker, asked: Asked) -> None:
    """Raise unless the asker may add files."""
    if asked.brought_by is not None:
        _check_brings(asker, asked)
        return
    check_custodian(asker, asked)
    if asked.derived:
        raise Conflict("A derived dataset holds what its run made; make another dataset for other files.")


def check_may_share(asker: Asker, asked: Asked, *, project: str) -> None:
    """Raise unless the asker may give this dataset to `project`."""
    check_custodian(asker, asked)
    if asked.brought_by is not None:
        raise NotAllowed("What was brought in serves its own project, from the day that two stewards let it in.")
    if asked.derived and project != asked.home:
        # T21: no use outside the project without each ancestor's DAC, who cannot be asked yet.
        raise NotAllowed("A derived dataset stays in the project that made it.")
    if not asker.platform & CUSTODIANS and project != asked.home:
        raise NotAllowed("You can share this dataset with its own project only; ask a DAC member.")


def check_may_bring(asker: Asker, dataset: str, *, home: str) -> None:
    """Raise unless the asker may bring files into quarantine, for a dataset of this name in their own project."""
    if Role.RESEARCHER not in asker.home:
        raise NotAllowed("You need to be a researcher of this project.")
    # Whoever asks for a name learns whether it is taken, so the names of a project are its own.
    if not dataset.startswith(f"{home}-") or dataset == f"{home}-":
        raise BadRequest(f"dataset: what is brought in is called after its project: {home}-…")


def _check_brings(asker: Asker, asked: Asked) -> None:
    if asked.deleted or asker.person != asked.brought_by:
        raise NotFound("There is no such dataset.")
    if Role.RESEARCHER not in asker.home:
        raise NotAllowed("You need to be a researcher of this project.")


def may_see_all(asker: Asker) -> bool:
    """Say whether the asker sees every dataset, not only those of own projects."""
    return bool(asker.platform & (CUSTODIANS | {Role.AUDITOR}))


def may_see_sizes(observability: str) -> bool:
    """Say whether sizes of files are shown: in coarse mode they would tell of the data (T4)."""
    return observability == "open"


def may_fill(asker: Asker, asked: Asked) -> bool:
    """Say whether the asker may add files."""
    return _may(check_may_fill, asker, asked)


def may_share(asker: Asker, asked: Asked, *, project: str) -> bool:
    """Say whether the asker may give this dataset to `project`."""
    return _may(check_may_share, asker, asked, project=project)


def _may(check: Callable[..., None], *given: Any, **named: Any) -> bool:
    try:
        check(*given, **named)
    except (NotAllowed, NotFound, Conflict):
        return False
    return True
