"""TES 1.1 as tasks live it, one test a line of our checklist; the numbers are those of docs/guides/tes.md."""

import re
import time
from pathlib import Path

import pytest
from official import check
from tes_service import TASKS, Service, only, reasons


def test_43_an_input_directory_is_all_that_lies_below_it(tes: Service) -> None:
    made = tes.done(
        "mkdir -p d/deep; echo 1 > d/one; echo 2 > d/deep/two; echo no > dd",
        outputs=[
            {"path": "/run/work/d", "url": tes.url("/d"), "type": "DIRECTORY"},
            {"path": "/run/work/dd", "url": tes.url("/dd")},
        ],
    )
    assert made["state"] == "COMPLETE", made
    script = 'test "$(cd in && find . -type f | sort | xargs)" = "./deep/two ./one" && test $(cat in/deep/two) = 2'
    given = {"path": "/run/work/in", "url": tes.url("/d/"), "type": "DIRECTORY"}
    assert tes.done(script, inputs=[given])["state"] == "COMPLETE"
    one = {"path": "/run/work/x", "url": tes.url("/d/one"), "type": None}
    ended = tes.done("test $(cat x) = 1 && ! (echo 2 > x) 2>/dev/null", inputs=[one])
    assert ended["state"] == "COMPLETE", ended
    assert ended["inputs"][0]["type"] == "FILE"  # filled in by the server


def test_43_a_dataset_is_a_directory_too(tes: Service) -> None:
    given = {"path": "/run/work/reads", "url": "strongroom://dataset/na18507", "type": "DIRECTORY"}
    ended = tes.done("test $(ls reads | wc -l) -gt 1 && ls -s reads", inputs=[given])
    assert ended["state"] == "COMPLETE", ended


@pytest.mark.parametrize("kind", ["FILE", "DIRECTORY"])
@pytest.mark.parametrize("place", ["strongroom://run/RUN/nothing", "strongroom://dataset/na18507/nothing"])
def test_43_an_input_that_leads_to_nothing_is_a_system_error_with_a_reason(
    tes: Service, place: str, kind: str
) -> None:
    ended = tes.done("true", inputs=[{"path": "/run/work/in", "url": place.replace("RUN", tes.run), "type": kind}])
    assert ended["state"] == "SYSTEM_ERROR"
    assert "inputs[0]" in reasons(ended)


def test_44_streamable_is_accepted_and_returned(tes: Service) -> None:
    given = [{"path": f"/run/work/{said}", "content": "x", "streamable": said} for said in (True, False)]
    task = tes.create(tes.task(inputs=given))
    assert [one["streamable"] for one in tes.shown(task)["inputs"]] == [True, False]


def test_45_wildcards_take_what_matches_and_prefixes_make_the_urls(tes: Service) -> None:
    pattern = {
        "path": "/run/work/o/*/[ab]?.txt",
        "path_prefix": "/run/work/o",
        "url": tes.url("/o"),
    }
    script = "mkdir -p o/x o/.y; touch o/x/a1.txt o/x/b22.txt o/x/c1.txt o/.y/a1.txt o/a1.txt; echo hi > o/x/b2.txt"
    outputs = only(tes.done(script, outputs=[pattern]))["outputs"]
    assert [one["path"] for one in outputs] == ["/run/work/o/x/a1.txt", "/run/work/o/x/b2.txt"]
    assert [one["url"] for one in outputs] == [tes.url("/o/x/a1.txt"), tes.url("/o/x/b2.txt")]
    assert [one["size_bytes"] for one in outputs] == ["0", "3"]


def test_46_each_file_is_one_row_and_directories_are_flattened(tes: Service) -> None:
    wanted = [{"path": "/run/work/d", "url": tes.url("/d"), "type": "DIRECTORY"}]
    ended = tes.done("mkdir -p d/e; echo 1 > d/a; printf 12345 > d/e/b", outputs=wanted)
    check("tes", "tesTask", ended)
    assert only(ended)["outputs"] == [
        {"url": tes.url("/d/a"), "path": "/run/work/d/a", "size_bytes": "2"},
        {"url": tes.url("/d/e/b"), "path": "/run/work/d/e/b", "size_bytes": "5"},
    ]


def test_47_what_a_failed_task_left_is_kept_and_no_input_of_others(tes: Service) -> None:
    ended = tes.done("echo half > f47; exit 3", outputs=[{"path": "/run/work/f47", "url": tes.url("/f47")}])
    assert ended["state"] == "EXECUTOR_ERROR"
    assert only(ended)["outputs"] == [{"url": tes.url("/f47"), "path": "/run/work/f47", "size_bytes": "5"}]
    again = tes.done("true", inputs=[{"path": "/run/work/f47", "url": tes.url("/f47")}])
    assert again["state"] == "SYSTEM_ERROR"


def test_47_a_missing_output_is_no_system_error(tes: Service) -> None:
    ended = tes.done("true", outputs=[{"path": "/run/work/none", "url": tes.url("/none")}])
    assert (ended["state"], only(ended)["outputs"]) == ("COMPLETE", [])


def test_48_each_executor_has_a_row_with_times_and_an_exit_code(tes: Service) -> None:
    ended = tes.ended(
        tes.create(
            {"executors": [tes.executor("exit 4", ignore_error=True), tes.executor("exit 5"), tes.executor("true")]}
        )
    )
    assert ended["state"] == "EXECUTOR_ERROR"
    rows = only(ended)["logs"]
    assert [row["exit_code"] for row in rows] == [4, 5]
    assert all(re.fullmatch(r"[0-9-]{10}T[0-9:.]+Z", row[at]) for row in rows for at in ("start_time", "end_time"))
    assert all(isinstance(value, str) for value in only(ended)["metadata"].values())


