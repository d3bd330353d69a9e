"""The Snakemake plug-ins against real Snakemake on a stub tree, with a small gateway that runs its tasks."""

import json
import os
import signal
import threading
import time
from typing import Any

import pytest
from engine_room import Room


def test_shell_rules_run_as_tasks_and_the_engine_sees_no_content(room: Room) -> None:
    room.give("in.txt", "the plaintext\n")
    outcome = room.run(
        """
rule all:
    input: "out/a.txt", "out/b.txt"
rule copy:
    input: "in.txt"
    output: "out/{x}.txt"
    log: "logs/{x}.log"
    threads: 2
    resources: mem_mb=300, disk_mb=100, runtime=7
    params: word=lambda w: w.x * 2
    shell: "cat {input} > {output}; echo {params.word} $OMP_NUM_THREADS >> {output}"
"""
    )
    assert outcome.code == 0, outcome.text
    assert (room.plain / "out/a.txt").read_text() == "the plaintext\naa 2\n"
    assert not any((room.view / "out/a.txt").read_bytes())
    body = min(room.gateway.bodies, key=lambda b: b["outputs"][0]["path"])
    assert body["name"] == "copy"
    assert body["tags"]["rule"] == "copy"
    assert body["resources"] == {
        "cpu_cores": 2,
        "ram_gb": 0.3,
        "disk_gb": 0.1,
        "backend_parameters": {"walltime_seconds": "420"},
    }
    assert body["executors"][0]["image"] == "genomics"
    assert body["executors"][0]["workdir"] == str(room.view)
    assert body["executors"][0]["command"][:2] == ["bash", "-c"]
    assert body["inputs"] == [{"path": str(room.view / "in.txt"), "type": "FILE"}]
    assert body["outputs"] == [
        {"path": str(room.view / "out/a.txt"), "type": "FILE"},
        {"path": str(room.view / "logs/a.log"), "type": "FILE"},
    ]
    assert body["touch"] == []


def test_events_tell_of_rules_and_progress_and_of_nothing_else(room: Room) -> None:
    outcome = room.run(
        """
rule all:
    input: expand("{x}.txt", x=["p", "q"])
rule make:
    output: "{x}.txt"
    shell: "echo secret-word > {output}"
"""
    )
    assert outcome.code == 0, outcome.text
    kinds = [event["event"] for event in outcome.events]
    assert kinds[:2] == ["workflow_started", "run_info"]
    assert (outcome.events[1]["total"], outcome.events[1]["tasks_of_rule"]) == (2, {"make": 2})
    assert {"rule": "make", "wildcards": {"x": "p"}}.items() <= next(
        e for e in outcome.events if e["event"] == "job_info" and e["wildcards"] == {"x": "p"}
    ).items()
    assert kinds.count("job_finished") == 3
    assert [(e["done"], e["total"]) for e in outcome.events if e["event"] == "progress"][-1] == (3, 3)
    assert "secret-word" not in json.dumps(outcome.events)


def test_scripts_get_the_facts_of_their_job(room: Room) -> None:
    (room.flow / "scripts").mkdir()
    (room.flow / "scripts/sibling.py").write_text("WORD = 'sibling'\n")
    (room.flow / "scripts/tell.py").write_text(
        "from __future__ import annotations\n"
        "from snakemake.script import snakemake as same\n"
        "from sibling import WORD\n"
        "assert same is snakemake and __name__ == '__main__'\n"
        "with open(snakemake.output.table, 'w') as out:\n"
        "    out.write(' '.join([open(snakemake.input[0]).read().strip(), snakemake.wildcards.x, WORD,\n"
        "        str(snakemake.params.limits), str(snakemake.params['it']), str(snakemake.threads),\n"
        "        str(snakemake.input.rest), snakemake.config['k'][0], snakemake.rule]))\n"
    )
    (room.flow / "scripts/tell.sh").write_text(
        'cat "${snakemake_input[0]}" > "${snakemake_output[0]}"\n'
        'echo "${snakemake_params[word]}" >> "${snakemake_output[0]}"\n'
    )
    for name in ("a", "b", "c"):
        room.give(f"{name}.txt", name)
    outcome = room.run(
        """
from pathlib import Path
config["k"] = ["five"]
rule all:
    input: "py/one.txt", "sh/one.txt"
rule python:
    input: "a.txt", rest=["b.txt", "c.txt"]
    output: table="py/{x}.txt"
    params: limits={1: (2, None, True)}, it=Path("x") / "y"
    script: "scripts/tell.py"
rule bash:
    input: "a.txt"
    output: "sh/{x}.txt"
    params: word="it's"
    script: "scripts/tell.sh"
"""
    )
    assert outcome.code == 0, outcome.text
    assert (room.plain / "py/one.txt").read_text() == (
        "a one sibling {1: (2, None, True)} x/y 1 b.txt c.txt five python"
    )
    assert (room.plain / "sh/one.txt").read_text() == "ait's\n"


