"""What Nextflow lets a workflow say of its engine changes nothing: one executor, one socket, nothing of the host."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from nextflow_house import Ended, House, workflow

from strongroom.errors import BadRequest
from wes import engines
from wes.engines.nextflow import Nextflow
from wes.manifest import check_parameters, parse_manifest

INPUTS = {"inputs/calls/one.dat": b"of one person\n"}
COPY = """
process COPY {
    container 'genomics'
    %s
    input:
    path x
    output:
    path 'copy.txt'
    script:
    \"\"\"
    cat ${x} > copy.txt
    \"\"\"
}
workflow { COPY(file(params.inputs.files[0])) }
"""
GIVEN = "file(params.inputs.files[0])"
BOUND = {"COPY": "cat @{x} > copy.txt"}


def ran(tmp_path: Path, main: str, *, more: dict[str, str] | None = None, **manifest: Any) -> Ended:
    """Run a workflow whose process COPY has a signed template."""
    said = {"processes": BOUND} | manifest
    flow = workflow(tmp_path / "flow", {"main.nf": main, **(more or {})}, **said)
    return House(tmp_path / "house", flow, INPUTS).run()


# A workflow's own code runs in its engine; what it finds there goes to the one folder that it may write.
ATTACK = """
def tried(act) { try { return act().toString() } catch (Throwable error) { return error.class.simpleName } }
def spoken(path, body) {
    def channel = java.nio.channels.SocketChannel.open(java.net.StandardProtocolFamily.UNIX)
    channel.connect(java.net.UnixDomainSocketAddress.of('/run/tes.sock'))
    def text = body instanceof String ? body : groovy.json.JsonOutput.toJson(body)
    def head = "POST ${path} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n"
    head += "Content-Length: ${text.bytes.length}\\r\\n\\r\\n"
    channel.write(java.nio.ByteBuffer.wrap((head + text).bytes))
    def answer = new ByteArrayOutputStream()
    def buffer = java.nio.ByteBuffer.allocate(65536)
    while (channel.read(buffer) >= 0) { answer.write(buffer.array(), 0, buffer.position()); buffer.clear() }
    channel.close()
    return answer.toString()
}
def asked(changes) {
    def job = [name: 'COPY', tags: [rule: 'COPY'], inputs: [], outputs: ['x'], resources: [cpu_cores: 1],
        executors: [[image: 'genomics', workdir: '/run/work/work/ab/' + 'c' * 30,
            script: '#!/bin/bash -ue\\ncat one.dat > copy.txt']]] + changes
    return spoken('/ga4gh/tes/v1/tasks', job)
}
def executor(changes) {
    return [executors: [[image: 'genomics', workdir: '/run/work/work/ab/' + 'c' * 30,
        script: '#!/bin/bash -ue\\ncat one.dat > copy.txt'] + changes]]
}
def found = [:]
found.run = new File('/run').list().sort()
found.root = new File('/').list().sort()
found.read = ['/etc/shadow', '/root', '/home', '/proc/1/root/etc/shadow', HOME].collectEntries { path ->
    [path, tried { new File(path).isDirectory() ? new File(path).list().length : new File(path).bytes.length }] }
found.write = ['/run/first.config', '/run/workflow/main.nf', '/run/trusted.config', '/run/params.json',
        '/opt/engine/x.jar', '/usr/bin/x']
    .collectEntries { path -> [path, tried { new File(path).text = 'owned'; 'written' }] }
found.network = tried { new Socket('192.0.2.1', 80); 'connected' }
found.local = tried { new Socket('127.0.0.1', 8080); 'connected' }
found.name = tried { InetAddress.getByName('example.org'); 'resolved' }
found.process = tried { ['cat', '/proc/self/status'].execute().text.readLines()
    .findAll { it.startsWith('CapEff') || it.startsWith('NoNewPrivs') || it.startsWith('Seccomp:') } }
