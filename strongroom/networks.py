"""The settings' part on other networks: whose tasks are run here, and which sites run tasks of ours."""

import base64
import ipaddress
import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, model_validator

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[1-9][0-9]{0,4})?")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FederatedClient(_Part):
    """A network whose TES clients may create tasks here, and what they may ask for."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Short name; its end users are SUBJECT@NAME here."
    )
    issuer: str = Field(
        max_length=300,
        description="The exact `iss` claim; keys are found below it by OIDC discovery, over https or on loopback.",
    )
    audience: str = Field(min_length=1, description="The exact `aud` claim that its tokens must carry.")
    project: str = Field(description="The project that its tasks belong to.")
    datasets: tuple[str, ...] = Field((), description="Datasets of that project that its tasks may read.")
    recipient: str = Field(description="X25519 public key in base64 that everything released to it is sealed to.")
    cores: float = Field(1.0, gt=0, description="Most cores of a task.")
    ram_gb: float = Field(2.0, gt=0, description="Most memory of a task.")
    disk_gb: float = Field(2.0, gt=0, description="Most scratch of a task.")
    seconds: int = Field(3600, gt=0, description="Longest life of a task.")
    open_tasks: int = Field(10, gt=0, description="Most tasks that have not ended.")
    creates_per_minute: int = Field(30, gt=0, description="Most attempts to create a task, good or bad, a minute.")
    output_hosts: tuple[str, ...] = Field(
        (), description="HOST or HOST:PORT that released outputs may be delivered to; the port is 443 else."
    )
    input_hosts: tuple[str, ...] = Field(
        (),
        description="HOST or HOST:PORT that inputs may be fetched from, where the profile lets files of other sites "
        "play a role; the port is 443 else.",
    )
    input_bytes: int = Field(256 << 20, gt=0, description="Most bytes of one such input; each lies in memory.")

    @model_validator(mode="after")
    def _is_well_formed(self) -> "FederatedClient":
        try:
            raw = base64.b64decode(self.recipient, validate=True)
        except ValueError:
            raw = b""
        if len(raw) != 32:
            raise ValueError("recipient: an X25519 public key, 32 bytes in base64.")
        if any(not _HOST.fullmatch(host) for host in (*self.output_hosts, *self.input_hosts)):
            raise ValueError("output_hosts, input_hosts: HOST or HOST:PORT in small letters, no pattern, no URL.")
        return self


class FederatedSite(_Part):
    """Another Strongroom that runs tasks for runs of ours, where its data is."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Short name; workflows name their sites by it."
    )
    url: str = Field(max_length=300, description="Its TES interface: https://HOST/ga4gh/tes/v1.")
    audience: str = Field(min_length=1, description="The `aud` claim of the tokens that we make for it.")
    inbox: str = Field(
        description="The dataset here that takes what it releases to us; sealed to that dataset's key."
    )


class Federation(_Part):
    """Which other networks' TES clients are served."""

    clients: tuple[FederatedClient, ...] = Field((), description="The clients; docs/guides/federation.md has them.")
    hosts: tuple[str, ...] = Field(
        (), description="Names of this site in drs:// URLs of inputs, besides the address that it listens on."
    )
    keys_floor_seconds: float = Field(
        30.0, ge=1, description="Least time between two fetches of one issuer's keys, whoever asks for them."
    )
    keys_seconds: float = Field(3600.0, gt=0, description="How long an issuer's keys are believed without a look.")
    delivery_seconds: float = Field(600.0, gt=0, description="Longest time that one delivery of a file may take.")
    input_seconds: float = Field(600.0, gt=0, description="Longest time that fetching one input may take.")
    input_networks: tuple[IPvAnyNetwork, ...] = Field(
        (), description="Networks that pods of Kubernetes may fetch such inputs from: their NetworkPolicy."
    )
    s3_endpoint: str = Field(
        "https://s3.amazonaws.com",
        pattern=r"^https?://[a-z0-9.-]{1,250}(:[1-9][0-9]{0,4})?$",
        description="What s3://BUCKET/KEY of an input means: this, /BUCKET/KEY; its host is listed like any other.",
    )
    sites: tuple[FederatedSite, ...] = Field((), description="Other sites that run tasks for runs of ours.")
    url: str = Field(
        "",
        max_length=300,
        description="This site's address as other sites reach it; by default the one that it listens on. Tokens for "
        "them have this and /federation as their `iss`.",
    )
    site_seconds: float = Field(2.0, gt=0, description="How often a task at another site is asked after.")
    inbox_bytes: int = Field(1 << 30, gt=0, description="Most bytes of one file that another site delivers to us.")
    unsafe_hosts: tuple[str, ...] = Field(
        (),
        description="HOST:PORT that may have a private address and speak plain http, for tests; "
        "refused in production.",
    )


def is_secure(url: str, *, loopback: bool) -> bool:
    """Say whether a URL is of https, or with `loopback` of a loopback address, without user, query or fragment."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.query or parts.fragment or parts.username is not None:
        return False
    return bool(host) and (parts.scheme == "https" or (loopback and parts.scheme == "http" and is_loopback(host)))


def is_loopback(host: str) -> bool:
    """Say whether a name or address is this host's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
