"""One frozen tree of settings, read once from a TOML file and `STRONGROOM_…` variables."""

import os
import sys
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from strongroom.clusters import Kubernetes, Nodes, Slurm
from strongroom.errors import StrongroomError
from strongroom.issuers import Access, Identity
from strongroom.messages import Notices
from strongroom.networks import Federation, is_loopback, is_secure
from strongroom.persons import Joined
from strongroom.running import Wes
from strongroom.storage import Objects
from strongroom.vetters import Trs, Vetting

SOURCE = Path(__file__).resolve().parent.parent
Origin = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$")]


class SettingsRefused(StrongroomError):
    """The settings ask for something that would weaken a wall."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Http(_Part):
    """Where Strongroom listens."""

    host: str = Field("127.0.0.1", description="Address to bind; loopback unless a TLS proxy stands in front.")
    port: int = Field(8080, description="TCP port of the whole HTTP surface.")
    url: str = Field(
        "",
        max_length=300,
        description="The address in a browser, as https://strongroom.example.org; by default the one listened on.",
    )
    origins: tuple[Origin, ...] = Field(
        (), description="Web origins (https://portal.example.org) whose pages may read answers (CORS); never all."
    )


class Uids(_Part):
    """The numeric users that the processes drop to when `serve` is started as root."""

    group: int = Field(61100, description="Group that shares the database and the sockets.")
    broker: int = Field(61101, description="User of the key broker.")
    signer: int = Field(61102, description="User of the signer of work orders.")
    services: int = Field(61103, description="User of the API and the worker.")
    first_task: int = Field(100000, description="First of the users of tasks; each running task has one.")


Walls = Literal["bubblewrap", "crun", "runsc"]


class Tes(_Part):
    """How many tasks run at once, and how large they may be."""

    backend: Literal["local", "slurm", "kubernetes"] = Field(
        "local", description="Where tasks run: on this host, or on the nodes of a cluster."
    )
    stuck_seconds: float = Field(
        3600.0,
        description="Longest that a task waits in a cluster for what will not come by itself, as a larger node.",
    )
    cores: float = Field(float(os.cpu_count() or 1), description="Cores that running tasks share.")
    cores_ahead: float = Field(
        1.0,
        description="Cores' worth of tasks started beyond `cores`, so that walls go up while others compute.",
    )
    memory_gb: float = Field(8.0, description="Memory in GB that running tasks share.")
    task_memory_gb: float = Field(1.0, description="Memory of a task that does not ask.")
    scratch_gb: float = Field(1.0, description="Memory-backed scratch of a task that does not ask for disk.")
    wall_seconds: int = Field(24 * 3600, description="Longest life of a task.")
    output_files: int = Field(10_000, description="Most files that a task may leave.")
    log_bytes: int = Field(1_048_576, description="Most bytes kept of a task's stdout and stderr each.")
    attempts: int = Field(3, description="Attempts at a task that the platform itself lost.")
    stage_bytes: int = Field(
        1 << 20,
        description="Inputs that are together no larger are decrypted into memory before a task starts: measured, "
        "one reading of 1 MiB is then 7 % faster than through the view, of 4 MiB 13 % slower (`make bench`).",
    )
    read_whole: bool = Field(
        False,
        description="Read every input of every task once, in order, into memory before it starts, as is always done "
        "with data of high sensitivity: storage learns nothing of what a task looks at; each task needs its inputs' "
        "size in memory.",
    )
    scratch_disk_gb: float = Field(
        0.0,
        description="Encrypted disk in GB (a key nobody keeps) that running tasks share as scratch "
        "when they ask for more than memory gives; 0 means memory only.",
    )
    scratch_driver: Literal["gocryptfs", "fscrypt"] = Field(
        "gocryptfs",
        description="What encrypts that disk: gocryptfs hides all; fscrypt, in the kernel, leaves sizes, times and "
        "modes of files in clear, and is slow where the kernel has no AES instructions.",
    )
    scratch_folder: Path | None = Field(
        None, description="Folder of the node for encrypted scratch; by default `home`/scratch."
    )
    walls: Walls = Field("bubblewrap", description="What stands round a task: bubblewrap, crun or runsc.")
    walls_of_high: Walls = Field(
        "bubblewrap",
        description="What stands round a task of a run that may use data of high sensitivity: runsc, a kernel of its "
        "own, keeps the node's kernel out of a task's reach, and is slower.",
    )
    loopback: bool = Field(
        False, description="Let tasks speak TCP with themselves, as R's BiocParallel does; Landlock forbids it else."
    )


class Airlock(_Part):
    """Thresholds and times of the airlock."""

    min_count: int = Field(5, description="k: the smallest count that may leave; projects may only raise it.")
    link_seconds: int = Field(7 * 24 * 3600, description="Life of a download link.")
    checks: Path = Field(SOURCE / "airlock" / "checks", description="The code of the checks, mounted in their walls.")
    jobs_at_once: int = Field(2, description="Checks and releases that are worked on at the same time.")
    check_seconds: int = Field(120, description="Longest life of one check, clean copy or view.")
    check_memory_gb: float = Field(1.0, description="Memory of one check, clean copy or view.")
    output_hosts: tuple[str, ...] = Field(
        (), description="Hosts (HOST or HOST:PORT) that researchers may have releases put to by presigned URL."
    )
    draw_stewards: bool = Field(
        True, description="Draw two stewards at random for each request; else any two of the project's may review it."
    )
    idle_days: int = Field(
        5, ge=1, description="After so many days without a vote somebody else is drawn in a steward's place."
    )
    request_days: int = Field(
        90, ge=1, description="A request that waits for its requester for so many days expires."
    )
    appeal_days: int = Field(30, ge=1, description="A rejection can be appealed for so many days.")
    quarantine_days: int = Field(
        30, ge=0, description="So many days after its last request ended, what was not let in is deleted; 0: at once."
    )


class Audit(_Part):
    """Who outside sees the heads of the audit log."""

    witness: str | None = Field(
        None, description="File outside this home, or https URL, that signed heads go to before any release counts."
    )


class Settings(BaseSettings):
    """The whole tree; `load` reads it."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="STRONGROOM_", env_nested_delimiter="__"
    )

    home: Path = Field(Path("strongroom-data"), description="Folder of all state.")
    mode: Literal["embedded", "production"] = Field(
        "embedded", description="`production` refuses everything that is for development."
    )
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite below `home`.")
    images: Path | None = Field(None, description="Content store of images; by default `home`/images.")
    objects: Objects = Objects()
    http: Http = Http()
    identity: Identity = Identity()
    uids: Uids = Uids()
    tes: Tes = Tes()
    nodes: Nodes = Nodes()
    kubernetes: Kubernetes = Kubernetes()
    slurm: Slurm = Slurm()
    wes: Wes = Wes()
    trs: Trs = Trs()
    airlock: Airlock = Airlock()
    audit: Audit = Audit()
    access: Access = Access()
    notices: Notices = Notices()
    vetting: Vetting = Vetting()
    federation: Federation = Federation()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file; there is no .env file."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _development_stays_at_home(self) -> "Settings":
        # T31: the development issuer is accepted only on a loopback bind, and never in production.
        if self.identity.development_issuer:
            if self.mode == "production":
                raise ValueError("The development issuer is refused in production; name your OIDC issuer.")
            if not is_loopback(self.http.host):
                raise ValueError(
                    "The development issuer is accepted on a loopback address only; "
                    "bind 127.0.0.1 or turn identity.development_issuer off."
                )
        return self

    @model_validator(mode="after")
    def _issuers_have_names_of_their_own(self) -> "Settings":
        # T31: nobody else's subjects may pass for persons of the development issuer, or of one another.
        names = [issuer.name for issuer in self.identity.issuers]
        if len(set(names)) < len(names) or "development" in names:
            raise ValueError("Each issuer has a name of its own, and `development` is taken.")
        return self

    @model_validator(mode="after")
    def _clients_stay_apart(self) -> "Settings":
        if self.mode == "production":
            self.objects.check_https()
        # T29: an end user of one client is never somebody who signs in here, or comes through another client.
        names = [client.name for client in self.federation.clients]
        taken = {"development", *(issuer.name for issuer in self.identity.issuers)}
        if len(set(names)) < len(names) or taken & set(names):
            raise ValueError("Each federated client has a name of its own, which is no issuer's.")
        ways = [(client.issuer, client.audience) for client in self.federation.clients]
        known = {(issuer.issuer, issuer.audience) for issuer in self.identity.issuers}
        if len(set(ways)) < len(ways) or known & set(ways):
            raise ValueError("Each federated client has an issuer and audience of its own.")
        if self.mode == "production" and self.federation.unsafe_hosts:
            raise ValueError("federation.unsafe_hosts is for tests and refused in production.")
        urls = [client.issuer for client in self.federation.clients] + [site.url for site in self.federation.sites]
        urls += [
            url for one in self.identity.issuers if one.client_id for url in (one.authorization_url, one.token_url)
        ]
        if not all(is_secure(url, loopback=self.mode != "production") for url in urls):
            raise ValueError("Issuers of clients and sites have https URLs, or loopback ones for development.")
        return self

    @model_validator(mode="after")
    def _joined_have_issuers(self) -> "Settings":
        # T28: a name that is written wrong would join nobody, and nobody would notice.
        issuers = {"development", *(one.name for one in self.identity.issuers)}
        issuers |= {one.name for one in self.federation.clients}
        if any(one.rpartition("@")[2] not in issuers for group in self.identity.joined for one in group):
            raise ValueError("identity.joined: SUBJECT@ISSUER, of issuers or federated clients that are set up here.")
        return self

    @property
    def joined(self) -> Joined:
        """Which identities are one person."""
        return Joined(self.identity.joined)

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.home / 'database' / 'strongroom.db'}"

    @property
    def key_wait(self) -> timedelta:
        """How long a new key waits before anything is sealed to it."""
        return self._wait(self.access.key_wait_hours)

    @property
    def grant_wait(self) -> timedelta:
        """How long a role that was granted waits before it counts."""
        return self._wait(self.access.grant_wait_hours)

    @property
    def roles_are_of_two(self) -> bool:
        """Whether only roles count that two operators granted: everywhere but where the development issuer is on."""
        return not self.identity.development_issuer or self.access.two_operators_of_development

    def _wait(self, hours: int | None) -> timedelta:
        if hours is None:
            hours = 0 if self.identity.development_issuer else 24
        return timedelta(hours=hours)

    @property
    def images_folder(self) -> Path:
        """The content store of images."""
        return self.images or self.home / "images"

    @property
    def image_trees(self) -> Path:
        """Digests of what each image held when it was imported; root's, wherever the images lie."""
        return self.home / "trust" / "images"

    @property
    def scratch(self) -> Path:
        """Where encrypted scratch is made."""
        return self.tes.scratch_folder or self.home / "scratch"

    @property
    def sockets(self) -> Path:
        """Folder of the private doors."""
        return self.home / "sockets"

    @property
    def federation_url(self) -> str:
        """Where other sites reach this one."""
        return self.federation.url.rstrip("/") or self.base_url

    @property
    def federation_issuer(self) -> str:
        """The `iss` of tokens that this site makes for other sites; its keys are found below it."""
        return f"{self.federation_url}/federation"

    @property
    def pages_url(self) -> str:
        """Where browsers reach the pages."""
        return self.http.url.rstrip("/") or self.base_url

    @property
    def secure_cookies(self) -> bool:
        """Whether browsers send our cookies over TLS only; nothing else goes beyond this host."""
        return self.pages_url.startswith("https:") or not is_loopback(self.http.host) or self.mode == "production"

    @property
    def base_url(self) -> str:
        """Where people reach the HTTP surface."""
        return f"http://{self.http.host}:{self.http.port}"


def load(file: Path | None = None) -> Settings:
    """Return the settings of `file` (or STRONGROOM_CONFIG, or the embedded default) and the environment."""
    named = file or (Path(os.environ["STRONGROOM_CONFIG"]) if os.environ.get("STRONGROOM_CONFIG") else None)
    if named is None:
        values: dict[str, Any] = {"identity": {"development_issuer": True}}
    else:
        try:
            values = tomllib.loads(named.read_text())
        except OSError as error:
            raise SettingsRefused(f"The settings file {named} cannot be read.") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsRefused(f"The settings file {named} is not TOML: {error}.") from error
    try:
        settings = Settings(**values)
    except ValueError as error:
        raise SettingsRefused(f"The settings are refused: {_reasons(error)}") from error
    return settings.model_copy(update={"home": settings.home.absolute()})


def _reasons(error: ValueError) -> str:
    found = getattr(error, "errors", None)
    if found is None:
        return str(error)
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in found())


def python() -> str:
    """Return the interpreter that runs our own processes."""
    return sys.executable
