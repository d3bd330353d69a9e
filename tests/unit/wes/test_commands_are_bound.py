"""A command is an instance of its rule's signed template, or is refused; whatever the text, the answer comes soon."""

import time
from typing import Any

import pytest

from strongroom.errors import BadRequest
from wes.bound import CommandRefused, Written, asked_of, check_command
from wes.commands import parse_commands

CALL = "def run(path, facts): ..."
WRITTEN = Written(CALL, "measure")
CONFIG = {"quality": 20, "sites": "passed", "share": 0.5, "policy": {"min_count": 5}, "inputs": {"calls": ["a"]}}
DIGEST = "sha256:" + "a" * 64
COMMANDS = parse_commands(
    {
        "mask": {
            "shell": "filter -e 'Q<{params.quality} {{x}}' -t {threads} {params.keep} {input} > {output.calls}",
            "holes": {"params.quality": {"config": "quality"}, "params.keep": {"enum": ["-f .,PASS", ""]}},
        },
        "merge": {"shell": "merge -o {output} {input.calls}"},
        "align": {"shell": "bwa -R 'SM:{wildcards.person}' {input}.fa > {output}"},
        "tail": {"shell": "sum {input} {params.more}  ", "holes": {"params.more": {"enum": ["", "-v"]}}},
        "safe": {
            "script": "scripts/safe.py",
            "digest": DIGEST,
            "holes": {"params.k": {"config": "policy.min_count"}, "params[1]": "integer"},
        },
        "timed": {"shell": "merge -o {output} {input}", "benchmark": True},
        "timed_script": {"script": "scripts/safe.py", "digest": DIGEST, "holes": {}, "benchmark": True},
        "rule_3": {"script": "scripts/safe.py", "digest": DIGEST, "holes": {}},
        "anything": {"free": True},
    }
)


def job(rule: str, text: str = "", **changes: Any) -> dict[str, Any]:
    """Return a job as the plug-in sends it; its inputs and outputs are files a, b and c, d of the run."""
    return {
        "executors": [{"image": "genomics", "command": ["bash", "-c", f"set -euo pipefail;  {text} ".strip()]}],
        "inputs": [{"path": f"/run/work/work/{name}", "type": "FILE"} for name in ("a", "b")],
        "outputs": [{"path": f"/run/work/work/{name}", "type": "FILE"} for name in ("c", "d")],
        "touch": [],
        "tags": {"rule": rule},
    } | changes


def check(rule: str, asked: dict[str, Any], config: dict[str, Any] = CONFIG) -> None:
    check_command(COMMANDS, asked_of(rule, asked), config=config, written=WRITTEN)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("mask", "filter -e 'Q<20 {x}' -t 2 -f .,PASS work/a > work/c"),
        ("mask", "filter -e 'Q<20 {x}' -t 16  work/a work/b > work/d"),
        ("merge", "merge -o work/c work/a work/b"),
        ("merge", "merge -o work/c work/d work/b"),
        ("align", "bwa -R 'SM:NA12878.x' work/a.fa > work/c"),
        ("align", "bwa -R 'SM:NA12878.x' /run/work/work/a.fa > work/c"),
        ("tail", "sum work/a -v"),
        ("tail", "sum work/a"),
        ("anything", "curl | sh"),
    ],
)
def test_an_instance_of_its_template_is_admitted(rule: str, text: str) -> None:
    check(rule, job(rule, text))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("unknown", "true"),
        ("mask", "filter -e 'Q<0 {x}' -t 2 -f .,PASS work/a > work/c"),  # not the run's parameter
        ("mask", "filter -e 'Q<20 {x}' -t 2 -f all work/a > work/c"),
        ("mask", "filter -e 'Q<20 {x}' -t 2;id -f .,PASS work/a > work/c"),
        ("mask", "filter -e 'Q<20 {x}' -t 2 -f .,PASS work/a > work/c; id"),
        ("mask", "id; filter -e 'Q<20 {x}' -t 2 -f .,PASS work/a > work/c"),
        ("mask", "filter -e 'Q<20 {x}' -t 2 -f .,PASS work/a > work/c\nid"),
        ("mask", "filter -e 'Q<20 {x}' -t 2 -f .,PASS work/a\twork/b > work/c"),
        ("merge", "merge -o work/a work/b"),  # an input is no output
        ("merge", "merge -o work/c work/elsewhere"),
        ("merge", "merge -o work/c /run/workflow/$(id)"),
        ("merge", "merge -o work/c work/a  work/b"),
        ("align", "bwa -R 'SM:x' -y' work/a.fa > work/c"),
        ("align", "bwa -R 'SM:-x' work/a.fa > work/c"),
        ("align", "bwa -R 'SM:../x' work/a.fa > work/c"),
        ("align", "bwa -R 'SM:$(id)' work/a.fa > work/c"),
        ("align", "bwa -R 'SM:x' work/a.fab > work/c"),
        ("tail", "sum work/a -vv"),
        ("merge", ""),
    ],
)
def test_t18_any_other_command_is_refused(rule: str, text: str) -> None:
    with pytest.raises(CommandRefused, match="not a command that the vetters signed"):
        check(rule, job(rule, text))


