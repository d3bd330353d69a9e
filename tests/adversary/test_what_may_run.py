"""Only what two vetters signed runs, byte for byte: verified when a run is submitted, launched, and at each task."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hostile import eventually, held_still, in_state, rows, vetted, workflow
from refusals import ONE_RULE, PARAMETERS, refused, submit
from site_of_tests import Site

from strongroom import dsse
from strongroom.cli.run import WES
from wes import catalogue
from wes.signing import Vetters
from wes.vetting import STATEMENT

VETTED_ONLY = "Only vetted workflows may run here, named NAME/VERSION; `strongroom workflow list` shows them."


@pytest.fixture(scope="module")
def plain(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A vetted workflow that could run; most attacks change one thing about it."""
    folder = tmp_path_factory.mktemp("plain") / "plain"
    return vetted(site, folder, "plain", ONE_RULE, parameters=PARAMETERS)


@contextmanager
def put_back(*paths: Path) -> Iterator[None]:
    """Let an attacker with root's hands change these paths, and restore each byte and mode afterwards."""
    kept = {path: path.with_name(f"{path.name}.kept") for path in paths}
    for path, copy in kept.items():
        shutil.move(path, copy)
        (shutil.copytree if copy.is_dir() else shutil.copy2)(copy, path)
    try:
        yield
    finally:
        for path, copy in kept.items():
            (shutil.rmtree if path.is_dir() else Path.unlink)(path)
            shutil.move(copy, path)


def content(site: Site, url: str) -> Path:
    envelope = json.loads((record(site, url) / "envelope.json").read_text())
    digest = str(dsse.facts_in(envelope)["digest"])
    return site.stage.home / "catalogue" / "content" / digest.removeprefix("sha256:")


def record(site: Site, url: str) -> Path:
    return site.stage.home / "catalogue" / "records" / url


# --- names and places -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["nobody-knows-it/1.0.0", "plain/9.9.9", "trs://elsewhere.example/plain/1.0.0", "cohort-frequencies/1.0.1"]
)
def test_t23_what_no_vetter_saw_is_refused(site: Site, plain: str, url: str) -> None:
    refused(site, lambda: submit(site, url), 403, VETTED_ONLY)


@pytest.mark.parametrize(
    "url",
    [
        "/etc/passwd",
        "file:///srv/workflow/Snakefile",
        "../plain/1.0.0",
        "plain",
        "plain/latest",
        "plain/1.0.0/../../other/1.0.0",
        "plain/1.0.0 ",
        "plain/1.0.0\n",
        "PLAIN/1.0.0",
        "https://github.com/somebody/workflow",
        "git+ssh://git@example.org/workflow.git",
        "trs://elsewhere.example/../plain/1.0.0",
    ],
)
def test_t23_paths_and_addresses_are_no_names_of_workflows(site: Site, plain: str, url: str) -> None:
    refused(site, lambda: submit(site, url), 400, "workflow_url", "NAME/VERSION", "vetted")


def test_t23_nobody_brings_files_along(site: Site, plain: str) -> None:
    sentence = "only vetted workflows run, with files of datasets"
    for part in (("Snakefile", b"rule all:"), (None, "Snakefile")):
        attached = [("workflow_attachment", part)]
        refused(site, lambda files=attached: submit(site, plain, files=files), 400, sentence)  # type: ignore[misc]
    twice = [("workflow_url", (None, "other/1.0.0"))]
    refused(site, lambda: submit(site, plain, files=twice), 400, "workflow_url", "twice")
    unknown = [("workflow_secrets", (None, "x"))]
    refused(site, lambda: submit(site, plain, files=unknown), 400, "'workflow_secrets' is not a field")


# --- vetting: content and signatures ----------------------------------------------------------------------------


def one_byte(folder: Path) -> None:
    text = bytearray((folder / "Snakefile").read_bytes())
    text[-2] ^= 1
    (folder / "Snakefile").write_bytes(text)


def mode(folder: Path) -> None:
    (folder / "Snakefile").chmod(0o555)


def added(folder: Path) -> None:
    (folder / "sitecustomize.py").write_text("")


def taken_away(folder: Path) -> None:
    (folder / "extra.txt").unlink()


def linked(folder: Path) -> None:
    shutil.copy2(folder / "Snakefile", folder.parent / ".elsewhere")
    (folder / "Snakefile").unlink()
    (folder / "Snakefile").symlink_to("../.elsewhere")


def linked_folder(folder: Path) -> None:
    (folder / "scripts").symlink_to("..")


def renamed(folder: Path) -> None:
    (folder / "extra.txt").rename(folder / "extra2.txt")


