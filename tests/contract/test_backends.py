"""What every backend does: an attempt starts once, ends with one report, and leaves no process behind."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from backend_house import processes_of
from sandbox_lab import shell

# Each module has `open_place(request, folder)`, a context manager of a place like `backend_local.LocalPlace`.
PLACES = {"local": "backend_local", "slurm": "backend_slurm"}


@pytest.fixture(params=PLACES, scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with import_module(PLACES[request.param]).open_place(request, folder) as one:
        yield one


def test_an_attempt_runs_and_its_outputs_are_sealed(place: Any) -> None:
    given = place.house.broker.stored("in.txt", b"abc\n" * 1000)
    outputs = [{"path": "/run/work/out.txt", "type": "FILE"}]
    told = place.submit(shell("cat in.txt in.txt > out.txt; echo said"), inputs=[given], outputs=outputs)
    report = told.end()
    assert (report["cause"], report["exit_code"]) == ("exited", 0), report
    assert told.started.is_set()
    assert place.house.opened(report) == {"out.txt": b"abc\n" * 2000, "stdout.0": b"said\n"}
    assert processes_of(told.launch) == []
