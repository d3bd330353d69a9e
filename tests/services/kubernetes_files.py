"""Writes what the daemons of a test cluster read: keys and certificates, configurations, command lines."""

import datetime
import ipaddress
import json
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from services import oci

NODE = "node1"
SERVICES = "10.96.0.0/16"
PAUSE = "strongroom.test/pause"
# The kubelet sets these for the whole machine: it may, on files of ours that lie over them.
KERNEL_SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
# Who authenticates how: common name, organisation, names of a server.
CLIENTS = {
    "admin": ("admin", "system:masters"),
    "apiserver-kubelet": ("kube-apiserver-kubelet-client", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", None),
    "kube-scheduler": ("system:kube-scheduler", None),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
}


@dataclass(frozen=True)
class Place:
    """Where one cluster lies: its folder, and what its number makes of addresses and names."""

    folder: Path
    number: int

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


def _hierarchies() -> Iterable[Path]:
    lines = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [Path(line[1]) for line in lines if line[2] in {"cgroup", "cgroup2"}]


def write(place: Place) -> None:
    """Write everything below the cluster's folder, and make its cgroups."""
    for name in ("keys", "settings", "cni", "lib/kubelet", "log/pods"):
        (place.folder / name).mkdir(parents=True)
    place.folder.chmod(0o755)
    for source, target in place.mounts():
        if source.parent.name == "settings":
            source.write_text(Path(target).read_text())
    for folder in place.cgroups():
        folder.mkdir()
        for name in ("cpuset.cpus", "cpuset.mems"):  # version 1: empty means that nobody may come in
            if (folder.parent / name).exists():
                (folder / name).write_text((folder.parent / name).read_text())
    _write_keys(place)
    (place.folder / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(place)))
    command = ["/bin/busybox", "sleep", "2147483647"]
    digest = oci.write_archive(place.pause, {"bin/busybox": oci.BUSYBOX.read_bytes()}, command=command)
    (place.folder / "containerd.toml").write_text(_containerd(place, f"{PAUSE}@{digest}"))
    (place.folder / "cni" / "bridge.conflist").write_text(json.dumps(_network(place)))


def client_context(place: Place) -> ssl.SSLContext:
    """Return what makes a client of ours the administrator."""
    context = ssl.create_default_context(cafile=str(place.keys / "ca.crt"))
    context.load_cert_chain(place.keys / "admin.crt", place.keys / "admin.key")
    return context


def _write_keys(place: Place) -> None:
    authority = ec.generate_private_key(ec.SECP256R1())
    _pem(place.keys / "ca.key", authority)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "strongroom-tests")])
    certificate = (
        _certificate(issuer, issuer, authority.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, False, False, False),  # signs, also certificates
            critical=True,
        )
        .sign(authority, hashes.SHA256())
    )
    (place.keys / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(name: str, who: str, organisation: str | None, *servers: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, who)]
        if organisation:
            subject.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
        usage = ExtendedKeyUsageOID.SERVER_AUTH if servers else ExtendedKeyUsageOID.CLIENT_AUTH
        asked = _certificate(x509.Name(subject), issuer, key.public_key())
        asked = asked.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if servers:
            asked = asked.add_extension(
                x509.SubjectAlternativeName([_server(one) for one in servers]), critical=False
            )
        _pem(place.keys / f"{name}.key", key)
        signed = asked.sign(authority, hashes.SHA256())
        (place.keys / f"{name}.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    for name, (who, organisation) in CLIENTS.items():
        issue(name, who, organisation)
        (place.keys / f"{name}.kubeconfig").write_text(yaml.safe_dump(_kubeconfig(place, name)))
    issue(
        "apiserver",
        "kube-apiserver",
        None,
        "10.96.0.1",
        "kubernetes.default.svc",
        "localhost",
        "127.0.0.1",
        place.node,
    )
    issue("kubelet-server", NODE, None, NODE, place.node)
    accounts = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _pem(place.keys / "accounts.key", accounts)
    public = accounts.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (place.keys / "accounts.pub").write_bytes(public)


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(hours=1),
        not_valid_after=now + datetime.timedelta(days=2),
    )


def _server(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.touch(mode=0o600)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(*form))


def _kubeconfig(place: Place, name: str) -> dict[str, object]:
    keys = place.keys
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "tests", "cluster": {"server": place.server, "certificate-authority": str(keys / "ca.crt")}}
        ],
        "users": [
            {
                "name": name,
                "user": {"client-certificate": str(keys / f"{name}.crt"), "client-key": str(keys / f"{name}.key")},
            }
        ],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": name}}],
        "current-context": "tests",
    }


def _kubelet(place: Place) -> dict[str, object]:
    keys = place.keys
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": place.node,
        "readOnlyPort": 0,
        "healthzPort": 0,
        "tlsCertFile": str(keys / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(keys / "kubelet-server.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(keys / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{place.link}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,  # a negative one needs CAP_SYS_RESOURCE
        "maxOpenFiles": 20000,
        "seccompDefault": True,
        "resolvConf": "",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "makeIPTablesUtilChains": False,
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
    }


def _containerd(place: Place, pause: str) -> str:
    return f"""\
version = 2
oom_score = 0
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
disable_hugetlb_controller = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{place.folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def _network(place: Place) -> dict[str, object]:
    addresses = {"type": "host-local", "ranges": [[{"subnet": place.pods}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "ipam": addresses}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}


def command(place: Place, name: str, binary: str) -> Sequence[str]:
    """Return the command line of one daemon."""
    keys = place.keys
    as_itself = [
        f"--{what}={keys}/{name}.kubeconfig"
        for what in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    ]
    match name:
        case "etcd":
            return ["etcd", "--data-dir=/var/lib/etcd", "--unsafe-no-fsync", "--log-level=warn"]
        case "containerd":
            return ["containerd", f"--config={place.folder}/containerd.toml"]
        case "kube-apiserver":
            return [
                binary,
                name,
                "--etcd-servers=http://127.0.0.1:2379",
                f"--advertise-address={place.node}",
                "--endpoint-reconciler-type=none",
                f"--service-cluster-ip-range={SERVICES}",
                f"--client-ca-file={keys}/ca.crt",
                f"--tls-cert-file={keys}/apiserver.crt",
                f"--tls-private-key-file={keys}/apiserver.key",
                f"--kubelet-client-certificate={keys}/apiserver-kubelet.crt",
                f"--kubelet-client-key={keys}/apiserver-kubelet.key",
                f"--kubelet-certificate-authority={keys}/ca.crt",
                "--kubelet-preferred-address-types=InternalIP",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={keys}/accounts.pub",
                f"--service-account-signing-key-file={keys}/accounts.key",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--allow-privileged=true",
                "--feature-gates=SizeBasedListCostEstimate=false",  # asks more of etcd than Debian's 3.4 can do
            ]
        case "kube-controller-manager":
            return [
                binary,
                name,
                *as_itself,
                f"--service-account-private-key-file={keys}/accounts.key",
                f"--root-ca-file={keys}/ca.crt",
                "--use-service-account-credentials=true",
                "--leader-elect=false",
                "--allocate-node-cidrs=true",
                f"--cluster-cidr={place.pods}",
                f"--service-cluster-ip-range={SERVICES}",
            ]
        case "kube-scheduler":
            return [binary, name, *as_itself, "--leader-elect=false"]
        case _:
            return [
                binary,
                "kubelet",
                f"--config={place.folder}/kubelet.yaml",
                f"--kubeconfig={keys}/kubelet.kubeconfig",
                f"--hostname-override={NODE}",
                f"--node-ip={place.node}",
            ]
