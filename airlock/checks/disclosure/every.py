"""Lists every check; a file that is not in this list judges nothing."""

from ..subject import Check
from . import (
    allele_counts,
    dominance,
    endpoints,
    genotypes,
    hidden_content,
    identifiers,
    names,
    percents,
    pictures,
    promise_kept,
    readable,
    reads,
    row_level,
    size,
    small_counts,
    vcf_header,
)

CHECKS: tuple[Check, ...] = (
    readable.check,
    names.check,
    promise_kept.check,
    size.check,
    hidden_content.check,
    row_level.check,
    identifiers.check,
    reads.check,
    small_counts.check,
    percents.check,
    dominance.check,
    endpoints.check,
    genotypes.check,
    allele_counts.check,
    vcf_header.check,
    pictures.check,
)
