"""What DSL2 documents comes to the same files, blind and through the gateway, as by bare Nextflow."""

import re

import pytest
from nextflow_constructs import CONSTRUCTS, files
from nextflow_house import Ended, House, workflow

INPUTS = {
    "inputs/calls/one.dat": b"first line\nsecond line\nthird line\nfourth line\n",
    "inputs/calls/two.dat": b"another file\n",
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, dict[str, bytes]]:
    """All constructs in one run of each engine: the start of a Java costs more than all of their tasks."""
    home = tmp_path_factory.mktemp("constructs")
    text = files()
    processes = sorted(set(re.findall(r"process (\w+)", "".join(text.values()))) | {"SHARED_ONE", "SHARED_TWO"})
    house = House(home / "house", workflow(home / "flow", text, free_commands=processes), INPUTS)
    ours = house.run()
    assert ours.code == 0, ours.log
    return ours, house.bare()


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_a_construct_makes_the_files_that_bare_nextflow_makes(
    both: tuple[Ended, dict[str, bytes]], construct: str
) -> None:
    ours, bare = both
    wanted = {f"results/{construct}/{path}" for path in CONSTRUCTS[construct][1]}
    expected = {path: content for path, content in bare.items() if path.startswith(f"results/{construct}/")}
    assert set(expected) == wanted
    assert ours.below(f"results/{construct}") == expected
    assert all(expected.values())


def test_the_engine_saw_no_byte_of_it(both: tuple[Ended, dict[str, bytes]]) -> None:
    ours, _ = both
    stubs = {
        path: content for path, content in ours.tree.items() if path.startswith(("inputs/", "work/", "results/"))
    }
    assert len(stubs) > 100
    # What the engine wrote itself are its scripts' folders; every file of a task is a hole.
    assert [path for path, content in stubs.items() if content.strip(b"\0")] == []
