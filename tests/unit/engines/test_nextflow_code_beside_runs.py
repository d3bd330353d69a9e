"""Scripts with code beside what they declare are drafted as they stand, and run to the files of bare Nextflow."""

from pathlib import Path

import pytest
from drafted_beside_bare import drafted, results
from nextflow_code_beside import CODE_BESIDE, GIVEN


@pytest.mark.parametrize("name", CODE_BESIDE)
def test_it_runs_by_its_draft(tmp_path: Path, name: str) -> None:
    files, published = CODE_BESIDE[name]
    said = drafted(tmp_path / name, files)
    assert said.errors() == []
    ours, bare = results(said.run(GIVEN.get(name)))
    assert ours == bare
    assert set(bare) == published