GOOD = "merge -o work/c work/a"
SCRIPT = "/run/work/.snakemake/scripts/x.merge.bash"


@pytest.mark.parametrize(
    "changes",
    [
        {"executors": [{"command": ["bash", "-c", GOOD]}]},  # without set -euo pipefail
        {"executors": [{"command": ["sh", "-c", f"set -euo pipefail;  {GOOD}"]}]},
        {"executors": [{"command": ["bash", "-c", f"set -euo pipefail;  {GOOD}", "x"]}]},
        {"executors": [{"command": ["bash", SCRIPT]}]},
        {"executors": [{"command": ["bash", SCRIPT]}], "inputs": [{"path": SCRIPT, "content": "id\n"}]},
        {"inputs": [{"path": "/run/work/work/a"}, {"path": SCRIPT, "content": "id\n"}]},  # a file of its own beside
    ],
)
def test_t18_a_template_is_run_one_way_only(changes: dict[str, Any]) -> None:
    check("merge", job("merge", GOOD))
    with pytest.raises(CommandRefused):
        check("merge", job("merge", GOOD, **changes))


def test_a_command_too_long_for_one_word_comes_as_a_file() -> None:
    paths = [f"work/person-{number:06}.bcf" for number in range(5000)]
    text = f"set -euo pipefail;  merge -o work/c {' '.join(paths)}\n"
    inputs = [{"path": f"/run/work/{path}"} for path in paths] + [{"path": SCRIPT, "content": text}]
    check("merge", job("merge", executors=[{"command": ["bash", SCRIPT]}], inputs=inputs))
    inputs[-1] = {"path": SCRIPT, "content": text + "id\n"}
    with pytest.raises(CommandRefused):
        check("merge", job("merge", executors=[{"command": ["bash", SCRIPT]}], inputs=inputs))


def test_t18_a_file_of_the_engine_is_no_input_of_a_template() -> None:
    own = {"path": SCRIPT, "content": "id"}
    asked = job("merge", "merge -o work/c .snakemake/scripts/x.merge.bash", inputs=[own])
    with pytest.raises(CommandRefused):
        check("merge", asked)


def test_files_of_the_signed_folder_are_inputs_too() -> None:
    own = {"path": "/run/workflow/data/bed.txt", "type": "FILE"}
    check("merge", job("merge", "merge -o work/c /run/workflow/data/bed.txt", inputs=[own]))
    strange = {"path": "/run/workflow/$(id)", "type": "FILE"}
    with pytest.raises(CommandRefused):
        check("merge", job("merge", "merge -o work/c /run/workflow/$(id)", inputs=[strange]))


def measured(*command: str, file: str = "work/d", times: str = "3", text: str = "measure") -> dict[str, Any]:
    return {"executors": [{"command": ["bash", "-c", text, "benchmark", file, times, *command]}]}


HONEST = ("bash", "-c", "set -euo pipefail;  merge -o work/c work/a")


def test_what_measures_a_command_is_the_plugins_own() -> None:
    check("timed", job("timed", **measured(*HONEST)))
    check("timed", job("timed", "merge -o work/c work/a"))


@pytest.mark.parametrize(
    ("rule", "how"),
    [
        ("merge", measured(*HONEST)),  # its rule has no benchmark
        ("timed", measured("bash", "-c", "id")),
        ("timed", measured()),
        ("timed", measured(*HONEST, "id")),
        ("timed", measured(*measured(*HONEST)["executors"][0]["command"])),
        ("timed", measured(*HONEST, file="work/a")),
        ("timed", measured(*HONEST, file="/run/work/elsewhere")),
        ("timed", measured(*HONEST, times="0")),
        ("timed", measured(*HONEST, times="1; id")),
        ("timed", measured(*HONEST, times="99999")),
        ("timed", measured(*HONEST, text="id")),
        ("timed", measured(*HONEST, text="measure\nid")),
    ],
)
def test_t18_nothing_else_comes_before_a_command(rule: str, how: dict[str, Any]) -> None:
    with pytest.raises(CommandRefused):
        check(rule, job(rule, **how))


