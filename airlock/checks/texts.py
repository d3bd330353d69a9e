"""Holds the fixed words of every code: how bad, about what, why, and what cures it."""

from dataclasses import dataclass

from .codes import About, Code, Severity


@dataclass(frozen=True, slots=True)
class Text:
    """The fixed words of one code."""

    severity: Severity
    about: About
    reason: str
    cure: str


def _block(about: About, reason: str, cure: str) -> Text:
    return Text(Severity.BLOCK, about, reason, cure)


def _warn(about: About, reason: str, cure: str) -> Text:
    return Text(Severity.WARN, about, reason, cure)


_C, _V = About.CONTRACT, About.VALUES
TEXTS: dict[Code, Text] = {
    Code.UNDECLARED: _block(
        _C,
        "The workflow's contract does not promise this file.",
        "Add it to the contract and have the version vetted.",
    ),
    Code.CONTRACT_FORMAT: _block(
        _C, "The file's content is not of the format that the contract promises.", "Write the promised format."
    ),
    Code.CONTRACT_COLUMNS: _block(
        _C,
        "The table's columns are not exactly those that the contract names.",
        "Write the promised columns, no more and no fewer, each named once.",
    ),
    Code.CONTRACT_VALUE: _block(
        _V,
        "A cell is not of the type, vocabulary or pattern that the contract gives its column.",
        "Write only values that the contract allows, or have the contract changed.",
    ),
    Code.CONTRACT_NUMBERS_MISSING: _block(
        _C,
        "The table of numbers behind this picture is missing or cannot be read.",
        "Request the picture together with the table that the contract names for it.",
    ),
    Code.TOO_MANY_ROWS: _warn(
        _V, "There are more rows than a person can review.", "Aggregate further or split by topic."
    ),
    Code.TOO_MANY_SITES: _block(
        _V, "There are more sites than may leave in one file.", "Keep only the sites that the question needs."
    ),
    Code.TOO_LARGE: _block(_V, "The file is larger than any reviewable result.", "Aggregate before release."),
    Code.NOT_OUR_COPY: _block(
        _V,
        "The bytes are not the clean copy that the airlock itself would write.",
        "Have the file taken in again; only the airlock's own copy can be reviewed.",
    ),
    Code.SPECIAL_FILE: _block(
        _C, "This is a link, folder, pipe or device, not a regular file.", "Write a regular file."
    ),
    Code.TYPE_MISMATCH: _block(
        _C, "The name's suffix promises another type than the content has.", "Name the file after its content."
    ),
    Code.UNREVIEWABLE_TYPE: _block(
        _C,
        "No check can read this type of file.",
        "Write results as TSV, CSV, sites-only VCF, PNG, JSON or plain text.",
    ),
    Code.INSPECTION_FAILED: _block(
        _C, "The inspection did not finish, so nothing is known.", "Ask the operator; try a smaller file."
    ),
    Code.EMPTY: _warn(_V, "There is nothing in it; often a failed job.", "Check that the run did what it should."),
    Code.FILENAME_CHANNEL: _block(
        _V, "The file's name itself could carry data.", "Use a short, plain name without numbers of persons."
    ),
    Code.ENCODING: _block(_V, "The text is not clean UTF-8.", "Write UTF-8 without a byte order mark."),
    Code.CONTROL_CHARACTERS: _block(
        _V, "There are control characters that can hide or rewrite what a reader sees.", "Remove them."
    ),
    Code.HIDDEN_CHARACTERS: _block(
        _V, "There are invisible characters that can carry data.", "Remove zero-width and formatting characters."
    ),
    Code.HIDDEN_COLUMNS: _block(
        _V,
        "Columns without a name, or far to the right, hold values, or a line of text is longer than anybody reads.",
        "Name every column and drop the rest; break long lines.",
    ),
    Code.RAGGED_ROWS: _block(
        _V, "Rows differ in their number of cells.", "Write one rectangular table a file, with one header line."
    ),
    Code.FORMULA: _block(
        _V, "A cell starts like a spreadsheet formula.", "Write plain values that no spreadsheet executes."
    ),
    Code.SMALL_COUNT: _block(
        _V,
        "A count, or what a percentage makes of its total, is above zero and below the threshold.",
        "Merge categories, or write NA for small cells and for one more cell of each total.",
    ),
    Code.UNCLEAR_COLUMN: _warn(
        _V,
        "A column of small whole numbers may be a count of persons.",
        "Name the column after what it counts, or declare it in a contract.",
    ),
    Code.DOMINANCE: _block(
        _V, "One or two units make up nearly all of a sum.", "Drop the sum or merge the group with others."
    ),
    Code.ENDPOINTS: _warn(
        _V,
        "A minimum, a maximum or a percentile of few describes a single person.",
        "Write percentiles that leave at least the threshold of persons beyond them, such as the 5th and 95th.",
    ),
    Code.SECONDARY_DISCLOSURE: _block(
        _V,
        "A suppressed cell or a group left out, or a sum of few, follows from totals, other cells or percentages.",
        "Suppress one more cell of each row and column that has a total, or drop or round the totals.",
    ),
    Code.CLASS_DISCLOSURE: _warn(
        _V,
        "All or none of a group have a property, so that it is known of every member.",
        "Merge the group with another, or drop the column.",
    ),
    Code.LOW_DEGREES_OF_FREEDOM: _block(
        _V,
        "A model has hardly more persons than parameters and may show single values.",
        "Use a smaller model or more persons.",
    ),
    Code.SURVIVAL_STEPS: _block(
        _V,
        "Steps of a survival curve stand for fewer persons than the threshold, each with its own time.",
        "Write the curve at fixed intervals that hold at least the threshold of events and censorings.",
    ),
    Code.LINKED_TABLES: _block(
        _V,
        "Two tables, or JSON, of one request subtract to a count below the threshold.",
        "Use the same persons and categories in all tables, or round all counts.",
    ),
    Code.TABLES_NOT_COMPARED: _warn(
        _V,
        "There are more tables and JSON in this run than one inspection compares; some were left out.",
        "Promise fewer of them; all that leave together are compared at the moment when they leave.",
    ),
    Code.NEAR_DUPLICATE: _warn(
        _V, "Two tables hold the same cells in another order or with very few changed.", "Release one of them."
    ),
    Code.DIFFERENCING: _block(
        _V,
        "Together with earlier releases of the same data, a cell shows a count below the threshold.",
        "Use the persons and categories of the earlier release, or round the counts.",
    ),
    Code.COHORT_DIFFERENCE: _block(
        _V,
        "The persons behind this file, with those behind earlier releases of the same data, single out fewer than k.",
        "Use the persons of an earlier release, or ones that differ from all earlier by k or more.",
    ),
    Code.COHORTS_NOT_EXAMINED: _warn(
        _V,
        "There are too many released cohorts of the same data to try all combinations with this one.",
        "Use the persons of an earlier release.",
    ),
    Code.COHORT_BUDGET: _block(
        _V,
        "So many different cohorts of this data were released that one more is too many.",
        "Use the persons of an earlier release.",
    ),
    Code.SITE_BUDGET: _block(
        _V,
        "With earlier releases of the same data, so many places of the genome would be out that they tell who is in.",
        "Release fewer places, or those that left before.",
    ),
    Code.UNKNOWN_MEMBERS: _warn(
        _V,
        "Whose data is behind this file, or behind an earlier release, is not known: they count as differing by one.",
        "Have the workflow write the list of its persons after all filters, and its contract name it as members.",
    ),
    Code.CREDENTIAL: _block(_V, "There is something like a password, key or token.", "Remove it and replace it."),
    Code.ROW_LEVEL: _block(
        _V, "Rows look like single persons or samples.", "Release aggregates only; person-level files stay inside."
    ),
    Code.COHORT_SIZE: _warn(
        _V,
        "There are about as many rows as the data has persons: each row may be one.",
        "Count persons in groups; say in the context what a row is.",
    ),
    Code.IDENTIFIER: _block(
        _V, "There is something like a personal identifier.", "Remove names, numbers and contacts of persons."
    ),
    Code.READS: _block(_V, "There are sequences as sequencers read them.", "Sequences of persons stay inside."),
    Code.GENOTYPES: _block(
        _V, "There are genotypes of single persons.", "Write a sites-only file with allele counts."
    ),
    Code.SAMPLE_IDS: _block(
        _V, "A record can name the persons who carry a variant.", "Keep AC, AN and AF in INFO and nothing else."
    ),
    Code.LOW_ALLELE_COUNT: _block(
        _V,
        "An allele is carried, or lacked, by fewer than the threshold.",
        "Remove sites where AC or AN minus AC is below the threshold.",
    ),
    Code.NO_DENOMINATOR: _warn(
        _V, "Frequencies without AC and AN: the count behind them cannot be checked.", "Write AC and AN."
    ),
    Code.INCONSISTENT_COUNTS: _block(
        _V, "Counts contradict each other (AC above AN, AF not AC/AN).", "Recompute AC, AN and AF."
    ),
    Code.HEADER_TEXT: _warn(
        _V, "Header lines hold free text, such as commands, paths or names.", "The clean copy drops them."
    ),
    Code.UNMODELLED_RECORD: _block(
        _V,
        "A record holds something that a sites-only file of short variants does not.",
        "Keep short variants of A, C, G, T and N at unique sites of known chromosomes.",
    ),
    Code.HIDDEN_METADATA: _block(
        _V,
        "There is text or metadata beside what a reader sees: beside pixels, or in the header of packed bytes.",
        "The clean copy drops it.",
    ),
    Code.TRAILING_BYTES: _block(
        _V, "There are bytes after the end of the content, or of a part of it.", "Write the file again without them."
    ),
    Code.BROKEN_PICTURE: _block(
        _V, "The picture cannot be decoded within the limits.", "Write a plain PNG of moderate size."
    ),
    Code.PICTURE_ALONE: _warn(
        _C, "Pixels cannot be judged by a program.", "Add the table of numbers that the picture shows."
    ),
    Code.STEGANOGRAPHY: _warn(
        _V, "Nearly equal colours could carry hidden data.", "Draw with few plain colours and no noise."
    ),
    Code.CIPHERTEXT: _block(
        _V, "The content is encrypted or cannot be told from noise.", "Only readable results can leave."
    ),
    Code.UNSAFE_SERIALISATION: _block(
        _C, "This format runs code or keeps training rows when it is opened.", "Write coefficients as a table."
    ),
    Code.ARCHIVE_PATH: _block(
        _V,
        "A member of the archive is a link, a device, a duplicate, or has a path that leads out of the archive.",
        "Pack regular files under plain, relative names, each once.",
    ),
    Code.ARCHIVE_BOMB: _block(
        _V, "The content unpacks to far more than it should.", "Send the few results themselves, without an archive."
    ),
    Code.ENCRYPTED: _block(_V, "A part is encrypted, so nobody can review it.", "Write it without a password."),
    Code.TOO_MANY_MEMBERS: _block(
        _V,
        "There are more parts, pages or tables than a person can review.",
        "Keep only the parts that answer the question.",
    ),
    Code.TOO_DEEP: _block(
        _V, "Content is nested deeper than any reader should follow.", "Write flat files; do not pack packed files."
    ),
    Code.BROKEN_FILE: _block(
        _V, "The content is damaged or not quite of its format, so not all of it was read.", "Write the file again."
    ),
    Code.POLYGLOT: _block(
        _V, "The content can be read as two formats.", "Write the file again with a plain tool, as one format."
    ),
    Code.EMBEDDED_FILE: _block(
        _V, "Another file or a part of unknown kind is embedded.", "Remove attachments; send each file by itself."
    ),
    Code.ACTIVE_CONTENT: _block(
        _V,
        "There are scripts, macros, actions or references that work when the file is opened.",
        "Write a static file that runs nothing and loads nothing.",
    ),
    Code.HIDDEN_SHEET: _block(_V, "A sheet is hidden from who opens the file.", "Delete the sheet or show it."),
    Code.HIDDEN_CELLS: _block(
        _V,
        "Rows, columns, names, caches, nulls or deleted pages hold values that are not shown.",
        "Copy what should be seen into a new file.",
    ),
    Code.HIDDEN_TEXT: _block(
        _V, "There is text that a reader does not see, such as comments or white letters.", "Remove or show it."
    ),
    Code.ENCODED_PAYLOAD: _block(
        _V, "Long runs of encoded data stand in the text.", "Write values as they are, never as base64 or hex."
    ),
    Code.QUOTED_VALUE: _warn(
        _V, "An error message quotes a value of the data.", "Leave the message out, or print only where it failed."
    ),
    Code.PARSERS_DISAGREE: _block(
        _V,
        "Two parsers read the clean copy differently, so nobody knows what others would read.",
        "Tell the operator: this should not happen with our own copies.",
    ),
    Code.NOT_AS_DECLARED: _block(
        _C, "The content is not what the file was brought in as.", "Say what it is, or bring another file."
    ),
    Code.EXECUTABLE: _block(
        _C, "This is a program for a machine, which nobody can read.", "Have it vetted as part of a workflow's image."
    ),
    Code.SCRIPT: _warn(
        _C, "This is code; whoever approves it must read it whole.", "Bring code in as a script, and short."
    ),
    Code.KNOWN_PERSON: _block(
        _V,
        "It names persons whose data the project uses, so it could choose among them unseen.",
        "Choose persons by the parameters of a vetted workflow.",
    ),
    Code.MODEL_NEEDS_ATTACK_REPORT: _warn(
        _V,
        "Weights can remember the persons that a model was trained on.",
        "Attach a membership-inference report as a supporting file.",
    ),
}
