"""Tells labels that number single persons or samples from those that number bins, genes or components."""

import re
from collections import Counter
from collections.abc import Sequence

from .column_names import any_of

_LABEL = re.compile(r"(.{0,60}?)(\d{1,9})(\D{0,30})")
_PADDED = re.compile(r"[A-Za-z]{1,12}[-_ ]?0\d{1,8}(?:[-_][A-Za-z0-9]{1,6})?")
_WORD = re.compile(r"[A-Za-zÀ-ÿ]+")
# What is numbered and is nobody: axes of time, parts of genomes, parts of models, groups.
_THINGS = any_of(
    "year week month day hour minute visit wave quarter q w lag age time t chr chrom chromosome gene snp rs ensg "
    "enst ensp cg probe peak region locus exon intron transcript protein variant marker site otu asv taxon pc pca "
    "umap tsne ev mds dim lv ic factor component cluster c module topic signature sbs dbs id k bin decile "
    "quartile quintile quantile percentile level fold batch lane chunk part step epoch iter iteration model trait "
    "term feature var variable x f node leaf tree layer rank p pp set pathway group arm class stage grade ward "
    "hospital centre center plate run replicate score stat l nm nr np xm hgnc go hp mondo icd hsa cyp hla il cd "
    "ccl cxcl gcst efo mondo doid orpha omim mim pgs gse hmdb chebi oid mir phase study trial cohort knot degree "
    "category code hap haplotype allele read kmer pos position window task job rule line row column col block "
    "segment motif tissue pop population clade lineage eur afr eas sas v a b d e g h i j m n o r s u y z"
)
_PERSONS = any_of(
    "patient pat subject subj sample participant donor person individual indiv ind indv proband case control "
    "mother father child member fam family iid fid mouse specimen biosample tumor tumour normal"
)
_MOST = 4000


def is_padded(label: str) -> bool:
    """Return whether a label is a word and a number with leading zeros, as a list of persons has them."""
    return _PADDED.fullmatch(label.strip()) is not None


def are_things(said: frozenset[str]) -> bool:
    """Return whether words speak of what is numbered and nobody."""
    return bool(said & _THINGS)


def numbered(labels: Sequence[str], *, least: int) -> bool:
    """Return whether nearly all labels are one word with a number each, and the word says or may mean persons."""
    seen = {label.strip() for label in labels[:_MOST] if label.strip()}
    if len(seen) < least:
        return False
    shapes: Counter[tuple[str, str]] = Counter()
    padded: Counter[tuple[str, str]] = Counter()
    for label in seen:
        match = _LABEL.fullmatch(label)
        if match is not None:
            shapes[match[1], match[3]] += 1
            padded[match[1], match[3]] += match[2].startswith("0") and len(match[2]) > 2
    if not shapes:
        return False
    (shape, often) = shapes.most_common(1)[0]
    if often < least or often < 0.8 * len(seen):
        return False
    words = [word.lower() for word in _WORD.findall(shape[0].rpartition("/")[2])]
    if any(word in _PERSONS for word in words):
        return True
    if not words:
        return False
    if len(words) == 1 and len(words[0]) <= 2 and words[0] not in ("rs", "cg", "pc", "go", "hp", "nm", "np", "nr"):
        return padded[shape] > 0  # P001 to P020, not C1 to C20
    return words[-1] not in _THINGS
