"""Answers many requests behind the same outer walls, each in a child with walls of its own."""

import ctypes
import gc
import os
import select
import signal
import time
from pathlib import Path

from .answer import MAX_ANSWER
from .jail import answer_to

SECONDS = 110  # for one request
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_SECCOMP_MODE_FILTER = 2
_INSTRUCTION = 8  # bytes
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_NAMESPACES = 0x00020000 | 0x08000000 | 0x10000000 | 0x20000000  # mount, IPC, user, PID
_libc = ctypes.CDLL(None, use_errno=True)


def main(work: Path, out: int, filter_of_calls: Path | None = None, nothing: Path = Path()) -> None:
    """Write to `out`, for each folder of `work`: its name, the length of its answer, a newline, the answer.

    A child that broke leaves an answer that is none. With a filter, as the kernel loads it, a child sees its folder
    as `work`, the empty folder `nothing` as /proc, nobody it could signal, and makes no call beyond the filter.
    """
    _call(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))  # whoever has our uid gets no memory or descriptor of ours
    program = None if filter_of_calls is None else filter_of_calls.read_bytes()
    gc.freeze()
    for folder in sorted(work.iterdir()):
        told = _by_child(folder, out, program, nothing)
        _write(out, f"{folder.name} {len(told)}\n".encode() + told)


def _by_child(folder: Path, out: int, program: bytes | None, nothing: Path) -> bytes:
    heard, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(heard)
            os.dup2(os.open(os.devnull, os.O_RDWR), out)
            if program is None:
                _write(tell, answer_to(folder)[1].as_bytes())
            else:
                _behind_walls(folder, tell, program, nothing)
        finally:
            os._exit(0)
    os.close(tell)
    try:
        return _heard(heard, until=time.monotonic() + SECONDS)
    finally:
        os.close(heard)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _behind_walls(folder: Path, tell: int, program: bytes, nothing: Path) -> None:
    """Answer in the first process of a PID namespace: all that it starts ends with it, and it with us."""
    _call(_libc.unshare(_NAMESPACES))
    first = os.fork()
    if first:
        os.close(tell)
        os.waitpid(first, 0)
        return
    _call(_libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0))
    _call(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    _call(_libc.mount(bytes(nothing), b"/proc", None, _MS_BIND, None))
    _call(_libc.mount(bytes(folder), bytes(folder.parent), None, _MS_BIND, None))
    os.chdir(folder.parent)
    _load(program)
    _write(tell, answer_to(folder.parent)[1].as_bytes())


def _load(program: bytes) -> None:
    """Have the kernel filter our calls from here on; our outer walls have set `no_new_privs`."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    whole = Program(len(program) // _INSTRUCTION, program)
    _call(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(whole), 0, 0))


def _call(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _heard(pipe: int, *, until: float) -> bytes:
    told, ready = bytearray(), select.poll()
    ready.register(pipe, select.POLLIN)
    while len(told) <= MAX_ANSWER and ready.poll(1000 * max(0.0, until - time.monotonic())):
        if not (part := os.read(pipe, 1 << 16)):
            break
        told += part
    return bytes(told[:MAX_ANSWER])


def _write(target: int, content: bytes) -> None:
    while content:
        content = content[os.write(target, content) :]
