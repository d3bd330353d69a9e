"""The gateway's rules for Nextflow: it writes what starts a script, which finds nothing but files of its run."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox.patterns import matches
from strongroom.errors import StrongroomError
from wes.nextflow_commands import Command
from wes.nextflow_rules import MOST_PATTERNS, expanded, job_of, wrapper
from wes.rules import Held

RUN = "a" * 32
IMAGES = {"genomics": "sha256:" + "b" * 64}
FOLDER = "work/ab/" + "c" * 30
OTHER = "work/cd/" + "e" * 30
FILES = {
    "inputs/calls/p1.vcf.gz": Held("1" * 32, is_input=True),
    f"{OTHER}/qc.tsv": Held("2" * 32, is_input=False),
    f"{OTHER}/parts/1.txt": Held("3" * 32, is_input=False),
    f"{OTHER}/parts/deep/2.txt": Held("4" * 32, is_input=False),
}


def executor(**changes: Any) -> list[dict[str, Any]]:
    return [{"image": "genomics", "script": "#!/bin/bash -ue\ntrue\n", "workdir": f"/run/work/{FOLDER}"} | changes]


def a_job(**changes: Any) -> dict[str, Any]:
    job: dict[str, Any] = {
        "name": "QC",
        "tags": {"rule": "QC", "job": "7"},
        "executors": executor(),
        "inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz", "name": "p1.vcf.gz"}],
        "outputs": ["*.stats"],
        "resources": {"cpu_cores": 1},
    }
    return job | changes


def ask(bound: bool = True, **changes: Any) -> Any:
    return job_of(a_job(**changes), run=RUN, images=IMAGES, files=FILES, is_bound=lambda rule, script: bound)


def test_a_good_job_is_a_script_and_a_wrapper_of_ours() -> None:
    task = ask().task
    assert task["executors"] == [
        {
            "image": IMAGES["genomics"],
            "command": ["bash", f"/run/work/{FOLDER}/.command.run"],
            "workdir": f"/run/work/{FOLDER}",
            "env": {},
        }
    ]
    run, script, given = task["inputs"]
    assert script == {"path": f"/run/work/{FOLDER}/.command.sh", "content": "#!/bin/bash -ue\ntrue\n"}
    assert given == {
        "path": "/run/work/inputs/calls/p1.vcf.gz",
        "type": "FILE",
        "url": "strongroom://object/" + "1" * 32,
    }
    assert "ln -s -- /run/work/inputs/calls/p1.vcf.gz p1.vcf.gz" in run["content"]


def test_what_is_taken_lies_in_the_tasks_own_folder() -> None:
    for output in ask(outputs=["*.stats", "out/**", "a.{b,c}"]).task["outputs"]:
        assert output["path"].startswith(f"/run/work/{FOLDER}/")
        assert output["url"] == f"strongroom://run/{RUN}/{FOLDER}"


@pytest.mark.parametrize(
    ("patterns", "named"),
    [
        (["a.txt", "b"], {"a.txt", "b"}),
        (["*.txt", "a.txt"], {"a.txt"}),
        (["{a,b}.txt"], set()),
        (["[ab].txt"], set()),
    ],
)
def test_t4_names_that_a_task_chooses_are_told_from_those_that_are_declared(
    patterns: list[str], named: set[str]
) -> None:
    assert ask(outputs=patterns).own == (FOLDER, {f"{FOLDER}/{one}" for one in named})


def test_the_key_is_the_same_whatever_an_engine_calls_the_job() -> None:
    assert ask().key == ask(name="other", tags={"rule": "QC", "job": "99"}).key
    assert ask().key != ask(executors=executor(script="#!/bin/bash -ue\nfalse\n")).key
    assert ask().key != ask(outputs=["*.other"]).key


def test_a_directory_becomes_the_files_below_it() -> None:
    job = ask(inputs=[{"path": f"/run/work/{OTHER}/parts", "name": "parts"}])
    assert [i["path"] for i in job.task["inputs"] if "url" in i] == [
        f"/run/work/{OTHER}/parts/1.txt",
        f"/run/work/{OTHER}/parts/deep/2.txt",
    ]


def test_an_input_that_is_declared_as_an_output_is_the_file_that_it_was() -> None:
    assert ask(outputs=["p1.vcf.gz"]).passed == {f"{FOLDER}/p1.vcf.gz": "inputs/calls/p1.vcf.gz"}
    given = [{"path": f"/run/work/{OTHER}/parts", "name": "p"}]
    assert ask(inputs=given, outputs=["p"]).passed == {
        f"{FOLDER}/p/1.txt": f"{OTHER}/parts/1.txt",
        f"{FOLDER}/p/deep/2.txt": f"{OTHER}/parts/deep/2.txt",
    }
    assert ask(outputs=["*.gz"]).passed == {}


def test_t18_a_command_that_no_template_binds_is_marked() -> None:
    assert not ask(bound=True).free
    assert ask(bound=False).free


@pytest.mark.parametrize(
    "changes",
    [
        {"executors": executor(image="debian")},
        {"executors": executor(image="sha256:" + "b" * 64)},
        {"executors": executor(workdir="/run/work")},
        {"executors": executor(workdir="/run/workflow")},
        {"executors": executor(workdir=f"/run/work/{FOLDER}/..")},
        {"executors": executor(workdir="/run/work/work/ab/short")},
        {"executors": executor(workdir=None)},
        {"executors": executor(script="true")},
        {"executors": executor(script="#!/bin/bash; id\ntrue")},
        {"executors": executor(script="#!$(id)\n")},
        {"executors": executor(script="#!relative\n")},
        {"executors": executor(script=["id"])},
        {"executors": executor(script="#!/bin/bash\n\0")},
        {"executors": executor(script="#!/bin/bash\n" + "x" * (1 << 20))},
        {"executors": executor(command=["id"])},
        {"executors": executor(env={"LD_PRELOAD": "x"})},
        {"executors": executor(bin="/run/workflow/modules/x/resources/usr/bin")},
        {"executors": executor(bin=["/run/work/work/ab/resources/usr/bin"])},
        {"executors": executor(bin=["/run/workflow/../work/resources/usr/bin"])},
        {"executors": executor(bin=["/run/workflow/modules/x"])},
        {"executors": executor(bin=["/run/workflow/$(id)/resources/usr/bin"])},
        {"executors": executor(bin=["/run/workflow/resources/usr/bin"] * 4)},
        {"executors": executor() * 2},
        {"executors": []},
        {"executors": None},
        {"inputs": [{"path": "/run/work/inputs/calls/p2.vcf.gz", "name": "x"}]},
        {"inputs": [{"path": "/etc/shadow", "name": "x"}]},
        {"inputs": [{"path": "/etc/shadow", "name": "x", "missing": True}]},
        {"inputs": [{"path": "/run/work/../tes.sock", "name": "x", "missing": True}]},
        {"inputs": [{"path": "/run/work/NO_FILE", "name": "x", "missing": "yes"}]},
        {"inputs": [{"path": "/run/work/../tes.sock", "name": "x"}]},
        {"inputs": [{"path": "/run/workflow/../tes.sock", "name": "x"}]},
        {"inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz", "name": "../x"}]},
        {"inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz", "name": "/x"}]},
        {"inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz", "name": "a;id"}]},
        {"inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz", "name": ".command.run"}]},
        {"inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz", "name": "a\nb"}]},
        {"inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz", "name": "a"}] * 2},
        {"inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz", "name": "x", "url": "file:///etc/shadow"}]},
        {"inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz", "name": "x", "content": "mine"}]},
        {"inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz"}]},
        {"inputs": ["x"]},
        {"outputs": ["/etc/x"]},
        {"outputs": ["../x"]},
        {"outputs": ["a/../../x"]},
        {"outputs": ["a/{..,b}/x"]},
        {"outputs": [".command.sh"]},
        {"outputs": ["a b"]},
        {"outputs": ["$(id)"]},
        {"outputs": ["{a,{b,c}}"]},
        {"outputs": ["{" + ",".join("abcdefghijklmnop") + "}" * 1 + "{a,b,c,d,e,f,g,h}" * 4]},
        {"outputs": ["**/" * 40 + "x"]},
        {"outputs": ["x"] * 2000},
        {"outputs": [{"path": "x"}]},
        {"outputs": "x"},
        {"tags": {"rule": "x; id"}},
        {"tags": {}},
        {"resources": {"zones": ["eu"]}},
        {"touch": ["/run/work/x"]},
        {"volumes": ["/data"]},
        {"run": "b" * 32},
    ],
)
def test_t19_what_is_not_the_runs_own_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(StrongroomError):
        ask(**changes)


def test_a_name_that_no_file_can_have_is_refused_with_a_cure() -> None:
    with pytest.raises(StrongroomError, match=r"another letter .*; make the name, or pattern, of letters"):
        ask(outputs=["chr1:100.txt"])


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("a.txt", ["a.txt", "a.txt/x"], ["b.txt", "x/a.txt"]),
        ("*.{bam,bai}", ["x.bam", "x.bai"], ["x.txt"]),
        ("out/*.txt", ["out/1.txt"], ["1.txt", "out/a/1.txt"]),
        ("**.txt", ["1.txt", "a/1.txt", "a/b/1.txt"], ["1.csv"]),
        ("out/**/x", ["out/x", "out/a/x", "out/a/b/x"], ["x"]),
        ("made", ["made/1", "made/a/2"], ["made2/1"]),
        ("r?.[ab]", ["r1.a", "r2.b"], ["r1.c", "r10.a"]),
    ],
)
def test_a_pattern_takes_what_nextflow_would(pattern: str, taken: list[str], left: list[str]) -> None:
    whole = list(expanded(pattern))
    assert len(whole) < MOST_PATTERNS

    def fits(path: str) -> bool:
        parts = path.split("/")
        return any(len(parts) == len(one.split("/")) and all(map(matches, parts, one.split("/"))) for one in whole)

    assert all(map(fits, taken))
    assert not any(map(fits, left))


def test_the_wrapper_stages_runs_and_tidies_up(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_text("data")
    script = "#!/bin/bash -ue\ncat deep/one.txt > made.txt\nexit 3\n"
    (tmp_path / ".command.sh").write_text(script)
    text = wrapper(Command(script), str(tmp_path), {"deep/one.txt": str(given), "two": str(given)}, frozenset())
    done = subprocess.run(["bash", "-c", text], check=False, cwd=tmp_path)
    assert done.returncode == 3
    assert (tmp_path / "made.txt").read_text() == "data"
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_symlink()) == []


def test_words_beside_a_script_come_as_they_are(tmp_path: Path) -> None:
    said = 'it\'s `id` $(id) $HOME \\ "q"\nand more'
    script = '#!/bin/bash -ue\nprintf %s "$WHOM" > env; cat > in; env -0 > all\n'
    (tmp_path / ".command.sh").write_text(script)
    (tmp_path / ".command.in").write_text(said)
    text = wrapper(Command(script, {"WHOM": said, "NONE": ""}, said), str(tmp_path), {}, frozenset())
    assert subprocess.run(["bash", "-c", text], check=False, cwd=tmp_path).returncode == 0
    assert (tmp_path / "env").read_text() == (tmp_path / "in").read_text() == said
    assert "NONE=" in (tmp_path / "all").read_text().split("\0")


def test_a_modules_programs_are_found_before_the_workflows() -> None:
    task = ask(executors=executor(bin=["/run/workflow/modules/x/resources/usr/bin"])).task
    path = 'export PATH="$PATH:/run/workflow/modules/x/resources/usr/bin:/run/workflow/bin"'
    assert path in task["inputs"][0]["content"].splitlines()


def test_what_is_missing_is_a_link_to_nothing_and_no_word_makes_a_file_missing() -> None:
    given = [{"path": "/run/work/NO_FILE", "name": "NO_FILE", "missing": True}]
    task = ask(inputs=given).task
    assert "ln -s -- /run/work/NO_FILE NO_FILE" in task["inputs"][0]["content"].splitlines()
    assert len(task["inputs"]) == 2
    held = [{"path": "/run/work/inputs/calls/p1.vcf.gz", "name": "x", "missing": True}]
    assert ask(inputs=held).task["inputs"][2]["url"] == "strongroom://object/" + "1" * 32


def test_standard_input_is_a_file_of_its_own_and_only_where_there_is_one() -> None:
    plain, told = ask().task, ask(executors=executor(stdin="words", env={"A": "b"})).task
    assert not any(given["path"].endswith(".command.in") for given in plain["inputs"])
    assert {"path": f"/run/work/{FOLDER}/.command.in", "content": "words"} in told["inputs"]
    assert told["executors"][0]["env"] == {}  # the wrapper sets them for the script alone


@pytest.mark.parametrize(
    "given",
    [
        {"env": ["A=b"]},
        {"env": {"A": 5}},
        {"env": {"A": "x\0y"}},
        {"env": {"A": "x" * 200_000}},
        {"env": {f"A{n}": "x" for n in range(60)}},
        {"env": {"A-B": "x"}},
        {"env": {"A;id;B": "x"}},
        {"env": {"LD_PRELOAD": "x"}},
        {"env": {"PATH": "x"}},
        {"env": None},
        {"stdin": None},
        {"stdin": 5},
        {"stdin": "x" * 200_000},
        {"stdin": {"path": "/run/work/x"}},
    ],
)
@pytest.mark.parametrize("bound", [True, False])
def test_t18_other_words_beside_a_script_are_refused_of_free_processes_too(
    given: dict[str, Any], bound: bool
) -> None:
    with pytest.raises(StrongroomError):
        ask(bound=bound, executors=executor(**given))


def test_a_file_of_the_folder_that_is_an_output_too_is_copied_and_stays(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "in").write_text("data")
    (tmp_path / ".command.sh").write_text("#!/bin/bash -ue\ntrue\n")
    text = wrapper(Command("#!/bin/bash -ue\n"), str(tmp_path), {"kept": str(given), "left": str(given)}, {"kept"})
    subprocess.run(["bash", "-c", text], check=True, cwd=tmp_path)
    assert (tmp_path / "kept/in").read_text() == "data"
    assert not (tmp_path / "kept").is_symlink()
    assert not (tmp_path / "left").exists()


def test_a_link_that_a_script_makes_under_an_output_becomes_a_copy(tmp_path: Path) -> None:
    (tmp_path / "given").write_text("data")
    (tmp_path / "task").mkdir()
    script = """#!/bin/bash -ue
