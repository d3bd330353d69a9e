"""What TRS 2.0.1 tells of the catalogue is of the specification's shapes, and of vetted versions alone."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from official import check as check_official
from site_of_tests import FREQUENCIES, Site
from trs_rules import check

TRS = "/ga4gh/trs/v2"
COHORT = f"{TRS}/tools/cohort-frequencies"
VERSION = f"{COHORT}/versions/1.0.0"


def ask(site: Site, path: str, *, token: str | None = None, **query: Any) -> httpx.Response:
    bearer = site.cast.researcher if token is None else token
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return httpx.get(site.stage.settings.base_url + path, params=query or None, headers=headers, timeout=30)


def test_service_info_and_classes(site: Site) -> None:
    info = ask(site, f"{TRS}/service-info", token="").json()
    check_official("service", "Service", info)
    assert info["type"] == {"group": "org.ga4gh", "artifact": "trs", "version": "2.0.1"}
    (one,) = ask(site, f"{TRS}/toolClasses").json()
    check("ToolClass", one)


def test_tools_and_their_versions(site: Site) -> None:
    tools = ask(site, f"{TRS}/tools").json()
    for tool in tools:
        check("Tool", tool)
        assert ask(site, f"{TRS}/tools/{tool['id']}").json() == tool
        assert ask(site, f"{TRS}/tools/{tool['id']}/versions").json() == tool["versions"]
        for version in tool["versions"]:
            found = ask(site, version["url"].removeprefix(site.stage.settings.base_url)).json()
            check("ToolVersion", found)
            assert found == version
            assert found["descriptor_type"] in (["SMK"], ["NFL"])
            assert found["signed"] is True
            assert all(len(sum_["checksum"]) == 64 for image in found["images"] for sum_ in image["checksum"])
    assert {"cohort-frequencies", "variant-calling"} <= {tool["id"] for tool in tools}


def test_files_are_the_signed_bytes(site: Site) -> None:
    files = ask(site, f"{VERSION}/SMK/files").json()
    for one in files:
        check("ToolFile", one)
        content = (FREQUENCIES / one["path"]).read_bytes()
        assert one["checksum"] == {"checksum": hashlib.sha256(content).hexdigest(), "type": "sha-256"}
        wrapped = ask(site, f"{VERSION}/SMK/descriptor/{one['path']}").json()
        check("FileWrapper", wrapped)
        assert wrapped["content"].encode() == content
        assert wrapped["checksum"] == [one["checksum"]]
        bare = ask(site, wrapped["url"].removeprefix(site.stage.settings.base_url))
        assert bare.content == content
        assert bare.headers["content-type"].startswith("text/plain")
    kinds = {one["path"]: one["file_type"] for one in files}
    assert (kinds["Snakefile"], kinds["manifest.yaml"]) == ("PRIMARY_DESCRIPTOR", "OTHER")
    main = ask(site, f"{VERSION}/SMK/descriptor").json()
    assert main["content"] == (FREQUENCIES / "Snakefile").read_text()
    packed = ask(site, f"{VERSION}/SMK/files", format="zip")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert sorted(archive.namelist()) == sorted(kinds)
        assert archive.read("Snakefile") == (FREQUENCIES / "Snakefile").read_bytes()
    assert ask(site, f"{VERSION}/SMK/tests").json() == []


@pytest.mark.parametrize(
    "path",
    [
        f"{TRS}/tools/nothing",
        f"{TRS}/tools/%2e%2e",
        f"{TRS}/tools/%2e%2e%2f%2e%2e",
        f"{COHORT}/versions/9.9.9",
        f"{COHORT}/versions/%2e%2e",
        f"{VERSION}/CWL/descriptor",
        f"{VERSION}/SMK/descriptor/nothing.py",
        f"{VERSION}/SMK/descriptor/../../../records",
        f"{VERSION}/SMK/descriptor/%2e%2e/%2e%2e/%2e%2e/keys/links",
        f"{VERSION}/SMK/descriptor//etc/passwd",
        f"{VERSION}/NFL/files",
        f"{VERSION}/containerfile",
        f"{TRS}/elsewhere",
    ],
)
def test_what_is_not_there_is_not_found_in_trs_shape(site: Site, path: str) -> None:
    answer = ask(site, path)
    assert answer.status_code == 404
    check("Error", answer.json())
    assert answer.json()["code"] == 404
    assert answer.json()["message"]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": "x"}, {"offset": "x"}, {"offset": "-1"}, {"checker": "x"}])
def test_bad_questions_name_the_field(site: Site, query: dict[str, Any]) -> None:
    answer = ask(site, f"{TRS}/tools", **query)
    assert answer.status_code == 400
    check("Error", answer.json())
    assert next(iter(query)) in answer.json()["message"]


def test_pages_lead_from_one_to_the_next(site: Site) -> None:
    whole = [tool["id"] for tool in ask(site, f"{TRS}/tools").json()]
    assert len(whole) >= 2
    seen, path = [], f"{TRS}/tools?limit=1"
    for _ in whole:
        answer = ask(site, path)
        seen += [tool["id"] for tool in answer.json()]
        assert answer.headers["current_limit"] == "1"
        assert answer.headers["current_offset"] == str(len(seen) - 1)
        following = answer.headers.get("next_page")
        path = (following or "").removeprefix(site.stage.settings.base_url)
    assert following is None
    assert seen == whole
    assert ask(site, answer.headers["last_page"].removeprefix(site.stage.settings.base_url)).json() == answer.json()
    assert ask(site, f"{TRS}/tools", offset="99999").json() == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"id": "variant-calling"}, True),
        ({"id": "other"}, False),
        ({"toolname": "variant-calling"}, True),
        ({"toolClass": "Workflow"}, True),
        ({"toolClass": "CommandLineTool"}, False),
        ({"descriptorType": "SMK"}, True),
        ({"descriptorType": "CWL"}, False),
        ({"name": "genomics"}, True),
        ({"organization": "Strongroom"}, True),
        ({"description": "variant calls"}, True),
        ({"author": "the Strongroom project"}, True),
        ({"author": "somebody"}, False),
        ({"registry": "example.org"}, False),
        ({"alias": "x"}, False),
        ({"checker": "true"}, False),
    ],
)
def test_filters(site: Site, query: dict[str, str], found: bool) -> None:
    names = [tool["id"] for tool in ask(site, f"{TRS}/tools", **query).json()]
    assert ("variant-calling" in names) is found


def test_strangers_read_nothing(site: Site) -> None:
    for path in ("/toolClasses", "/tools", "/tools/cohort-frequencies", "/tools/cohort-frequencies/versions/1.0.0"):
        answer = ask(site, TRS + path, token="")
        assert answer.status_code == 401
        check("Error", answer.json())
        assert ask(site, TRS + path, token="forged").status_code == 401


def test_only_vetted_versions_are_told(site: Site, tmp_path: Path) -> None:
    source = tmp_path / "w"
    source.mkdir()
    (source / "Snakefile").write_text('container: "genomics"\nrule one:\n    output: "x"\n    shell: "true"\n')
    (source / "Containerfile").write_text("FROM scratch\n")
    (source / "tests").mkdir()
    (source / "tests" / "one.json").write_text("{}")
    (source / "bytes.bin").write_bytes(b"\xff\x00")
    said = {"name": "told", "version": "1.0.0", "engine": {"name": "snakemake", "version": "9.27.1"}}
    said |= {"entry": "Snakefile", "images": ["genomics"], "commands": {"one": {"shell": "true"}}}
    (source / "manifest.yaml").write_text(json.dumps(said))
    url = site.stage.vet(source, "vera")
    version = f"{TRS}/tools/told/versions/1.0.0"
    for path in (f"{TRS}/tools/told", version, f"{version}/SMK/descriptor"):
        assert ask(site, path).status_code == 404
    site.stage.vet(source, "vera", "viktor")
    assert ask(site, version).json()["containerfile"] is True
    (recipe,) = ask(site, f"{version}/containerfile").json()
    assert recipe["content"] == "FROM scratch\n"
    (test,) = ask(site, f"{version}/SMK/tests").json()
    check("FileWrapper", test)
    binary = ask(site, f"{version}/SMK/descriptor/bytes.bin").json()
    check("FileWrapper", binary)
    assert "content" not in binary
    assert ask(site, binary["url"].removeprefix(site.stage.settings.base_url)).content == b"\xff\x00"
    site.stage.run("workflow", "revoke", url, "--key", str(site.stage.home / "vetters" / "vera.pem"))
    assert ask(site, version).status_code == 404
    assert ask(site, f"{TRS}/tools/told").status_code == 404
