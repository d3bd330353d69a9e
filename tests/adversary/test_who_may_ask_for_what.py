"""A vetted workflow runs with parameters that its schema allows, on the project's own data, for its researchers."""

from typing import Any

import pytest
from hostile import vetted
from refusals import ONE_RULE, PARAMETERS, nothing_ran, refused, submit
from site_of_tests import Site

from strongroom.projects import Role


@pytest.fixture(scope="module")
def plain(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A vetted workflow that could run; most attacks change one thing about it."""
    folder = tmp_path_factory.mktemp("plain") / "plain"
    return vetted(site, folder, "plain", ONE_RULE, parameters=PARAMETERS)


@pytest.fixture(scope="module", autouse=True)
def others(site: Site) -> None:
    """A second project, and a dataset that nobody shared with the first one."""
    site.stage.token("rob", Role.RESEARCHER, "other")
    with site.stage.client(site.cast.operator) as client:
        client.post("/api/archive/v1/datasets", {"id": "unshared", "title": "of others", "observability": "open"})
        client.post("/api/archive/v1/datasets/unshared:share", {"project": "other"})


# --- what is asked of a vetted workflow -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"workflow_type": "CWL"}, ["workflow_type", "SMK"]),
        ({"workflow_type": "NFL"}, ["workflow_type", "SMK"]),
        ({"workflow_type_version": "8.0.0"}, ["workflow_type_version", "9.27.1"]),
        ({"workflow_engine": "nextflow"}, ["workflow_engine", "snakemake"]),
        ({"workflow_engine": "snakemake", "workflow_engine_version": "7"}, ["workflow_engine_version", "9.27.1"]),
        (
            {"workflow_engine_parameters": {"--config": "x=1"}},
            ["workflow_engine_parameters", "'--config' is not allowed"],
        ),
        ({"workflow_engine_parameters": "[]"}, ["workflow_engine_parameters", "object"]),
        ({"workflow_params": "{"}, ["workflow_params", "JSON object"]),
        ({"workflow_params": "[" * 100_000}, ["workflow_params", "JSON object"]),
        ({"tags": {}}, ["tags.project"]),
        ({"tags": {"project": ["cohort"]}}, ["tags.project"]),
        ({"tags": {"project": "cohort", "note": "x" * 300}}, ["tags", "short"]),
        ({"tags": '{"project": "\\ud800"}'}, ["tags"]),
    ],
)
def test_engines_and_fields_that_are_not_offered_are_refused(
    site: Site, plain: str, fields: dict[str, Any], words: list[str]
) -> None:
    refused(site, lambda: submit(site, plain, **fields), 400, *words)


@pytest.mark.parametrize(
    "params",
    [
        {"label": "$(touch owned)"},
        {"label": "a; id"},
        {"label": "`id`"},
        {"label": "a|b"},
        {"label": "a b"},
        {"label": "a\nb"},
        {"label": "plain\n"},
        {"label": "../../etc/passwd"},
        {"label": "{input}"},
        {"label": "'"},
        {"label": ""},
        {"label": "x" * 21},
        {"label": ["plain"]},
        {"mode": "quick; id"},
        {"mode": None},
        {"count": "1; id"},
        {"count": "1"},
        {"count": 1.5},
        {"count": True},
        {"count": 10},
        {"count": {"$ref": "file:///etc/passwd"}},
        {"command": "id"},
        {"policy": {"min_count": 0}},
        {"__use_yte__": True},
    ],
)
def test_a_parameter_that_the_schema_does_not_allow_is_refused(
    site: Site, plain: str, params: dict[str, Any]
) -> None:
    given = {"inputs": {}, **params}
    allowed = "This workflow's parameters are: count, label, mode, share."
    refused(site, lambda: submit(site, plain, workflow_params=given), 400, "workflow_params", allowed)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_number_that_is_none_is_refused(site: Site, plain: str, number: str) -> None:
    text = f'{{"inputs": {{}}, "share": {number}}}'
    refused(site, lambda: submit(site, plain, workflow_params=text), 400, "workflow_params")


# --- whose data, and whose project ------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["nobody-has-it", "unshared", "../hapmap", ""])
def test_a_dataset_that_is_not_the_projects_is_as_unknown_as_none(site: Site, dataset: str) -> None:
    given = {"inputs": {"calls": dataset}}
    sentence = "This project has no such dataset"
    refused(site, lambda: submit(site, "cohort-frequencies/1.0.0", workflow_params=given), 404, sentence)


def test_a_name_that_no_database_can_hold_is_refused(site: Site) -> None:
    given = {"inputs": {"calls": "hapmap\0"}}
    words = ("workflow_params", "NUL")
    refused(site, lambda: submit(site, "cohort-frequencies/1.0.0", workflow_params=given), 400, *words)


@pytest.mark.parametrize(
    "calls",
    [
        None,
        ["hapmap"],
        {"dataset": "hapmap", "files": ["../../etc/passwd"]},
        {"dataset": "hapmap", "files": []},
        {"dataset": "hapmap", "url": "file:///etc/passwd"},
        {"files": ["NA06984.vcf.gz"]},
    ],
)
def test_inputs_are_files_of_datasets(site: Site, calls: Any) -> None:
    given = {"inputs": {"calls": calls}}
    words = ("workflow_params.inputs.calls",)
    refused(site, lambda: submit(site, "cohort-frequencies/1.0.0", workflow_params=given), 400, *words)
    given = {"inputs": {"calls": "hapmap", "more": "hapmap"}}
    words = ("workflow_params.inputs", "calls")
    refused(site, lambda: submit(site, "cohort-frequencies/1.0.0", workflow_params=given), 400, *words)


def test_only_a_researcher_of_the_project_submits(site: Site, plain: str) -> None:
    sentence = "You need to be a researcher of this project."
    outsider = site.stage.token("rob", Role.RESEARCHER, "other")
    for token in (outsider, site.cast.first_steward, site.cast.operator):
        refused(site, lambda token=token: submit(site, plain, token=token), 403, sentence)  # type: ignore[misc]
    for project in ("other", "there-is-none", "*"):
        tags = {"project": project}
        refused(site, lambda tags=tags: submit(site, plain, tags=tags), 403, sentence)  # type: ignore[misc]
    with nothing_ran(site):
        answer = submit(site, plain, token="made.up.token")
    assert (answer.status_code, answer.json()["status_code"]) == (401, 401)
