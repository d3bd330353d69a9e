"""Makes the certificates by which the dispatcher and its nodes know each other (mutual TLS, threats T1)."""

import os
import re
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.database import now
from strongroom.errors import BadRequest, Conflict

DISPATCHER = "dispatcher.strongroom"
AUTHORITY_DAYS, NODE_DAYS = 3650, 398
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")


def prepare(folder: Path) -> None:
    """Make the authority and the dispatcher's own certificate below `folder`, once; only its owner reads the keys."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "ca.pem").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        name = _named("Strongroom nodes")
        made = _builder(name, key.public_key(), issuer=name, days=AUTHORITY_DAYS)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        _write(folder / "ca.key", _private(key))
        _write(folder / "ca.pem", made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    if not (folder / "dispatcher.pem").exists():
        _issue(folder, DISPATCHER, file="dispatcher", usage=ExtendedKeyUsageOID.SERVER_AUTH)


def enrol(folder: Path, node: str) -> tuple[Path, Path]:
    """Make a certificate for a node and return its file and its key's: both go to that node, and nowhere else."""
    if not _NAME.fullmatch(node) or node == "dispatcher":
        raise BadRequest("The name of a node is the one that its scheduler gives it: small letters, digits, . and -.")
    if (folder / f"node-{node}.pem").exists():
        raise Conflict("This node has a certificate; remove its files first if it shall get another one.")
    prepare(folder)
    return _issue(folder, node, file=f"node-{node}", usage=ExtendedKeyUsageOID.CLIENT_AUTH)


def server_context(folder: Path) -> ssl.SSLContext:
    """Return the dispatcher's side: TLS 1.3, and nobody comes in without a certificate of our authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "dispatcher.pem", folder / "dispatcher.key")
    context.load_verify_locations(folder / "ca.pem")
    return context


def node_of(line: ssl.SSLSocket) -> str:
    """Return the name of the node at the other end; its certificate was verified."""
    found: dict[str, Any] = dict(line.getpeercert() or {})
    names = [value for kind, value in found.get("subjectAltName", ()) if kind == "DNS"]
    return str(names[0]) if len(names) == 1 else ""


def _issue(folder: Path, name: str, *, file: str, usage: x509.ObjectIdentifier) -> tuple[Path, Path]:
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    signer = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        _builder(_named(name), key.public_key(), issuer=authority.subject, days=NODE_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .sign(signer, hashes.SHA256())
    )
    _write(folder / f"{file}.key", _private(key))
    _write(folder / f"{file}.pem", made.public_bytes(serialization.Encoding.PEM))
    return folder / f"{file}.pem", folder / f"{file}.key"


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, *, issuer: x509.Name, days: int
) -> x509.CertificateBuilder:
    moment = now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(minutes=5))
        .not_valid_after(moment + timedelta(days=days))
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(fd, "wb") as file:
        file.write(content)
