"""One frozen tree of settings, read once from a TOML file and `STRONGROOM_…` variables."""

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from strongroom.errors import StrongroomError
from strongroom.networks import Federation, is_loopback, is_secure

_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
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
    origins: tuple[Origin, ...] = Field(
        (), description="Web origins (https://portal.example.org) whose pages may read answers (CORS); never all."
    )


class Issuer(_Part):
    """An OIDC issuer whose tokens are accepted."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Short name, appended to a person's subject: alice@NAME."
    )
    issuer: str = Field(description="The exact `iss` claim.")
    audience: str = Field(description="The exact `aud` claim that tokens must carry.")
    jwks_file: Path = Field(description="The issuer's public keys (a JWKS), kept current by the operator.")


class Identity(_Part):
    """Who may sign in."""

    development_issuer: bool = Field(
        False,
        description="Accept tokens of `strongroom token`. Loopback binds only, refused in production; "
        "on by default only when no settings file is given.",
    )
    token_seconds: int = Field(3600, description="Life of a token that `strongroom token` prints.")
    issuers: tuple[Issuer, ...] = Field((), description="Issuers accepted besides the development one.")


class Uids(_Part):
    """The numeric users that the processes drop to when `serve` is started as root."""

    group: int = Field(61100, description="Group that shares the database and the sockets.")
    broker: int = Field(61101, description="User of the key broker.")
    signer: int = Field(61102, description="User of the signer of work orders.")
    services: int = Field(61103, description="User of the API and the worker.")
    first_task: int = Field(100000, description="First of the users of tasks; each running task has one.")


Walls = Literal["bubblewrap", "crun", "runsc"]


class Nodes(_Part):
    """The door through which nodes of a cluster reach the dispatcher; it is open with such a backend only."""

    host: str = Field("127.0.0.1", description="Address to bind.")
    port: int = Field(8443, description="TCP port; TLS by a private CA of Strongroom's own.")
    address: str = Field("", description="HOST:PORT by which nodes reach it; empty means the address it is bound to.")

    @property
    def reached_at(self) -> tuple[str, int]:
        """Host and port that nodes are told."""
        host, _, port = (self.address or f"{self.host}:{self.port}").rpartition(":")
        return host, int(port)


class Toleration(_Part):
    """A taint of nodes that task pods bear."""

    key: str = Field(description="The taint's key.")
    value: str = Field("", description="The taint's value; empty: any.")
    effect: Literal["", "NoSchedule", "NoExecute", "PreferNoSchedule"] = Field("", description="Empty: all effects.")


class Kubernetes(_Part):
    """The cluster whose pods tasks run in, with the backend `kubernetes`."""

    kubeconfig: Path | None = Field(
        None, description="How to reach the API server; by default the account of the pod that Strongroom runs in."
    )
    namespace: str = Field(
        "strongroom-tasks",
        pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        description="Of task pods, and nothing else.",
    )
    repository: str = Field("", description="Where nodes have images from: REPOSITORY, without the digest.")
    node_image: str = Field(
        "",
        description="The image of our own containers: REPOSITORY@sha256:DIGEST of what `images/build.py node` makes.",
    )
    launcher: Path = Field(
        SOURCE / ".venvs" / "launcher" / "launcher", description="The first process of executors, static."
    )
    runtime_class: str = Field("", description="RuntimeClass of task pods; empty means the nodes' default.")
    runtime_class_of_runsc: str = Field(
        "", description="RuntimeClass (gVisor, Kata) of tasks whose walls are `runsc`; empty refuses them."
    )
    node_selector: dict[str, str] = Field({}, description="Labels that a node must have to get task pods.")
    tolerations: tuple[Toleration, ...] = Field((), description="Taints of nodes that task pods bear.")
    pods: int = Field(200, description="Most task pods at once: the namespace's quota.")
    start_seconds: int = Field(
        900, description="Longest that a pod may take to fetch its images and decrypt its inputs."
    )


class Slurm(_Part):
    """How tasks become jobs of a SLURM cluster; it counts with `tes.backend` = `slurm`."""

    driver: Literal["probe", "rest", "cli", "pyslurm"] = Field(
        "probe", description="How SLURM is spoken to; `probe` is slurmrestd where it answers, else SLURM's commands."
    )
    rest_url: str | None = Field(None, description="slurmrestd: unix:/path, https://… or http:// on this host.")
    rest_user: str = Field("strongroom", description="The user that slurmrestd is read as.")
    tokens: Path | None = Field(
        None, description="Folder of slurmrestd's tokens, a file for each user, which the site renews."
    )
    conf: Path | None = Field(None, description="The cluster's slurm.conf, if it is not where SLURM looks for it.")
    users: Mapping[str, str] = Field(
        {}, description="Project → the cluster's user that its jobs run as; a project without one gets no jobs."
    )
    options: tuple[Literal["partition", "account", "qos", "constraint", "gres", "time"], ...] = Field(
        (), description="Options of sbatch that a task may name in `backend_parameters`."
    )
    template: Path | None = Field(
        None, description="Script that jobs begin with, `#!/bin/sh` by default; our own `exec` line ends it."
    )
    joiner: Path = Field(
        Path("/usr/local/lib/strongroom/joiner"), description="On nodes: the program that a job's script becomes."
    )
    agent: Path = Field(Path("/run/strongroom"), description="On nodes: the agent's folder, with its sockets.")
    pause_seconds: float = Field(0.5, gt=0, description="Pause between two questions for the states of all jobs.")

    @model_validator(mode="after")
    def _a_user_is_of_one_project(self) -> "Slurm":
        # T22: what a job of one project can reach is not to be another project's.
        users = list(self.users.values())
        if len(set(users)) < len(users) or not all(_USER.fullmatch(user) and user != "root" for user in users):
            raise ValueError("slurm.users: each project has a user of its own, and none is root.")
        return self


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


class Wes(_Part):
    """How runs are supervised."""

    runs_at_once: int = Field(4, description="Engines that run at the same time.")
    jobs: int = Field(0, description="Jobs an engine may have open; 0 means twice the cores.")
    engine_memory_gb: float = Field(2.0, description="Memory of an engine.")
    run_seconds: int = Field(7 * 24 * 3600, description="Longest life of a run.")
    snakemake: Path = Field(
        SOURCE / ".venvs" / "engine-snakemake", description="The environment that Snakemake lives in."
    )
    plugins: Path = Field(SOURCE / "engines" / "snakemake", description="Our plug-ins for Snakemake.")


class Airlock(_Part):
    """Thresholds and times of the airlock."""

    min_count: int = Field(5, description="k: the smallest count that may leave; projects may only raise it.")
    link_seconds: int = Field(7 * 24 * 3600, description="Life of a download link.")
    checks: Path = Field(SOURCE / "airlock" / "checks", description="The code of the checks, mounted in their walls.")
    jobs_at_once: int = Field(2, description="Checks and releases that are worked on at the same time.")
    check_seconds: int = Field(120, description="Longest life of one check, clean copy or view.")
    check_memory_gb: float = Field(1.0, description="Memory of one check, clean copy or view.")


class Vetting(_Part):
    """Whose signatures make a workflow vetted."""

    signatures: int = Field(2, ge=2, description="Distinct vetters who must sign a workflow version.")
    workflows: Path = Field(SOURCE / "workflows", description="Folder of workflow sources: NAME/VERSION.")


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
    http: Http = Http()
    identity: Identity = Identity()
    uids: Uids = Uids()
    tes: Tes = Tes()
    nodes: Nodes = Nodes()
    kubernetes: Kubernetes = Kubernetes()
    slurm: Slurm = Slurm()
    wes: Wes = Wes()
    airlock: Airlock = Airlock()
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
        if not all(is_secure(url, loopback=self.mode != "production") for url in urls):
            raise ValueError("Issuers of clients and sites have https URLs, or loopback ones for development.")
        return self

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.home / 'database' / 'strongroom.db'}"

    @property
    def images_folder(self) -> Path:
        """The content store of images."""
        return self.images or self.home / "images"

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