@pytest.fixture(scope="module")
def tampered_with(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A vetted workflow of three files."""
    folder = workflow(tmp_path_factory.mktemp("w") / "w", "tampered", ONE_RULE, parameters=PARAMETERS)
    (folder / "extra.txt").write_text("more")
    return site.stage.vet(folder, "vera", "viktor")


@pytest.mark.parametrize("tamper", [one_byte, mode, added, taken_away, linked, linked_folder, renamed])
def test_t23_a_tampered_workflow_is_refused(site: Site, tampered_with: str, tamper: Callable[[Path], None]) -> None:
    folder = content(site, tampered_with)
    with put_back(folder):
        tamper(folder)
        refused(site, lambda: submit(site, tampered_with), 403, VETTED_ONLY)
    assert catalogue.load(site.stage.settings, "tampered", "1.0.0").folder == folder  # it was the change alone


@pytest.mark.parametrize("vetters", [(), ("vera",), ("vera", "vera")])
def test_t23_unsigned_and_once_signed_are_refused(site: Site, tmp_path: Path, vetters: tuple[str, ...]) -> None:
    name = f"signed-by-{len(vetters)}-{len(set(vetters))}"
    url = site.stage.vet(workflow(tmp_path / "w", name, ONE_RULE, parameters=PARAMETERS), *vetters)
    refused(site, lambda: submit(site, url), 403, VETTED_ONLY)


def doubled(envelope: dsse.Envelope) -> None:
    envelope["signatures"] *= 2


def under_another_name(envelope: dsse.Envelope, other: str) -> None:
    envelope["signatures"].append({**envelope["signatures"][0], "keyid": other})


def by_a_stranger(envelope: dsse.Envelope) -> None:
    stranger = Ed25519PrivateKey.generate()
    envelope["signatures"] += dsse.sign(STATEMENT, dsse.facts_in(envelope), stranger)["signatures"]


def test_t23_two_signatures_are_two_trusted_vetters(site: Site, tmp_path: Path) -> None:
    url = site.stage.vet(workflow(tmp_path / "w", "forged", ONE_RULE, parameters=PARAMETERS), "vera")
    file = record(site, url) / "envelope.json"
    viktor = Vetters.of(site.stage.settings).names["viktor"]
    forgeries: list[Callable[[dsse.Envelope], None]] = [
        doubled,
        by_a_stranger,
        lambda envelope: under_another_name(envelope, viktor),
    ]
    for forge in forgeries:
        with put_back(file):
            envelope = json.loads(file.read_text())
            forge(envelope)
            file.write_text(json.dumps(envelope))
            refused(site, lambda: submit(site, url), 403, VETTED_ONLY)
    # One vetter's key under a second name is still one vetter.
    twin = site.stage.home / "trust" / "vetters" / "vera-again.pem"
    shutil.copy(twin.with_name("vera.pem"), twin)
    try:
        refused(site, lambda: submit(site, url), 403, VETTED_ONLY)
    finally:
        twin.unlink()


def test_t23_a_vetter_who_is_trusted_no_more_does_not_count(site: Site, plain: str) -> None:
    trusted = site.stage.home / "trust" / "vetters" / "viktor.pem"
    with put_back(trusted):
        trusted.write_bytes(trusted.with_name("vera.pem").read_bytes())
        refused(site, lambda: submit(site, plain), 403, VETTED_ONLY)
    assert catalogue.load(site.stage.settings, "plain", "1.0.0")


def test_t23_what_was_signed_cannot_be_said_otherwise(site: Site, plain: str, tampered_with: str) -> None:
    file, lock = record(site, plain) / "envelope.json", record(site, plain) / "images.lock"
    signed = catalogue.load(site.stage.settings, "plain", "1.0.0").statement.images
    other = {"genomics": "sha256:" + "0" * 64}
    with put_back(file):  # another image, under the old signatures
        envelope = json.loads(file.read_text())
        facts = {**dsse.facts_in(envelope), "images": other}
        envelope["payload"] = base64.b64encode(json.dumps(facts).encode()).decode()
        file.write_text(json.dumps(envelope))
        refused(site, lambda: submit(site, plain), 403, VETTED_ONLY)
    with put_back(file):  # good signatures, of another workflow
        shutil.copy(record(site, tampered_with) / "envelope.json", file)
        refused(site, lambda: submit(site, plain), 403, VETTED_ONLY)
    with put_back(file):
        file.write_text("{not JSON")
        refused(site, lambda: submit(site, plain), 403, VETTED_ONLY)
    with put_back(lock):  # the lock is for people; what counts is what was signed
        lock.write_text(json.dumps({"images": other}))
        assert catalogue.load(site.stage.settings, "plain", "1.0.0").statement.images == signed


# --- verified again at launch, and at each task -----------------------------------------------------------------


def test_t23_what_was_changed_after_submission_is_not_launched(site: Site, tampered_with: str) -> None:
    folder = content(site, tampered_with)
    with put_back(folder):
        with held_still(site, "worker"):
            run = submit(site, tampered_with).json()["run_id"]
            one_byte(folder)
        assert site.ended(run) == "SYSTEM_ERROR"
    assert rows(site, "select count(*) from tasks where run = ?", run) == [(0,)]
    assert rows(site, "select count(*) from run_tasks where run = ?", run) == [(0,)]
    with site.stage.client(site.cast.researcher) as client:
        told = client.get(f"{WES}/runs/{run}")["run_log"]["system_logs"]
    assert told == ["The workflow is not vetted any more."]
    assert rows(site, "select closed_as from decisions where run = ?", run) == [("system_error",)]


def test_t23_what_was_changed_after_launch_gets_no_sandbox_and_no_keys(site: Site, tampered_with: str) -> None:
    folder = content(site, tampered_with)
    with put_back(folder):
        with held_still(site, "dispatcher"):
            run = submit(site, tampered_with).json()["run_id"]
            (task,) = eventually(lambda: in_state(site, run, "QUEUED"), "the engine asked for no task")
            one_byte(folder)
        assert site.ended(run) == "SYSTEM_ERROR"
    assert in_state(site, run, "SYSTEM_ERROR") == [task]
    attempts = rows(site, "select id, spec_sha256 from attempts where task = ?", task)
    assert [spec for _, spec in attempts] == [None]
    assert rows(site, "select count(*) from grants where attempt = ?", attempts[0][0]) == [(0,)]
