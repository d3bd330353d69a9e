"""Says which identities are one human being, as the settings join them (pure; T28)."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Joined:
    """Groups of identities (SUBJECT@ISSUER) that are one person each; who stands in no group has one identity."""

    groups: tuple[tuple[str, ...], ...] = ()

    def identities_of(self, identity: str) -> tuple[str, ...]:
        """Return all identities of the person who goes by this one, itself among them."""
        return next((group for group in self.groups if identity in group), (identity,))

    def person_of(self, identity: str) -> str:
        """Return the one name of the person who goes by this identity: equal for all of theirs."""
        return self.identities_of(identity)[0]

    def are_same(self, one: str, other: str) -> bool:
        """Say whether two identities are one person."""
        return self.person_of(one) == self.person_of(other)

    def persons(self, identities: Iterable[str]) -> frozenset[str]:
        """Return the persons behind some identities: as many names as there are human beings."""
        return frozenset(self.person_of(one) for one in identities)

    def spread(self, identities: Iterable[str]) -> frozenset[str]:
        """Return all identities of all these persons."""
        return frozenset(name for one in identities for name in self.identities_of(one))


NOBODY = Joined()
