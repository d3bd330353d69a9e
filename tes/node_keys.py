"""Makes the private CA of the door for nodes, the door's certificate, and one for each node that is let in."""

import datetime
import hashlib
import os
import re
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.door import SERVER
from strongroom.errors import BadRequest, NotFound

_YEARS = datetime.timedelta(days=3650)
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}")


def make_ca(folder: Path) -> None:
    """Make the CA and the door's own certificate in `folder`, root's alone; what is there stays."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "admitted").mkdir(mode=0o700, exist_ok=True)
    if not (folder / "ca.pem").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate("Strongroom nodes", key.public_key(), issuer="Strongroom nodes", by=key, ca=True)
        _write(folder / "ca.key", _private(key))
        _write(folder / "ca.pem", made)
    if not (folder / "door.pem").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        ca = _key(folder)
        _write(folder / "door.key", _private(key))
        _write(
            folder / "door.pem",
            _certificate(SERVER, key.public_key(), issuer="Strongroom nodes", by=ca, server=True),
        )


def admit(folder: Path, node: str, out: Path) -> None:
    """Write the papers of a node into `out` (ca.pem, node.pem, node.key): whoever holds them speaks for that node."""
    if not _NODE.fullmatch(node):
        raise BadRequest("node: a host name, as the scheduler has it.")
    make_ca(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    made = _certificate(node, key.public_key(), issuer="Strongroom nodes", by=_key(folder))
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in (("ca.pem", (folder / "ca.pem").read_bytes()), ("node.pem", made)):
        _write(out / name, content)
    _write(out / "node.key", _private(key))
    admitted = folder / "admitted" / node
    admitted.write_text(_fingerprint(x509.load_pem_x509_certificate(made).public_bytes(serialization.Encoding.DER)))


def dismiss(folder: Path, node: str) -> None:
    """Let a node in no more: from its next question on."""
    if not _NODE.fullmatch(node) or not (folder / "admitted" / node).exists():
        raise NotFound("No node of this name is let in.")
    (folder / "admitted" / node).unlink()


def admitted(folder: Path) -> list[str]:
    """Return the nodes that are let in."""
    return sorted(path.name for path in (folder / "admitted").iterdir()) if (folder / "admitted").is_dir() else []


def server_context(folder: Path) -> ssl.SSLContext:
    """Return what the door listens with: TLS 1.3; nodes may show a certificate, pods have none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(folder / "door.pem", folder / "door.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def node_of(folder: Path, certificate: bytes | None) -> str | None:
    """Return the node that a verified client certificate (DER) names, if it is the one that was let in last."""
    if certificate is None:
        return None
    names = x509.load_der_x509_certificate(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    node = str(names[0].value) if names else ""
    if not _NODE.fullmatch(node):
        return None
    try:
        admitted = (folder / "admitted" / node).read_text()
    except OSError:
        return None
    return node if admitted == _fingerprint(certificate) else None


def _certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    *,
    issuer: str,
    by: ec.EllipticCurvePrivateKey,
    ca: bool = False,
    server: bool = False,
) -> bytes:
    moment = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - datetime.timedelta(minutes=5))
        .not_valid_after(moment + _YEARS)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if server:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    if not ca:
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
    return builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key(folder: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _fingerprint(certificate: bytes) -> str:
    return hashlib.sha256(certificate).hexdigest()


def _write(path: Path, content: bytes) -> None:
    mode = 0o600 if path.suffix == ".key" else 0o644
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(content)
