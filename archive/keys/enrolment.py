"""Makes the keys of broker and signer once, and gives each only what it may read; run by whoever starts them."""

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from archive.keys.kek import make_kek
from strongroom.settings import Settings


def enrol(settings: Settings) -> None:
    """Make `home/broker`, `home/signer` and `home/trust` for the two processes; keys are never replaced.

    Started as root, the private parts go to the users of broker and signer, the public ones stay root's.
    """
    broker, signer, trust = (settings.home / name for name in ("broker", "signer", "trust"))
    for folder, mode in ((broker, 0o700), (signer, 0o700), (trust, 0o755), (trust / "vetters", 0o755)):
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        folder.chmod(mode)
    make_kek(broker / "kek")
    broker_key = _make_key(broker / "key.pem")
    signer_key = _make_key(signer / "key.pem")
    _write_public(trust / "broker.pem", broker_key)
    _write_public(trust / "signer.pem", signer_key)
    # T11: the broker's own copy, in its own folder; nothing in the database can name another signer.
    _write_public(broker / "signer.pem", signer_key)
    if os.geteuid() == 0:
        _give(broker, settings.uids.broker, settings.uids.group)
        _give(signer, settings.uids.signer, settings.uids.group)


def _make_key(path: Path) -> Ed25519PublicKey:
    if path.exists():
        return _public_of(path)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with open(path, "xb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return key.public_key()


def _public_of(path: Path) -> Ed25519PublicKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return key.public_key()


def _write_public(path: Path, key: Ed25519PublicKey) -> None:
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    fresh = path.with_name(f".{path.name}")
    fresh.unlink(missing_ok=True)
    # Exclusive: the folder may belong to a process that we do not trust with root's pen.
    with open(fresh, "xb") as file:
        file.write(pem)
        os.fchmod(file.fileno(), 0o644)
    fresh.rename(path)


def _give(folder: Path, uid: int, gid: int) -> None:
    for path in (folder, *folder.iterdir()):
        os.chown(path, uid, gid, follow_symlinks=False)
