"""Builds the tree that a task will see, in a mount namespace of our own below a neutral path."""

import contextlib
import io
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from sandbox import kernel
from sandbox.bubblewrap import Bubblewrap
from sandbox.fields import WORK, is_below
from sandbox.kernel import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC, MS_SLAVE
from sandbox.plan import Step
from sandbox.scratch import Scratch
from sandbox.scratch_tmpfs import mount_memory
from sandbox.spec import Inline, Spec

_PLACES = ("/media", "/srv", "/mnt", "/opt")
_CLOSED = MS_NOSUID | MS_NODEV
_INODES = 65_536
_TMP = "/tmp"  # noqa: S108 - the task's own
_IMAGE_FOLDERS = ("run", "tmp", "proc", "dev")


class MountError(Exception):
    """This task's tree cannot be built; the sentence says what the operator can do."""


@dataclass(frozen=True)
class Stage:
    """Where the parts of the tree lie before bubblewrap binds them: no path tells of the host."""

    place: str
    uid: int
    program: str  # where the task's uid can execute bubblewrap
    code: tuple[tuple[str, str], ...]  # staged path, path in the task
    writable_root: bool = False
    volumes: tuple[tuple[str, str], ...] = ()  # staged path, path in the task
    root: int = 0  # which of the images

    @property
    def image(self) -> str:
        """The root: read-only, or with an upper layer of its own in scratch."""
        return f"{self.place}/{'changed' if self.writable_root else 'root'}{self.root}"

    @property
    def mounted(self) -> Sequence[tuple[str, str]]:
        """The volumes that are mounted: those in /tmp are folders of it, which all executors share anyhow."""
        return [(staged, path) for staged, path in self.volumes if not is_below(path, _TMP)]

    @property
    def folders(self) -> Mapping[str, str]:
        """What is taken from, by its path in the task: what was written in the work folder, and the volumes."""
        return {WORK: self.upper, **{path: staged for staged, path in self.volumes}}

    @property
    def fixed(self) -> Mapping[str, str]:
        """What streams are opened below, by its path in the task: no task can put a link in its place.

        A volume in /tmp is a folder like any other there, which a task can move away.
        """
        tmp = f"{self.place}/scratch/tmp"
        return {WORK: self.upper, _TMP: tmp, **{path: staged for staged, path in self.mounted}}

    @property
    def upper(self) -> str:
        """What the task writes below its work folder: the only place that outputs are taken from."""
        return f"{self.place}/scratch/work"

    @property
    def inputs(self) -> str:
        """The mount point of the decrypted view."""
        return f"{self.place}/inputs"

    @property
    def inline(self) -> str:
        """The inputs whose clear content stood in the spec."""
        return f"{self.place}/inline"

    @property
    def work(self) -> str:
        """Inputs below, writes above: what the task sees at its work folder."""
        return f"{self.place}/work"


@dataclass(frozen=True)
class Work:
    """The folder that the task works in, and what lies below what it writes: inputs in memory, then the view."""

    path: str
    lower: tuple[str, ...]


