"""Names the system calls that a task was refused, for vetters: a listener in front of what bubblewrap loads."""

import contextlib
import errno
import fcntl
import os
import platform
import socket
import struct
import threading
from collections.abc import Iterator

from sandbox import seccomp, syscalls
from sandbox.plan import Plan, memory
from sandbox.seccomp import ALLOW, JUMP_BITS, LOAD, RETURN, Instruction, refuse

# Not for a researcher's run: there the kernel alone decides, without a process that is asked (docs/adr/0013).
_TABLE = """
_sysctl:156:- acct:163:89 add_key:248:217 adjtimex:159:171 afs_syscall:183:- bpf:321:280 chroot:161:51
clock_adjtime:305:266 clock_settime:227:112 create_module:174:- delete_module:176:106 epoll_ctl_old:214:-
epoll_wait_old:215:- fanotify_init:300:262 fanotify_mark:301:263 finit_module:313:273 fsconfig:431:431
fsmount:432:432 fsopen:430:430 fspick:433:433 get_kernel_syms:177:- get_mempolicy:239:236 get_thread_area:211:-
getpmsg:181:- getxattrat:464:464 init_module:175:105 io_uring_enter:426:426 io_uring_register:427:427
io_uring_setup:425:425 ioperm:173:- iopl:172:- kcmp:312:272 kexec_file_load:320:294 kexec_load:246:104
keyctl:250:219 listmount:458:458 listxattrat:465:465 lookup_dcookie:212:18 lsm_get_self_attr:459:459
lsm_list_modules:461:461 lsm_set_self_attr:460:460 mbind:237:235 memfd_secret:447:447 migrate_pages:256:238
modify_ldt:154:- mount:165:40 mount_setattr:442:442 move_mount:429:429 move_pages:279:239 name_to_handle_at:303:264
nfsservctl:180:42 open_by_handle_at:304:265 open_tree:428:428 open_tree_attr:467:467 perf_event_open:298:241
pidfd_getfd:438:438 pivot_root:155:41 process_madvise:440:440 process_mrelease:448:448 process_vm_readv:310:270
process_vm_writev:311:271 ptrace:101:117 putpmsg:182:- query_module:178:- quotactl:179:60 quotactl_fd:443:443
reboot:169:142 remap_file_pages:216:234 removexattrat:466:466 request_key:249:218 security:185:-
set_mempolicy:238:237 set_mempolicy_home_node:450:450 set_thread_area:205:- setdomainname:171:162
sethostname:170:161 setns:308:268 settimeofday:164:170 setxattrat:463:463 statmount:457:457 swapoff:168:225
swapon:167:224 sync:162:81 syncfs:306:267 sysfs:139:- syslog:103:116 tuxcall:184:- umount2:166:39 unshare:272:97
uselib:134:- userfaultfd:323:282 ustat:136:- vhangup:153:58 vserver:236:-
"""
# bubblewrap itself needs these after the listener is there; a task is refused them too, but silently.
SETUP = ("chroot", "mount", "pivot_root", "sethostname", "setns", "umount2", "unshare")
_ASK = 0x7FC00000  # SECCOMP_RET_USER_NOTIF
_NEW_LISTENER = 8
_RECEIVE, _ANSWER = 0xC0502100, 0xC0182101  # ioctls of seccomp_unotify(2)
_QUESTION = struct.Struct("<QIIiIQ6Q")  # id, process, flags, call, machine, instruction pointer, arguments
_REPLY = struct.Struct("<QqiI")  # id, value, error, flags; no flag is ever set: nothing refused goes on
_HEADER = 6  # instructions that kill other machines' calls and leave the number loaded
_SECCOMP = (317, 277)


def numbers(machine: str) -> dict[int, str]:
    """Return the names of the calls that are refused."""
    column = seccomp.MACHINES.index(machine)
    rows = [row.split(":") for row in _TABLE.split()]
    checked = {row[column]: name for name, row in syscalls.CHECKED.items()}
    return {int(row[1 + column]): row[0] for row in rows if row[1 + column] != "-"} | checked


def listening(machine: str) -> Iterator[Instruction]:
    """Yield the filter that asks its listener where the strict one refuses; what bubblewrap needs is let through."""
    strict = list(seccomp.instructions(machine))
    yield from strict[:_HEADER]
    known = {name: number for number, name in numbers(machine).items()}
    for name in (*SETUP, "clone", "clone3"):
        yield from seccomp.when(known[name], [(RETURN, 0, 0, ALLOW)])
    asked = {refuse(errno.EPERM), refuse(errno.EAFNOSUPPORT)}
    for code, if_true, if_false, operand in strict[_HEADER:]:
        yield code, if_true, if_false, _ASK if code == RETURN and operand in asked else operand


def rest(machine: str) -> Iterator[Instruction]:
    """Yield the filter for bubblewrap to load: it refuses what the listening one lets through, and nothing else."""
    column = seccomp.MACHINES.index(machine)
    strict = list(seccomp.instructions(machine))
    known = {name: number for number, name in numbers(machine).items()}
    yield from strict[:_HEADER]
    for name in SETUP:
        yield from seccomp.when(known[name], [(RETURN, 0, 0, refuse(errno.EPERM))])
    yield from strict[_HEADER : _HEADER + seccomp.CLONES]
    # A listener of the task's own would answer in our place once ours is gone.
    argument = (LOAD, 0, 0, seccomp.argument_at(1))
    verdict = [(JUMP_BITS, 0, 1, _NEW_LISTENER), (RETURN, 0, 0, refuse(errno.EPERM)), (RETURN, 0, 0, ALLOW)]
    yield from seccomp.when(_SECCOMP[column], [argument, *verdict])
    yield RETURN, 0, 0, ALLOW


class Witness:
    """Stands between an attempt's executors and the kernel: refuses what the strict filter would, and notes it."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self._ours, self._theirs = socket.socketpair()
        threading.Thread(target=self._take_listeners, daemon=True).start()

    def listen(self, plan: Plan) -> bytes:
        """Add the step that filters a process and all that it starts; return the program for bubblewrap to load."""
        machine = platform.machine()
        plan.add(("listen", plan.take(memory(_packed(listening(machine)))), plan.give(self._theirs.fileno())))
        return _packed(rest(machine))

    def _take_listeners(self) -> None:
        while True:
            _, listeners, _, _ = socket.recv_fds(self._ours, 1, 1, socket.MSG_CMSG_CLOEXEC)
            for listener in listeners:
                threading.Thread(target=self._answer, args=(listener,), daemon=True).start()

    def _answer(self, listener: int) -> None:
        known = numbers(platform.machine())
        with contextlib.suppress(OSError):  # ENOENT: nobody is left whom the filter holds
            while True:
                question = bytearray(_QUESTION.size)
                fcntl.ioctl(listener, _RECEIVE, question)
                asker, _, _, call, *_ = _QUESTION.unpack(question)
                name = known.get(call, f"number {call}")
                self.refused.add(name)
                code = errno.EAFNOSUPPORT if name in ("socket", "socketpair") else errno.EPERM
                with contextlib.suppress(FileNotFoundError):  # killed while it waited
                    fcntl.ioctl(listener, _ANSWER, bytearray(_REPLY.pack(asker, 0, -code, 0)))
        os.close(listener)


def _packed(instructions: Iterator[Instruction]) -> bytes:
    return b"".join(struct.pack("<HBBI", *one) for one in instructions)
