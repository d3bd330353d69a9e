"""Makes the keys of a test cluster: an authority of its own, what it signed, and kubeconfigs."""

import datetime
import ipaddress
import ssl
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from services.kubernetes_place import NODE, Place

# Who authenticates how: common name, organisation, names of a server.
CLIENTS = {
    "admin": ("admin", "system:masters"),
    "apiserver-kubelet": ("kube-apiserver-kubelet-client", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", None),
    "kube-scheduler": ("system:kube-scheduler", None),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
}


def write_keys(place: Place) -> None:
    """Write everything that the daemons and the administrator prove themselves with."""
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


def client_context(place: Place, name: str = "admin") -> ssl.SSLContext:
    """Return what makes a client of ours the administrator, or another of `CLIENTS`."""
    context = ssl.create_default_context(cafile=str(place.keys / "ca.crt"))
    context.load_cert_chain(place.keys / f"{name}.crt", place.keys / f"{name}.key")
    return context
