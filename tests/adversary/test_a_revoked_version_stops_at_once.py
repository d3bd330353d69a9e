"""A vetter revokes a version: no run of it starts, those that run are canceled, and the log says so."""

import json
from pathlib import Path

from hostile import events, eventually, in_state, vetted
from refusals import refused, submit
from site_of_tests import Site

SLEEPS = """
rule all:
    input: "done.txt"
rule sleeper:
    output: "done.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "sleep 600; touch {output}"
"""
VETTED_ONLY = "Only vetted workflows may run here, named NAME/VERSION; `strongroom workflow list` shows them."


def test_t23_a_revoked_version_stops_at_once(site: Site, tmp_path: Path) -> None:
    url = vetted(site, tmp_path / "w", "recalled", SLEEPS)
    run = site.submit(url, {})
    eventually(lambda: in_state(site, run, "RUNNING"), site.engine_log(run), within=60)
    vera = str(site.stage.home / "vetters" / "vera.pem")
    told = json.loads(site.stage.run("workflow", "revoke", url, "--key", vera, "--json").stdout)
    assert told == {"version": url, "canceled_runs": [run]}
    assert site.ended(run) == "CANCELED"
    assert in_state(site, run, "RUNNING") == []
    refused(site, lambda: submit(site, url), 403, VETTED_ONLY)
    (event,) = events(site, "workflow.revoked", url)
    assert (event["facts"]["reason"], event["facts"]["runs"], event["facts"]["canceled"]) == ("unsafe", 1, True)
    again = site.stage.run("workflow", "revoke", url, "--key", vera, check=False)
    assert again.returncode != 0
    listed = json.loads(site.stage.run("workflow", "list", "--json").stdout)
    assert [(one["vetted"], one["revoked"]) for one in listed if one["name"] == "recalled"] == [(False, True)]
