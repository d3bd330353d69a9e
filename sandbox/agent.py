"""Runs attempts on a node of a SLURM cluster, by the supervisors of one host: `python -m sandbox.agent CONFIG`."""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

from sandbox import joins, scratch_gocryptfs, supervisor, trees, wire
from sandbox.conversation import converse
from sandbox.door import CHUNK, Door, DoorClosed, DoorRefused, NotReached, Papers
from sandbox.joins import Join, NotAJoin
from sandbox.layers import ImageError
from sandbox.spool import Spool
from sandbox.wire import Message
from sandbox.zygote import Zygote, start

OVER, ENDED_BADLY, NO_ANSWER, REFUSED = 0, 1, 75, 77  # exit codes of a job; none of them says what the task did
MOST_OF_A_USER = 512  # stubs at a time: nobody on the node may use up our threads
PATIENCE = 50.0  # seconds that a dispatcher may be away while somebody waits for its answer; the waiter waits 60
LAST_WORDS = 3.0  # seconds for a supervisor that is told to end
AGAIN = 0.5
LASTING = 0.3  # seconds that an attempt runs before it is worth a word


@dataclass(frozen=True)
class Config:
    """Where the dispatcher is, what proves this node to it, and our own folders.

    `run` has the sockets, `spool` the results to be told, and `scratch`, if there is one, encrypted scratch of tasks.
    """

    host: str
    port: int
    papers: Papers
    run: Path
    spool: Path
    scratch: Path | None


def read_config(path: Path) -> Config:
    """Return what a TOML file of `door` (HOST:PORT), `papers`, `run`, `spool` and perhaps `scratch` says."""
    said = tomllib.loads(path.read_text())
    host, _, port = said["door"].rpartition(":")
    folder = Path(said["papers"])
    papers = Papers(folder / "ca.pem", folder / "node.pem", folder / "node.key")
    scratch = Path(said["scratch"]) if "scratch" in said else None
    return Config(host, int(port), papers, Path(said["run"]), Path(said["spool"]), scratch)


