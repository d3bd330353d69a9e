"""TES 1.1: tasks from create to end: what is refused, what is shown, what filters find, how cancel ends."""

import uuid
from typing import Any

import pytest
import shapes
from clauses import TES, must, should
from server import TERMINAL, Server, good
from shapes import check

pytestmark = [TES, pytest.mark.needs("tes_image")]
MARK = uuid.uuid4().hex[:12]
# ListTasks, tag_key: the table as it stands there; an empty value in a filter is any value.
TABLE = [
    ({"foo": "bar"}, {"foo": "bar"}, True),
    ({"foo": "bar"}, {"foo": "bat"}, False),
    ({"foo": ""}, {"foo": ""}, True),
    ({"foo": "bar", "baz": "bat"}, {"foo": "bar", "baz": "bat"}, True),
    ({"foo": "bar"}, {"foo": "bar", "baz": "bat"}, True),
    ({"foo": "bar", "baz": "bat"}, {"foo": "bar"}, False),
    ({"foo": ""}, {"foo": "bar"}, True),
    ({"foo": ""}, {}, False),
]


@pytest.fixture(scope="session")
def task(given: Any) -> Any:
    """Make a small task of a script; named members are added."""

    def made(script: str = "true", **more: Any) -> dict[str, Any]:
        executor = {"image": given.tes_image, "command": ["sh", "-c", script], "workdir": given.tes_folder}
        return {"name": f"{MARK}-small", "executors": [executor], **more}

    return made


@pytest.fixture(scope="session")
def create(tes: Server) -> Any:
    """Create a task and return its id."""
    return lambda task: str(good(tes.post("/tasks", json=task))["id"])


def ended(tes: Server, given: Any, identifier: str) -> Any:
    """Return a task, whole, at its end."""
    tes.states(f"/tasks/{identifier}", given.patience)
    return good(tes.get(f"/tasks/{identifier}", view="FULL"))


def filled(value: Any, **words: str) -> Any:
    """Return `value` with each of these words replaced, however deep."""
    if isinstance(value, dict):
        return {key: filled(one, **words) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, **words) for one in value]
    for word, instead in words.items():
        value = value.replace(word, instead)
    return value


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "no executors": {"executors": []},
    "executors is no list": {"executors": "x"},
    "no image": {"executors": [{"command": ["true"]}]},
    "no command": {"executors": [{"image": "IMAGE"}]},
    "a relative path of an input": {"inputs": [{"path": "a", "content": "x"}]},
    "an input without url and content": {"inputs": [{"path": "FOLDER/a"}]},
    "an output without url": {"outputs": [{"path": "FOLDER/a"}]},
    "a relative path of an output": {"outputs": [{"path": "a", "url": "file:///a"}]},
}


@must("TES-20", "POST /tasks: what contradicts the specification is refused at create (400)")
@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_contradiction_is_refused(tes: Server, given: Any, task: Any, what: str) -> None:
    """tesTask, tesExecutor, tesInput, tesOutput: required members and absolute paths."""
    change = filled(CONTRADICTIONS[what], IMAGE=given.tes_image, FOLDER=given.tes_folder)
    answer = tes.post("/tasks", json={**task(), **change})
    assert answer.status_code == 400, f"{answer.status_code}: {answer.text[:300]}"


@must("TES-21", "POST /tasks answers the id alone, and the task is there at once")
def test_a_good_task_is_there_at_once(tes: Server, task: Any) -> None:
    """CreateTask: tesCreateTaskResponse."""
    answer = good(tes.post("/tasks", json=task()))
    assert set(answer) == {"id"}
    assert good(tes.get(f"/tasks/{answer['id']}"))["id"] == answer["id"]
    assert answer["id"] in [one["id"] for one in good(tes.get("/tasks", page_size=100))["tasks"]]


