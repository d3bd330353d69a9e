"""Engine parameters: an allow-list of typed strings, which become words of a list and never of a shell."""

from pathlib import Path
from typing import Any

import pytest

from strongroom.errors import BadRequest
from wes.engines import Folders, Launch
from wes.engines.snakemake import Snakemake, option_words
from wes.manifest import Manifest, parse_manifest
from wes.options import OPTIONS, check_options, is_whole

MANIFEST = """
name: w
version: 1.0.0
engine: {name: snakemake, version: 9.27.1}
entry: Snakefile
until: [merge, allele_counts]
asked_targets: [report]
"""


@pytest.fixture
def manifest() -> Manifest:
    return parse_manifest(MANIFEST)


def test_a_manifest_without_a_title_is_called_by_its_name(manifest: Manifest) -> None:
    assert manifest.title == "w"
    assert parse_manifest(MANIFEST + "title: ' '\n").title == "w"
    assert parse_manifest(MANIFEST + "title: Of a cohort\n").title == "Of a cohort"


def test_what_is_allowed_is_echoed_as_it_was_given(manifest: Manifest) -> None:
    given = {"retries": "3", "keep-going": "true", "forceall": "false", "until": "merge,allele_counts"}
    assert check_options(manifest, given) == given
    assert check_options(manifest, {}) == {}


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"--config": "x=1"}, "'--config' is not allowed"),
        ({"config": "x=1"}, "keep-going"),
        ({"keep_going": "true"}, "'keep_going'"),
        ({"default-resources": "mem_mb=__import__('os')"}, "'default-resources'"),
        ({"keep-going": True}, "keep-going: values are strings"),
        ({"keep-going": "yes"}, "keep-going: 'true' or 'false'"),
        ({"forceall": ""}, "forceall"),
        ({"retries": 3}, "retries: values are strings"),
        ({"retries": "4"}, "retries: a whole number"),
        ({"retries": "-1"}, "retries"),
        ({"retries": "1 --config x=1"}, "retries"),
        ({"retries": "1\n"}, "retries"),
        ({"retries": "٣"}, "retries"),
        ({"until": "all"}, "until: each once, of allele_counts, merge"),
        ({"until": "merge,merge"}, "until: each once"),
        ({"until": "merge --config x=1"}, "until"),
        ({"until": "merge,"}, "until"),
        ({"targets": "merge"}, "targets: each once, of report"),
        ({"targets": "--config"}, "targets"),
    ],
)
def test_anything_else_is_refused_with_its_name(manifest: Manifest, given: dict[str, Any], word: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        check_options(manifest, given)
    assert word in refusal.value.sentence
    assert "workflow_engine_parameters" in refusal.value.sentence


def test_the_defaults_of_service_info_may_be_sent_back(manifest: Manifest) -> None:
    defaults = {option.name: option.default for option in OPTIONS["snakemake"]}
    assert check_options(manifest, defaults) == defaults
    assert option_words(defaults) == option_words({})
    assert is_whole(defaults)


def test_a_workflow_without_a_list_takes_no_rules() -> None:
    plain = parse_manifest(MANIFEST.split("until", maxsplit=1)[0] + "targets: full\n")
    for name in ("until", "targets"):
        with pytest.raises(BadRequest, match="lists no rules"):
            check_options(plain, {name: "merge"})


@pytest.mark.parametrize(
    "line", ["until: merge", "until: ['a b']", "asked_targets: ['--config']", "asked_targets: {a: b}"]
)
def test_lists_of_rules_in_a_manifest_are_names(line: str) -> None:
    with pytest.raises(BadRequest, match="list of names of rules"):
        parse_manifest(MANIFEST.split("until", maxsplit=1)[0] + line + "\n")


def test_options_become_words_of_a_list(manifest: Manifest) -> None:
    words = option_words({"until": "a,b", "targets": "c,d", "keep-going": "true", "forceall": "false"})
    assert words == ["--until", "a", "b", "--keep-going", "--retries", "0"]
    assert option_words({}) == ["--retries", "0"]
    nowhere = Path("/nowhere")
    launch = Launch("r", manifest, 2, 1 << 30, options={"targets": "c,d"})
    command = Snakemake().command(launch, Folders(nowhere, nowhere, nowhere, nowhere))
    assert command[-3:] == ["--", "c", "d"]


def test_every_option_that_is_listed_can_be_checked(manifest: Manifest) -> None:
    good = {"keep-going": "true", "retries": "1", "forceall": "true", "until": "merge", "targets": "report"}
    assert {option.name for option in OPTIONS["snakemake"]} == set(good)
    for name, value in good.items():
        assert check_options(manifest, {name: value}) == {name: value}


def test_t16_only_a_run_without_a_part_is_whole() -> None:
    assert is_whole({"keep-going": "true", "retries": "3", "forceall": "true"})
    assert not is_whole({"until": "merge"})
    assert not is_whole({"targets": "report"})