def enter_namespace() -> None:
    """Leave the host's mount namespace; without root, by way of a user namespace that maps us to ourselves."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        kernel.unshare(kernel.CLONE_NEWNS)
    else:
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
        for name, content in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path(f"/proc/self/{name}").write_text(content)
    kernel.mount("none", "/", flags=MS_REC | MS_SLAVE)  # the host's unmounts reach us, nothing of ours the host


def build(spec: Spec, uid: int, *, bubblewrap: Bubblewrap, scratch: Scratch, beside: Iterable[Path] = ()) -> Stage:
    """Mount image, code folders and scratch for `uid`; `beside` are host paths that must stay in sight."""
    for folder in (rootfs / name for rootfs in spec.roots for name in _IMAGE_FOLDERS):
        # CVE-2026-87766: bubblewrap before 0.12 follows an image's links onto the host
        if folder.is_symlink() or not folder.is_dir():
            raise MountError("The image has no real folders /run, /tmp, /proc and /dev; import it again.")
    mounts = spec.code_mounts
    place = _neutral_place([*spec.roots, *(m.source for m in mounts), bubblewrap.path, *beside])
    code = tuple((f"{place}/code{n}", mount.path) for n, mount in enumerate(mounts))
    volumes = tuple((_staged(place, n, path), path) for n, path in enumerate(spec.volumes))
    stage = Stage(place, uid, _program(bubblewrap, place), code, spec.writable_root, volumes)
    inline = sum(len(given.content) + 4096 for given in spec.inputs if isinstance(given, Inline))
    mount_memory(place, size=2 * inline + (4 << 20), inodes=_INODES)
    for name in ("empty", "scratch", "inputs", "inline", "work"):
        Path(f"{place}/{name}").mkdir(mode=0o755)
    for folder in bubblewrap.folders:
        _bind(str(folder), f"{place}/program/{folder.name}")
    for number, rootfs in enumerate(spec.roots):
        _show(str(rootfs), f"{place}/root{number}", below=_mount_points(spec, stage))
    for mount, (staged, _) in zip(mounts, stage.code, strict=True):
        _show(str(mount.source), staged, below=f"{place}/empty")
    scratch.mount(f"{place}/scratch", size=spec.limits.scratch_bytes, inodes=_INODES + spec.limits.output_files)
    for name in ("work", "overlay", "tmp", "shm"):
        Path(f"{place}/scratch/{name}").mkdir(mode=0o755)
        os.chown(f"{place}/scratch/{name}", uid, uid)
    for staged, _ in volumes:
        _folders(f"{place}/scratch", PurePosixPath(staged).relative_to(f"{place}/scratch").parts, uid)
    _make_parents(stage, spec)
    for number in range(len(spec.roots) if stage.writable_root else 0):
        _let_write(replace(stage, root=number))
    return stage


def _program(bubblewrap: Bubblewrap, place: str) -> str:
    if not bubblewrap.folders:
        return str(bubblewrap.path)
    package = bubblewrap.folders[0]
    return f"{place}/program/{package.name}/{bubblewrap.path.relative_to(package)}"


def _make_parents(stage: Stage, spec: Spec) -> None:
    # A volume begins empty (TES 1.1): of what is written there the task makes the folders itself.
    wanted = [output.folder for output in spec.outputs if output.path.startswith(f"{WORK}/")]
    wanted += [str(PurePosixPath(spec.answer).parent)] if spec.answer else []
    wanted += [executor.workdir for executor in spec.executors]
    for folder in map(PurePosixPath, wanted):
        for top in (top for top in stage.folders if folder.is_relative_to(top)):
            _folders(stage.folders[top], folder.relative_to(top).parts, stage.uid)


def check_mount_points(stage: Stage) -> None:
    """Raise `MountError` unless volumes can be mounted on real folders: walls would follow a link."""
    for _, path in stage.mounted:
        folder = stage.image
        for part in PurePosixPath(path).parts[1:]:
            folder = f"{folder}/{part}"
            if not os.path.lexists(folder) or not stat.S_ISDIR(os.lstat(folder).st_mode):
                raise MountError("An image holds a link or a file where a volume of this task belongs.")


def _staged(place: str, number: int, path: str) -> str:
    return f"{place}/scratch{path}" if is_below(path, _TMP) else f"{place}/scratch/volumes/{number}"


def write_inline(stage: Stage, inputs: Sequence[Inline]) -> None:
    """Write clear inputs where the task can read and not change them."""
    for given in inputs:
        with laid(stage, given.path, mtime=given.mtime) as file:
            file.write(given.content)


@contextlib.contextmanager
def laid(stage: Stage, path: str, *, mtime: int) -> Iterator[io.FileIO]:
    """Open a new file among the inputs in memory; afterwards the task can read and not change it."""
    *folders, name = PurePosixPath(path).relative_to(WORK).parts
    target = f"{_folders(stage.inline, folders, stage.uid)}/{name}"
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o444)
    with open(fd, "wb", buffering=0) as file:
        yield file
        os.fchmod(fd, 0o444)
        os.fchown(fd, stage.uid, stage.uid)
    os.utime(target, (mtime, mtime))


def make_room(stage: Stage, *, size: int, files: int) -> None:
    """Let the memory that inputs are laid in hold so much more."""
    found = os.statvfs(stage.place)
    whole = found.f_frsize * found.f_blocks + size + files * 2 * found.f_frsize
    options = f"size={whole},nr_inodes={found.f_files + 2 * files}"
    kernel.mount("tmpfs", stage.place, kind="tmpfs", flags=_CLOSED | kernel.MS_REMOUNT, data=options)


def open_view(stage: Stage, *, max_read: int) -> int:
    """Mount the decrypted view and return the descriptor that its server must answer on."""
    try:
        fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise MountError("/dev/fuse cannot be opened; without root it must have mode 0666.") from error
    owner = f"user_id={os.geteuid()},group_id={os.getegid()}"
    options = f"fd={fd},rootmode=40000,{owner},allow_other,max_read={max_read}"
    kernel.mount("view", stage.inputs, kind="fuse.view", flags=_CLOSED | MS_RDONLY | MS_NOEXEC, data=options)
    return fd


def work_of(stage: Stage, *, with_view: bool, with_inline: bool) -> Work:
    """Return what becomes the task's work folder."""
    os.chown(stage.inline, stage.uid, stage.uid)
    lower = tuple(path for path, there in ((stage.inline, with_inline), (stage.inputs, with_view)) if there)
    return Work(stage.work if lower else stage.upper, lower)


