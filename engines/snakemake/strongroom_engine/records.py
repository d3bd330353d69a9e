"""Keeps Snakemake's records in files without loading what would keep them in a database, a third of its start."""

import importlib
import sys
from types import ModuleType
from typing import Any

import pydantic

RECORDS, IN_DATABASES = "snakemake.persistence", "snakemake.persistence.db"


def in_files() -> None:
    """Load Snakemake's records with stand-ins for two packages whose part in records of files is none.

    The stand-ins are gone when this ends: a workflow that imports these packages has them as they are.
    """
    loaded = {"sqlalchemy": _module("sqlalchemy", Column=_nothing, JSON=None)}
    loaded["sqlmodel"] = _module("sqlmodel", SQLModel=pydantic.BaseModel, Field=_field)
    sys.modules |= loaded
    try:
        importlib.import_module(RECORDS)
    finally:
        for name in loaded:
            del sys.modules[name]
    sys.modules[IN_DATABASES] = _module(IN_DATABASES, DbPersistence=_refuse)


def _module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(content)
    return module


def _nothing(*_: object) -> None:
    """Be a column of no table."""


def _field(*, sa_column: None, **how: Any) -> Any:  # noqa: ARG001
    return pydantic.Field(**how)


def _refuse(**_: object) -> None:
    raise NotImplementedError("Here records are kept in files.")
