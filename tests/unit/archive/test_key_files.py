"""The files that broker and signer stand on: sealed, owned, and refused when others could have touched them."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from archive.keys.enrolment import enrol
from archive.keys.kek import Kek, KekRefused, SealBroken, load_kek, make_kek
from archive.keys.notes import open_note, seal_note
from archive.keys.trust import Trust, TrustRefused, load_private, load_public, read_trusted
from sandbox.crypt4gh import new_private_key, public_key_of
from strongroom.errors import BadRequest
from strongroom.issuers import Identity
from strongroom.settings import Settings


def test_a_sealed_secret_opens_in_its_own_context_only() -> None:
    kek, other = Kek(b"k" * 32), Kek(b"o" * 32)
    sealed = kek.seal(b"secret", b"store|calls|1")
    assert kek.open(sealed, b"store|calls|1") == b"secret"
    assert kek.seal(b"secret", b"store|calls|1") != sealed
    for key, changed, context in (
        (kek, sealed, b"store|calls|2"),
        (kek, sealed, b"run|calls|1"),
        (other, sealed, b"store|calls|1"),
        (kek, sealed[:-1], b"store|calls|1"),
        (kek, b"", b"store|calls|1"),
        (kek, bytes([sealed[0] ^ 1]) + sealed[1:], b"store|calls|1"),
    ):
        with pytest.raises(SealBroken):
            key.open(changed, context)


def test_what_is_derived_is_not_the_kek() -> None:
    kek = Kek(b"k" * 32)
    derived = {kek.derived(b"marks"), kek.derived(b"other"), b"k" * 32}
    assert len(derived) == 3
    assert kek.derived(b"marks") == Kek(b"k" * 32).derived(b"marks")


def test_a_kek_is_made_once(tmp_path: Path) -> None:
    file = tmp_path / "kek"
    make_kek(file)
    before = file.read_bytes()
    make_kek(file)
    assert file.read_bytes() == before
    assert len(before) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    load_kek(file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_kek_that_others_could_read_is_refused(tmp_path: Path, mode: int) -> None:
    make_kek(tmp_path / "kek")
    (tmp_path / "kek").chmod(mode)
    with pytest.raises(KekRefused):
        load_kek(tmp_path / "kek")


@pytest.mark.parametrize("secret", [b"", b"short", b"x" * 33])
def test_a_kek_of_another_length_is_refused(tmp_path: Path, secret: bytes) -> None:
    (tmp_path / "kek").write_bytes(secret)
    (tmp_path / "kek").chmod(0o600)
    with pytest.raises(KekRefused):
        load_kek(tmp_path / "kek")
    with pytest.raises(KekRefused):
        load_kek(tmp_path / "none")


def test_enrolment_is_safe_to_repeat_and_replaces_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, identity=Identity(development_issuer=True))
    enrol(settings)
    names = ["broker/kek", "broker/key.pem", "broker/signer.pem", "signer/key.pem", "trust/broker.pem"]
    before = {name: (tmp_path / name).read_bytes() for name in names}
    enrol(settings)
    assert {name: (tmp_path / name).read_bytes() for name in names} == before
    assert stat.S_IMODE((tmp_path / "broker").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "signer").stat().st_mode) == 0o700
    assert (tmp_path / "trust" / "signer.pem").read_bytes() == before["broker/signer.pem"]
    assert before["trust/broker.pem"] != before["broker/signer.pem"]


def test_enrolment_does_not_write_through_a_planted_link(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", identity=Identity(development_issuer=True))
    enrol(settings)
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "home" / "broker" / ".signer.pem").symlink_to(target)
    enrol(settings)
    assert target.read_text() == "precious"


def a_vetter(folder: Path, name: str) -> Path:
    """Write a vetter's public key."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.pem"
    public = Ed25519PrivateKey.generate().public_key()
    file.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return file


def test_vetters_come_and_go(tmp_path: Path) -> None:
    trust = Trust(tmp_path)
    assert trust.vetters() == {}
    first = a_vetter(tmp_path / "vetters", "vera")
    assert len(trust.vetters()) == 1
    a_vetter(tmp_path / "vetters", "viktor")
    assert len(trust.vetters()) == 2
    before = set(trust.vetters())
    a_vetter(tmp_path / "vetters", "vera")  # another key in the same file
    assert len(set(trust.vetters()) & before) == 1
    first.unlink()
    assert len(trust.vetters()) == 1


def test_a_file_of_trust_that_others_could_write_is_refused(tmp_path: Path) -> None:
    file = a_vetter(tmp_path / "vetters", "vera")
    file.chmod(0o666)
    with pytest.raises(TrustRefused, match="written by others"):
        Trust(tmp_path).vetters()
    file.chmod(0o644)
    (tmp_path / "vetters").chmod(0o777)
    with pytest.raises(TrustRefused, match="written by others"):
        Trust(tmp_path).vetters()


def test_a_link_is_no_file_of_trust(tmp_path: Path) -> None:
    real = a_vetter(tmp_path / "elsewhere", "vera")
    (tmp_path / "vera.pem").symlink_to(real)
    with pytest.raises(TrustRefused):
        read_trusted(tmp_path / "vera.pem")


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    public = generate_private_key(SECP256R1()).public_key()
    file = tmp_path / "ec.pem"
    file.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(TrustRefused, match="Ed25519"):
        load_public(file)


def test_a_private_key_that_others_could_read_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, identity=Identity(development_issuer=True))
    enrol(settings)
    key = tmp_path / "trust" / "copy.pem"
    key.write_bytes((tmp_path / "signer" / "key.pem").read_bytes())
    key.chmod(0o644)
    with pytest.raises(TrustRefused, match="0600"):
        load_private(key)


@pytest.mark.parametrize("text", ["", "latest", "sha256:abc", "sha256:" + "g" * 64])
def test_the_image_of_inspections_is_a_digest(tmp_path: Path, text: str) -> None:
    (tmp_path / "checks-image").write_text(text)
    with pytest.raises(TrustRefused):
        Trust(tmp_path).checks_image()
    (tmp_path / "checks-image").write_text("sha256:" + "a" * 64 + "\n")
    assert Trust(tmp_path).checks_image() == "sha256:" + "a" * 64


def test_a_note_is_read_by_its_owner_alone() -> None:
    mine, other = new_private_key(), new_private_key()
    note = seal_note(b"d" * 32, public_key_of(mine))
    assert open_note(note, mine) == b"d" * 32
    assert b"d" * 32 not in note
    for sealed, key in ((note, other), (note[:-1], mine), (note + b"x", mine), (b"", mine), (b"d" * 184, mine)):
        with pytest.raises(BadRequest):
            open_note(sealed, key)