found.environment = System.getenv()
found.input = new File('/run/work/inputs/calls/one.dat').bytes.every { it == 0 }
found.answers = [
    'a command of its own': asked(executor([script: '#!/bin/bash -ue\\nid > x'])),
    'a process of its own': asked([tags: [rule: 'MINE']]),
    'a free shell in a hole': asked(executor([script: '#!/bin/bash -ue\\ncat \\$(id) > copy.txt'])),
    'another image': asked(executor([image: 'debian'])),
    'an image by digest': asked(executor([image: 'sha256:' + 'b' * 64])),
    'a command': asked(executor([command: ['id']])),
    'a variable that is obeyed': asked(executor([env: [LD_PRELOAD: 'x']])),
    'a variable that nobody signed': asked(executor([env: [MINE: 'x']])),
    'words to read': asked(executor([stdin: 'id'])),
    'the folder of inputs': asked(executor([workdir: '/run/work/inputs'])),
    'a file of the host': asked([inputs: [[path: '/etc/shadow', name: 'x']]]),
    'a file of nobody': asked([inputs: [[path: '/run/work/secret', name: 'x']]]),
    'an object by url': asked([inputs: [[path: '/run/work/x', name: 'x', url: 'strongroom://object/1']]]),
    'an output above': asked([outputs: ['../x']]),
    'options of another engine': asked([touch: ['/run/work/x']]),
    'a publishing of an input': spoken('/ga4gh/tes/v1/published',
        [source: '/run/work/inputs/calls/one.dat', target: '/run/work/results/one.dat']),
    'a publishing of the host': spoken('/ga4gh/tes/v1/published',
        [source: '/etc/shadow', target: '/run/work/results/shadow']),
    'no JSON': spoken('/ga4gh/tes/v1/published', '{'),
    'no object': spoken('/ga4gh/tes/v1/tasks', '[1]'),
].collectEntries { name, answer -> [name, answer.split(' ', 3)[1] as int] }
new File('/run/work/found.json').text = groovy.json.JsonOutput.toJson(found)
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, dict[str, Any]]:
    """A signed workflow whose own code attacks from inside its engine, before its one honest process."""
    home = tmp_path_factory.mktemp("hostile")
    ended = ran(home, ATTACK.replace("HOME", repr(str(home))) + COPY % "publishDir 'results'")
    assert ended.code == 0, ended.log
    return ended, json.loads(ended.tree["found.json"])


def test_t19_an_engine_reaches_nothing_but_its_gateway(hostile: tuple[Ended, dict[str, Any]]) -> None:
    _, found = hostile
    assert not {"connected", "resolved"} & {found["network"], found["local"], found["name"]}
    assert found["run"] == ["first.config", "params.json", "tes.sock", "trusted.config", "work", "workflow"]
    assert not {"home", "root", "srv", "sys", "var"} & set(found["root"])
    refused = {"FileNotFoundException", "NoSuchFileException", "AccessDeniedException", "IOException"}
    assert set(found["read"].values()) <= refused, found["read"]
    assert set(found["write"].values()) <= refused, found["write"]
    assert found["input"]  # what it may read of a person is a hole
    assert "CapEff:\t0000000000000000" in found["process"]
    assert "NoNewPrivs:\t1" in found["process"]


def test_t19_an_engines_variables_are_ours_alone(hostile: tuple[Ended, dict[str, Any]]) -> None:
    _, found = hostile
    known = {"PATH", "HOME", "USER", "LANG", "PWD", "STRONGROOM_EVENTS_FD", "STRONGROOM_SOCKET"}
    assert {name for name in found["environment"] if not name.startswith("NXF_")} <= known
    assert {name for name in found["environment"] if name.startswith("NXF_")} == {
        name for name in Nextflow().environment(_launch()) if name.startswith("NXF_")
    }


def test_t18_a_hostile_engine_asks_in_vain_for_a_command_of_its_own(hostile: tuple[Ended, dict[str, Any]]) -> None:
    ended, found = hostile
    assert len(found["answers"]) == 19
    assert {name: code for name, code in found["answers"].items() if code not in (400, 403)} == {}
    assert len(ended.jobs) == 1  # the honest one
    assert ended.below("results") == {"results/copy.txt": b"of one person\n"}


