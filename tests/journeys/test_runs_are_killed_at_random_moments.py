"""Kill -9 at random moments, of the engine and of all that serves it: runs end well, and nothing is done twice."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nextflow_house
import pytest
from hostile import children, events, eventually, processes, rows, vetted
from site_of_tests import Site

from strongroom.cli.run import TERMINAL
from strongroom.cli.serve import wait_until_ready

PARTS = 8
SIZE = sum(2 * len(f"{n}\n") for n in range(1, PARTS + 1))  # of all.txt, whoever was killed
TASKS = 2 * PARTS + 1
VICTIMS = ["engine", "engine", "walls", "supervisor", "supervisor", "supervisor", "worker", "api", "api", "server"]
SNAKEMAKE = """
rule all:
    input: "all.txt"
rule part:
    output: temp("parts/{n}.txt")
    resources: mem_mb=50, disk_mb=20
    shell: "sleep 0.2; echo {wildcards.n} > {output}"
rule twice:
    input: "parts/{n}.txt"
    output: "twice/{n}.txt"
    resources: mem_mb=50, disk_mb=20
    shell: "sleep 0.2; cat {input} {input} > {output}"
rule together:
    input: expand("twice/{n}.txt", n=range(1, PARTS + 1))
    output: "all.txt"
    resources: mem_mb=50, disk_mb=20
    shell: "cat {input} > {output}"
"""
NEXTFLOW = """
process PART {
    container 'genomics'
    memory 50.MB
    disk 20.MB
    input:
    val n
    output:
    path 'part.txt'
    script:
    "sleep 0.2; echo ${n} > part.txt"
}
process TWICE {
    container 'genomics'
    memory 50.MB
    disk 20.MB
    input:
    path 'part.txt'
    output:
    path 'twice.txt'
    script:
    "sleep 0.2; cat part.txt part.txt > twice.txt"
}
process TOGETHER {
    container 'genomics'
    memory 50.MB
    disk 20.MB
    input:
    path 'twice*.txt'
    output:
    path 'all.txt'
    script:
    "cat twice*.txt > all.txt"
}
workflow {
    PART(Channel.of(1..PARTS))
    TWICE(PART.out)
    TOGETHER(TWICE.out.collect(sort: { it.parent.name }))
}
"""


@dataclass(frozen=True)
class Moment:
    """When to kill: so many tasks after the engine's launch, and then so many seconds."""

    tasks: int
    seconds: float


def _moment(dice: random.Random) -> Moment:
    # Some while an engine starts, some while it works; the smaller part, for each waits until a new one works.
    return Moment(0, dice.uniform(0, 2)) if dice.random() < 0.6 else Moment(dice.randint(1, 2), dice.uniform(0, 0.5))


@dataclass
class Story:
    """The runs of one engine on one site, and what was complete when somebody was killed."""

    site: Site
    workflow: str
    engine: str
    run: str = ""
    runs: list[str] = field(default_factory=list)
    before: dict[str, set[str]] = field(default_factory=dict)

    def state(self) -> str:
        """Return the state of the run, which the database knows while the API is dead."""
        return str(rows(self.site, "select state from runs where id = ?", self.run)[0][0]) if self.run else "COMPLETE"

    def submit(self) -> None:
        """Begin the next run."""
        assert self.site.stage.process is not None
        wait_until_ready(self.site.stage.settings, self.site.stage.process)
        self.run = self.site.submit(self.workflow, {"inputs": {}}, engine=self.engine)
        self.runs.append(self.run)

    def kill(self, victim: str, moment: "Moment") -> bool:
        """Kill a victim at a moment of an engine's life; say whether the run had not ended by itself."""
        eventually(lambda: self.state() in TERMINAL or walls_of(self.site), "no engine was launched", within=60)
        wanted = moment.tasks + len(complete(self.site, self.run))
        eventually(
            lambda: self.state() in TERMINAL or len(complete(self.site, self.run)) >= wanted,
            "no task is done",
            within=self.site.patience,
        )
        time.sleep(moment.seconds)
        self.before.setdefault(self.run, set()).update(complete(self.site, self.run))
        if victim == "server":
            self.site.stage.kill()
            self.site.stage.start()
            return True
        found = WHO[victim](self.site)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(found) and self.state() not in TERMINAL

    def ended(self) -> str:
        """Wait for the end of the run."""
        eventually(lambda: self.state() in TERMINAL, f"the run is {self.state()}", within=self.site.patience)
        return self.state()