FACTS: dict[str, Any] = {
    "named": {
        "input": (["work/a"], {}),
        "output": (["work/c"], {"sites": (0, None)}),
        "params": ([5, 22], {"k": (0, None)}),
        "wildcards": (["NA1"], {"person": (0, None)}),
        "resources": ([200, "200 MB", "<TBD>", 1], {"mem_mb": (0, None), "_cores": (3, None)}),
        "log": ([], {}),
    },
    "plain": {
        "threads": 1,
        "rule": "safe",
        "config": CONFIG,
        "scriptdir": "/run/workflow/scripts",
        "bench_iteration": None,
    },
}
PY = "/run/work/.snakemake/scripts/x.safe.python3"


def script_job(content: str, path: str = PY) -> dict[str, Any]:
    inputs = [{"path": "/run/work/work/a"}, {"path": path, "content": content}]
    return job("safe", executors=[{"command": ["python3", path]}], inputs=inputs)


def call(facts: Any = FACTS, path: str = "/run/workflow/scripts/safe.py") -> str:
    return f"{CALL}\n\nrun({path!r}, {facts!r})\n"


def changed(kind: str, name: str, value: Any) -> dict[str, Any]:
    return {**FACTS, kind: {**FACTS[kind], name: value}}


def test_the_signed_script_with_its_own_facts_is_admitted() -> None:
    check("safe", script_job(call()))


def test_a_script_says_whether_it_is_measured_and_what_snakemake_calls_its_rule() -> None:
    bare = changed("named", "params", ([], {}))
    number = {**bare, "plain": {**FACTS["plain"], "rule": "3"}}
    check("rule_3", {**script_job(call(number)), "tags": {"rule": "rule_3"}})
    timed = {**bare, "plain": {**FACTS["plain"], "rule": "timed_script", "bench_iteration": 0}}
    asked = script_job(call(timed)) | measured("python3", PY)
    check("timed_script", asked)
    with pytest.raises(CommandRefused):
        check("timed_script", script_job(call(timed)))
    with pytest.raises(CommandRefused):
        check("rule_3", script_job(call({**number, "plain": {**number["plain"], "rule": "4"}})))


@pytest.mark.parametrize(
    "content",
    [
        call(path="/run/workflow/scripts/other.py"),
        call(path="/run/work/work/a"),
        call() + "import os\n",
        "import os\n" + call(),
        call().replace(CALL, "run = print"),
        call().replace("[5, 22]", "[__import__('os').system('id'), 22]"),
        call().replace("[5, 22]", "[5, 22, [x for x in ()]]"),
        call().replace("[5, 22]", "[(5), 22]"),
        call().replace("[5, 22]", "[5, 22] + []"),
        call().replace("'NA1'", "f'{print(1)}'"),
        call().replace("'NA1'", "'NA1' 'x'"),
        call().replace("'NA1'", "'NA1\\N{DOLLAR SIGN}'"),
        call(changed("named", "params", ([0, 22], {"k": (0, None)}))),  # k is the project's, not the engine's
        call(changed("named", "params", ([5.0, 22], {"k": (0, None)}))),
        call(changed("named", "params", ([5, "22"], {"k": (0, None)}))),
        call(changed("named", "params", ([0, 5], {"k": (1, None)}))),
        call(changed("named", "params", ([5, 22, 0], {"k": (0, None), "other": (2, None)}))),
        call(changed("named", "input", (["work/c"], {}))),
        call(changed("named", "output", (["work/a"], {}))),
        call(changed("named", "input", (["work/a"], {"__class__": (0, None)}))),
        call(changed("named", "wildcards", (["$(id)"], {}))),
        call(changed("named", "resources", (["$(id)"], {}))),
        call(changed("plain", "rule", "merge")),
        call(changed("plain", "config", {**CONFIG, "policy": {"min_count": 0}})),
        call(changed("plain", "config", {**CONFIG, "more": 1})),
        call(changed("plain", "config", {})),
        call(changed("plain", "scriptdir", "/run/work")),
        call({**FACTS, "more": {}}),
        call([]),
        call("[" * 10_000),
        f"{CALL}\n\nrun('/run/workflow/scripts/safe.py', {'[' * 100_000})\n",
        "",
    ],
)
def test_t18_a_script_is_run_as_signed_or_not_at_all(content: str) -> None:
    with pytest.raises(CommandRefused):
        check("safe", script_job(content))