@pytest.mark.parametrize("directive", ["executor 'local'", "executor 'slurm'", "executor 'sge'", "maxForks 1"])
def test_t19_no_executor_but_ours_can_be_named(tmp_path: Path, directive: str) -> None:
    ended = ran(tmp_path, COPY % directive)
    assert ended.code == 0, ended.log
    assert [path for path, content in ended.files.items() if content == b"of one person\n"]


def test_t19_a_workflows_own_configuration_comes_before_ours(tmp_path: Path) -> None:
    own = """
process { executor = 'local'
    withName: COPY { executor = 'slurm' } }
executor { name = 'local' }
workDir = '/tmp/elsewhere'
docker.enabled = true
singularity.enabled = true
trace { enabled = true
    file = '/run/work/results/trace.txt' }
"""
    ended = ran(tmp_path, COPY % "", more={"nextflow.config": own})
    assert ended.code == 0, ended.log
    assert [path for path in ended.files if path.startswith("work/") and path.endswith("/copy.txt")]
    assert not [path for path in ended.tree if path.endswith("trace.txt")]


@pytest.mark.parametrize(
    ("files", "main"),
    [
        ({"nextflow.config": "includeConfig 'https://example.org/x.config'\n"}, COPY % ""),
        ({"nextflow.config": "plugins { id 'nf-amazon@2.9.0' }\n"}, COPY % ""),
        ({"nextflow.config": "plugins { id 'nf-mine@1.0.0' }\n"}, COPY % ""),
        ({}, "@Grab('org.example:one:1.0')\nimport org.example.One\n" + COPY % ""),
        ({}, "include { X } from 'https://example.org/x.nf'\n" + COPY % ""),
        ({}, (COPY % "").replace(GIVEN, "file('https://example.org/x', checkIfExists: true)")),
        ({}, (COPY % "").replace(GIVEN, "file('/etc/passwd')")),
        ({}, (COPY % "").replace(GIVEN, "file('/run/tes.sock')")),
    ],
    ids=["remote config", "plugin", "own plugin", "grab", "remote module", "remote file", "host file", "socket"],
)  # fmt: skip
def test_t19_nothing_comes_from_elsewhere(tmp_path: Path, files: dict[str, str], main: str) -> None:
    ended = ran(tmp_path, main, more=files)
    assert ended.code != 0
    assert ended.jobs == []
    assert ended.files == {}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("    path 'copy.txt'", "    stdout"), "Output stdout would show data to the engine"),
        (("    path 'copy.txt'", "    env 'HOME'"), "Output env would show data to the engine"),
        (("    path 'copy.txt'", "    eval('id')"), "Output eval would show data to the engine"),
        (("    path 'copy.txt'", "    tuple val(1), stdout"), "Output stdout would show data to the engine"),
        (("container 'genomics'", "container 'genomics'\n    storeDir '/run/work/kept'"), "storeDir keeps files"),
        (("container 'genomics'", "container 'genomics'\n    beforeScript 'id'"), "beforeScript: put it"),
        (("container 'genomics'", "container 'genomics'\n    afterScript 'id'"), "afterScript: put it"),
        (("container 'genomics'", "container 'genomics'\n    module 'x'"), "module: the tools come with the image"),
        (("container 'genomics'", "container 'genomics'\n    cache 'deep'"), "cache 'deep' would read"),
        (("container 'genomics'", "container 'debian'"), "not among the images that the vetters signed"),
        (("cat ${x}", "rev ${x}"), "its script is not what the vetters signed"),
        (("cat ${x}", "cat ${x} /etc/passwd;"), "its script is not what the vetters signed"),
        ((GIVEN, "Channel.of('text').collectFile(name: 'x.txt')"), "not a file of this run"),
        (("COPY {", "COPY {\n    publishDir '/tmp/out'"), "COPY: publishDir: a path outside this run"),
        (("COPY {", "COPY {\n    publishDir 'results/née'"), "COPY: publishDir: names are letters"),
        (
            ("COPY {", "COPY {\n    publishDir 'inputs/calls'"),
            "COPY: publishDir: a folder of the run beside",
        ),
        (('script:\n    """\n    cat ${x} > copy.txt\n    """', "exec:\n    x.text"), "exec: runs inside the engine"),
    ],
)
def test_what_cannot_run_blind_is_refused_with_a_cure(tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    main = COPY % ""
    assert change[0] in main
    ended = ran(tmp_path, main.replace(*change, 1))
    assert ended.code != 0
    assert sentence in ended.log
    assert not ended.below("results")


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize(
    ("taken", "sentence"),
    [
        ("env 'LD_PRELOAD'", "programs obey LD_PRELOAD"),
        ("env 'PATH'", "programs obey PATH"),
        ("env 'MINE'", "its script is not what the vetters signed"),
        ("stdin", "its script is not what the vetters signed"),
    ],
)
def test_t18_a_task_is_told_no_words_that_nobody_signed(
    tmp_path: Path, taken: str, sentence: str, free: bool
) -> None:
    main = (COPY % "").replace("path x", f"path x\n    {taken}").replace(f"COPY({GIVEN})", f"COPY({GIVEN}, 'x')")
    said: dict[str, Any] = {"processes": {}, "free_commands": ["COPY"]} if free else {}
    ended = ran(tmp_path, main, **said)
    may = free and "obey" not in sentence
    assert (ended.code == 0) is may, ended.log
    assert may or sentence in ended.log


@pytest.mark.parametrize(("images", "sentence"), [(["genomics"], ""), (["genomics", "other"], "names no image")])
def test_a_process_without_an_image_has_the_only_one_that_was_signed(
    tmp_path: Path, images: list[str], sentence: str
) -> None:
    ended = ran(tmp_path, (COPY % "").replace("container 'genomics'", ""), images=images)
    assert (ended.code == 0) is (sentence == "")
    assert sentence in ended.log
    assert bool(ended.jobs) is (sentence == "")


def test_a_task_that_fails_ends_the_run_and_shows_the_engine_nothing_of_it(tmp_path: Path) -> None:
    ended = ran(
        tmp_path,
        (COPY % "").replace("cat ${x}", "echo loud; cat ${x} >&2; false; cat ${x}"),
        processes={},
        free_commands=["COPY"],
    )
    assert ended.code == 1
    assert "terminated with an error exit status (1)" in ended.log
    assert "of one person" not in ended.log
    assert not [content for content in ended.tree.values() if b"of one person" in content]


@pytest.mark.parametrize(
    "value",
    ["q; do :; done; id -un > pwned.txt", "$(id)", "a\nb", "${System.exit(0)}", {"a": "b"}, ["-c"], "../x"],
)
def test_a_parameter_is_no_code(value: Any) -> None:
    manifest = parse_manifest("""
name: one
version: 1.0.0
engine: {name: nextflow, version: 25.04.4}
entry: main.nf
parameters:
  type: object
  additionalProperties: false
  properties: {names: {type: string, pattern: "^[A-Za-z0-9]{1,20}$"}}
""")
    with pytest.raises(BadRequest):
        check_parameters(manifest, {"names": value})


def _launch() -> engines.Launch:
    manifest = parse_manifest("{name: one, version: 1.0.0, engine: {name: nextflow}, entry: main.nf}")
    return engines.Launch(uuid.uuid4().hex, manifest, 2, 2 << 30)


def test_an_engine_has_no_word_of_a_user_on_its_command_line(tmp_path: Path) -> None:
    folders = engines.Folders(tmp_path, tmp_path, tmp_path, tmp_path)
    words = Nextflow().command(_launch(), folders)
    assert _configs(words) == ["/run/first.config", "/run/trusted.config"]
    assert not {"-c", "-lib", "-plugins", "-r", "-latest", "-main-script", "-bucket-dir", "-with-docker"} & set(words)
    (tmp_path / "nextflow.config").write_text("process.executor = 'slurm'\n")
    own = _configs(Nextflow().command(_launch(), folders))
    assert own == ["/run/first.config", "/run/workflow/nextflow.config", "/run/trusted.config"]


def _configs(words: list[str]) -> list[str]:
    """Return the configurations that Nextflow reads; the last counts."""
    return [words[n + 1] for n, word in enumerate(words) if word == "-C"]
