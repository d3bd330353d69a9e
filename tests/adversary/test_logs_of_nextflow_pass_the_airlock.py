"""What Nextflow prints comes to its researcher by promise, checks and votes, and tells of neither data nor host."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import pytest
from canaries import SLOT
from hostile import rows
from nextflow_house import workflow
from site_of_tests import Site
from test_logs_pass_the_airlock import ENGINE_LOG, OF_ENGINE, led

OUTPUTS = [{"stream": "engine", "format": "log", "release": "airlock", "max_rows": 200}, {"release": "inside"}]
TEMPLATES = [{**OUTPUTS[0], "lines": [r"\[[0-9a-f]{2}/[0-9a-f]{6}\] Submitted process > COPY \(1\)"]}, OUTPUTS[1]]
# A process that shouts its data by every way to its engine's log that Nextflow has, and an engine that asks for it.
MAIN = """
process COPY {
    container 'genomics'
    memory 100.MB
    disk 50.MB
    debug true
    errorStrategy 'ignore'
    input:
    path notes
    output:
    path @OUTPUT@
    script:
    \"\"\"
    cat ${notes}; cat ${notes} >&2
    for log in /tmp/nextflow.log .nextflow.log .command.log .command.out .command.err /proc/1/fd/1 /proc/1/fd/2; do
        cat ${notes} > \\$log || true
    done
    @MAKES@; true
    \"\"\"
}
workflow {
    @ENGINE@
    COPY(Channel.fromList(params.inputs.notes).map { file(it) })
    COPY.out.view { one -> "made ${one.name} @SEEN@" }
}
"""
LOUD = """params.inputs.notes.each { println "given ${file(it).text.replace('\\0', '')}" }
    println System.getenv(); println workflow.launchDir; println workflow.workDir; println workflow.commandLine
    println new File('/proc/self/mountinfo').text; println new File('/proc/version').text"""
SEEN = "${one.text.replace('\\0', '')}"
MAKES = {"OUTPUT": "'copy.txt'", "MAKES": "cp ${notes} copy.txt", "ENGINE": "", "SEEN": SEEN}
# The first line of the notes is their secret, which becomes the name of a file.
NAMES = {"OUTPUT": "'*.told'", "MAKES": "cp ${notes} \\$(head -n 1 ${notes}).told"}
BELOW = {"OUTPUT": "'out'", "MAKES": "mkdir out; cp ${notes} out/\\$(head -n 1 ${notes})", "SEEN": "${one.list()}"}


@pytest.fixture(scope="module")
def secret(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A string that only one file of one open dataset holds, as each of its lines."""
    found, file = secrets.token_hex(16), tmp_path_factory.mktemp("notes") / "notes.txt"
    file.write_text(f"{found}\n" * 3000)
    site.add("notes-nf", [file], observability="open", min_population=0)
    return found


def ran(site: Site, folder: Path, name: str, *, outputs: list[Any] = OUTPUTS, **words: str) -> str:
    """Have a workflow vetted, and run it to its end."""
    text = MAIN
    for hole, word in (MAKES | words).items():
        text = text.replace(f"@{hole}@", word)
    flow = workflow(folder, {"main.nf": text}, name=name, inputs=SLOT, outputs=outputs, free_commands=["COPY"])
    url = site.stage.vet(flow, "vera", "viktor")
    run = site.submit(url, {"inputs": {"notes": "notes-nf"}}, engine="nextflow")
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    return run


def released(site: Site, run: str, folder: Path) -> str:
    """Have the engine's log released, and return it as the researcher opens it."""
    held = site.held(run)
    assert {path: file["verdict"] != "block" for path, file in held.items()} == {ENGINE_LOG: True}, held
    request = site.requested(run)
    site.approved(request)
    answers = led(site, run)
    assert {name for name, one in answers.items() if one.status_code == 303} == {"engine.stdout", "engine.stderr"}
    return site.downloaded(request, folder)["engine.txt"].read_text()


def sealed_text(site: Site, run: str) -> str:
    """Return what was given to the task that seals the log."""
    ((request,),) = rows(site, "select request from tasks where run = ? and name = 'engine-log'", run)
    return str(json.loads(request)["inputs"][0]["content"])


def test_t16_nextflows_log_is_had_by_its_promise_and_two_votes(site: Site, secret: str, tmp_path: Path) -> None:
    run = ran(site, tmp_path / "w", "talks-nf", outputs=TEMPLATES)
    assert rows(site, OF_ENGINE, run) == [(1,)]
    lines = released(site, run, tmp_path / "out").splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("Submitted process > COPY (1)")


def test_t4_nextflows_log_tells_neither_data_nor_host_whatever_the_workflow_prints(
    site: Site, secret: str, tmp_path: Path
) -> None:
    run = ran(site, tmp_path / "w", "shouts-nf", ENGINE=LOUD)
    whole = (site.stage.home / "runs" / run / "engine.log").read_text()
    assert secret not in whole
    assert os.uname().release in whole  # it did try
    assert str(site.stage.home) in whole
    assert rows(site, OF_ENGINE, run) == [(1,)]
    text = sealed_text(site, run)
    assert "Submitted process" in text
    told = [word for word in (secret, os.uname().release, str(site.stage.home)) if word in text]
    assert told == []


@pytest.mark.parametrize(("name", "words"), [("names-nf", NAMES), ("below-nf", BELOW)])
def test_t4_a_log_that_may_hold_names_that_a_task_chose_is_not_even_sealed(
    site: Site, secret: str, tmp_path: Path, name: str, words: dict[str, str]
) -> None:
    run = ran(site, tmp_path / "w", name, **words)
    assert rows(site, OF_ENGINE, run) == [(0,)]
    assert secret in (site.stage.home / "runs" / run / "engine.log").read_text()  # as a name: this is why
    assert site.held(run) == {}
    assert {answer.status_code for answer in led(site, run).values()} == {409}