@must("TES-22", "id, state, logs and creation_time of a client are ignored")
def test_what_only_servers_say_is_ignored(tes: Server, given: Any, task: Any, create: Any) -> None:
    """tesTask: these are readOnly."""
    claimed = {"id": "mine", "state": "COMPLETE", "creation_time": "1970-01-01T00:00:00Z", "logs": [{"logs": []}]}
    made = create(task(**claimed))
    assert made != "mine"
    assert not good(tes.get(f"/tasks/{made}", view="FULL"))["creation_time"].startswith("1970")


@should("TES-23", "Members that a server does not know are ignored, so that clients may be newer than servers")
def test_unknown_members_are_ignored(tes: Server, task: Any, create: Any) -> None:
    """OpenAPI: additional properties are not forbidden."""
    assert "newer" not in good(tes.get(f"/tasks/{create(task(newer={'a': 1}))}", view="FULL"))


@pytest.fixture(scope="session")
def rich(tes: Server, given: Any, task: Any, create: Any) -> Any:
    """A task with an input, tags and a second executor, at its end; its id."""
    whole = task("test -s in && echo seen", tags={"blackbox": MARK, "kind": "rich"}, description="asked by a suite")
    whole["inputs"] = [{"path": f"{given.tes_folder}/in", "content": "x\n"}]
    whole["executors"][0]["stdout"] = f"{given.tes_folder}/out"
    whole["name"] = f"{MARK}-rich"
    identifier = create(whole)
    ended(tes, given, identifier)
    return identifier


@must("TES-24", "A task whose commands exit with 0 ends COMPLETE, with exit_code 0 for each executor")
def test_a_good_task_is_complete(tes: Server, rich: str) -> None:
    """tesExecutorLog.exit_code."""
    whole = good(tes.get(f"/tasks/{rich}", view="FULL"))
    assert whole["state"] == "COMPLETE", whole.get("logs")
    assert [log["exit_code"] for log in whole["logs"][-1]["logs"]] == [0]


@must("TES-25", "FULL has everything, each member with its type, what is not nullable left out rather than null")
def test_full_has_everything(tes: Server, rich: str) -> None:
    """GetTask, view: FULL "will include all fields"."""
    whole = good(tes.get(f"/tasks/{rich}", view="FULL"))
    check(shapes.TES_TASK, whole)
    assert {"name", "description", "inputs", "executors", "tags", "logs", "creation_time"} <= set(whole)
    assert whole["inputs"][0]["content"] == "x\n"


@must("TES-26", "BASIC leaves out stdout and stderr of logs, content of inputs and system_logs, and nothing else")
def test_basic_leaves_four_things_out(tes: Server, rich: str) -> None:
    """GetTask, view: BASIC; the *paths* that an executor's streams go to stay."""
    basic, full = (good(tes.get(f"/tasks/{rich}", view=view)) for view in ("BASIC", "FULL"))
    full["inputs"][0].pop("content", None)
    for log in full["logs"]:
        log.pop("system_logs", None)
        for one in log["logs"]:
            one.pop("stdout", None), one.pop("stderr", None)
    assert basic == full
    assert basic["executors"][0]["stdout"].endswith("/out")


@must("TES-27", "MINIMAL is the default view of one task, and is id and state alone")
def test_minimal_is_the_default(tes: Server, rich: str) -> None:
    """GetTask, view: default MINIMAL."""
    assert good(tes.get(f"/tasks/{rich}")) == {"id": rich, "state": "COMPLETE"}


@must("TES-28", "A command that fails ends the task as EXECUTOR_ERROR, with its exit code")
def test_a_failing_command_is_an_executor_error(tes: Server, given: Any, task: Any, create: Any) -> None:
    """tesState: EXECUTOR_ERROR; tesExecutorLog.exit_code."""
    whole = ended(tes, given, create(task("exit 3")))
    assert (whole["state"], whole["logs"][-1]["logs"][0]["exit_code"]) == ("EXECUTOR_ERROR", 3)


