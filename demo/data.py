"""Fetches the demo's real data from Debian packages, checks every byte, and splits the calls person by person."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path.home() / ".cache" / "strongroom" / "data"


@dataclass(frozen=True)
class Source:
    """One file of a Debian package, and the SHA-256 that it must have."""

    package: str
    member: str
    sha256: str

    @property
    def name(self) -> str:
        """Its file name."""
        return self.member.rsplit("/", 1)[-1]


# HapMap exome calls of 22 people on chromosome 22, and reads of NA18507 with their reference.
CALLS = Source(
    "r-bioc-variantannotation",
    "usr/lib/R/site-library/VariantAnnotation/extdata/hapmap_exome_chr22.vcf.gz",
    "369f4bc0ffcd8519a9f72616d3e7ab6c04858669f68b458b5268aa1841d6bd73",
)
READS = Source(
    "samtools",
    "usr/share/doc/samtools/examples/ex1.sam.gz",
    "adfe6c9083a12ad6ccdf8ebd33aedacb2e7dbf74fe7de542c9611a5d3e7d223e",
)
REFERENCE = Source(
    "samtools",
    "usr/share/doc/samtools/examples/ex1.fa",
    "b9969f5de2e8a630134fa8af6b6a9f69f540f48de9b15eaba80b6711d21b15c7",
)
PEOPLE = 22
SITES = 1011


def fetch(out: Path) -> tuple[list[Path], list[Path]]:
    """Write the plaintext sources below `out`; return the calls, one VCF a person, and the reads with reference."""
    calls, reads, reference = (cached(source) for source in (CALLS, READS, REFERENCE))
    people = _split(calls, out / "hapmap")
    sample = out / "na18507"
    sample.mkdir(parents=True, exist_ok=True)
    return people, [Path(shutil.copy(file, sample / file.name)) for file in (reads, reference)]


def _split(calls: Path, folder: Path) -> list[Path]:
    """One VCF a person; sites where a person has the reference are kept, or AN would be wrong after the merge."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(["bcftools", "query", "-l", calls], check=True, capture_output=True, text=True)
    people = listed.stdout.split()
    if len(people) != PEOPLE:
        sys.exit(f"{calls.name}: {PEOPLE} people were expected, {len(people)} found.")
    made = []
    for person in people:
        file = folder / f"{person.split('@')[0]}.vcf.gz"
        renamed = subprocess.run(
            ["bcftools", "view", "--no-version", "-s", person, "-O", "v", calls], check=True, capture_output=True
        ).stdout.replace(person.encode(), person.split("@")[0].encode())
        subprocess.run(["bcftools", "view", "--no-version", "-O", "z", "-o", file, "-"], input=renamed, check=True)
        made.append(file)
    return made


def cached(source: Source) -> Path:
    kept = CACHE / source.sha256[:16] / source.name
    if not kept.exists():
        _unpack(source, kept)
    if hashlib.sha256(kept.read_bytes()).hexdigest() != source.sha256:
        sys.exit(f"{source.name} of the Debian package {source.package} is not the file that the demo knows.")
    return kept


def _unpack(source: Source, kept: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Unpacked, not installed: the demo needs a file of the package, not what it depends on.
        subprocess.run(
            ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", source.package],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        package = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, f"{folder}/tree"], check=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(folder) / "tree" / source.member, kept)


if __name__ == "__main__":
    for _files in fetch(Path(sys.argv[1])):
        print(len(_files), "files in", _files[0].parent)
