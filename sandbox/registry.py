"""Fetches an image from a registry by its digest, with skopeo, into an OCI layout."""

import ipaddress
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox.layers import ImageError

PROGRAM = "skopeo"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LONGEST = 3600.0
_HOST = r"(?P<host>[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-f:]+\])(?P<port>:[0-9]{1,5})?"
_NAME = r"(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
_REFERENCE = re.compile(rf"{_HOST}/{_NAME}@(?P<digest>sha256:[0-9a-f]{{64}})")


@dataclass(frozen=True)
class Reference:
    """One image of a registry, by digest."""

    host: str
    port: str
    name: str
    digest: str

    def __str__(self) -> str:
        return f"{self.host}{self.port}/{self.name}@{self.digest}"

    @property
    def loopback(self) -> bool:
        """Whether the registry is on this machine: the only one that may speak without TLS."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False  # a name, even localhost, is whatever a resolver says


def parse_reference(text: str) -> Reference:
    """Return HOST[:PORT]/NAME@sha256:DIGEST, or raise `ImageError`; a tag can change, and is refused (T23)."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise ImageError("An image of a registry is named HOST[:PORT]/NAME@sha256:DIGEST, without a tag.")
    return Reference(found["host"], found["port"] or "", found["name"], found["digest"])


def fetch(reference: Reference, layout: Path, *, credentials: Path | None = None) -> None:
    """Write the image as an OCI layout into the folder `layout`; `credentials` is a containers-auth.json(5)."""
    program = shutil.which(PROGRAM, path=_PATH)
    if program is None:
        raise ImageError("skopeo fetches images from registries; install it, or import an archive.")
    command = [program, "copy", "--quiet", "--preserve-digests"]
    # What is fetched is checked by digest; whose it is, two vetters say by signing the digest (T23).
    command += ["--insecure-policy", f"--src-tls-verify={'false' if reference.loopback else 'true'}"]
    command += ["--src-authfile", str(credentials)] if credentials else ["--src-no-creds"]
    command += [f"docker://{reference}", f"oci:{layout}"]
    environment = {"PATH": _PATH, "HOME": str(layout.parent), "TMPDIR": str(layout.parent)}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False, timeout=_LONGEST
        )
    except subprocess.TimeoutExpired as error:
        raise ImageError("The registry did not hand the image over within an hour.") from error
    if done.returncode != 0:
        raise ImageError(f"The registry did not hand the image over: {_sentence(done.stderr)}")


def _sentence(complaint: bytes) -> str:
    found = re.search(r'msg="((?:[^"\\]|\\.)*)"', complaint.decode(errors="replace"))
    text = found[1] if found else "skopeo failed"
    return re.sub(r"[^ -~]", "", text)[:300]
