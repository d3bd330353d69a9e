"""Vetting: forms of a workflow's name, two signatures over exactly this content, parameters that reach no shell."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom import dsse
from strongroom.errors import BadRequest
from wes.manifest import check_parameters, parse_manifest
from wes.vetting import STATEMENT, NotVetted, Statement, check_signed, parse_url

HOSTS = frozenset({"127.0.0.1:8080"})
STATED = Statement("freq", "1.0.0", "sha256:" + "a" * 64, {"genomics": "sha256:" + "b" * 64})
FIRST, SECOND, STRANGER = (Ed25519PrivateKey.generate() for _ in range(3))
TRUSTED = {dsse.key_id(k.public_key()): k.public_key() for k in (FIRST, SECOND)}


def check(envelope: dsse.Envelope, **changes: Any) -> Statement:
    known: dict[str, Any] = {"name": "freq", "version": "1.0.0", "content_digest": STATED.digest}
    return check_signed(envelope, **(known | changes), vetters=TRUSTED, owners={}, signatures=2)


def test_two_vetters_make_a_workflow_vetted() -> None:
    assert check(dsse.sign(STATEMENT, STATED.facts(), FIRST, SECOND)) == STATED


@pytest.mark.parametrize("keys", [(), (FIRST,), (FIRST, FIRST), (FIRST, STRANGER), (STRANGER, STRANGER)])
def test_t23_fewer_than_two_distinct_vetters_are_refused(keys: tuple[Ed25519PrivateKey, ...]) -> None:
    with pytest.raises(NotVetted):
        check(dsse.sign(STATEMENT, STATED.facts(), *keys))


@pytest.mark.parametrize(
    "changes",
    [{"name": "other"}, {"version": "1.0.1"}, {"content_digest": "sha256:" + "c" * 64}],
)
def test_t23_signatures_for_something_else_are_refused(changes: dict[str, str]) -> None:
    with pytest.raises(NotVetted):
        check(dsse.sign(STATEMENT, STATED.facts(), FIRST, SECOND), **changes)


def test_t23_a_changed_payload_loses_its_signatures() -> None:
    envelope = dsse.sign(STATEMENT, STATED.facts(), FIRST, SECOND)
    forged = dsse.sign(STATEMENT, STATED.facts() | {"images": {"genomics": "sha256:" + "e" * 64}})
    with pytest.raises(NotVetted):
        check(envelope | {"payload": forged["payload"]})


@pytest.mark.parametrize("broken", [{}, {"payload": 3}, {"payloadType": STATEMENT, "payload": "!", "signatures": []}])
def test_an_envelope_that_cannot_be_read_is_not_vetted(broken: dict[str, Any]) -> None:
    with pytest.raises(NotVetted):
        check(broken)


@pytest.mark.parametrize("url", ["freq/1.0.0", "trs://127.0.0.1:8080/freq/1.0.0"])
def test_two_forms_of_a_workflow_url_are_known(url: str) -> None:
    assert parse_url(url, hosts=HOSTS) == ("freq", "1.0.0")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "freq",
        "freq/1",
        "/etc/passwd",
        "https://x/y.smk",
        "freq/1.0.0/../x",
        "freq/1.0.0\n",
        "trs:///freq/1.0.0",
        "Freq/1.0.0",
    ],
)
def test_any_other_form_is_a_bad_request(url: str) -> None:
    with pytest.raises(BadRequest):
        parse_url(url, hosts=HOSTS)


def test_a_foreign_trs_host_is_refused_as_not_vetted() -> None:
    with pytest.raises(NotVetted):
        parse_url("trs://elsewhere/freq/1.0.0", hosts=HOSTS)


MANIFEST = """
name: freq
version: 1.0.0
title: Frequencies
engine: {name: snakemake, version: 9.27.1}
entry: Snakefile
images: [genomics]
inputs: [{name: calls, pattern: "*.vcf.gz", min_files: 1}]
parameters:
  type: object
  additionalProperties: false
  properties:
    bins: {type: integer, minimum: 1, maximum: 50, default: 10}
    build: {enum: [GRCh37, GRCh38]}
    label: {type: string, pattern: "^[A-Za-z0-9._-]{1,20}$"}
