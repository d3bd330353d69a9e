"""Who vets a Nextflow workflow runs none of it while reading it; what its parser cannot bear is a finding."""

import os
from pathlib import Path

import pytest
import yaml

from strongroom.cli import vet
from strongroom.errors import StrongroomError
from strongroom.settings import Settings
from wes.engines import nextflow
from wes.nextflow_outline import NextflowOutline, parse_nextflow_outline
from wes.outlining import JAVA, nextflow_outline
from wes.reading import NotReadable, copied, read_inside

SETTINGS = Settings()
MAIN = """process A {
    container 'genomics'
    output:
    path 'x'
    script:
    'true > x'
}
workflow { A() }
"""
MANIFEST = {
    "name": "hostile",
    "version": "1.0.0",
    "title": "x",
    "engine": {"name": "nextflow", "version": "25.04.4"},
    "entry": "main.nf",
    "images": ["genomics"],
    "outputs": [{"release": "inside"}],
    "processes": {"A": "true > x"},
}
ACT = "new File('/run/work/ran').text = 'x'"
# Groovy runs each of these while it compiles, or when it loads a class.
COMPILED = {
    "asttest": f"import groovy.transform.ASTTest\n@ASTTest(value = {{ {ACT} }})\nclass Evil {{ }}\n",
    "phase": "import groovy.transform.ASTTest\nimport org.codehaus.groovy.control.CompilePhase\n"
    f"@ASTTest(phase = CompilePhase.CONVERSION, value = {{ {ACT} }})\nclass Evil {{ }}\n",
    "escaped": f"import groovy.transform.ASTTest\n\\u0040ASTTest(value = {{ {ACT} }})\nclass Evil {{ }}\n",
    "static": f"class Evil {{ static {{ {ACT} }} }}\n",
    "grab": "@GrabResolver(name='x', root='file:/run/workflow/repo')\n@Grab('a:b:1.0')\n"
    f"class Evil {{ static x = {{ {ACT} }}() }}\n",
}


def written(folder: Path, files: dict[str, str]) -> Path:
    for path, text in ({"main.nf": MAIN, "manifest.yaml": yaml.safe_dump(MANIFEST)} | files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def read(folder: Path, *words: str) -> tuple[bytes, list[str]]:
    """Run Java's `words` in the walls of reading; return what it printed and what it left in its folder."""
    with copied(SETTINGS, folder) as top:
        command = [str(nextflow.JAVA.resolve()), *JAVA, nextflow.CLASSES, *words]
        raw = read_inside(SETTINGS, top, command, environment={}, engine=nextflow.jars(SETTINGS))
        return raw, sorted(os.listdir(top / "work"))


def outlined(folder: Path) -> tuple[NextflowOutline, list[str]]:
    raw, left = read(folder, "strongroom.outline.Outline", "/run/workflow", "main.nf")
    return parse_nextflow_outline(raw), left


def test_the_attack_acts_where_code_is_compiled(tmp_path: Path) -> None:
    """Else the next test could not fail."""
    folder = written(tmp_path, {"lib/attack.groovy": COMPILED["asttest"] + "println 1\n"})
    raw, left = read(folder, "groovy.ui.GroovyMain", "/run/workflow/lib/attack.groovy")
    assert (raw.strip(), left) == (b"1", ["ran"])


def test_nothing_that_compiling_would_run_runs_while_a_workflow_is_read(tmp_path: Path) -> None:
    files = {f"lib/{name}.groovy": text for name, text in COMPILED.items()}
    files |= {f"{name}.nf": text for name, text in COMPILED.items()}
    files |= {
        "here.nf": f"{ACT}\nworkflow {{ }}\n",
        "block.nf": f"workflow {{\n    {ACT}\n}}\n",
        "hole.nf": "process B {\n    script:\n    \"${new File('/run/work/ran').createNewFile()}\"\n}\n",
        "directive.nf": f"process C {{\n    memory {{ {ACT} }}\n    script:\n    'true'\n}}\n",
        "META-INF/services/org.codehaus.groovy.transform.ASTTransformation": "Evil\n",
    }
    seen, left = outlined(written(tmp_path, files))
    assert left == []
    assert {"A", "B", "C"} <= {one.name for one in seen.processes}
    assert {one.name for one in seen.calls if one.file.startswith("lib/")} >= {"@ASTTest", "@Grab"}
    # In a script of Nextflow's no annotation can stand at all.
    assert {f"{name}.nf" for name in COMPILED} <= {one.file for one in seen.errors}


def test_what_a_parser_cannot_bear_is_a_finding_and_hides_no_other_file(tmp_path: Path) -> None:
    deep = 200_000
    folder = written(
        tmp_path,
        {
            "parens.nf": "x = " + "(" * deep,
            "sum.nf": "workflow {\n    x = 1" + " + 1" * 20_000 + "\n}\n",
            "else.nf": "workflow {\n    if (1) { }" + " else if (1) { }" * 2_000 + "\n}\n",
            "closures.nf": "workflow {\n" + "{" * 20_000 + "}" * 20_000 + "\n}\n",
            "large.nf": "// " + "x" * (1 << 20) + "\n",
            "marked.nf": 'process M {\n    script:\n    "\ue0000\ue001 ${x}"\n}\n',
            "half.nf": "process H {\n    script:\n    '\\ud83d'\n}\n",
            "lib/Deep.groovy": "def x = " + "[" * deep,
        },
    )
    (folder / "binary.nf").write_bytes(bytes(range(256)) * 10)
    found = vet.read(SETTINGS, folder, {"genomics": "sha256:0"}).findings
    wrong = {one.file for one in found if one.code == "unreadable"}
    assert {"parens.nf", "closures.nf", "large.nf", "binary.nf", "lib/Deep.groovy"} <= wrong
    assert "main.nf" not in wrong
    # Marks of our own in a script bind nothing.
    assert ("script-computed", "marked.nf") in {(one.code, one.file) for one in found}


def test_a_reader_that_dies_or_never_ends_is_an_error_that_nobody_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path, {})
    assert vet.read(SETTINGS, folder, {"genomics": "sha256:0"}).findings == []
    with monkeypatch.context() as patched:
        patched.setattr("wes.outlining.JAVA", (*JAVA, "-Xmx2m"))
        assert [one.code for one in vet.read(SETTINGS, folder, {}).errors()] == ["reader-failed"]
    with monkeypatch.context() as patched:
        patched.setattr("wes.reading.PATIENCE", 0.01)
        assert [one.code for one in vet.read(SETTINGS, folder, {}).errors()] == ["reader-failed"]