@must("TES-29", "Executors run one after another; the first that fails ends the task")
def test_executors_run_in_order(tes: Server, given: Any, task: Any, create: Any) -> None:
    """tesTask.executors: "executed sequentially"; execution stops on the first error."""
    first = task("exit 4")
    first["executors"].append({**first["executors"][0], "command": ["sh", "-c", "true"]})
    whole = ended(tes, given, create(first))
    assert whole["state"] == "EXECUTOR_ERROR"
    assert [log["exit_code"] for log in whole["logs"][-1]["logs"]] == [4]


@must("TES-30", "command[0] is run as it is: no shell reads the words")
def test_no_shell_reads_the_words(tes: Server, given: Any, task: Any, create: Any) -> None:
    """tesExecutor.command: "a sequence of program arguments to execute, where the first is the program"."""
    words = task()
    words["executors"][0]["command"] = ["test", "$HOME;exit 9", "=", "$HOME;exit 9"]
    assert ended(tes, given, create(words))["state"] == "COMPLETE"


@must("TES-31", "env is the environment of the command, workdir its folder, stdin its input")
def test_environment_folder_and_input_are_given(tes: Server, given: Any, task: Any, create: Any) -> None:
    """tesExecutor: env, workdir, stdin."""
    folder = given.tes_folder
    whole = task(f'test "$ASKED" = "a b" && test "$(pwd)" = "{folder}" && test "$(cat)" = x')
    whole["inputs"] = [{"path": f"{folder}/in", "content": "x\n"}]
    whole["executors"][0].update(env={"ASKED": "a b"}, stdin=f"{folder}/in")
    assert ended(tes, given, create(whole))["state"] == "COMPLETE"


@must("TES-32", "logs[].outputs has a row for each file: url, path, and size_bytes as a string")
@pytest.mark.needs("tes_output_url")
def test_outputs_are_listed(tes: Server, given: Any, task: Any, create: Any) -> None:
    """tesOutputFileLog: size_bytes is a string of an int64."""
    place, url = f"{given.tes_folder}/blackbox.txt", f"{given.tes_output_url}/blackbox.txt"
    whole = ended(tes, given, create(task(f"printf 12345 > {place}", outputs=[{"path": place, "url": url}])))
    assert whole["state"] == "COMPLETE", whole["logs"]
    (row,) = whole["logs"][-1]["outputs"]
    assert (row["path"], row["size_bytes"]) == (place, "5")


@must("TES-33", "GET /tasks: the table of tag filters")
@pytest.mark.parametrize(("asked", "tags", "match"), TABLE)
def test_the_table_of_tag_filters(
    tes: Server, task: Any, create: Any, asked: dict[str, str], tags: dict[str, str], match: bool
) -> None:
    """ListTasks, tag_key and tag_value: zipped; an empty value matches any."""
    made = create(task(tags=tags))
    query = {"tag_key": list(asked), "tag_value": list(asked.values())}
    found = [one["id"] for page in tes.pages("/tasks", "tasks", 256, **query) for one in page]
    assert (made in found) is match


@must("TES-34", "GET /tasks: name_prefix, state and tags hold together")
def test_filters_hold_together(tes: Server, rich: str) -> None:
    """ListTasks: a task must match every filter."""

    def found(**query: str) -> list[str]:
        return [one["id"] for page in tes.pages("/tasks", "tasks", 256, **query) for one in page]

    assert found(name_prefix=f"{MARK}-ri") == [rich]
    assert found(name_prefix=f"{MARK}-ri", state="COMPLETE", tag_key="kind", tag_value="rich") == [rich]
    assert found(name_prefix=f"{MARK}-ri", state="CANCELED") == found(name_prefix=f"{MARK}-xx") == []
    assert found(name_prefix=f"{MARK}-ri", tag_key="kind", tag_value="poor") == []


