"""Sets the airlock's scene with the real checks behind its door: the jail's own program, without the walls."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from airlock_scene import Scene, scene

import airlock.checks
from airlock.contract import Contract
from strongroom.doors import Caller, Message
from strongroom.object_stores.folder import Folder

CODE = (
    "import sys, pathlib; sys.path.insert(0, sys.argv[1]); "
    "from checks.jail import main; main(pathlib.Path(sys.argv[2]))"
)


class Jail:
    """A door that runs the jail's program on clear files: object ids are names in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def answer(self, message: Message, _caller: Caller) -> Message:
        """Do as `tes.inspections` and a sandbox do, without the walls."""
        work = self.folder / message["inspection"]
        (work / "supporting").mkdir(parents=True)
        supporting = {}
        for name, made in message["supporting"].items():
            supporting[name] = str(work / "supporting" / name)
            Path(supporting[name]).write_bytes((self.folder / made).read_bytes())
        request = {
            **message["request"],
            "kind": message["kind"],
            "file": str(self.folder / message["object"]),
            "supporting": supporting,
        }
        (work / "request.json").write_text(json.dumps(request))
        words = [sys.executable, "-I", "-c", CODE, str(Path(airlock.checks.__file__).parent.parent), str(work)]
        subprocess.run(words, check=True)
        outputs = []
        if (work / "clean").exists():
            made = f"c{len(list(self.folder.glob('c*'))):031x}"
            content = (work / "clean").read_bytes()
            (self.folder / made).write_bytes(content)
            Folder(self.folder.parent / "objects").put(made, iter([content]))
            outputs = [{"path": "/run/work/clean", "object": made, "size": len(content), "role": "output"}]
        raw = base64.b64encode((work / "answer.json").read_bytes()).decode()
        return {"cause": "exited", "exit_code": 0, "answer": raw, "outputs": outputs}


@contextmanager
def jailed() -> Iterator[Scene]:
    """Set the scene; what an object holds in the clear is written to `jail` in its home, under the object's id."""
    with scene() as one:
        folder = one.settings.home / "jail"
        folder.mkdir()
        one.inspector.answer = Jail(folder).answer  # type: ignore[method-assign]
        yield one


def wrote(stage: Scene, files: Mapping[str, str], contract: Contract) -> str:
    """Have the rule `count` of a run write these texts, and the checks judge them; return the run's id."""
    run = stage.complete_run(dict.fromkeys(files, "count"), contract=contract, taken=False)
    for path, file in stage.files(run).items():
        (stage.settings.home / "jail" / file.source).write_text(files[path])
    stage.work()
    return run
