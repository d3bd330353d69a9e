"""Programs of a Nextflow workflow, in bin/ or as a process's script, are judged by their language."""

import pytest

from wes.lint import Finding
from wes.nextflow_content import judge, judge_program
from wes.nextflow_outline import Program

# The file, its text, and what is found with the line; a text without findings stands beside it.
CASES = [
    ("bin/a.sh", "#!/bin/bash\nset -e\nwget -q x\n", {("network-tool", 3)}),
    ("bin/a", "true\npip install x\n", {("network-tool", 2)}),
    ("bin/a", "#!/bin/sh\n# curl x, https://example.org\n  # scp\ntrue\n", set()),
    ("bin/a", '#!/bin/bash\nbash "$1"\n', {("input-is-code", 2)}),
    ("bin/a", "#!/bin/bash\n. ${2}\neval x\n", {("input-is-code", 2), ("shell-inside-shell", 3)}),
    ("bin/a", "#!/bin/bash\ncat /data/x > /dev/null\n", {("absolute-path", 2)}),
    ("bin/a", "#!/usr/bin/env bash\ncat $1 /run/workflow/assets/x\n", set()),
    ("bin/a.sh", "samtools view s3://bucket/x\n", {("remote-file", 1)}),
    ("bin/a.py", "import csv\nfrom urllib.request import urlopen\n", {("network-library", 2)}),
    ("bin/a", "#!/usr/bin/env python3\nimport requests\n", {("network-library", 2)}),
    ("bin/a.py", "import os\nos.system('x')\n", {("shell-inside-shell", 2)}),
    ("bin/a.py", "run(['/usr/bin/curl', x])\n", {("network-tool", 1), ("absolute-path", 1)}),
    ("bin/a.py", "import csv, sys\nopen(sys.argv[1])\nname = 'system/curly'\n", set()),
    ("bin/a.R", "library(data.table)\nlibrary(httr)\n", {("network-library", 2)}),
    (
        "bin/a.R",
        "install.packages('x')\ny <- curl::curl_fetch('x')\n",
        {("network-library", 1), ("network-library", 2)},
    ),
    ("bin/a.R", "fread('/data/x.tsv')\nsystem(x)\n", {("absolute-path", 1), ("shell-inside-shell", 2)}),
    ("bin/a.R", "x <- Sys.time()\nfread('x.tsv')\n", set()),
    (
        "bin/a.pl",
        "use strict;\nuse LWP::Simple;\nsystem('x');\n",
        {("network-library", 2), ("shell-inside-shell", 3)},
    ),
    ("bin/a.awk", "{ print $1 }\n", set()),
    ("bin/a.sh", "API_KEY='" + "0123456789abcdef'\n", {("secret-inside", 1)}),
    ("bin/a.py", "x = 1\nkey = '''-----BEGIN " + "PRIVATE KEY-----\n'''\n", {("secret-inside", 2)}),
    ("bin/a.py", "token = '" + "ghp_" + "a" * 36 + "'\n", {("secret-inside", 1)}),
    ("bin/a.sh", 'token="$1"\npassword=""\ntokens=\'a b\'\n', set()),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_what_a_program_should_not_hold_is_found_at_its_line(number: int) -> None:
    file, text, wanted = CASES[number]
    found = list(judge_program(Program(path=file, text=text)))
    assert {(one.code, one.line) for one in found} == wanted
    assert {one.file for one in found} <= {file}


def test_a_program_that_nobody_can_read_is_an_error() -> None:
    assert list(judge_program(Program(path="bin/x", text=None))) == [Finding("code-compiled", "bin/x", 0, "bin/x")]


def test_a_secret_is_not_printed_again() -> None:
    told = list(judge("password = '" + "correct-horse-battery'\n", "main.nf", 7))
    assert [(one.code, one.line) for one in told] == [("secret-inside", 7)]
    assert "horse" not in str(told)