outputs: []
"""


def test_parameters_are_checked_and_defaults_filled_in() -> None:
    manifest = parse_manifest(MANIFEST)
    assert check_parameters(manifest, {"build": "GRCh38"}) == {"bins": 10, "build": "GRCh38"}


@pytest.mark.parametrize(
    "given",
    [
        {"label": "q; id"},
        {"label": "$(id)"},
        {"label": "a\n"},
        {"label": "x" * 21},
        {"bins": "10"},
        {"bins": 51},
        {"build": "hg19"},
        {"mem_mb": "1; id"},
    ],
)
def test_a_parameter_that_could_reach_a_shell_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="workflow_params"):
        check_parameters(parse_manifest(MANIFEST), given)


@pytest.mark.parametrize(
    "rule", ["{type: string}", '{type: string, pattern: ".*"}', '{type: string, pattern: "^[^;]*$"}', "{}"]
)
def test_a_manifest_with_a_free_string_is_refused(rule: str) -> None:
    with pytest.raises(BadRequest, match="parameter"):
        parse_manifest(MANIFEST.replace("{enum: [GRCh37, GRCh38]}", rule))


@pytest.mark.parametrize("pattern", ["^[A-z0-9]{1,20}$", "^[.-z]{1,64}$", "^........$", "^(a+)+$"])
def test_t18_no_pattern_has_room_for_a_shells_letters(pattern: str) -> None:
    with pytest.raises(BadRequest, match="parameter label: a pattern is"):
        parse_manifest(MANIFEST.replace("^[A-Za-z0-9._-]{1,20}$", pattern))
    with pytest.raises(BadRequest, match="parameter build: a pattern is"):
        parse_manifest(MANIFEST.replace("{enum: [GRCh37, GRCh38]}", f"{{enum: [a], pattern: '{pattern}'}}"))


@pytest.mark.parametrize(
    "words",
    [
        'patternProperties: {"^sample$": {}}',
        "unevaluatedProperties: {}",
        "allOf: [{properties: {bins: {pattern: '^(a+)+$'}}}]",
        "if: {}",
        "dependentSchemas: {bins: {}}",
        "propertyNames: {pattern: '^(a+)+$'}",
    ],
)
def test_t18_a_schema_lets_in_what_it_names_and_nothing_else(words: str) -> None:
    with pytest.raises(BadRequest, match="is not known here"):
        parse_manifest(MANIFEST.replace("parameters:\n", f"parameters:\n  {words}\n"))


@pytest.mark.parametrize(
    "reference", ["http://127.0.0.1:9/schema", "file:///etc/hostname", "#/nope", "#", "urn:nobody:x"]
)
@pytest.mark.parametrize("word", ["$ref", "$dynamicRef"])
def test_t23_a_schema_asks_nobody(word: str, reference: str) -> None:
    said = f"{{{word}: '{reference}', enum: [a]}}"
    for changed in (
        MANIFEST.replace("{enum: [GRCh37, GRCh38]}", said),
        MANIFEST.replace("parameters:\n", f"parameters:\n  {word}: '{reference}'\n"),
        MANIFEST.replace("parameters:\n", f"parameters:\n  allOf: [{said}]\n"),
    ):
        with pytest.raises(BadRequest, match="is not known here"):
            parse_manifest(changed)


def test_t30_a_parameter_is_checked_in_linear_time() -> None:
    manifest = parse_manifest(MANIFEST.replace("^[A-Za-z0-9._-]{1,20}$", f"^{'[a-z]{0,60}' * 20}$"))
    assert check_parameters(manifest, {"label": "a" * 900})["label"] == "a" * 900
    with pytest.raises(BadRequest, match="label is not what the schema allows"):
        check_parameters(manifest, {"label": "a" * 900 + "B"})


def test_t18_a_word_is_no_option() -> None:
    with pytest.raises(BadRequest, match="label is not what the schema allows"):
        check_parameters(parse_manifest(MANIFEST), {"label": "-rf"})


def test_each_engine_has_its_own_words_for_commands() -> None:
    snakemake = parse_manifest(MANIFEST + "commands: {one: {free: true}, two: {shell: x}}\n")
    assert snakemake.free() == ["one"]
    other = MANIFEST.replace("name: snakemake", "name: nextflow")
    nextflow = parse_manifest(other + "processes: {ONE: x}\nfree_commands: [TWO]\n")
    assert nextflow.free() == ["TWO"]
    for wrong in (
        other + "commands: free\n",
        MANIFEST + "free_commands: [TWO]\n",
        MANIFEST + "processes: {ONE: x}\n",
    ):
        with pytest.raises(BadRequest, match="is not for workflows of"):
            parse_manifest(wrong)


def test_t18_a_manifest_that_says_nothing_of_commands_admits_nothing() -> None:
    assert parse_manifest(MANIFEST).commands.of("one") is None


@pytest.mark.parametrize("line", ["hooks: {}", "engine: {name: make}", "entry: ../Snakefile", "name: A B"])
def test_a_manifest_with_anything_unknown_is_refused(line: str) -> None:
    field = line.split(":", maxsplit=1)[0]
    kept = "\n".join(row for row in MANIFEST.splitlines() if not row.startswith(f"{field}:"))
    with pytest.raises(BadRequest, match=r"manifest\.yaml"):
        parse_manifest(kept + "\n" + line)