@must("TES-35", "GET /tasks, page by page and with a filter: no gap, no repeat; a token of another filter is 400")
def test_pages_have_no_gap_and_no_repeat(tes: Server, task: Any, create: Any) -> None:
    """ListTasks, page_token."""
    made = {create(task(tags={"paged": MARK})) for _ in range(5)}
    query = {"tag_key": "paged", "tag_value": MARK}
    pages = tes.pages("/tasks", "tasks", 2, **query)
    found = [one["id"] for page in pages for one in page]
    assert (set(found), len(found)) == (made, 5)
    token = good(tes.get("/tasks", page_size=2, **query))["next_page_token"]
    answer = tes.get("/tasks", page_size=2, page_token=token, name_prefix=f"{MARK}-xx")
    assert answer.status_code == 400, answer.text[:300]


@must("TES-36", "Cancel answers 200 {}; the task goes by CANCELING to CANCELED and stays there")
def test_a_canceled_task_stays_canceled(tes: Server, given: Any, task: Any, create: Any) -> None:
    """CancelTask; tesState: CANCELING, CANCELED."""
    made = create(task("sleep 600"))
    tes.states(f"/tasks/{made}", given.patience, {"RUNNING", *TERMINAL})
    assert good(tes.post(f"/tasks/{made}:cancel")) == {}
    states = tes.states(f"/tasks/{made}", given.patience)
    assert [state for state in states if state != "CANCELING"] in (["CANCELED"], ["RUNNING", "CANCELED"])
    assert good(tes.post(f"/tasks/{made}:cancel")) == {}
    assert good(tes.get(f"/tasks/{made}"))["state"] == "CANCELED"


@must("TES-37", "Canceling a task that ended changes nothing")
def test_cancel_of_what_ended_changes_nothing(tes: Server, rich: str) -> None:
    """CancelTask: a task that ended stays as it is."""
    assert tes.post(f"/tasks/{rich}:cancel").status_code == 200
    assert good(tes.get(f"/tasks/{rich}"))["state"] == "COMPLETE"


@must("TES-38", "backend_parameters that are not supported: neither stored nor returned; with strict, 400")
def test_unknown_backend_parameters(tes: Server, given: Any, task: Any, create: Any) -> None:
    """tesResources.backend_parameters and backend_parameters_strict."""
    unknown = {"backend_parameters": {"no-such-parameter": "x"}}
    shown = good(tes.get(f"/tasks/{create(task(resources=unknown))}", view="FULL"))
    assert "no-such-parameter" not in shown.get("resources", {}).get("backend_parameters", {})
    strict = tes.post("/tasks", json=task(resources={**unknown, "backend_parameters_strict": True}))
    assert strict.status_code == 400, strict.text[:300]


@should("TES-39", "More than there is, is 400 at create or SYSTEM_ERROR soon, never QUEUED for ever")
def test_too_much_is_refused(tes: Server, given: Any, task: Any) -> None:
    """tesResources: requests that no node can meet."""
    answer = tes.post("/tasks", json=task(resources={"ram_gb": 1e6}))
    if answer.status_code != 400:
        assert tes.states(f"/tasks/{good(answer)['id']}", given.patience)[-1] == "SYSTEM_ERROR"


@must("TES-40", "Somebody else's task is 404, or 403, on get and cancel, and in no list or filter of theirs")
@pytest.mark.needs("other_token")
def test_somebody_elses_task_is_hidden(given: Any, rich: str) -> None:
    """ListTasks, GetTask, CancelTask: what a caller may see."""
    other = Server(given.tes_other_url or given.tes_url, given.other_token)
    statuses = {other.get(f"/tasks/{rich}").status_code, other.post(f"/tasks/{rich}:cancel").status_code}
    assert statuses in ({404}, {403})
    for query in ({}, {"name_prefix": MARK}, {"tag_key": "blackbox"}, {"state": "COMPLETE"}):
        assert rich not in [one["id"] for page in other.pages("/tasks", "tasks", 256, **query) for one in page]