@dataclass
class Living:
    """The supervisor of an attempt that runs now."""

    pid: int
    channel: socket.socket
    mine: Message  # its attempt and pass
    process: int  # a pidfd: a number would name somebody else one day
    over: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        """Have every process of the attempt killed: by its supervisor, which tells of it, or with it."""
        with contextlib.suppress(OSError):
            wire.send(self.channel, {"type": "cancel"})
        if not self.over.wait(LAST_WORDS):
            self.kill()

    def kill(self) -> None:
        """Kill the supervisor: all that it started dies with it."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.process, signal.SIGKILL)

    def wait(self) -> None:
        """Return when it is dead."""
        poll = select.poll()  # not select(): a node of many attempts has descriptors above 1,024
        poll.register(self.process, select.POLLIN)
        poll.poll()


class Agent:
    """One for each node, for the life of the process."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._door = Door(config.host, config.port, config.papers)
        self._spool = Spool(config.spool, self._door)
        self._zygote: Zygote = start(afar=True)
        self._lock = threading.Lock()
        self._living: dict[int, Living] = {}  # by the supervisor's pid
        self._users: Counter[int] = Counter()

    def serve(self) -> NoReturn:
        """Answer stubs and supervisors until the process ends; whatever runs then dies with it."""
        supervisor.sweep()
        if self._config.scratch is not None:
            self._config.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            scratch_gocryptfs.sweep(self._config.scratch)
        door, broker = (
            _listen(self._config.run / "join.sock", 0o666),
            _listen(self._config.run / "broker.sock", 0o600),
        )
        _spawn(self._spool.run)
        _spawn(self._end_with_zygote)
        _spawn(lambda: _accept(broker, self._carry))
        _accept(door, self._answer)

    def _end_with_zygote(self) -> None:
        # Its supervisors are dead by then: who starts us again starts a new one.
        self._zygote.process.wait()
        _say("the zygote died")
        os._exit(1)

    # Stubs

    def _answer(self, sock: socket.socket) -> None:
        uid = joins.uid_of(sock)
        with self._counted(uid) as few:
            try:
                if not few:
                    raise NotAJoin("this user has too many stubs here")
                join = Join(sock)
            except NotAJoin as error:
                _say(f"refused uid {uid}: {error}")
                return
            code = NO_ANSWER
            try:
                code = self._run(join)
            except DoorRefused as error:
                code = OVER if error.status in (404, 409) else REFUSED  # over, or begun before: the lease is taken
                _say(f"attempt {join.attempt} is refused: {error}")
            except DoorClosed as error:
                _say(f"attempt {join.attempt} has nobody to tell: {error}")
            finally:
                join.leave(code)

    def _run(self, join: Join) -> int:
        """Run the stub's attempt, and those that its job takes on; return the last one's exit code."""
        begun, code = self._begin(join), NO_ANSWER
        while begun is not None:
            code, begun = self._one(join, begun)
        return code

    def _one(self, join: Join, begun: Message) -> tuple[int, Message | None]:
        """Run one attempt; return the exit code that says how it was, and the next one's spec and pass."""
        try:
            for root, digest in json.loads(begun["spec"]).get("trees", {}).items():
                trees.check_tree(Path(root), digest)  # T23: whoever serves the images to this node
        except ImageError as error:
            _say(f"attempt {join.attempt} is not started: {error}")
            return NO_ANSWER, None
        pid, channel = self._zygote.launch(begun["spec"].encode())
        attempt = str(begun.get("attempt", join.attempt))
        mine = {"attempt": attempt, "pass": begun["pass"]}
        with channel, self._alive(pid, channel, mine) as living:
            join.when_gone(living.end)
            result = self._converse(living)
            living.wait()
        if result is None:
            supervisor.sweep()
            return NO_ANSWER, None
        more = {} if join.gone.is_set() else {"more": True, "user": join.user}
        answer = self._spool.put(attempt, {"pass": begun["pass"], "result": result}, more=more)
        code = OVER if (result.get("cause"), result.get("exit_code")) == ("exited", 0) else ENDED_BADLY
        return code, (answer or {}).get("next")

    def _begin(self, join: Join) -> Message | None:
        """Return spec and pass; None if the stub is gone before there is an answer."""
        while not join.gone.is_set():
            try:
                return self._door.ask({"verb": "begin", "attempt": join.attempt, "user": join.user})
            except NotReached:
                pass
            except DoorRefused as error:
                if error.status != 503:  # the scheduler does not answer the dispatcher
                    raise
            join.gone.wait(AGAIN)
        return None

    def _converse(self, living: Living) -> Message | None:
        mine = living.mine

        def order(claim: Message) -> Message:
            try:
                return self._patiently({**claim, **mine, "verb": "claim"})
            except DoorRefused as error:
                return {"type": "refused", "reason": str(error)}

        def started() -> None:
            _spawn(lambda: self._tell_started({**mine, "verb": "started"}, living))

        try:
            return converse(living.channel, order=order, started=started)
        except (OSError, ValueError):
            return None  # killed, by us or by somebody

    def _tell_started(self, message: Message, living: Living) -> None:
        # Of what is over by then its result says all.
        while not living.over.wait(LASTING):
            try:
                self._door.ask(message)
            except DoorClosed:
                continue
            except DoorRefused:
                return
            else:
                return

    # Supervisors, on their way to the key broker and to the object store

    def _carry(self, line: socket.socket) -> None:
        living = self._living.get(joins.pid_of(line))
        if living is None:
            return
        try:
            while (message := wire.recv(line)) is not None:
                carry = _CARRIED.get(str(message.get("verb")))
                wire.send(
                    line, self._broker(living, message) if carry is None else carry(self, living, message, line)
                )
        except DoorClosed as error:
            # Whether the broker heard it is not known, and some things it hears once: another attempt may.
            _say(f"supervisor {living.pid} has no broker: {error}")
            living.kill()

    def _broker(self, living: Living, message: Message) -> Message:
        question = {"verb": "broker", "message": message, **living.mine}
        try:
            return self._patiently(question, twice=message.get("verb") == "register")
        except DoorRefused as error:
            return {"ok": False, "reason": str(error), "status": error.status}

    def _url(self, living: Living, message: Message, _line: socket.socket) -> Message:
        """Have a URL of one body or input of the attempt; we see it and forget it."""
        try:
            return {"ok": True, **self._door.ask({**message, **living.mine})}
        except DoorClosed as error:
            return {"ok": False, "reason": str(error), "status": 503}
        except DoorRefused as error:
            return {"ok": False, "reason": str(error), "status": error.status}

    def _store(self, living: Living, message: Message, line: socket.socket) -> Message:
        """Carry a sealed body to the door, as it comes."""
        left = int(message["length"])
        try:
            with self._door.storing({**message, **living.mine}, left) as write:
                while left:
                    piece = line.recv(min(left, CHUNK))
                    if not piece:
                        raise ConnectionError
                    left -= len(piece)
                    write(piece)
        except (DoorClosed, DoorRefused) as error:
            line.shutdown(socket.SHUT_RD)  # what it still sends is not heard; it begins again on another line
            return {"ok": False, "reason": str(error), "status": getattr(error, "status", 503)}
        return {"ok": True}

    def _patiently(self, question: Message, *, twice: bool = False) -> Message:
        """Ask while the dispatcher is away; what it may have heard is asked again only if it may be heard `twice`."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self._door.ask(question)
            except DoorClosed as error:
                if time.monotonic() > end or not (twice or isinstance(error, NotReached)):
                    raise
            time.sleep(AGAIN)

    # What it remembers

    @contextlib.contextmanager
    def _alive(self, pid: int, channel: socket.socket, mine: Message) -> Iterator[Living]:
        living = Living(pid, channel, mine, os.pidfd_open(pid))
        self._living[pid] = living
        try:
            yield living
        finally:
            living.kill()
            living.wait()
            living.over.set()
            self._living.pop(pid, None)
            os.close(living.process)

    @contextlib.contextmanager
    def _counted(self, uid: int) -> Iterator[bool]:
        with self._lock:
            self._users[uid] += 1
            few = self._users[uid] <= MOST_OF_A_USER
        try:
            yield few
        finally:
            with self._lock:
                self._users[uid] -= 1


_CARRIED = {"url_to_read": Agent._url, "url_to_put": Agent._url, "place_of_input": Agent._url, "store": Agent._store}


def _accept(door: socket.socket, answer: Callable[[socket.socket], None]) -> NoReturn:
    def served(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, ValueError):
            answer(sock)

    while True:
        with contextlib.suppress(OSError):
            sock, _ = door.accept()
            _spawn(partial(served, sock))


def _spawn(act: Callable[[], None]) -> None:
    threading.Thread(target=act, daemon=True).start()


def _listen(path: Path, mode: int) -> socket.socket:
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(str(path))
    path.chmod(mode)
    door.listen(256)
    return door


def _say(what: str) -> None:
    sys.stderr.write(f"agent: {what}\n")
    sys.stderr.flush()


def main() -> NoReturn:
    """Be the agent of this node; a second one in the same folder ends at once."""
    config = read_config(Path(sys.argv[1]))
    os.umask(0o022)
    config.run.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = os.open(config.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("agent: another one serves this folder")
    Agent(config).serve()


if __name__ == "__main__":
    main()
