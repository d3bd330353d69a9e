"""What is shown of a task: by view, by who asks, and never more than its datasets allow (T4)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from strongroom.identity import Person, ServicePerson
from tes.schemas import View
from tes.store import Attempt, Task
from tes.tasks import TaskState
from tes.views import WITHHELD, shown

RUTH, SERVICE = Person("ruth@development"), ServicePerson("services")
MOMENT = datetime(2030, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
REQUEST = {
    "name": "n",
    "executors": [{"image": "sha256:a", "command": ["secret"], "stdout": "/run/work/out"}],
    "inputs": [{"path": "/run/work/a", "content": "secret", "type": "FILE"}],
    "tags": {"secret": "yes"},
}
REPORT = {
    "cause": "deadline",
    "reason": "The task ran longer than it may.",
    "executors": [{"exit_code": 0, "start": 1.5, "end": 2.5}, {"exit_code": None, "start": 2.5, "end": 3.5}],
    "outputs": [
        {"path": "/run/work/d/a", "object": "1", "size": 7, "role": "output"},
        {"path": "/vol/b", "object": "2", "size": 0, "role": "output"},
        {"path": "/run/work/.strongroom/stdout.0", "object": "3", "size": 9, "role": "stdout"},
    ],
}


def told(view: View, *, state: TaskState = TaskState.EXECUTOR_ERROR, who: Any = SERVICE, coarse: bool = False) -> Any:
    task = Task(
        id="t",
        run="r",
        state=state.value,
        name="n",
        coarse=coarse,
        request=REQUEST,
        plan={"executors": [{"image": "sha256:a"}, {"image": "sha256:b"}], "warnings": ["Not known."]},
        created=MOMENT,
        started=MOMENT,
        ended=None,
    )
    attempt = Attempt(id="x", task="t", number=1, backend="local", started=MOMENT, ended=MOMENT, report=REPORT)
    return shown(task, [attempt], view=view, who=who)


def test_full_has_warnings_reasons_and_an_exit_code_for_each_executor() -> None:
    (log,) = told("FULL")["logs"]
    assert log["system_logs"] == ["Not known.", "The task ran longer than it may."]
    assert [one["exit_code"] for one in log["logs"]] == [0, 137]
    assert log["outputs"] == [
        {"url": "strongroom://run/r/d/a", "path": "/run/work/d/a", "size_bytes": "7"},
        {"url": "strongroom://run/r/vol/b", "path": "/vol/b", "size_bytes": "0"},
    ]


@pytest.mark.parametrize("state", TaskState)
def test_outputs_are_shown_where_they_are_kept(state: TaskState) -> None:
    (log,) = told("BASIC", state=state)["logs"]
    assert bool(log["outputs"]) is (state in (TaskState.COMPLETE, TaskState.EXECUTOR_ERROR))


def test_basic_keeps_paths_of_streams_and_no_content() -> None:
    basic = told("BASIC")
    assert basic["inputs"] == [{"path": "/run/work/a", "type": "FILE"}]
    assert basic["executors"][0]["stdout"] == "/run/work/out"
    assert "system_logs" not in basic["logs"][0]


@pytest.mark.parametrize("view", ["BASIC", "FULL"])
def test_of_a_coarse_task_a_person_sees_name_images_and_minutes(view: View) -> None:
    seen = told(view, who=RUTH, coarse=True)
    assert seen["executors"] == [{"image": image, "command": [WITHHELD]} for image in ("sha256:a", "sha256:b")]
    assert seen["logs"] == [{"logs": [], "outputs": [], "start_time": "2030-01-02T03:04:00Z"}]
    assert not any(word in str(seen) for word in ("secret", "Not known", "longer", "/run/work"))
    assert told(view, who=SERVICE, coarse=True)["tags"] == {"secret": "yes"}


def test_minimal_is_id_and_state() -> None:
    assert told("MINIMAL", who=RUTH) == {"id": "t", "state": "EXECUTOR_ERROR"}
