"""Tells what content is by our own table of signatures; general detectors do not know genomic formats."""

import math
import re
from collections import Counter

from ..subject import Format

# Read on the plain bytes, after gzip was taken off: BAM and BCF look like gzip to everything else.
_SIGNATURES: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"##fileformat=VCF", Format.VCF),
    (b"BCF\x02", Format.GENOTYPES),
    (b"BCF\x04", Format.GENOTYPES),
    (b"\x6c\x1b", Format.GENOTYPES),  # PLINK 1 .bed and PLINK 2 .pgen
    (b"bgen", Format.GENOTYPES),
    (b"BAM\x01", Format.READS),
    (b"CRAM", Format.READS),
    (b"crypt4gh", Format.CIPHERTEXT),
    (b"age-encryption.org", Format.CIPHERTEXT),
    (b"-----BEGIN PGP MESSAGE", Format.CIPHERTEXT),
    (b"Salted__", Format.CIPHERTEXT),
    (b"RDX", Format.SERIALISED),
    (b"\x80\x02", Format.SERIALISED),
    (b"\x80\x03", Format.SERIALISED),
    (b"\x80\x04", Format.SERIALISED),
    (b"\x80\x05", Format.SERIALISED),
    (b"%PDF", Format.OTHER),
    (b"\x7fELF", Format.OTHER),
    (b"PAR1", Format.OTHER),
    (b"ARROW1", Format.OTHER),
    (b"\x89HDF", Format.OTHER),
    (b"SQLite format 3", Format.OTHER),
    (b"GIF8", Format.OTHER),
    (b"\xff\xd8\xff", Format.OTHER),
    (b"BZh", Format.OTHER),
    (b"\xfd7zXZ", Format.OTHER),
    (b"7z\xbc\xaf", Format.OTHER),
    (b"\x28\xb5\x2f\xfd", Format.OTHER),
)
_PERSON_HEADERS = (b"#FID", b"#IID", b"FID\tIID", b"FID IID", b"Hugo_Symbol\t", b"#version 2.4")
_SAM = re.compile(rb"@(?:HD|SQ|RG|PG|CO)\t|[^\s@]{1,254}\t\d{1,4}\t[^\t]+\t\d+\t\d+\t(?:\*|(?:\d+[MIDNSHP=X])+)\t")
_FASTQ = re.compile(rb"@[^\n]+\n[ACGTNacgtn.]+\r?\n\+")
_FASTA = re.compile(rb"[>;][^\n]*\n[ACGTUNRYKMSWBDHVacgtunrykmswbdhv*\-]{20,}\r?\n?")
_FAM_LINE = re.compile(rb"\S+[ \t]\S+[ \t]\S+[ \t]\S+[ \t][012][ \t](?:-9|[0-9.]+|NA)(?:[ \t][ACGT0-9 \t]*)?\r?")
_ZIP_PICKLE = b"data.pkl"
_NOISE_BITS = 7.5
_SHORTEST_NOISE = 64
_TEXT_SPAN = 65536


def detect(content: bytes) -> Format:
    """Return the format of plain (unpacked) bytes; OTHER for whatever we have no reader for."""
    if not content:
        return Format.EMPTY
    for signature, known in _SIGNATURES:
        if content.startswith(signature):
            return known
    if content.startswith(b"PK\x03\x04"):
        return Format.SERIALISED if _ZIP_PICKLE in content[:4096] else Format.OTHER
    if content[128:132] == b"DICM" or content[257:262] == b"ustar":
        return Format.OTHER
    if not _looks_like_text(content):
        return Format.CIPHERTEXT if _noise(content) else Format.OTHER
    return _detect_text(content)


def _detect_text(content: bytes) -> Format:
    head = content[:_TEXT_SPAN]
    if head.startswith(_PERSON_HEADERS):
        return Format.PERSON_LINES
    if _SAM.match(head) or _FASTQ.match(head) or _FASTA.match(head):
        return Format.READS
    lines = [line for line in head.split(b"\n")[:50] if line]
    if len(lines) > 1 and all(_FAM_LINE.fullmatch(line) for line in lines):
        return Format.PERSON_LINES
    if head.lstrip()[:1] in (b"{", b"[", b"<"):
        return Format.OTHER
    return Format.TEXT


def _looks_like_text(content: bytes) -> bool:
    head = content[:_TEXT_SPAN]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    odd = sum(1 for byte in head if byte < 9 or 13 < byte < 27 or 27 < byte < 32)
    return odd <= max(2, len(head) // 20)


def _noise(content: bytes) -> bool:
    """Return whether the bytes cannot be told from random ones."""
    head = content[:_TEXT_SPAN]
    total = len(head)
    if total < _SHORTEST_NOISE:
        return False
    entropy = -sum(n / total * math.log2(n / total) for n in Counter(head).values())
    return entropy > min(_NOISE_BITS, math.log2(total) - 1)