def test_49_the_command_is_run_as_it_is(tes: Service) -> None:
    executor = {"image": tes.image, "command": ["test", "$HOME;x", "=", "$HOME;x"]}
    assert tes.ended(tes.create({"executors": [executor]}))["state"] == "COMPLETE"
    words = {"image": tes.image, "command": ["true false"]}  # one word that is no program: no shell takes it apart
    ended = tes.ended(tes.create({"executors": [words]}))
    assert (ended["state"], only(ended)["logs"][0]["exit_code"]) == ("EXECUTOR_ERROR", 127)


def test_49_streams_workdir_and_environment_are_honoured(tes: Service) -> None:
    write = tes.executor("cat; pwd; echo $WORD; echo err >&2", stdin="/run/work/in", stdout="/run/work/o/out",
                         stderr="/run/work/err", workdir="/run/work/o", env={"WORD": "of the client"})  # fmt: skip
    lines = r'test "$(cat o/out err | xargs)" = "given /run/work/o of the client err"'
    given = [{"path": "/run/work/in", "content": "given\n"}]
    assert tes.ended(tes.create({"executors": [write, tes.executor(lines)], "inputs": given}))["state"] == "COMPLETE"


def test_50_a_volume_is_empty_shared_by_executors_and_by_no_other_task(tes: Service) -> None:
    first = tes.executor('test -z "$(ls -A /data/A)" && echo 1 > /data/A/x')
    second = tes.executor("test $(cat /data/A/x) = 1")
    for _ in range(2):
        ended = tes.ended(tes.create({"executors": [first, second], "volumes": ["/data/A"]}))
        assert ended["state"] == "COMPLETE", ended
        assert only(ended)["outputs"] == []


def test_50_an_output_may_lie_in_a_volume(tes: Service) -> None:
    wanted = [{"path": "/data/out", "url": tes.url("/data/out")}]
    made = tes.done("echo 1 > /data/out", volumes=["/data"], outputs=wanted)
    assert [one["url"] for one in only(made)["outputs"]] == [tes.url("/data/out")]
    ended = tes.done("test $(cat in) = 1", inputs=[{"path": "/run/work/in", "url": tes.url("/data/out")}])
    assert ended["state"] == "COMPLETE", ended


def test_51_executors_run_in_order_and_stop_at_the_first_error(tes: Service) -> None:
    steps = [tes.executor("echo a >> log"), tes.executor("echo b >> log; false"), tes.executor("echo c >> log")]
    wanted = [{"path": "/run/work/log", "url": tes.url("/log")}]
    ended = tes.ended(tes.create({"executors": steps, "outputs": wanted}))
    assert (ended["state"], len(only(ended)["logs"])) == ("EXECUTOR_ERROR", 2)
    assert only(ended)["outputs"][0]["size_bytes"] == "4"


def living(mark: str) -> list[str]:
    """Return the processes of this host whose command line holds `mark`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in file.read_bytes():
                found.append(file.parent.name)
        except OSError:
            continue
    return found


def test_53_canceled_means_that_nothing_of_it_lives(tes: Service) -> None:
    mark = f"987{time.time_ns() % 10**6}"
    task = tes.create({"executors": [{"image": tes.image, "command": ["sleep", mark]}]})
    tes.wait_for(task, "RUNNING")
    answer = tes.cancel(task)
    assert (answer.status_code, answer.json()) == (200, {})
    assert tes.shown(task, "MINIMAL")["state"] in ("CANCELING", "CANCELED")
    tes.wait_for(task, "CANCELED")
    assert not living(mark)
    assert tes.cancel(task).status_code == 200
    time.sleep(0.2)
    assert tes.shown(task, "MINIMAL")["state"] == "CANCELED"


def test_53_a_task_that_waits_is_canceled_at_once(tes: Service) -> None:
    cores = int(tes.site.stage.settings.tes.cores)
    holding = [tes.create(tes.task("sleep 60", resources={"cpu_cores": cores})) for _ in range(2)]
    waiting = tes.create(tes.task("true", resources={"cpu_cores": cores}))
    assert tes.cancel(waiting).json() == {}
    assert tes.shown(waiting, "MINIMAL")["state"] in ("CANCELED", "CANCELING")
    for task in holding:
        tes.cancel(task)
    for task in [*holding, waiting]:
        tes.wait_for(task, "CANCELED")


def test_53_what_has_ended_stays_as_it_ended_and_what_never_was_is_unknown(tes: Service) -> None:
    for script, state in (("true", "COMPLETE"), ("false", "EXECUTOR_ERROR")):
        ended = tes.done(script)
        assert ended["state"] == state
        assert (tes.cancel(ended["id"]).status_code, tes.cancel(ended["id"]).json()) == (200, {})
        assert tes.shown(ended["id"]) == ended
    for unknown in ("nothing", "0" * 32, "%2e%2e"):
        assert tes.cancel(unknown).status_code == 404
        assert tes.http.get(f"{TASKS}/{unknown}").status_code == 404


def test_57_a_killed_executor_has_an_exit_code_and_its_task_a_reason(tes: Service) -> None:
    ended = tes.done("sleep 60", resources={"backend_parameters": {"walltime_seconds": "1"}})
    check("tes", "tesTask", ended)
    assert (ended["state"], only(ended)["logs"][0]["exit_code"]) == ("EXECUTOR_ERROR", 137)
    assert "longer" in reasons(ended)