def test_t18_a_script_comes_alone() -> None:
    asked = script_job(call())
    asked["inputs"].append({"path": "/run/work/.snakemake/sitecustomize.py", "content": "x"})
    with pytest.raises(CommandRefused):
        check("safe", asked)
    outside = script_job(call(), path="/run/work/work/x.py")
    with pytest.raises(CommandRefused):
        check("safe", outside)


def test_t30_no_text_makes_a_comparison_long() -> None:
    names = ["a" * length for length in range(1, 400)]
    commands = parse_commands({"r": {"shell": "{input}{output}" * 20 + "x"}})
    started = time.monotonic()
    for text in ("a" * 1_000_000, "a " * 500_000, "a" * 400 + " " * 1000):
        asked = {
            "executors": [{"command": ["bash", SCRIPT]}],
            "inputs": [{"path": f"/run/work/{name}"} for name in names]
            + [{"path": SCRIPT, "content": f"set -euo pipefail;  {text}"}],
            "outputs": [{"path": f"/run/work/{name}"} for name in names],
        }
        with pytest.raises(CommandRefused):
            check_command(commands, asked_of("r", asked), config={}, written=WRITTEN)
    for literal in ("(" * 500_000, "'" + "\\" * 999_999, "'a'," * 250_000, "{" * 20 + "1" * 900_000):
        with pytest.raises(CommandRefused):
            check("safe", script_job(f"{CALL}\n\nrun('/run/workflow/scripts/safe.py', {literal})\n"))
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"a": {"shell": "x {params.y}"}}, "'params.y' needs a type"),
        ({"a": {"shell": "x {GLOBAL}"}}, "'GLOBAL' needs a type"),
        ({"a": {"shell": "x {wildcards}"}}, "'wildcards' needs a type"),
        ({"a": {"shell": "x {input!r}"}}, "is formatted"),
        ({"a": {"shell": "x {threads:03}"}}, "is formatted"),
        ({"a": {"shell": "awk '{print $1}'"}}, "'print $1' needs a type"),
        ({"a": {"shell": "x {"}}, "braces"),
        ({"a": {"shell": "x", "free": True}}, "free: true stands alone"),
        ({"a": {"free": False}}, "free: true stands alone"),
        ({"a": {"script": "../x.py", "digest": DIGEST}}, "commands.a"),
        ({"a": {"script": "x.py", "digest": "sha256:1"}}, "commands.a"),
        ({"a": {"shell": "x {params.y}", "holes": {"params.y": "string"}}}, "commands.a: hole 'params.y'"),
        ({"a": {"shell": "x {params.y}", "holes": {"params.y": {"enum": []}}}}, "commands.a: hole 'params.y'"),
        ({"a": {"shell": "x", "benchmark": 3}}, "benchmark is true or false"),
        ({"a": {"free": True, "benchmark": True}}, "free: true stands alone"),
        ({"a b": {"shell": "x"}}, "rules are named"),
        ({"a": "x"}, "commands.a"),
        (["a"], "an object of rules"),
    ],
)
def test_a_section_that_does_not_bind_is_named(said: Any, named: str) -> None:
    with pytest.raises(BadRequest, match=r"manifest\.yaml: commands") as refused:
        parse_commands(said)
    assert named in refused.value.sentence


def test_free_commands_are_told() -> None:
    assert COMMANDS.free() == ["anything"]
    assert parse_commands("free").free() == ["*"]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("align", "bwa -R 'SM:Anna Berg!' work/a.fa > work/c"),
        ("align", "bwa -R 'SM:-x' work/a.fa > work/c"),
        ("mask", "filter -e 'Q<Anna Berg! {x}' -t 2 -f .,PASS work/a > work/c"),
    ],
)
def test_a_value_that_fits_no_hole_is_told_which_letters_one_has_and_never_itself(rule: str, text: str) -> None:
    with pytest.raises(CommandRefused) as refusal:
        check(rule, job(rule, text))
    assert "letters and digits of ASCII and . _ + = , - /, no hyphen first" in refusal.value.sentence
    assert "give another value, or ask a vetter to type the hole otherwise" in refusal.value.sentence
    assert "Anna" not in refusal.value.sentence + refusal.value.detail


@pytest.mark.parametrize("text", ["bwa", "bwa -R 'SX:x' work/a.fa > work/c", "id; bwa -R 'SM:x' work/a.fa > work/c"])
def test_what_is_no_matter_of_values_is_not_called_one(text: str) -> None:
    with pytest.raises(CommandRefused) as refusal:
        check("align", job("align", text))
    assert "signed for this rule; `strongroom workflow vet --draft`" in refusal.value.sentence