def join_work(stage: Stage, work: Work) -> list[Step]:
    """Return the step that lays inputs and what the task writes over each other; a view's server must answer by then.

    Not for the process that serves the view: killed in mid-mount, it would wait for its own answer for ever.
    """
    if not work.lower:
        return []
    options = f"lowerdir={':'.join(work.lower)},upperdir={stage.upper},workdir={stage.place}/scratch/overlay"
    # An input that the task moves is copied whole; in a user namespace that is so by itself.
    options += ",metacopy=off,redirect_dir=off" if os.geteuid() == 0 else ",userxattr"
    return [("mount", "work", work.path, "overlay", _CLOSED, options)]


def _folders(top: str, parts: Sequence[str], uid: int) -> str:
    for part in parts:
        top = f"{top}/{part}"
        with contextlib.suppress(FileExistsError):
            Path(top).mkdir(mode=0o755)
            os.chown(top, uid, uid)
    return top


def _mount_points(spec: Spec, stage: Stage) -> str:
    """Return the folder that lies below an image: empty, or with the mount points that the walls do not make."""
    points = [path for _, path in stage.mounted]
    if spec.walls != "bubblewrap":
        points += ["/dev/shm", WORK, *(mount.path for mount in spec.code_mounts)]  # noqa: S108 - the task's own
    for path in points:
        Path(f"{stage.place}/points{path}").mkdir(mode=0o755, parents=True, exist_ok=True)
    return f"{stage.place}/{'points' if points else 'empty'}"


def _neutral_place(used: Iterable[Path]) -> str:
    seen = [f"{path}/" for path in used]
    for place in map(Path, _PLACES):
        if not any(path.startswith(f"{place}/") for path in seen) and place.is_dir() and not place.is_symlink():
            return str(place)
    raise MountError(f"None of {', '.join(_PLACES)} is free to build the task's tree on; make one of these folders.")


def _let_write(stage: Stage) -> None:
    # The image belongs to root; shown as the task's own, the task can change its copy like a root of its own.
    source = f"{stage.place}/root{stage.root}.source"
    lower, extra = source, ",userxattr"
    if os.geteuid() == 0:
        lower, extra = f"{stage.place}/owned{stage.root}", ",metacopy=off,redirect_dir=off"
        Path(lower).mkdir(mode=0o755)
        with kernel.namespace_of(stage.uid) as namespace:
            kernel.idmapped(source, lower, namespace=namespace)
    changes, changing = (f"{stage.place}/scratch/{name}{stage.root}" for name in ("changes", "changing"))
    for folder in (changes, changing):
        Path(folder).mkdir(mode=0o755)
        os.chown(folder, stage.uid, stage.uid)
    Path(stage.image).mkdir(mode=0o755)
    lower += f":{stage.place}/points" if stage.mounted else ""
    upper = f"upperdir={changes},workdir={changing}"
    kernel.mount("image", stage.image, kind="overlay", flags=_CLOSED, data=f"lowerdir={lower},{upper}{extra}")


def _show(source: str, target: str, *, below: str) -> None:
    # A read-only overlay instead of a bind: a task's mountinfo would name the bound folder of the host.
    staged = target + ".source"
    _bind(source, staged)
    Path(target).mkdir(mode=0o755)
    try:
        options = f"lowerdir={staged}:{below}"
        kernel.mount("image", target, kind="overlay", flags=_CLOSED | MS_RDONLY, data=options)
    except OSError:
        kernel.mount(source, target, flags=MS_BIND)
        kernel.mount("none", target, flags=MS_BIND | kernel.MS_REMOUNT | _CLOSED | MS_RDONLY)


def _bind(source: str, target: str) -> None:
    Path(target).mkdir(mode=0o755, parents=True)
    kernel.mount(source, target, flags=MS_BIND)
