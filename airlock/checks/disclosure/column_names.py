"""Says what a column is likely to hold from the words in its name."""

import re

_WORDS = re.compile(r"[A-Z]+(?![a-zà-ÿ])|[A-ZÀ-Þ]?[a-zà-ÿ]+|\d+")


def _any_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_COUNT = _any_of(
    "n count counts cases case controls control events event freq num total totals patients persons "
    "people subjects participants individuals deaths died anzahl fälle faelle fallzahl carriers hets "
    "homs obs observations"
)
_ALLELE_COUNT = _any_of("ac mac")
_NOT_A_COUNT = _any_of(
    "id year month day week date chrom chr pos position start end stop bin dof df percent pct prozent "
    "anteil rate ratio mean sd se median p age rank cluster stage order exon chromosome level grade "
    "score index quality qual min max sum mode iqr var variance beta or hr time"
)
_PERCENT = _any_of("percent pct percentage prozent anteil share proportion prop")
_PERSON_ID = _any_of(
    "patient patientid sample sampleid subject subjectid participant participantid person personid "
    "individual proband donor barcode mrn nhs iid fid eid pid pseudonym studyid specimen iids "
    "versicherten"
)
_PERSON_FACT = _any_of(
    "birth birthdate dob geburtsdatum sex gender geschlecht postcode zip plz icd icd10 diagnosis "
    "visit admission discharge ethnicity surname forename address phone email hba1c bmi death age"
)
_ENDPOINT = _any_of("min max minimum maximum range youngest oldest lowest highest")


def words(name: str) -> frozenset[str]:
    """Return the words of a column name in lower case."""
    return frozenset(part.lower() for part in _WORDS.findall(name))


def is_count(name: str) -> bool:
    """Return whether the name speaks of a number of persons."""
    parts = words(name)
    return bool(parts & _COUNT) and not parts & _NOT_A_COUNT


def is_allele_count(name: str) -> bool:
    """Return whether the name speaks of an allele count."""
    return bool(words(name) & _ALLELE_COUNT)


def is_known_other(name: str) -> bool:
    """Return whether the name speaks of something that is certainly no count."""
    return bool(words(name) & _NOT_A_COUNT)


def is_percent(name: str) -> bool:
    """Return whether the name speaks of a share of a total."""
    return "%" in name or bool(words(name) & _PERCENT)


def is_person_id(name: str) -> bool:
    """Return whether the name speaks of one person's or sample's key."""
    parts = words(name)
    return bool(parts & _PERSON_ID) and not parts & _COUNT


def is_person_fact(name: str) -> bool:
    """Return whether the name speaks of what one person is or had."""
    return bool(words(name) & _PERSON_FACT)


def is_endpoint(name: str) -> bool:
    """Return whether the name speaks of a minimum or maximum."""
    return bool(words(name) & _ENDPOINT)
