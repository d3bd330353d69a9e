"""How persons prove who they are, by token and to the pages: settings of issuers, second factors and keys."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from strongroom.networks import is_secure

Identifier = Annotated[str, Field(pattern=r"^[!-?A-~]{1,120}@[a-z0-9][a-z0-9-]{0,62}$")]  # SUBJECT@ISSUER


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Issuer(_Part):
    """An OIDC issuer whose tokens are accepted."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Short name, appended to a person's subject: alice@NAME."
    )
    issuer: str = Field(description="The exact `iss` claim.")
    audience: str = Field(description="The exact `aud` claim that tokens must carry.")
    jwks_file: Path = Field(description="The issuer's public keys (a JWKS), kept current by the operator.")
    step_up_acr: tuple[str, ...] = Field(
        ("https://refeds.org/profile/mfa",), description="Values of `acr` that say a second factor was shown."
    )
    client_id: str = Field(
        "", description="Our client there, by which people sign in to the pages; empty: they cannot."
    )
    client_secret_file: Path | None = Field(
        None, description="File with that client's secret; none: a public client."
    )
    authorization_url: str = Field("", description="Its authorization endpoint.")
    token_url: str = Field("", description="Its token endpoint.")

    @model_validator(mode="after")
    def _sign_in_is_whole(self) -> "Issuer":
        if self.client_id and not all(
            is_secure(url, loopback=True) for url in (self.authorization_url, self.token_url)
        ):
            raise ValueError("client_id needs authorization_url and token_url, with https.")
        return self


class Identity(_Part):
    """Who may sign in."""

    development_issuer: bool = Field(
        False,
        description="Accept tokens of `strongroom token`. Loopback binds only, refused in production; "
        "on by default only when no settings file is given.",
    )
    token_seconds: int = Field(3600, description="Life of a token that `strongroom token` prints.")
    session_seconds: int = Field(4 * 3600, gt=0, description="Longest that one sign-in to the pages lasts.")
    session_idle_seconds: int = Field(
        15 * 60, gt=0, description="A session of the pages ends when nobody came for so long."
    )
    issuers: tuple[Issuer, ...] = Field((), description="Issuers accepted besides the development one.")
    joined: tuple[tuple[Identifier, ...], ...] = Field(
        (),
        description='Identities of one person each: [["anna@ls-login", "a.mueller@clinic"]]. Where two persons are '
        "asked for they count as one, and what excludes one excludes all (T28).",
    )
    step_up_seconds: int = Field(
        300, ge=30, le=300, description="Votes, decisions, keys and roles need a second factor shown so lately (T20)."
    )
    step_up_of_development: bool = Field(
        False, description="Ask it of tokens of the development issuer too (`strongroom token --step-up`)."
    )

    @model_validator(mode="after")
    def _groups_stay_apart(self) -> "Identity":
        named = [one for group in self.joined for one in group]
        if len(set(named)) < len(named) or any(len(group) < 2 for group in self.joined):
            raise ValueError("identity.joined: groups of two identities or more, and each identity in one of them.")
        return self


class Access(_Part):
    """How persons prove who they are and what is theirs."""

    key_wait_hours: int | None = Field(
        None,
        ge=0,
        description="A new key can be used after so many hours, so that its owner sees the notice first (T20); "
        "by default 24, and none while the development issuer is on.",
    )
    grant_wait_hours: int | None = Field(
        None,
        ge=0,
        description="A role that was granted counts after so many hours, so that other operators see it first (T28); "
        "by default 24, and none while the development issuer is on.",
    )
    two_operators_of_development: bool = Field(
        False, description="Ask for two operators too where the development issuer's persons grant roles."
    )
