"""An author drafts a manifest, runs the workflow on open data, and asks for vetting; two vetters read and sign."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from site_of_tests import Site

SNAKEFILE = """container: "genomics"
rule all:
    input: "out/sum.tsv"
rule upper:
    input: config["inputs"]["words"][0]
    output: temp("work/upper.txt")
    params: times=config["times"]
    log: "logs/upper.log"
    shell: "tr a-z A-Z < {input} | head -n {params.times} > {output} 2> {log}"
rule count:
    input: "work/upper.txt"
    output: "out/sum.tsv"
    params: times=config["times"]
    script: "scripts/count.py"
"""
COUNT = 'open(snakemake.output[0], "w").write(str(len(open(snakemake.input[0]).read()) * snakemake.params.times))\n'


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    """The author's folder, without a manifest."""
    folder = tmp_path / "shout" / "1.0.0"
    (folder / "scripts").mkdir(parents=True)
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "scripts" / "count.py").write_text(COUNT)
    return folder


def drafted(site: Site, workflow: Path) -> dict[str, Any]:
    """Have the manifest drafted, and say whose it is."""
    file = workflow / "manifest.yaml"
    site.stage.run("workflow", "vet", str(workflow), "--draft", str(file))
    manifest: dict[str, Any] = yaml.safe_load(file.read_text()) | {"title": "Shouts", "author": "Ada"}
    file.write_text(yaml.safe_dump(manifest))
    return manifest


def test_an_author_runs_their_workflow_behind_every_wall(site: Site, workflow: Path, tmp_path: Path) -> None:
    manifest = drafted(site, workflow)
    assert manifest["commands"]["upper"]["holes"] == {"params.times": {"config": "times"}}
    assert [line["match"] for line in manifest["outputs"]] == ["out/sum.tsv"]
    words = tmp_path / "data" / "words"
    words.mkdir(parents=True)
    (words / "a.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "params.yaml").write_text("times: 2\n")
    local = ["workflow", "run-local", str(workflow), "--inputs", str(tmp_path / "data"), "--json"]
    local += ["--params", str(tmp_path / "params.yaml")]
    ran = json.loads(site.stage.run(*local).stdout)
    assert ran["state"] == "COMPLETE", ran["engine_log"]
    assert ran["refused"] == []
    assert {file["path"]: file["contract"] for file in ran["files"]} == {
        "logs/upper.log": "not promised: stays inside",
        "out/sum.tsv": "inside",
    }
    # What the gateway would refuse, the author hears before anybody else.
    manifest["commands"]["upper"]["holes"]["params.times"] = {"enum": [3]}
    # One file of their own is enough, whatever the contract lets out.
    leaves = {"release": "airlock", "rule": "count", "format": "tsv", "columns": ["a"], "keys": {"a": ["x"]}}
    manifest["outputs"] = [{"match": "out/sum.tsv", "max_rows": 9, **leaves}]
    (workflow / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    failed = site.stage.run(*local, check=False)
    assert failed.returncode == 1
    told = json.loads(failed.stdout)
    assert (told["state"], [one["rule"] for one in told["refused"]]) == ("EXECUTOR_ERROR", ["upper"])


def test_vetters_see_findings_and_changes_before_they_sign(site: Site, workflow: Path) -> None:
    manifest, stage = drafted(site, workflow), site.stage
    file = workflow / "manifest.yaml"
    # Errors keep it out of the catalogue.
    file.write_text(yaml.safe_dump(manifest | {"commands": {}}))
    refused = stage.run("workflow", "vet", str(workflow), "--json", check=False)
    assert refused.returncode == 1
    codes = [one["code"] for one in json.loads(refused.stdout)["findings"]]
    assert codes.count("command-missing") == 2
    assert stage.run("workflow", "diff", "shout/1.0.0", check=False).returncode != 0
    file.write_text(yaml.safe_dump(manifest))
    stage.vet(workflow, "vera", "viktor")
    # A new version shows what it changes, to whoever vets and signs it.
    (workflow / "Snakefile").write_text(SNAKEFILE + "\n# more\n")
    commands = {**manifest["commands"], "upper": {"free": True}}
    granted = {"lists": [{"file": "work/upper.txt", "rule": "upper", "characters": "A-Z", "longest": 5, "most": 3}]}
    file.write_text(yaml.safe_dump(manifest | {"version": "1.1.0", "commands": commands} | granted))
    taken = json.loads(stage.run("workflow", "vet", str(workflow), "--json").stdout)
    assert (taken["workflow"], taken["version"], taken["free_commands"]) == ("shout", "1.1.0", ["upper"])
    assert "command-free" in [one["code"] for one in taken["findings"]]
    assert ["bits" in sentence for sentence in taken["engine_sees"]] == [True]
    difference = json.loads(stage.run("workflow", "diff", "shout/1.1.0", "--json").stdout)
    assert difference["against"] == "1.0.0"
    assert [(one["section"], one["what"]) for one in difference["changes"]] == [
        ("manifest", "added: lists"),
        ("manifest", "changed: version"),
        ("commands", "changed: upper"),
        ("files", "changed: Snakefile"),
    ]
    signed = stage.run("workflow", "sign", "shout/1.1.0", "--key", str(stage.home / "vetters" / "vera.pem")).stdout
    assert "changed: upper" in signed
    assert "free command upper" in signed
    told = stage.run("audit", "show", "--subject", "shout/1.1.0", "--json").stdout
    assert told.count("free_commands") == 2  # when it was vetted, and when it was signed
