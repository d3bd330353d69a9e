"""Tells what content is by our own table of signatures; general detectors do not know genomic formats."""

import codecs
import math
import pickletools
import re
from collections import Counter

from ..subject import Format
from . import weights

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
    (b"RDA2\n", Format.SERIALISED),
    (b"RDA3\n", Format.SERIALISED),
    (b"\x80\x02", Format.SERIALISED),
    (b"\x80\x03", Format.SERIALISED),
    (b"\x80\x04", Format.SERIALISED),
    (b"\x80\x05", Format.SERIALISED),
    (b"X\n\0\0\0", Format.SERIALISED),  # R's saveRDS
    (b"A\n2\n", Format.SERIALISED),
    (b"A\n3\n", Format.SERIALISED),
    (b"ZF\x78", Format.SERIALISED),  # joblib
    (b"%PDF-", Format.PDF),
    (b"PK\x03\x04", Format.ARCHIVE),
    (b"PK\x05\x06", Format.ARCHIVE),
    (b"PAR1", Format.COLUMNS),
    (b"ARROW1\0\0", Format.COLUMNS),
    (b"SQLite format 3\0", Format.DATABASE),
    (b"GIF87a", Format.GIF),
    (b"GIF89a", Format.GIF),
    (b"\xff\xd8\xff", Format.JPEG),
    (b"\x7fELF", Format.OTHER),
    (b"\x89HDF", Format.OTHER),
    (b"\x93NUMPY", Format.OTHER),
    (b"\xd0\xcf\x11\xe0", Format.OTHER),  # Word, Excel and Outlook before 2007
    (b"7z\xbc\xaf", Format.OTHER),
    (b"Rar!", Format.OTHER),
    (b"MATLAB 5.0", Format.OTHER),
    (b"$FL2", Format.OTHER),
    (b"<stata_dta>", Format.OTHER),
    (b"{\\rtf", Format.OTHER),
    (b"%!PS", Format.OTHER),
    (b"MZ\x90", Format.OTHER),
    (b"BM", Format.OTHER),
    (b"II*\0", Format.OTHER),
    (b"MM\0*", Format.OTHER),
)
_BINARY_ONLY = (b"BM", b"\x6c\x1b")
_PERSON_HEADERS = (
    b"#FID",
    b"#IID",
    b"FID\tIID",
    b"FID IID",
    b"Hugo_Symbol\t",
    b"#version 2.4",
    b"MSH|",
    b"BEGIN:VCARD",
)
_SAM = re.compile(rb"@(?:HD|SQ|RG|PG|CO)\t|[^\s@]{1,254}\t\d{1,4}\t[^\t]+\t\d+\t\d+\t(?:\*|(?:\d+[MIDNSHP=X])+)\t")
_FASTQ = re.compile(rb"@[^\n]+\n[ACGTNacgtn.]+\r?\n\+")
_FASTA = re.compile(rb"[>;][^\n]*\n(?:[ACGTUNRYKMSWBDHVacgtunrykmswbdhv*\-]{20,}\r?\n?|[ACGTUNacgtun]{6,}\r?\n>)")
_FAM_LINE = re.compile(rb"\S+[ \t]\S+[ \t]\S+[ \t]\S+[ \t][012][ \t](?:-9|[0-9.]+|NA)(?:[ \t][ACGT0-9 \t]*)?\r?")
_JSON = re.compile(
    rb'\s*(?:\{\s*["}]|\[\s*(?:["\[\]{]|(?:-?\d[\d.eE+-]*|true|false|null)\s*(?:,|\][ \t]*(?:[\r\n,\]]|$))))'
)
_MARKUP = re.compile(rb"<(?:!doctype\s+html|html|head|body|script|div|table|style|iframe|meta|link)\b", re.IGNORECASE)
_SVG = re.compile(rb"<(?:[a-z]{1,10}:)?svg\b")
_XML = re.compile(rb"\s*<(?:\?xml|!--|!DOCTYPE|[A-Za-z_][\w:.-]{0,60}[\s/>])")
_SCRIPT = re.compile(rb"<(?:script|iframe|object|embed)\b[^<]{0,2000}>", re.IGNORECASE)
_TABLE = re.compile(rb"<table\b[^<]{0,2000}>\s*<(?:t[hrbd]|caption|colgroup)", re.IGNORECASE)
_PICKLE_STARTS = b"(]})cIFLVSKGN\x80"
_PICKLE_HEAD = 1 << 16
_NOISE_BITS = 7.5
_SHORTEST_NOISE = 64
_TEXT_SPAN = 65536


def detect(content: bytes) -> Format:
    """Return the format of plain (unpacked) bytes; OTHER for whatever we have no reader for."""
    if not content:
        return Format.EMPTY
    text = _looks_like_text(content)
    marked = _unmarked(content)
    for signature, known in _SIGNATURES:
        if (content.startswith(signature) or marked.startswith(signature)) and not (
            text and signature in _BINARY_ONLY
        ):
            return known
    if content[128:132] == b"DICM":
        return Format.SCAN
    if content[257:262] == b"ustar":
        return Format.ARCHIVE
    if _is_pickle(content):
        return Format.SERIALISED
    if weights.looks_like(content):
        return Format.WEIGHTS
    if b"%PDF-" in content[:1024] and b"%%EOF" in content[-2048:]:
        return Format.PDF
    if not text:
        return Format.CIPHERTEXT if _noise(content) else Format.OTHER
    return _detect_text(marked[:_TEXT_SPAN])


def _unmarked(content: bytes) -> bytes:
    """Return the first bytes without a byte order mark, in UTF-8: programs take what follows for what it is."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content[: 2 * _TEXT_SPAN].decode("utf-16", "replace").encode("utf-8", "replace")
    return content[: _TEXT_SPAN + 3].removeprefix(codecs.BOM_UTF8)


def _detect_text(head: bytes) -> Format:
    if head.startswith(_PERSON_HEADERS):
        return Format.PERSON_LINES
    if _SAM.match(head) or _FASTQ.match(head) or _FASTA.match(head):
        return Format.READS
    lines = [line for line in head.split(b"\n")[:50] if line]
    if len(lines) > 1 and all(_FAM_LINE.fullmatch(line) for line in lines):
        return Format.PERSON_LINES
    if _JSON.match(head):
        return Format.JSON
    if _XML.match(head):
        start = head[:8192]
        if _SVG.search(start) and not _MARKUP.search(start[: start.find(b"svg")]):
            return Format.SVG
        return Format.HTML if _MARKUP.search(start) else Format.OTHER
    return Format.HTML if _SCRIPT.search(head) or _TABLE.search(head) else Format.TEXT


def _is_pickle(content: bytes) -> bool:
    """Return whether the content reads as a pickle of any protocol up to its end; nothing of it is run."""
    if content[:1] not in (bytes([one]) for one in _PICKLE_STARTS) or b"." not in content[-64:]:
        return False
    steps = 0
    try:
        for _opcode, _argument, _place in pickletools.genops(content[:_PICKLE_HEAD]):
            steps += 1
            if steps > 2000:
                return True
    except Exception:  # pickletools raises whatever its readers raise
        return False
    return steps > 3


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