ln -s p.bam renamed.bam; mkdir -p out real/deep; echo two > real/deep/x; (cd real/deep; ln -s x y)
ln -s ../real out/folder; ln -s nowhere out/broken; ln -s given.bam undeclared
"""
    (tmp_path / "task/.command.sh").write_text(script)
    staged = {"p.bam": str(tmp_path / "given")}
    made = ["*.bam", "[o]ut", "[o]ut/*", "[o]ut/*/*"]
    text = wrapper(Command(script), str(tmp_path / "task"), staged, frozenset(), made)
    assert subprocess.run(["bash", "-c", text], check=False, cwd=tmp_path).returncode == 0
    task = tmp_path / "task"
    assert (task / "renamed.bam").read_text() == "data"
    assert (task / "out/folder/deep/y").read_text() == "two\n"
    links = sorted(str(p.relative_to(task)) for p in task.rglob("*") if p.is_symlink())
    assert links == ["out/broken", "real/deep/y", "undeclared"]  # what leads nowhere, and what nobody declared
    assert not (task / "p.bam").exists()


def test_a_failed_script_keeps_its_code_and_its_links(tmp_path: Path) -> None:
    script = "#!/bin/bash -ue\necho x > a; ln -s a b\nexit 4\n"
    (tmp_path / ".command.sh").write_text(script)
    done = subprocess.run(
        ["bash", "-c", wrapper(Command(script), str(tmp_path), {}, frozenset(), ["b*"])], check=False, cwd=tmp_path
    )
    assert done.returncode == 4
    assert (tmp_path / "b").is_symlink()


def test_the_patterns_of_a_job_are_those_under_which_links_are_followed() -> None:
    run = ask(outputs=["*.stats", "out/a.{b,c}"]).task["inputs"][0]["content"]
    assert " *.stats " in run
    assert " [o]ut/a.b " in run


@pytest.mark.parametrize(
    ("path", "how"), [("/run/workflow/a.bam", "cp -RL"), ("/run/work/inputs/calls/a.bam", "ln -s")]
)
def test_only_files_of_the_folder_are_copied(path: str, how: str) -> None:
    given = [{"path": path, "name": "a.bam"}]
    files = FILES | {"inputs/calls/a.bam": Held("5" * 32, is_input=True)}
    task = job_of(
        a_job(inputs=given, outputs=["a.bam"]),
        run=RUN,
        images=IMAGES,
        files=files,
        is_bound=lambda rule, script: True,
    ).task
    assert f"{how} -- {path} a.bam" in task["inputs"][0]["content"]
