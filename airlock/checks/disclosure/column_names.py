"""Says what a column is likely to hold from the words in its name."""

import re

_PER = re.compile(
    r"per[_ .-]?(1[ ,_.]?000[ ,_.]?000|100[ ,_.]?000|10[ ,_.]?000|1[ ,_.]?000|100k|10k|1k)", re.IGNORECASE
)
_WORDS = re.compile(r"[A-Z]+(?![a-zà-ÿ])|[A-ZÀ-Þ]?[a-zà-ÿ]+|\d+")


def any_of(words: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(words.split())


_COUNT = any_of(
    "n count counts cases case controls control events event freq num total totals patients persons people "
    "subjects participants individuals deaths died anzahl fälle faelle fallzahl carriers hets homs obs "
    "observations effectif effectifs casos pacientes personas casi pazienti persone malades personnes décès antal "
    "fall patienter aantal gevallen patiënten liczba frequencies häufigkeit"
)
_ALLELE_COUNT = any_of("ac mac")
_CALLED = any_of("hom het two hap")
_PLINK_COUNTS = frozenset({"c(hom a1)", "c(het)", "c(hom a2)", "c_a", "c_u"})
_NOT_A_COUNT = any_of(
    "id year month day week date chrom chr pos position start end stop bin dof df percent pct prozent anteil rate "
    "ratio mean sd se median p age rank cluster stage order exon chromosome level grade score index quality qual "
    "min max sum mode iqr var variance beta or hr time"
)
MEANS = any_of("mean average avg")
_BASE = any_of("population admissions screened tested enrolled denominator births inhabitants eligible")
_PERCENT = any_of(
    "prevalence mortality incidence lethality percent pct percentage prozent anteil share proportion prop"
)
_PERSON_ID = any_of(
    "patient patientid sample sampleid subject subjectid participant participantid person personid individual "
    "proband donor barcode mrn nhs iid fid eid pid pseudonym studyid specimen iids versicherten indv indiv löpnr "
    "lopnr lopenr patientnummer paciente paziente patientnr pnr personnummer"
)
_PERSON_FACT = any_of(
    "prs pgs grs birth birthdate dob geburtsdatum sex gender geschlecht postcode zip plz icd icd10 diagnosis "
    "visit admission discharge ethnicity surname forename address phone email hba1c bmi death age alter diagnose "
    "geburtsjahr wohnort beruf sexe edad sexo âge occupation smoker weight height ages born surnames nachname "
    "vorname naissance commune età sesso nascita comune diagnosi nacimiento diagnóstico idade alder ålder kön kon "
    "kjønn køn födelsedatum fødselsdato diagnos leeftijd geslacht gewicht geboortedatum woonplaats lastname "
    "firstname"
)
_QUALITY = any_of(
    "call quality coverage mapping mapped alignment aligned duplication duplicate gc purity identity efficiency "
    "concordance variance explained depth missingness imputation r2 recall precision sensitivity specificity "
    "accuracy"
)
_OTHER_UNIT = any_of(
    "variant variants gene genes snp snps site sites probe probes exon exons read reads peak peaks locus loci "
    "test tests transcript transcripts pathway pathways cluster clusters base bases term terms marker markers"
)
_SPANS = any_of("years year months days")  # of persons together: person-years
_NOT_SIZES = any_of("id name mean sd median rate ratio percent pct freq frequency")
_TOTAL = any_of("total totals all overall sum gesamt insgesamt summe alle any subtotal totalt ensemble")
_STATISTIC = any_of(
    "mean avg average sd se sem median iqr variance var percent pct prozent anteil rate ratio beta coef "
    "coefficient estimate or hr rr ci odds hazard effect pvalue proportion quantile percentile std stderr"
)
_GROUPED = any_of("group groups band class type category status population cohort arm stratum set")
_SURVIVAL = any_of("survival surv km kaplan survived überleben")
_AT_RISK = any_of("risk atrisk")
_DEGREES = any_of("dof df degrees freiheitsgrade ddf")
_PUBLIC_KEYS = any_of(
    "protein proteins uniprot accession accessions entry icd atc ops drg loinc snomed opcs diagnosis diagnose "
    "metabolite metabolites compound probe probes assay analyte lipid peptide otu asv efo mondo ontology phecode "
    "mutation"
)
_ONE_OF_A_PAIR = re.compile(r"ID[ _.]?[12]", re.IGNORECASE)  # as tables of relatives name their two persons
_ENDPOINT = any_of("min max minimum maximum range youngest oldest lowest highest")


def words(name: str) -> frozenset[str]:
    """Return the words of a column name in lower case."""
    return frozenset(part.lower() for part in _WORDS.findall(name))


def is_count(name: str) -> bool:
    """Return whether the name speaks of a number of persons."""
    parts = words(name)
    if name.strip().lower() in _PLINK_COUNTS or (parts & _CALLED and parts & {"ct", "cts"}):
        return True
    return bool(parts & _COUNT) and not parts & _NOT_A_COUNT and not parts & _OTHER_UNIT and per_many(name) is None


def is_allele_count(name: str) -> bool:
    """Return whether the name speaks of an allele count."""
    parts = words(name)
    return bool(parts & _ALLELE_COUNT) or bool(
        parts & {"alt", "ref"} and parts & {"ct", "cts"} and not parts & _CALLED
    )


def is_known_other(name: str) -> bool:
    """Return whether the name speaks of something that is certainly no count."""
    return bool(words(name) & (_NOT_A_COUNT | _OTHER_UNIT))


def per_many(name: str) -> int | None:
    """Return of how many persons the name counts some: 100000 of `rate_per_100k`."""
    match = _PER.search(name)
    return int(re.sub(r"\D", "", match[1].lower().replace("k", "000"))) if match is not None else None


def is_base(name: str) -> bool:
    """Return whether the name speaks of persons among whom others are counted."""
    parts = words(name)
    return is_count(name) or ((bool(parts & _BASE) or {"person", "years"} <= parts) and not parts & _NOT_SIZES)


def is_other_unit(name: str) -> bool:
    """Return whether the name speaks of genes, reads or other things that are no persons."""
    return bool(words(name) & (_OTHER_UNIT | {"bg"}))


def is_population(name: str) -> bool:
    """Return whether the name speaks of all among whom some are counted."""
    return is_base(name) and not is_count(name)


def is_percent(name: str) -> bool:
    """Return whether the name speaks of a share of a total."""
    if per_many(name) is not None:
        return True
    return ("%" in name or bool(words(name) & _PERCENT)) and not words(name) & _QUALITY


def is_mean(name: str) -> bool:
    """Return whether the name speaks of a mean."""
    return bool(words(name) & MEANS)


def is_quality(name: str) -> bool:
    """Return whether the name speaks of how good data or a model is."""
    return bool(words(name) & _QUALITY)


def is_person_id(name: str) -> bool:
    """Return whether the name speaks of one person's or sample's key."""
    parts = words(name)
    if _ONE_OF_A_PAIR.fullmatch(name.strip()):
        return True
    return bool(parts & _PERSON_ID) and not parts & (_COUNT | _GROUPED | _SPANS)


def has_public_keys(name: str) -> bool:
    """Return whether the name speaks of what has public keys that look like persons: P04637, E11651."""
    return bool(words(name) & _PUBLIC_KEYS)


def is_plain_id(name: str) -> bool:
    """Return whether the name says that this is a key and not of what."""
    parts = words(name)
    return bool(parts & {"id", "nr", "key", "record", "index", "no", "idx"}) and parts <= {
        "id",
        "nr",
        "no",
        "number",
        "record",
        "key",
        "index",
        "idx",
        "study",
        "case",
        "serial",
        "row",
    }


def is_person_fact(name: str) -> bool:
    """Return whether the name speaks of what one person is or had."""
    parts = words(name)
    named = "name" in parts and bool(parts & {"first", "last", "given", "family", "full"})
    return (named or bool(parts & _PERSON_FACT)) and not parts & _STATISTIC


def is_statistic(name: str) -> bool:
    """Return whether the name speaks of something worked out from many."""
    return bool(words(name) & _STATISTIC)


def is_total(name: str) -> bool:
    """Return whether the label speaks of all categories together."""
    return bool(words(name) & _TOTAL)


def is_survival(name: str) -> bool:
    """Return whether the name speaks of a share that is still free of an event."""
    return bool(words(name) & _SURVIVAL) or name.strip().lower() in ("s", "s(t)")


def is_at_risk(name: str) -> bool:
    """Return whether the name speaks of persons under observation."""
    parts = words(name)
    return bool(parts & _AT_RISK) and bool(parts & {"n", "at", "number", "no", "atrisk"})


def is_degrees_of_freedom(name: str) -> bool:
    """Return whether the name speaks of degrees of freedom."""
    return bool(words(name) & _DEGREES)


def is_endpoint(name: str) -> bool:
    """Return whether the name speaks of a minimum or maximum."""
    return bool(words(name) & _ENDPOINT)
