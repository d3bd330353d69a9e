"""Decides which vetters' keys count at a moment, by what the settings say of vetting and of its readers (T23)."""

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from strongroom.dsse import key_id
from strongroom.persons import Joined

SOURCE = Path(__file__).resolve().parent.parent


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VetterKey(_Part):
    """While when a vetter's key counts, and who the vetter is; the key itself is a file below `home`/trust."""

    person: str = Field("", description="The vetter as who signs in (SUBJECT@ISSUER): nobody vets what they wrote.")
    not_before: AwareDatetime | None = Field(None, description="Signatures do not count before; empty: always.")
    not_after: AwareDatetime | None = Field(None, description="Signatures do not count from then on; empty: always.")
    revoked: bool = Field(False, description="No signature of this key counts any more, however old.")


class Vetting(_Part):
    """Whose signatures make a workflow vetted."""

    signatures: int = Field(2, ge=2, description="Distinct vetters who must sign a workflow version.")
    keys: Mapping[str, VetterKey] = Field(
        {},
        description="NAME of a vetter's key → `person`, `not_before`, `not_after`, `revoked`; one that is not named "
        "counts while its file is there.",
    )
    revoked_runs: Literal["cancel", "finish"] = Field(
        "cancel", description="What becomes of a version's runs when it is revoked."
    )
    workflows: Path = Field(SOURCE / "workflows", description="Folder of workflow sources: NAME/VERSION.")


class Trs(_Part):
    """Who may read the catalogue of vetted workflows by GA4GH TRS."""

    readers: Literal["signed-in", "everyone"] = Field(
        "signed-in", description="`everyone` opens what the vetted workflows are, their code included, to the web."
    )


def counting(
    named: Mapping[str, Ed25519PublicKey], said: Mapping[str, VetterKey], moment: datetime
) -> dict[str, Ed25519PublicKey]:
    """Return the keys that count at `moment` by key id; one that does not count under a name counts under none."""
    out = {key_id(key) for name, key in named.items() if not counts(said.get(name), moment)}
    return {name: key for name, key in ((key_id(key), key) for key in named.values()) if name not in out}


def owners(named: Mapping[str, Ed25519PublicKey], said: Mapping[str, VetterKey], joined: Joined) -> dict[str, str]:
    """Return whose keys are, by key id: one name for all identities of a person; keys of nobody said are left out."""
    known = {name: said[name].person for name in named if name in said and said[name].person}
    return {key_id(named[name]): joined.person_of(person) for name, person in known.items()}


def signing(signed_by: Collection[str], owners: Mapping[str, str]) -> frozenset[str]:
    """Return who signed with these keys: two keys of one person are one vetter, other keys one each (T23, T28)."""
    return frozenset(owners.get(one, one) for one in signed_by)


def counts(said: VetterKey | None, moment: datetime) -> bool:
    """Say whether a key counts; without a word in the settings it does while its file is there."""
    if said is None:
        return True
    begun = said.not_before is None or said.not_before <= moment
    return begun and not said.revoked and (said.not_after is None or moment < said.not_after)
