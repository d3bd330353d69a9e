"""A hostile workflow that two vetters believed asks its gateway for commands of its own, and is refused each time."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hostile import GATEWAY, events, rows, vetted
from site_of_tests import Site

# Runs when Snakemake parses the workflow, and asks for everything that its manifest does not say.
ATTACK = """
answers = {}
work, scripts = "/run/work", "/run/work/.snakemake/scripts"

def bash(text):
    return {"executors": [{"image": "genomics", "command": ["bash", "-c", text], "workdir": work}]}

def ask(name, rule, **changes):
    answers[name] = send({**job("", [f"{work}/{name}.txt"], rule=rule), **changes})

FIRST = "set -euo pipefail;  "
ask("own", "greet", **bash("id"))
ask("strange", "elsewhere", **bash(FIRST + "echo 3 a > strange.txt"))
ask("behind", "greet", **bash(FIRST + "echo 3 a > behind.txt; id"))
ask("before", "greet", **bash("id; " + FIRST + "echo 3 a > before.txt"))
ask("lax", "greet", **bash("echo 3 a > lax.txt"))
ask("parameter", "greet", **bash(FIRST + "echo 4 a > parameter.txt"))
ask("shell", "greet", **bash(FIRST + "echo 3 $(id) > shell.txt"))
ask("line", "greet", **bash(FIRST + "echo 3 a > line.txt\\nid"))
ask("target", "greet", **bash(FIRST + "echo 3 a > elsewhere.txt"))
measure = open("/opt/plugins/snakemake_executor_plugin_strongroom/benchmark.sh").read()
honest = ["bash", "-c", FIRST + "echo 3 a > measured.txt"]
ask("measured", "greet", executors=[{"image": "genomics", "workdir": work,
    "command": ["bash", "-c", measure, "benchmark", "measured.txt", "1", *honest]}])
for name, content in {
    "script": "import os; os.system('id')",
    "honest": None,
    "facts": None,
}.items():
    path = f"{scripts}/{name}.count.python3"
    call = open("/opt/plugins/snakemake_executor_plugin_strongroom/in_task.py").read()
    facts = {"named": {kind: ([], {}) for kind in ("input", "log", "wildcards", "resources")}, "plain": {"threads": 1,
        "rule": "count", "config": config, "scriptdir": "/run/workflow", "bench_iteration": None}}
    facts["named"].update(output=([name + ".txt"], {}), params=([3 if name == "honest" else 0], {"k": (0, None)}))
    content = content or call + "\\n\\nrun(" + repr("/run/workflow/count.py") + ", " + repr(facts) + ")\\n"
    ask(name, "count", inputs=[{"path": path, "content": content}],
        executors=[{"image": "genomics", "command": ["python3", path], "workdir": work}])
with open("findings.json", "w") as file:
    json.dump(answers, file)

rule all:
    input: "a.txt", "b.txt"
rule greet:
    output: "{name}.txt"
    params: number=config["number"]
    resources: mem_mb=100, disk_mb=50
    shell: "echo {params.number} {wildcards.name} > {output}"
rule count:
    output: "b.txt"
    params: k=config["number"]
    resources: mem_mb=100, disk_mb=50
    script: "count.py"
ruleorder: count > greet
"""
COUNT = 'open(snakemake.output[0], "w").write(str(snakemake.params.k))\n'
PARAMETERS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"number": {"type": "integer", "minimum": 1, "maximum": 9}},
}


def commands(digest: str) -> dict[str, Any]:
    """Return what the manifest says: all that the honest rules need."""
    typed = {"config": "number"}
    return {
        "greet": {
            "shell": "echo {params.number} {wildcards.name} > {output}",
            "holes": {"params.number": typed},
        },
        "count": {"script": "count.py", "digest": digest, "holes": {"params.k": typed}},
    }


@pytest.fixture(scope="module")
def attack(site: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """The run of the attack, and what the gateway said to each of its asks."""
    digest = f"sha256:{hashlib.sha256(COUNT.encode()).hexdigest()}"
    folder: Path = tmp_path_factory.mktemp("bound") / "w"
    url = vetted(
        site,
        folder,
        "unbound",
        GATEWAY + ATTACK,
        files={"count.py": COUNT},
        parameters=PARAMETERS,
        commands=commands(digest),
    )
    run = site.submit(url, {"number": 3})
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    found = (site.stage.home / "runs" / run / "work" / "findings.json").read_text()
    return run, json.loads(found)


def test_t18_an_engine_gets_signed_commands_only(site: Site, attack: tuple[str, dict[str, Any]]) -> None:
    run, answers = attack
    assert answers.pop("honest")[0] == 200  # what is signed runs, whoever asks
    assert len(answers) == 12
    for name, (status, text) in answers.items():
        assert status == 403, (name, text)
        assert "not a command that the vetters signed" in text
    # The two honest rules and the honest ask by hand became tasks; nothing else did.
    assert sorted(rule for (rule,) in rows(site, "select rule from run_tasks where run = ?", run)) == [
        "count",
        "count",
        "greet",
    ]


def test_t18_each_refusal_is_in_the_audit_log(site: Site, attack: tuple[str, dict[str, Any]]) -> None:
    refused = events(site, "run.task_refused", attack[0])
    assert [event["facts"]["rule"] for event in refused] == [
        "greet",
        "elsewhere",
        *["greet"] * 8,
        "count",
        "count",
    ]


def test_t18_free_commands_are_told_in_the_audit_log(site: Site, attack: tuple[str, dict[str, Any]]) -> None:
    (submitted,) = events(site, "run.submitted", attack[0])
    assert submitted["facts"]["free_commands"] == []
