"""Attempts on SLURM outlive the dispatcher: kill -9 of it, or of the whole server, fails nothing."""

import os
import signal

from hostile import eventually, in_state, processes, rows
from site_of_tests import Site


def test_a_dispatcher_that_is_killed_finds_its_attempts_again(on_slurm: Site) -> None:
    run = on_slurm.submit("cohort-frequencies/1.0.0", {"inputs": {"calls": "hapmap"}})
    for done in (5, 30):
        eventually(lambda done=done: len(in_state(on_slurm, run, "COMPLETE")) > done, "no task ends", within=60)
        for pid in processes(on_slurm, "dispatcher"):
            os.kill(pid, signal.SIGKILL)
    assert on_slurm.ended(run) == "COMPLETE", on_slurm.engine_log(run)
    of_run = "from attempts a join tasks t on t.id = a.task where t.run = ?"
    ends = dict(rows(on_slurm, f"select json_extract(a.report, '$.cause'), count(*) {of_run} group by 1", run))
    assert ends["exited"] == len(in_state(on_slurm, run, "COMPLETE"))
    # What was lost was on its way through the door when it died; nothing failed for it.
    assert set(ends) <= {"exited", "lost"}
    assert on_slurm.stage.run("audit", "verify").returncode == 0


def test_a_server_that_loses_its_power_goes_on_where_it_was(on_slurm: Site) -> None:
    run = on_slurm.submit("cohort-frequencies/1.0.0", {"inputs": {"calls": "hapmap"}})
    eventually(lambda: len(in_state(on_slurm, run, "COMPLETE")) > 10, "no task ends", within=60)
    on_slurm.stage.kill()
    on_slurm.stage.start()
    assert on_slurm.ended(run) == "COMPLETE", on_slurm.engine_log(run)