def test_touched_temporary_and_directory_outputs_keep_their_meaning(room: Room) -> None:
    outcome = room.run(
        """
rule all:
    input: "total.txt", "done.flag"
rule parts:
    output: directory("parts"), temp("scratch.txt")
    shell: "mkdir {output[0]}; echo 1 > {output[0]}/a; echo 2 > {output[0]}/b; echo 3 > {output[1]}"
rule total:
    input: "parts", "scratch.txt"
    output: "total.txt"
    shell: "cat {input[0]}/* {input[1]} > {output}"
rule flag:
    input: "total.txt"
    output: touch("done.flag")
    shell: "test -s {input}"
"""
    )
    assert outcome.code == 0, outcome.text
    assert (room.plain / "total.txt").read_text() == "1\n2\n3\n"
    assert (room.view / "done.flag").exists()
    assert not (room.view / "scratch.txt").exists()
    of_rule = {body["name"]: body for body in room.gateway.bodies}
    assert of_rule["flag"]["outputs"] == []
    assert of_rule["flag"]["touch"] == [str(room.view / "done.flag")]
    assert of_rule["parts"]["outputs"][0]["type"] == "DIRECTORY"
    assert of_rule["total"]["inputs"][0]["type"] == "DIRECTORY"


def test_a_second_run_finds_everything_done_and_asks_for_nothing(room: Room) -> None:
    snakefile = """
rule all:
    output: "x.txt"
    shell: "echo > {output}"
"""
    assert room.run(snakefile).code == 0
    again = room.run(snakefile)
    assert again.code == 0, again.text
    assert len(room.gateway.bodies) == 1


def test_a_missing_output_fails_its_rule(room: Room) -> None:
    outcome = room.run('rule all:\n    output: "never.txt"\n    shell: "true"\n')
    assert outcome.code == 1
    assert "MissingOutputException" in outcome.text


def test_a_failing_job_fails_the_run_with_its_exit_code(room: Room) -> None:
    outcome = room.run('rule all:\n    output: "x.txt"\n    shell: "echo > {output}; exit 3"\n')
    assert outcome.code == 1
    assert "exit code 3" in outcome.text
    assert [e["rule"] for e in outcome.events if e["event"] == "job_error"] == ["all"]


def test_a_retried_job_may_succeed(room: Room) -> None:
    outcome = room.run(
        """
rule all:
    output: "x.txt"
    resources: mem_mb=lambda w, attempt: attempt * 100
    shell: "test {resources.mem_mb} -gt 100; echo > {output}"
""",
        "--retries",
        "1",
    )
    assert outcome.code == 0, outcome.text
    assert [body["resources"]["ram_gb"] for body in room.gateway.bodies] == [0.1, 0.2]


def test_a_refusal_of_the_gateway_is_told_and_stops_the_run(room: Room) -> None:
    room.gateway.refuse = "This image is not on the allow-list; ask a vetter to add its digest."
    outcome = room.run('rule all:\n    output: "x.txt"\n    shell: "true"\n')
    assert outcome.code == 1
    assert "ask a vetter to add its digest" in outcome.text


def test_a_lost_gateway_ends_the_run(room: Room) -> None:
    process, reading = room.start('rule all:\n    output: "x.txt"\n    shell: "sleep 60"\n')
    _wait_for_task(room)
    task = next(iter(room.gateway.tasks))
    room.gateway.changes = lambda since, wait: {}  # type: ignore[method-assign]
    room.gateway._move(task, "RUNNING")
    text, _ = process.communicate(timeout=30)
    os.close(reading)
    assert process.returncode == 1, text


