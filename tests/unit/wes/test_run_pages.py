"""The pages of runs over a catalogue with one vetted workflow: its form, its code, and what a form may ask for."""

from collections.abc import Iterator

import pytest
from page_scene import Pages, pages
from runs_scene import a_run, add

from strongroom.audit import Event
from strongroom.cli import key as key_verbs
from strongroom.cli.workflow import private_key
from strongroom.database import transaction
from strongroom.settings import SOURCE
from wes import catalogue

URL, RUN = "cohort-frequencies/1.0.0", f"{1:032x}"


@pytest.fixture
def site() -> Iterator[Pages]:
    with pages() as one:
        settings = one.stage.settings
        for name in ("catalogue", "vetters", "trust"):
            (settings.home / name).mkdir(exist_ok=True)
        said = catalogue.vet(settings, SOURCE / "workflows" / URL, {"genomics": "sha256:" + "1" * 64})
        first = settings.home / "vetters" / "vera.pem"
        for vetter in ("vera", "viktor"):
            secret = first.with_stem(vetter)
            key_verbs.make_vetter(settings, vetter, private=secret, endorsed_by=first if first.exists() else None)
            catalogue.sign(settings, said.workflow, said.version, private_key(secret))
        with transaction(one.stage.engine) as session:
            add(session, a_run(1, digest=said.digest))
        yield one


def test_what_may_run_is_offered_and_its_form_has_each_parameter(site: Pages) -> None:
    ruth = site.browser("ruth")
    offered = ruth.get("/runs/new").text
    assert f'href="/runs/new/{URL}"' in offered
    # Two may have one title: a section's name holds the version too, or a reader by ear cannot tell them apart.
    assert 'aria-labelledby="w1 v1"' in offered
    assert f'id="v1">{URL}<' in offered
    text = ruth.get(f"/runs/new/{URL}").text
    for field in ("input.calls", "param.min_depth", "param.sites", "param.bins"):
        assert f'name="{field}"' in text
    assert 'max="99"' in text


def test_stewards_see_the_code_and_who_signed_it(site: Pages) -> None:
    text = site.browser("sam").get(f"/code/{RUN}").text
    assert "vera, viktor" in text
    assert "rule safe_sites" in text
    assert "scripts/safe_sites.py" in text


def test_code_that_is_not_what_ran_is_not_shown(site: Pages) -> None:
    with transaction(site.stage.engine) as session:
        add(session, a_run(2))
    assert site.browser("sam").get(f"/code/{2:032x}").status_code == 404


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"input.calls": "hapmap"}, 404),  # a dataset that the project does not have
        ({"input.calls": ""}, 400),
        ({"param.bins": "many"}, 400),
        ({"workflow": "other/1.0.0"}, 403),
        ({"workflow": "../x"}, 400),
        ({"project": "elsewhere"}, 403),
        ({"project": ""}, 400),
        ({"name": "n" * 201}, 400),
    ],
)
def test_what_wes_would_refuse_the_form_refuses_and_nothing_starts(
    site: Pages, changed: dict[str, str], status: int
) -> None:
    ruth = site.browser("ruth")
    form = ruth.form(f"/runs/new/{URL}", "/runs") | {"input.calls": "hapmap", "param.bins": "10"} | changed
    assert ruth.post("/runs", form).status_code == status
    assert not site.stage.events(Event.RUN_SUBMITTED)


def test_a_refused_run_is_written_down(site: Pages) -> None:
    ruth = site.browser("ruth")
    form = ruth.form(f"/runs/new/{URL}", "/runs") | {"input.calls": "hapmap", "project": "elsewhere"}
    ruth.post("/runs", form)
    assert site.stage.events(Event.RUN_REFUSED)[0]["project"] == "elsewhere"
