"""Says where a test cluster lies: its folder, and the addresses and names that its number makes."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

NODE = "node1"
# The kubelet sets these for the whole machine: it may, on files of ours that lie over them.
KERNEL_SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)


@dataclass(frozen=True)
class Place:
    """Where one cluster lies: its folder, and what its number makes of addresses and names."""

    folder: Path
    number: int

    @classmethod
    def numbered(cls, number: int) -> "Place":
        """Return the place of the cluster in this slot."""
        return cls(Path(tempfile.gettempdir()) / f"strongroom-kubernetes-{number}", number)

    @property
    def keys(self) -> Path:
        """Keys, certificates and kubeconfigs."""
        return self.folder / "keys"

    @property
    def pause(self) -> Path:
        """The image that holds a pod's namespaces open."""
        return self.folder / "pause.tar"

    @property
    def link(self) -> str:
        """The host's end of the only link to the outside."""
        return f"strongroom-k{self.number}"

    @property
    def host(self) -> str:
        """The host's address on that link: where pods reach services of the tests."""
        return f"10.{88 + self.number}.255.1"

    @property
    def node(self) -> str:
        """The node's address on that link."""
        return f"10.{88 + self.number}.255.2"

    @property
    def pods(self) -> str:
        """The addresses of pods."""
        return f"10.{88 + self.number}.0.0/24"

    @property
    def server(self) -> str:
        """The API server's address."""
        return f"https://{self.node}:6443"

    def mounts(self) -> list[tuple[Path, str]]:
        """What the daemons see in place of the host's files."""
        settings = [
            (self.folder / "settings" / name.replace("/", "."), f"/proc/sys/{name}") for name in KERNEL_SETTINGS
        ]
        return [*settings, (self.folder / "lib", "/var/lib"), (self.folder / "log", "/var/log")]

    def cgroups(self) -> list[Path]:
        """The cgroup below which all pods are, in each hierarchy."""
        return [mounted / self.link for mounted in _hierarchies()]


def _hierarchies() -> list[Path]:
    lines = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [Path(line[1]) for line in lines if line[2] in {"cgroup", "cgroup2"}]
