"""Schemathesis, which makes up thousands of requests from an OpenAPI file, finds nothing wrong in any answer."""

import re
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest
import yaml
from official import FILES, FOLDER
from site_of_tests import Site
from trs_rules import GIVEN

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".venvs" / "schemathesis" / "bin" / "schemathesis"
BASE = {"tes": "/ga4gh/tes/v1", "wes": "/ga4gh/wes/v1"}
SPECS = {api: FOLDER / FILES[api] for api in BASE}
if GIVEN:  # what our own file says of TRS is attacked always
    BASE["trs"], SPECS["trs"] = "/ga4gh/trs/v2", Path(GIVEN)
FEWEST = 100  # requests that were made, or something did not run
# What the official files leave out, and only that.
EXPECTED = {
    "status_code_conformance": "they name 200 alone, or a few codes more: no 400 for what is wrong, no 405",
    "positive_data_acceptance": "what fits the schema may still be unvetted (403) or name what is not here (404)",
}


def attack(url: str, spec: str, token: str, *words: str, without: Collection[str] = ()) -> None:
    """Let schemathesis make up requests, and fail unless all answers are as they should be."""
    command = [str(PROGRAM), "run", spec, "--url", url, "--header", f"Authorization: Bearer {token}"]
    command += ["--checks", "all", "--max-examples", "40", "--seed", "7", "--no-color", "--workers", "1", *words]
    command += [f"--exclude-checks={','.join(without)}"] if without else []
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, cwd="/tmp")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    generated = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert generated, done.stdout[-2000:]
    assert generated[1] == generated[2]
    assert int(generated[1]) > FEWEST


def official_file(api: str, folder: Path) -> Path:
    """Return a copy of the official file without its contradiction: MINIMAL has two keys, executors is neither."""
    spec = SPECS[api]
    assert spec.exists(), f"put the official file there, or set STRONGROOM_SPECS: {spec}"
    text = yaml.safe_load(spec.read_text())
    text["components"]["schemas"].get("tesTask", {}).pop("required", None)
    copy = folder / spec.name
    copy.write_text(yaml.safe_dump(text, sort_keys=False))
    return copy


@pytest.mark.parametrize("api", BASE)
def test_the_official_file_fits(site: Site, api: str, tmp_path: Path) -> None:
    url = site.stage.settings.base_url + BASE[api]
    attack(url, str(official_file(api, tmp_path)), site.cast.researcher, without=EXPECTED)


def test_our_own_file_fits(site: Site) -> None:
    url = site.stage.settings.base_url
    only = ("--include-path-regex", "^/ga4gh/")
    attack(url, f"{url}/openapi.json", site.cast.researcher, *only, without=["positive_data_acceptance"])