def test_java_reads_in_the_same_walls(tmp_path: Path) -> None:
    text = """
        def tried = { act -> try { act() as String } catch (Throwable e) { e.class.simpleName } }
        println tried { new Socket('127.0.0.1', 22) }
        println tried { new File('/etc/shadow').text }
        println tried { new File('/run/workflow/main.nf').text = 'x' }
        println tried { new File('/opt/engine/x').text = 'x' }
        println new File('/run').list().sort().join(' ')
        println System.getenv().keySet().sort().join(' ')
        println new File('/proc').list().count { it.isNumber() } < 4
        println new File('/proc/self/status').text.split('CapEff:')[1].trim().split()[0]
    """
    folder = written(tmp_path, {"attack.groovy": text})
    raw, _ = read(folder, "groovy.ui.GroovyMain", "/run/workflow/attack.groovy")
    network, shadow, workflow, engine, *rest = raw.decode().splitlines()
    assert network in ("ConnectException", "SocketException", "NoRouteToHostException")
    assert {shadow, workflow, engine} == {"FileNotFoundException"}
    assert rest == ["work workflow", "HOME LANG PATH PWD USER", "true", "0000000000000000"]
    assert (folder / "main.nf").read_text() == MAIN


def test_links_and_odd_includes_lead_no_reader_out_of_the_folder(tmp_path: Path) -> None:
    text = "".join(
        f"include {{ X{n} }} from '{path}'\n" for n, path in enumerate(("../../etc/passwd", "/etc/passwd"))
    )
    seen, _ = outlined(written(tmp_path, {"main.nf": text}))
    assert [one.target for one in seen.includes] == [None, None]
    assert {one.path for one in seen.files} == {"main.nf"}
    os.symlink("/etc/shadow", tmp_path / "more.nf")
    with pytest.raises(StrongroomError, match="no links"):
        nextflow_outline(SETTINGS, tmp_path, entry="main.nf")


def test_what_is_not_the_outline_is_not_readable(tmp_path: Path) -> None:
    with pytest.raises(NotReadable):
        read(written(tmp_path, {}), "strongroom.outline.Outline", "/run/workflow")
