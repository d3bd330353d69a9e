"""Nextflow blind in its real walls, its real gateway, and in place of TES a stand-in that runs tasks on plaintext."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from in_process_tes import InProcess
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo import bare
from sandbox.bubblewrap import find_bubblewrap
from sandbox.collect import collect
from sandbox.spec import Limits, Output
from strongroom.database import Base, now, open_database, transaction
from strongroom.settings import Settings
from tes import files as tes_files
from tes.schemas import Output as Asked
from wes import engines, gateway, gateway_door
from wes.manifest import Manifest, check_parameters, parse_manifest
from wes.parameters import resolve
from wes.rules import WORK
from wes.store import Run, RunFile, files_of
from wes.stubs import opened, rounded, write_stub
from wes.tes_door import BASE

IMAGES = {"genomics": "sha256:" + "b" * 64}
LIMITS = Limits(1 << 30, 1, 100, 1 << 30, 60, 1 << 30, 10_000, 1 << 20)
END = {0: "COMPLETE"}
OWN = ("work", ".nextflow", "inputs", "bare.config", "bare.json")  # what a bare engine's folder holds besides results


@dataclass
class Ended:
    """What became of a run: the engine's code and words, the run's files in the clear, and its jobs."""

    code: int
    log: str
    files: dict[str, bytes]
    rules: dict[str, str]
    jobs: list[dict[str, Any]]
    tree: dict[str, bytes]
    refusals: list[str] = field(default_factory=list)

    def below(self, folder: str) -> dict[str, bytes]:
        """Return what was published in a folder."""
        return {path: found for path, found in self.files.items() if path.startswith(f"{folder}/")}


class House:
    """One run's house: objects in the clear, the engine's tree, and the stand-in's tasks."""

    def __init__(self, home: Path, workflow: Path, inputs: Mapping[str, bytes] | None = None) -> None:
        self.home, self.workflow, self.run_id = home, workflow, uuid.uuid4().hex
        home.mkdir(exist_ok=True)
        for folder in (home, *home.parents[:3]):
            folder.chmod(folder.stat().st_mode | 0o755)
        self.objects: dict[str, bytes] = {}
        self.tasks: list[dict[str, Any]] = []
        self.running: dict[str, asyncio.subprocess.Process] = {}
        self.slots = asyncio.Semaphore(2)
        self.works: set[asyncio.Task[None]] = set()
        self.settings = Settings(home=home)
        self.database = open_database(f"sqlite:///{home / 'd.db'}")
        Base.metadata.create_all(self.database)
        self.manifest: Manifest = parse_manifest((workflow / "manifest.yaml").read_text())
        self.inputs = dict(inputs or {})
        with transaction(self.database) as session:
            session.add(_row(self.run_id))
            session.flush()
            for n, (path, content) in enumerate(self.inputs.items()):
                size, at = rounded(len(content)), 1_700_000_000_000_000_000 + n
                session.add(
                    RunFile(run=self.run_id, path=path, object=self._keep(content), stub_size=size, mtime_ns=at)
                )

    def run(self, parameters: dict[str, Any] | None = None, *, kill_after: int = 0) -> Ended:
        """Run the workflow to its end, or kill the engine (-9) once so many tasks are complete."""
        return asyncio.run(self._run(parameters or {}, kill_after))

    def bare(self, parameters: dict[str, Any] | None = None) -> dict[str, bytes]:
        """Run it by bare Nextflow on the same inputs; return the files that it left outside of its work folder."""
        work = self.home / "bare"
        for path, content in self.inputs.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_bytes(content)
        work.mkdir(exist_ok=True)
        bare.nextflow(self.workflow, self.manifest.entry, work, self._config(parameters or {}), more=bare.MANY_CPUS)
        return left(work)

    def _config(self, parameters: dict[str, Any]) -> dict[str, Any]:
        slots: dict[str, list[str]] = {}
        for path in sorted(self.inputs):
            slots.setdefault(path.split("/")[1], []).append(path)
        return {**parameters, "inputs": slots | {"files": sorted(self.inputs)}}

    async def _run(self, parameters: dict[str, Any], kill_after: int) -> Ended:
        engine = engines.open_engine("nextflow")
        launch = engines.launch_of(self.run_id, self.manifest, self.settings)
        folders = engines.Folders(self.home / "work", self.workflow, self.home, self.home / "tes.sock")
        shutil.rmtree(folders.work, ignore_errors=True)
        folders.work.mkdir()
        engine.write_config(folders, self._config(parameters), launch)
        with opened(folders.work) as tree:
            with transaction(self.database) as session:
                for path, row in files_of(session, self.run_id).items():
                    if row.rule is None:
                        write_stub(tree, path, size=row.stub_size, mtime_ns=row.mtime_ns)
            for path in {one.path for one in self.manifest.glimpses.clear} & {*self.inputs}:
                (folders.work / path).write_bytes(self.inputs[path])
            async with contextlib.aclosing(InProcess(self._tes())) as client:
                border = gateway.Gateway(
                    self.run_id, "cohort", coarse=False, images=IMAGES, engine=self.database, tree=tree, tes=client,
                    settings=self.settings, job_of=engine.job_of(self.manifest, self.settings, {}),
                    contract=self.manifest.contract,
                    keeps_tree=engine.keeps_tree,
                )  # fmt: skip
                border.restore()
                code = await self._engine(engine, launch, folders, border, kill_after)
        return self._ended(code)

    async def _engine(
        self,
        engine: engines.Engine,
        launch: engines.Launch,
        folders: engines.Folders,
        border: gateway.Gateway,
        kill_after: int,
    ) -> int:
        server = gateway_door.door(border, folders.socket)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.005)
        running = await engines.start(engine, launch, folders, self.settings, log=self.home / "engine.log")
        following = asyncio.create_task(border.follow())
        listening = asyncio.create_task(running.events.read())
        ending = asyncio.create_task(running.process.wait())
        while not ending.done():
            await asyncio.sleep(0.02)
            for work in [one for one in (*self.works, following) if one.done()]:
                work.result()  # the stand-in must not fail silently
            if kill_after and sum(row.state == "COMPLETE" for row in border.jobs.values()) >= kill_after:
                running.kill()
        running.kill()
        following.cancel()
        server.should_exit = server.force_exit = True
        await asyncio.gather(following, serving, listening, *self.works, return_exceptions=True)
        return await ending

    def _ended(self, code: int) -> Ended:
        with transaction(self.database) as session:
            rows = files_of(session, self.run_id)
            files = {
                path: self.objects[row.object] for path, row in rows.items() if row.object and row.rule is not None
            }
            rules = {path: row.rule for path, row in rows.items() if row.rule is not None}
        work = self.home / "work"
        tree = {
            str(p.relative_to(work)): p.read_bytes() for p in work.rglob("*") if p.is_file() and not p.is_symlink()
        }
        return Ended(code, (self.home / "engine.log").read_text(), files, rules, self.tasks, tree)

    def _keep(self, content: bytes) -> str:
        identifier = uuid.uuid4().hex
        self.objects[identifier] = content
        return identifier

    def _tes(self) -> Starlette:
        async def create(request: Request) -> Response:
            key, asked = request.headers["idempotency-key"], await request.json()
            found = next((task for task in self.tasks if task["key"] == key), None)
            if found is None:
                found = {"id": uuid.uuid4().hex, "key": key, "asked": asked, "state": "QUEUED", "seq": 0}
                self.tasks.append(found)
                work = asyncio.create_task(self._work(found))
                self.works.add(work)
            return JSONResponse({"id": found["id"]})

        async def cancel(request: Request) -> Response:
            if (process := self.running.get(request.path_params["task"])) is not None:
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    process.kill()
            return JSONResponse({})

        async def changes(request: Request) -> Response:
            since = int(request.query_params["since"])
            for _ in range(50):
                if max((task["seq"] for task in self.tasks), default=0) > since:
                    break
                await asyncio.sleep(0.02)
            moved = [task for task in self.tasks if task["seq"] > since]  # now, as `seq` is: nothing is passed over
            return JSONResponse({
                "seq": max((task["seq"] for task in self.tasks), default=0),
                "tasks": [{"id": t["id"], "state": t["state"], "exit_code": t["code"], "started": None, "ended": None,
                    "outputs": t["outputs"]} for t in moved],
            })  # fmt: skip

        return Starlette(routes=[
            Route(f"{BASE}/tasks", create, methods=["POST"]),
            Route(f"{BASE}/tasks/{{task:str}}:cancel", cancel, methods=["POST"]),
            Route(f"{BASE}/changes", changes, methods=["GET"]),
        ])  # fmt: skip

    async def _work(self, task: dict[str, Any]) -> None:
        async with self.slots:
            place = self.home / "tasks" / task["id"]
            folder = place / task["asked"]["executors"][0]["workdir"].removeprefix("/run/work/")
            folder.mkdir(parents=True)
            for given in task["asked"]["inputs"]:
                path = place / given["path"].removeprefix("/run/work/")
                path.parent.mkdir(parents=True, exist_ok=True)
                source = given.get("url", "").removeprefix("strongroom://object/")
                path.write_bytes(self.objects[source] if source else given["content"].encode())
            process = await asyncio.create_subprocess_exec(
                *self._walls(place, task["asked"]["executors"][0]),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self.running[task["id"]] = process
            task["code"] = await process.wait()
            task["outputs"] = self._outputs(place, task) if task["code"] == 0 else []
            task["state"] = END.get(task["code"], "EXECUTOR_ERROR")
            task["seq"] = max(one["seq"] for one in self.tasks) + 1

    def _walls(self, place: Path, executor: dict[str, Any]) -> list[str]:
        words = [
            str(find_bubblewrap().path),
            "--ro-bind",
            str(bare.rootfs("genomics")),
            "/",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
        ]
        words += ["--tmpfs", "/tmp", "--tmpfs", "/run", "--bind", str(place), "/run/work"]
        words += [
            "--ro-bind",
            str(self.workflow),
            "/run/workflow",
            "--unshare-all",
            "--die-with-parent",
            "--clearenv",
        ]
        words += ["--setenv", "PATH", "/usr/bin:/bin", "--chdir", executor["workdir"], "--"]
        return [*words, *executor["command"]]

    def _outputs(self, place: Path, task: dict[str, Any]) -> list[dict[str, Any]]:
        asked = [Asked(**one) for one in task["asked"]["outputs"]]
        planned = tes_files.outputs(asked, self.run_id, folders=("/run/work",))
        inputs = {given["path"] for given in task["asked"]["inputs"]}
        fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = collect({"/run/work": fd}, [Output(**one) for one in planned], inputs=inputs, limits=LIMITS)
        finally:
            os.close(fd)
        contents = {one.path: (place / one.path.removeprefix("/run/work/")).read_bytes() for one in found.files}
        return [{"path": p, "object": self._keep(content), "size": len(content)} for p, content in contents.items()]


def left(work: Path) -> dict[str, bytes]:
    """Return what a bare engine left in its folder, without its own files, by path."""
    return {str(path): found.read_bytes() for path, found in _left(work, Path(), work)}


def _left(work: Path, path: Path, place: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the files below `place`, with their paths from `path`; links of the engine are of /run/work."""
    for found in sorted(place.iterdir()):
        real, name = found, path / found.name
        while real.is_symlink():
            target = os.path.normpath(Path("/run/work", real.parent.relative_to(work), real.readlink()))
            real = work / target.removeprefix("/run/work/")
        if name.parts[0] in OWN:
            continue
        if real.is_dir():
            yield from _left(work, name, real)
        else:
            yield name, real


def workflow(folder: Path, files: Mapping[str, str], *, name: str = "one", **manifest: Any) -> Path:
    """Write a workflow's folder; every process of it is a free command unless `manifest` says more."""
    written(folder, files)
    said = {
        "name": name,
        "version": "1.0.0",
        "engine": {"name": "nextflow", "version": "25.04.4"},
        "entry": "main.nf",
        "images": ["genomics"],
        "inputs": [],
        "outputs": [{"match": "results/*", "release": "inside"}],
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said | manifest))
    return folder


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder that walls may show, programs to be run."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
        (folder / path).chmod(0o755 if "bin/" in path else 0o644)
    for one in (folder, *folder.parents[:3]):
        one.chmod(one.stat().st_mode | 0o755)
    return folder


def _row(run: str) -> Run:
    return Run(
        id=run, state="RUNNING", project="cohort", person="ruth", coarse=False, workflow="one", version="1.0.0",
        digest="sha256:d", contract_schema=1, policy_version=1, request={}, config={}, datasets=[], created=now(),
        launches=1, resumed=0, name="one/1.0.0", tags={},
    )  # fmt: skip


Both = tuple[Ended, dict[str, bytes]]


def beside_bare(folder: Path, drafted: dict[str, Any], inputs: Mapping[str, bytes] | None = None) -> Both:
    """Run a folder by its draft, here and by bare Nextflow; return how ours ended, and the files that bare made."""
    (folder / "manifest.yaml").write_text(yaml.safe_dump(drafted))
    house = House(folder.parents[1] / "house", folder, inputs)
    chosen: dict[str, list[str]] = {slot.name: [] for slot in house.manifest.slots}
    for path in sorted(inputs or {}):
        chosen[path.split("/")[1]].append(path)
    given = check_parameters(house.manifest, {})
    given = resolve(house.manifest.parameters.get("properties") or {}, given, chosen, house.manifest.single(), WORK)
    ours = house.run(given)
    assert ours.code == 0, ours.log
    return ours, house.bare(given)


def check_published(both: Both, place: str, names: set[str]) -> None:
    """Assert that both published these files below a folder of results, with the same bytes."""
    ours, bare = both
    expected = {path: content for path, content in bare.items() if path.startswith(f"results/{place}/")}
    assert set(expected) == {f"results/{place}/{name}" for name in names}
    assert ours.below(f"results/{place}") == expected
    assert all(expected.values())