def complete(site: Site, run: str) -> set[str]:
    """Return the tasks of a run that TES has as COMPLETE: its gateway may have died before it heard."""
    return {task for (task,) in rows(site, "select id from tasks where run = ? and state = 'COMPLETE'", run)}


def walls_of(site: Site) -> list[int]:
    """Return the outermost process of each engine's walls."""
    return [pid for worker in processes(site, "worker") for pid in children(worker) if _is(pid, "bwrap")]


def engines_of(site: Site) -> list[int]:
    """Return the engines' own processes, below their walls."""
    found, waiting = list[int](), walls_of(site)
    while waiting:
        pid = waiting.pop()
        waiting += children(pid) if _is(pid, "bwrap") else []
        found += [] if _is(pid, "bwrap") else [pid]
    return found


def supervisors_of(site: Site) -> list[int]:
    """Return the workers' children that supervise an engine."""
    return [pid for pid in processes(site, "worker") if any(_is(child, "bwrap") for child in children(pid))]


def _is(pid: int, name: str) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == name
    except OSError:
        return False


WHO: dict[str, Callable[[Site], list[int]]] = {
    "engine": engines_of,
    "walls": walls_of,
    "supervisor": supervisors_of,
    "worker": lambda site: processes(site, "worker"),
    "api": lambda site: processes(site, "api"),
}


@pytest.fixture(scope="module", params=["snakemake", "nextflow"])
def story(site: Site, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A vetted workflow of short tasks for each engine."""
    folder = tmp_path_factory.mktemp("killed")
    if request.param == "snakemake":
        text = SNAKEMAKE.replace("PARTS", str(PARTS))
        return Story(site, vetted(site, folder / "w", "often-killed", text), "snakemake")
    files = {"main.nf": NEXTFLOW.replace("PARTS", str(PARTS))}
    free = ["PART", "TWICE", "TOGETHER"]
    made = nextflow_house.workflow(folder / "w", files, name="often-killed-nf", free_commands=free)
    return Story(site, site.stage.vet(made, "vera", "viktor"), "nextflow")


def test_ten_kills_at_random_moments_cost_no_run_and_no_complete_task(story: Story) -> None:
    seed = int(os.environ.get("STRONGROOM_SEED_OF_KILLS") or random.SystemRandom().randrange(1 << 32))
    dice = random.Random(seed)
    victims = dice.sample(VICTIMS, len(VICTIMS))
    told = f"STRONGROOM_SEED_OF_KILLS={seed}"
    while victims:
        if story.state() in TERMINAL:
            assert not story.run or story.state() == "COMPLETE", (told, story.site.engine_log(story.run))
            story.submit()
        moment = _moment(dice)
        told += f"\n{victims[-1]} of {story.run} at {moment}"
        if story.kill(victims[-1], moment):
            victims.pop()
    assert story.ended() == "COMPLETE", (told, story.site.engine_log(story.run))
    for run in story.runs:
        done = rows(story.site, "select key, task from run_tasks where run = ? and state = 'COMPLETE'", run)
        assert len({key for key, _ in done}) == len(done) == TASKS, told
        # Nothing that was complete was done again, or forgotten: it is what the run has in the end.
        assert story.before.get(run, set()) <= {task for _, task in done} == complete(story.site, run), told
        assert [size for path, size in story.site.sizes(run).items() if path.endswith("all.txt")] == [SIZE], told
        assert [event["facts"]["to"] for event in events(story.site, "run.state", run)].count("COMPLETE") == 1, told
    assert walls_of(story.site) == []
    assert story.site.stage.run("audit", "verify").returncode == 0, told


@pytest.mark.parametrize("story", ["snakemake"], indirect=True)
def test_an_engine_that_is_killed_again_and_again_ends_its_run_which_can_be_resumed(story: Story) -> None:
    story.submit()
    killed = set[int]()
    while story.state() not in TERMINAL:
        fresh = set(engines_of(story.site)) - killed
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed |= fresh
        time.sleep(0.1)
    assert story.state() == "SYSTEM_ERROR"
    launches = [event["facts"] for event in events(story.site, "run.engine_relaunched", story.run)]
    assert launches == [{"signal": "SIGKILL", "times": times} for times in (1, 2, 3)]
    assert [e for e in events(story.site, "run.state", story.run) if e["facts"]["to"] == "EXECUTOR_ERROR"] == []
    before = complete(story.site, story.run)
    story.site.stage.run("run", "resume", story.run, token=story.site.cast.researcher)
    assert story.ended() == "COMPLETE", story.site.engine_log(story.run)
    assert before <= complete(story.site, story.run)
