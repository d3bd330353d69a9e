"""Starts and stops a real S3 store (SeaweedFS) that speaks TLS under a CA of its own; a test has its own prefix."""

import datetime
import ipaddress
import json
import os
import secrets
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from demo.stage import free_port
from strongroom.settings import SOURCE
from strongroom.storage import S3

WEED = SOURCE / ".venvs" / "seaweedfs" / "bin" / "weed"
BUCKET = "bodies"
START_SECONDS = 60


class S3Store:
    """One store with one bucket; `host` is where it listens besides loopback."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="strongroom-s3-")
        self.folder = Path(self._scratch.name)
        self.host, self.port = host, free_port()
        self.access_key, self._secret = "strongroom-tests", secrets.token_hex(20)
        self.secret_file = self.folder / "secret"
        self.secret_file.write_text(self._secret + "\n")
        self.ca = self.folder / "ca.pem"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "S3Store":
        assert WEED.exists(), "The S3 store of the tests is not here: `make setup` makes .venvs/seaweedfs."
        self._write_certificates()
        identity = {"name": "strongroom", "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
        identity["credentials"] = [{"accessKey": self.access_key, "secretKey": self._secret}]  # type: ignore[assignment]
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (self.folder / "data").mkdir()
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._scratch.cleanup()

    @property
    def endpoint(self) -> str:
        """Where it is reached."""
        return f"https://{self.host}:{self.port}"

    def settings(self, **more: Any) -> S3:
        """Return settings of a prefix that nobody else has."""
        given = {
            "endpoint": self.endpoint,
            "bucket": BUCKET,
            "prefix": f"{secrets.token_hex(6)}/",
            "access_key": self.access_key,
            "secret_key_file": self.secret_file,
            "ca": self.ca,
            "part_bytes": 5 << 20,
            **more,
        }
        return S3(**given)

    def client(self) -> Any:
        """Return the store's administrator: a client of its own, to look and to spoil."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self._secret,
            region_name="us-east-1",
            verify=str(self.ca),
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                proxies={},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def log(self) -> str:
        """Return what it logged."""
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def start_again(self) -> None:
        """Be back, with what it had."""
        self._start()

    def _start(self) -> None:
        ports = {name: free_port() for name in ("master", "volume", "filer")}
        grpc = {f"{name}.port.grpc": free_port() for name in ("master", "volume", "filer", "s3")}
        options = {
            "dir": self.folder / "data",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "filer": "true",
            "s3": "true",
            "s3.ip.bind": self.host,
            "s3.port": self.port,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": self.folder / "s3.json",
            "s3.cert.file": self.folder / "server.pem",
            "s3.key.file": self.folder / "server.key",
            "s3.domainName": "localhost",
            "volume.max": 20,
            "master.volumeSizeLimitMB": 256,
            **{f"{name}.port": port for name, port in ports.items()},
            **grpc,
        }
        words = [str(WEED), "server", *(f"-{name}={value}" for name, value in options.items())]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True, cwd=self.folder)
        self._wait()

    def _wait(self) -> None:
        context, end = ssl.create_default_context(cafile=self.ca), time.monotonic() + START_SECONDS
        while True:
            assert self._process is not None and self._process.poll() is None, self.log()[-2000:]  # noqa: PT018
            try:
                urllib.request.urlopen(self.endpoint, context=context, timeout=5)
            except urllib.error.HTTPError:
                break
            except OSError:
                assert time.monotonic() < end, self.log()[-2000:]
                time.sleep(0.1)
        while True:
            try:
                self._make_bucket()
                return
            except Exception:
                assert time.monotonic() < end, self.log()[-2000:]
                time.sleep(0.2)

    def _make_bucket(self) -> None:
        client = self.client()
        with suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
            client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="ready", Body=b"x")

    def _write_certificates(self) -> None:
        authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = _name("strongroom-tests-s3")
        ca = _certificate(issuer, issuer, authority.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.ca.write_bytes(ca.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        names = [x509.DNSName("localhost"), x509.DNSName(f"{BUCKET}.localhost")]
        addresses = {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address(self.host)}
        certificate = _certificate(issuer, _name("s3"), key.public_key()).add_extension(
            x509.SubjectAlternativeName([*names, *map(x509.IPAddress, addresses)]), critical=False
        )
        signed = certificate.sign(authority, hashes.SHA256())
        (self.folder / "server.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        (self.folder / "server.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=2))
    )
