"""Whose signatures count, when, and until when: times of keys, authors, revocation, and what a version changes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archive.keys.trust import Trust
from strongroom.dsse import key_id
from strongroom.errors import Conflict, NotAllowed
from strongroom.issuers import Identity, Issuer
from strongroom.settings import Settings
from strongroom.vetters import VetterKey, Vetting, counts
from wes import catalogue, signing
from wes.differences import Version, differences
from wes.records import read_envelope, record_of
from wes.signing import Revoked, Vetters
from wes.vetting import NotVetted, is_author

NOW = datetime(2026, 11, 26, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEYS = {name: Ed25519PrivateKey.generate() for name in ("vera", "viktor", "vanda")}
IMAGES = {"genomics": "sha256:" + "b" * 64}
MANIFEST: dict[str, Any] = {
    "name": "freq",
    "version": "1.0.0",
    "title": "x",
    "author": "Ada L., Vera",
    "engine": {"name": "snakemake", "version": "9.27.1"},
    "entry": "Snakefile",
    "images": ["genomics"],
    "commands": {"one": {"shell": "echo > {output}"}},
    "outputs": [{"match": "a.tsv", "release": "inside"}],
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    trusted = tmp_path / "home" / "trust" / "vetters"
    trusted.mkdir(parents=True)
    for name, key in KEYS.items():
        pem = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (trusted / f"{name}.pem").write_bytes(pem)
    return tmp_path / "home"


def settings(home: Path, policy: Any = "cancel", **keys: VetterKey) -> Settings:
    return Settings(home=home, vetting=Vetting(keys=keys, revoked_runs=policy))


def folder(tmp_path: Path, **changes: Any) -> Path:
    said = MANIFEST | changes
    made = tmp_path / f"w-{said['version']}"
    made.mkdir(exist_ok=True)
    (made / "manifest.yaml").write_text(yaml.safe_dump(said))
    (made / "Snakefile").write_text('rule one:\n    output: "a.tsv"\n    shell: "echo > {output}"\n')
    return made


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, True),
        (VetterKey(), True),
        (VetterKey(not_before=NOW), True),
        (VetterKey(not_before=NOW + HOUR), False),
        (VetterKey(not_after=NOW + HOUR), True),
        (VetterKey(not_after=NOW), False),
        (VetterKey(revoked=True), False),
        (VetterKey(revoked=True, not_before=NOW - HOUR, not_after=NOW + HOUR), False),
    ],
)
def test_a_key_counts_in_its_time(said: VetterKey | None, expected: bool) -> None:
    assert counts(said, NOW) is expected


def test_t23_a_key_that_does_not_count_vets_nothing(home: Path, tmp_path: Path) -> None:
    good = settings(home)
    catalogue.vet(good, folder(tmp_path, author="Ada"), IMAGES)
    for name in ("vera", "viktor"):
        catalogue.sign(good, "freq", "1.0.0", KEYS[name])
    assert catalogue.load(good, "freq", "1.0.0").statement.images == IMAGES
    late = settings(home, vera=VetterKey(not_after=datetime(2020, 1, 1, tzinfo=UTC)))
    revoked = settings(home, viktor=VetterKey(revoked=True))
    for one in (late, revoked):
        with pytest.raises(NotVetted):
            catalogue.load(one, "freq", "1.0.0")
        # The broker, which opens headers, sees it too.
        mine = Trust(home / "trust", one.vetting.keys).vetters()
        assert len(mine) == 2 < len(Trust(home / "trust").vetters())
    with pytest.raises(NotAllowed, match="does not count now"):
        catalogue.sign(late, "freq", "1.0.0", KEYS["vera"])
    # Under a second name it is the same key.
    twin = home / "trust" / "vetters" / "other.pem"
    twin.write_bytes((home / "trust" / "vetters" / "viktor.pem").read_bytes())
    assert key_id(KEYS["viktor"].public_key()) not in Vetters.of(revoked).trusted


def test_t28_two_keys_of_one_human_vet_nothing(home: Path, tmp_path: Path) -> None:
    keys = {"vera": VetterKey(person="vera@lab"), "viktor": VetterKey(person="v.meyer@clinic")}
    apart = settings(home, **keys)
    catalogue.vet(apart, folder(tmp_path, author="Ada"), IMAGES)
    joined = Identity(
        issuers=tuple(
            Issuer(name=name, issuer=f"https://{name}", audience="s", jwks_file=tmp_path / name)
            for name in ("lab", "clinic")
        ),
        joined=(("vera@lab", "v.meyer@clinic"),),
    )
    one = Settings(home=home, vetting=apart.vetting, identity=joined)
    assert [catalogue.sign(one, "freq", "1.0.0", KEYS[name]) for name in ("vera", "viktor")] == [1, 1]
    with pytest.raises(NotVetted):
        catalogue.load(one, "freq", "1.0.0")
    assert catalogue.load(apart, "freq", "1.0.0").statement.images == IMAGES
    # The broker counts as the catalogue does.
    envelope = read_envelope(record_of(one, "freq", "1.0.0"))
    assert envelope is not None
    for given, number in ((one, 1), (apart, 2)):
        trust = Trust(home / "trust", given.vetting.keys, joined=given.joined)
        assert len(trust.vetted(envelope).signed_by) == number
    # And who wrote it under one identity does not vet it under the other.
    catalogue.vet(one, folder(tmp_path, author="Vera (v.meyer@clinic)", version="1.1.0"), IMAGES)
    with pytest.raises(NotAllowed, match="what they wrote"):
        catalogue.sign(one, "freq", "1.1.0", KEYS["vera"])


@pytest.mark.parametrize(
    ("author", "vetter", "person", "expected"),
    [
        ("Vera", "vera", "", True),
        ("Ada Lovelace, Vera", "vera", "", True),
        ("Ada and vera", "vera", "", True),
        ("Vera <vera@example.org>", "x", "vera@example.org", True),
        ("Ada (vera@lab)", "v", "vera@lab", True),
        ("Veranda", "vera", "", False),
        ("the Strongroom project", "vera", "vera@lab", False),
        ("", "vera", "", False),
        ("", "", "", False),
    ],
)
def test_who_is_an_author(author: str, vetter: str, person: str, expected: bool) -> None:
    assert is_author(author, vetter, person) is expected


def test_t23_nobody_vets_what_they_wrote(home: Path, tmp_path: Path) -> None:
    known = settings(home, vanda=VetterKey(person="ada@lab"))
    catalogue.vet(known, folder(tmp_path, author="Ada <ada@lab>, Vera"), IMAGES)
    for name in ("vera", "vanda"):
        with pytest.raises(NotAllowed, match="Nobody vets what they wrote"):
            catalogue.sign(known, "freq", "1.0.0", KEYS[name])
    assert catalogue.sign(known, "freq", "1.0.0", KEYS["viktor"]) == 1
    # A signature that came about elsewhere, as before who she is was known, counts no more.
    assert catalogue.sign(settings(home), "freq", "1.0.0", KEYS["vanda"]) == 2
    assert catalogue.load(settings(home), "freq", "1.0.0")
    with pytest.raises(NotVetted):
        catalogue.load(known, "freq", "1.0.0")


def test_t23_a_revoked_version_never_comes_back(home: Path, tmp_path: Path) -> None:
    known = settings(home)
    source = folder(tmp_path, author="Ada")
    catalogue.vet(known, source, IMAGES)
    for name in ("vera", "viktor"):
        catalogue.sign(known, "freq", "1.0.0", KEYS[name])
    with pytest.raises(NotAllowed):
        signing.revoke(known, "freq", "1.0.0", Revoked.UNSAFE, Ed25519PrivateKey.generate())
    assert catalogue.load(known, "freq", "1.0.0")
    signing.revoke(known, "freq", "1.0.0", Revoked.UNSAFE, KEYS["vanda"])
    for load in (catalogue.load, catalogue.load_for_a_run):
        with pytest.raises(NotVetted):
            load(known, "freq", "1.0.0")
    # What runs already may end, where the settings say so.
    assert catalogue.load_for_a_run(settings(home, "finish"), "freq", "1.0.0")
    for again in (
        lambda: catalogue.vet(known, source, IMAGES),
        lambda: catalogue.sign(known, "freq", "1.0.0", KEYS["vanda"]),
        lambda: signing.revoke(known, "freq", "1.0.0", Revoked.UNSAFE, KEYS["vanda"]),
    ):
        with pytest.raises(Conflict):
            again()
    assert [(one.vetted, one.revoked) for one in catalogue.listed(known)] == [(False, True)]


def test_t23_a_vetter_signs_what_they_read_and_nothing_that_came_since(home: Path, tmp_path: Path) -> None:
    known = settings(home)
    catalogue.vet(known, folder(tmp_path, author="Ada"), IMAGES)
    read = signing.stated(known, "freq", "1.0.0")
    catalogue.vet(known, folder(tmp_path, author="Ada", title="swapped"), IMAGES)
    with pytest.raises(Conflict, match="not any more what you have read"):
        catalogue.sign(known, "freq", "1.0.0", KEYS["vera"], read=read)
    envelope = read_envelope(record_of(known, "freq", "1.0.0"))
    assert envelope is not None
    assert envelope["signatures"] == []
    assert catalogue.sign(known, "freq", "1.0.0", KEYS["vera"], read=signing.stated(known, "freq", "1.0.0")) == 1


def test_two_who_sign_at_the_same_moment_have_both_signed(home: Path, tmp_path: Path) -> None:
    known = settings(home)
    names = ("vera", "viktor")
    for number in range(10):
        version = f"1.{number}.0"
        catalogue.vet(known, folder(tmp_path, author="Ada", version=version), IMAGES)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name, version=version: catalogue.sign(known, "freq", version, KEYS[name]), names))
        assert set(catalogue.signed_by(known, "freq", version)) == set(names)


def test_t23_a_manifest_that_was_changed_is_refused_though_it_was_read_before(home: Path, tmp_path: Path) -> None:
    statement = catalogue.vet(settings(home), folder(tmp_path, author="Ada L."), IMAGES)
    for name in ("vera", "viktor"):
        catalogue.sign(settings(home), "freq", "1.0.0", KEYS[name])
    vetted = catalogue.load(settings(home), "freq", "1.0.0")
    assert catalogue.load(settings(home), "freq", "1.0.0").manifest is vetted.manifest, "the same text is parsed once"
    kept = vetted.folder / "manifest.yaml"
    kept.chmod(0o644)
    kept.write_text(kept.read_text().replace("title: x", "title: y"))
    with pytest.raises(NotVetted):
        catalogue.load(settings(home), "freq", "1.0.0")
    assert vetted.statement == statement


def test_a_vetter_sees_what_changed_since_the_last_vetted_version(home: Path, tmp_path: Path) -> None:
    known = settings(home)
    for number in ("1.9.0", "1.10.0"):
        catalogue.vet(known, folder(tmp_path, author="Ada", version=number), IMAGES)
        for name in ("vera", "viktor"):
            catalogue.sign(known, "freq", number, KEYS[name])
    catalogue.vet(known, folder(tmp_path, author="Ada", version="1.11.0"), IMAGES)  # nobody signed it
    last = catalogue.last_vetted(known, "freq", "2.0.0")
    assert last is not None
    assert last.statement.version == "1.10.0"
    assert catalogue.last_vetted(known, "freq", "1.9.0") is None
    changed = folder(
        tmp_path,
        author="Ada",
        version="2.0.0",
        title="y",
        commands={"one": {"free": True}, "two": {"shell": "id"}},
        outputs=[{"match": "a.tsv", "release": "inside"}, {"match": "b.tsv", "release": "inside"}],
    )
    (changed / "Snakefile").write_text('rule one:\n    output: "a.tsv"\n    shell: "curl > {output}"\n')
    (changed / "more.py").write_bytes(b"\xff")
    found = differences(
        Version(last.folder, last.statement.images), Version(changed, {"genomics": "sha256:" + "c" * 64})
    )
    assert [(one.section, one.what) for one in found] == [
        ("images", "changed: genomics"),
        ("manifest", "changed: title"),
        ("manifest", "changed: version"),
        ("commands", "changed: one"),
        ("commands", "added: two"),
        ("contract", "added: b.tsv"),
        ("contract", "changed: order"),
        ("files", "changed: Snakefile"),
        ("files", "added: more.py"),
    ]
    lines = next(one.lines for one in found if one.what == "changed: Snakefile")
    assert '-    shell: "echo > {output}"' in lines
    assert '+    shell: "curl > {output}"' in lines
    assert differences(Version(changed, {}), Version(changed, {})) == []
