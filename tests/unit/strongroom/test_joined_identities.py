"""Which identities are one person, as the settings say it and nothing else."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.dsse import key_id
from strongroom.persons import NOBODY, Joined
from strongroom.settings import Settings, SettingsRefused, load
from strongroom.vetters import VetterKey, owners, signing

ANNA = ("anna@ls-login", "a.mueller@clinic", "anna@site-b")
JOINED = Joined((ANNA, ("bob@ls-login", "bob@clinic")))
ISSUER = '[[identity.issuers]]\nname = "clinic"\nissuer = "https://c"\naudience = "a"\njwks_file = "k"\n'


@pytest.mark.parametrize("identity", ANNA)
def test_every_identity_of_a_person_has_the_same_name(identity: str) -> None:
    assert JOINED.person_of(identity) == ANNA[0]
    assert JOINED.identities_of(identity) == ANNA
    assert all(JOINED.are_same(identity, other) for other in ANNA)
    assert not JOINED.are_same(identity, "bob@clinic")


def test_who_is_not_named_is_one_person_alone() -> None:
    for joined in (JOINED, NOBODY):
        assert joined.identities_of("cleo@clinic") == ("cleo@clinic",)
        assert joined.person_of("cleo@clinic") == "cleo@clinic"
    # Exactly as written: a subject is told from another by the case of its letters too.
    assert JOINED.person_of("Anna@ls-login") == "Anna@ls-login"
    assert not NOBODY.are_same("bob@ls-login", "bob@clinic")


def test_persons_are_counted_and_spread_over_all_their_identities() -> None:
    assert len(JOINED.persons([*ANNA, "bob@clinic", "cleo@clinic"])) == 3
    assert JOINED.spread(["anna@site-b", "cleo@clinic"]) == {*ANNA, "cleo@clinic"}


@pytest.mark.parametrize(
    "groups",
    [
        '[["a@clinic"]]',
        '[["a@clinic", "a@clinic"]]',
        '[["a@clinic", "b@clinic"], ["c@clinic", "a@clinic"]]',
        '[["a@clinic", "a"]]',
        '[["a@clinic", "b@clinik"]]',
        '[["a@clinic", "b@development@clinic"]]',
    ],
)
def test_a_group_that_could_not_hold_is_refused(tmp_path: Path, groups: str) -> None:
    file = tmp_path / "strongroom.toml"
    file.write_text(f"[identity]\njoined = {groups}\n{ISSUER}")
    with pytest.raises(SettingsRefused, match="joined"):
        load(file)
    file.write_text(f'[identity]\njoined = [["a@clinic", "b@development"]]\n{ISSUER}')
    assert load(file).joined.are_same("a@clinic", "b@development")
    assert Settings().joined == NOBODY


def test_t28_two_keys_of_one_person_are_one_vetter() -> None:
    keys = {name: Ed25519PrivateKey.generate().public_key() for name in ("anna", "clinic", "bob", "unnamed")}
    said = {
        "anna": VetterKey(person="anna@ls-login"),
        "clinic": VetterKey(person="a.mueller@clinic"),
        "bob": VetterKey(person="bob@clinic"),
        "gone": VetterKey(person="gone@clinic"),
    }
    ids = {name: key_id(key) for name, key in keys.items()}
    whose = owners(keys, said, JOINED)
    assert len(signing([ids["anna"], ids["clinic"]], whose)) == 1
    assert len(signing([ids["anna"], ids["bob"]], whose)) == 2
    assert len(signing([ids["anna"], ids["unnamed"]], whose)) == 2
    assert len(signing([ids["anna"], ids["clinic"]], owners(keys, said, NOBODY))) == 2
    same = {"anna": said["anna"], "bob": said["anna"]}
    assert len(signing([ids["anna"], ids["bob"]], owners(keys, same, NOBODY))) == 1