def test_an_interrupt_cancels_what_runs(room: Room) -> None:
    followed, changes = threading.Event(), room.gateway.changes

    def asked(since: int, wait: float) -> dict[str, Any]:
        followed.set()  # only who follows a task asks; of one whose id is under way the engine knows nothing yet
        return changes(since, wait)

    room.gateway.changes = asked  # type: ignore[method-assign]
    process, reading = room.start('rule all:\n    output: "x.txt"\n    shell: "sleep 60"\n')
    _wait_for_task(room)
    assert followed.wait(30)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=30)
    os.close(reading)
    assert process.returncode != 0, text
    assert [task["state"] for task in room.gateway.tasks.values()] == ["CANCELED"]


def test_a_command_longer_than_an_argument_may_be_still_runs(room: Room) -> None:
    outcome = room.run(
        'rule all:\n    output: "x.txt"\n    params: " ".join(["word"] * 40000)\n'
        "    shell: \"printf '%s\\\\n' {params} | wc -l > {output}\"\n"
    )
    assert outcome.code == 0, outcome.text
    assert (room.plain / "x.txt").read_text().strip() == "40000"


def test_local_rules_become_tasks_too(room: Room) -> None:
    outcome = room.run(
        'localrules: mine\nrule all:\n    input: "x.txt"\n'
        'rule mine:\n    output: "x.txt"\n    localrule: True\n    shell: "echo > {output}"\n'
    )
    assert outcome.code == 0, outcome.text
    assert [body["name"] for body in room.gateway.bodies] == ["mine"]


REFUSED = {
    'run: open(output[0], "w")': "use shell: or script:",
    'notebook: "x.ipynb"': "turn the notebook into a script",
    'template_engine: "jinja2"': "template_engine: runs inside the engine",
    'cwl: "x.cwl"': "cwl: brings an engine of its own",
    'output: pipe("p")\n    shell: "true"': "pipe() needs jobs that run together",
    'output: service("s")\n    shell: "true"': "service() needs jobs that run together",
    'output: update("u")\n    shell: "true"': "write a new file",
    'output: ensure("e", sha256="00")\n    shell: "true"': "compare the checksum in the rule's own command",
}


def test_what_cannot_be_a_task_is_refused_before_the_first_task(room: Room) -> None:
    rules = ['rule all:\n    output: "x.txt"\n    shell: "true"\n']
    for number, body in enumerate(REFUSED):
        output = "" if body.startswith("output") else f'    output: "{number}.txt"\n'
        rules.append(f"rule r{number}:\n{output}    {body}\n")
    outcome = room.run("".join(rules))
    assert outcome.code == 1
    assert [advice for advice in REFUSED.values() if advice not in outcome.text] == []
    assert room.gateway.bodies == []


@pytest.mark.parametrize(
    ("script", "advice"), [("../outside.py", "copy it into it"), ("inside.rs", "use Python (.py)")]
)
def test_a_script_that_tasks_cannot_run_is_refused(room: Room, script: str, advice: str) -> None:
    (room.flow / script).write_text("")
    outcome = room.run(f'rule all:\n    output: "x.txt"\n    script: "{script}"\n')
    assert outcome.code == 1
    assert advice in outcome.text, outcome.text
    assert room.gateway.bodies == []


def test_a_hundred_tiny_rules_take_no_sleeps(room: Room) -> None:
    outcome = room.run(
        """
rule all:
    input: expand("out/{n}.txt", n=range(100))
rule tiny:
    output: "out/{n}.txt"
    shell: "echo {wildcards.n} > {output}"
"""
    )
    assert outcome.code == 0, outcome.text
    assert len(room.gateway.bodies) == 100
    print(f"100 tiny rules: {outcome.seconds:.1f} s")
    # A poll of even 0.1 s a job would be seen; the bound leaves room for a machine that others load.
    assert outcome.seconds < 30


def _wait_for_task(room: Room) -> None:
    deadline = time.monotonic() + 30
    while not any(task["process"] for task in room.gateway.tasks.values()):
        assert time.monotonic() < deadline, "the engine submitted no task"
        time.sleep(0.02)
