"""Small workflows as others write them run with their draft as it is, to the files of bare Nextflow."""

from pathlib import Path

import pytest
from drafted_beside_bare import drafted, results
from nextflow_patterns import PATTERNS


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_publishes_what_it_does_by_bare_nextflow(tmp_path: Path, name: str) -> None:
    files, inputs, free, count = PATTERNS[name]
    found = drafted(tmp_path, files)
    assert found.errors() == []
    assert found.manifest["free_commands"] == free
    assert {one.about.partition(":")[0] for one in found.found if one.code == "word-unclear"} == {*free}
    ours, bare = results(found.run(inputs))
    assert ours == bare
    assert len(ours) == count
