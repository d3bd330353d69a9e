"""Who may import whom, where import-linter's contracts (.importlinter) cannot say it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from codebase import ROOMS, ROOT, files, imported_packages, imports, python_files, tree

PURE = {"runs", "tasks", "release_requests", "rules", "vetting", "admission", "states", "spec", "contract"} | {
    *("combinations", "options", "parameters", "query_rules", "turns"),
}
VENDORS = {"sqlalchemy", "fastapi", "celery", "boto3", "kubernetes", "httpx"}
ONE_IMPORTER = {
    "joserfc": "strongroom/identity.py",
    "celery": "strongroom/queue.py",
    "boto3": "strongroom/object_stores/s3.py",
    "kubernetes": "tes/backends/kubernetes/api.py",
    "pyslurm": "tes/backends/slurm/pyslurm.py",
}
# What another room may call without HTTP: the named doors, and what is pure.
DOORS = {
    "access": set[str](),
    "airlock": {"airlock.intake", "airlock.contract", "airlock.policy", "airlock.delivery"},
    "archive": {"archive.decisions", "archive.bodies", "archive.datasets", "archive.inbox", "archive.queries"}
    | {"archive.quarantine", "archive.ancestry", "archive.destruction"},
    "tes": {"tes.federation", "tes.profiles", "tes.outside_inputs"},
    "wes": set[str](),
}


def test_the_contracts_hold() -> None:
    lint = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(lint, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pure_modules_import_no_vendor_library() -> None:
    pure = [path for path in python_files("strongroom", *ROOMS) if path.stem in PURE]
    assert pure
    broken = {str(path): found for path in pure if (found := imported_packages(path) & VENDORS)}
    assert not broken


@pytest.mark.parametrize(("library", "owner"), ONE_IMPORTER.items())
def test_a_vendor_library_has_one_importer(library: str, owner: str) -> None:
    importers = {str(p) for p in python_files("strongroom", *ROOMS) if library in imported_packages(p)}
    assert importers <= {owner}


def test_the_sandbox_needs_the_standard_library_and_cryptography_only() -> None:
    allowed = {*sys.stdlib_module_names, "sandbox", "cryptography"}
    broken = {str(path): found for path in python_files("sandbox") if (found := imported_packages(path) - allowed)}
    assert not broken


def test_the_checks_can_be_carried_into_a_jail() -> None:
    # They run there on Debian's own Python, with nothing of the repository but this one folder; pypdf, PDFium
    # and pyarrow come from our lock with the image (images/build.py).
    allowed = {*sys.stdlib_module_names, "PIL", "pypdf", "pypdfium2_raw", "pyarrow"}
    checks = [path for path in python_files("airlock") if path.parts[:2] == ("airlock", "checks")]
    assert checks
    broken = {str(path): found for path in checks if (found := imported_packages(path) - allowed)}
    assert not broken


def test_a_room_is_entered_by_its_doors_only() -> None:
    broken = [
        f"{path}: {name}"
        for path in python_files(*DOORS)
        for name in imports(path)
        for room, doors in DOORS.items()
        if room != path.parts[0]
        and (name == room or name.startswith(f"{room}."))
        and not any(name == door or name.startswith(f"{door}.") for door in doors)
    ]
    assert not broken


def test_the_floor_names_no_room() -> None:
    floor = [path for path in python_files("strongroom") if path.parts[1] != "cli"]
    broken = {str(path): found for path in floor if (found := imported_packages(path) & set(ROOMS))}
    assert not broken


def test_engine_plug_ins_import_no_room() -> None:
    # They live in the engine's environment, which holds none of our packages.
    ours = {"strongroom", *ROOMS}
    broken = {str(path): found for path in python_files("engines") if (found := imported_packages(path) & ours)}
    assert not broken


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in files() if path.parts[0] == "tests" and path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


def test_t28_whoever_opens_the_database_says_which_identities_are_one_person() -> None:
    opened = [
        (path, call)
        for path in python_files(*ROOMS, "strongroom")
        for call in ast.walk(tree(path))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "open_database"
    ]
    assert len(opened) >= 8
    forgot = [str(path) for path, call in opened if "joined" not in {one.arg for one in call.keywords}]
    assert forgot == []
