"""What a hostile task tries on the launcher that started it, as Python that prints its findings as JSON."""

import errno
import struct

from kernel_attacks import CALLS

from sandbox import seccomp

_NO_SOCKETS = b"".join(
    struct.pack("<HBBI", *one)
    for one in (
        (seccomp.LOAD, 0, 0, 0),
        (seccomp.JUMP_EQUAL, 0, 1, 41),
        (seccomp.RETURN, 0, 0, seccomp.refuse(errno.EACCES)),
        (seccomp.RETURN, 0, 0, seccomp.ALLOW),
    )
)
# T9, as it was found: the filter sits on the child alone, so the child makes its parent speak. x86_64 only.
MAKE_THE_LAUNCHER_SPEAK = (
    CALLS
    + f"""
program = ctypes.create_string_buffer({_NO_SOCKETS!r})
libc.prctl(22, 2, struct.pack("HxxxxxxQ", 4, ctypes.addressof(program)), 0, 0)
"""
    + """
found = dict(own_socket=call((41,), 2, 1, 0))
class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base "
        "ds es fs gs".split()]
def trace(request, address=0, data=0):
    return call((101,), request, 1, address, data)
def inject(number, *arguments):
    asked = Registers.from_buffer_copy(saved)
    asked.rip, asked.orig_rax, asked.rax = saved.rip - 2, 2**64 - 1, number
    asked.rdi, asked.rsi, asked.rdx = arguments
    trace(13, 0, ctypes.addressof(asked))
    trace(9)
    os.waitpid(1, 0x40000000)
    answer = Registers()
    trace(12, 0, ctypes.addressof(answer))
    return ctypes.c_longlong(answer.rax).value
found["attached"] = trace(16)
if found["attached"] == "worked":
    os.waitpid(1, 0x40000000)
    saved = Registers()
    trace(12, 0, ctypes.addressof(saved))
    trace(4, saved.rsp - 1024, int.from_bytes(b"CANARY", "little"))
    found["launchers_socket"] = inject(41, 2, 1, 0)
    found["launchers_word"] = inject(1, 1, saved.rsp - 1024, 6)
    trace(13, 0, ctypes.addressof(saved))
    trace(17)
print(json.dumps(found))
"""
)
FAMILIES = """
import ctypes, json, socket
libc = ctypes.CDLL(None)
pair = (ctypes.c_int * 2)()
found = dict(socket=[], socketpair=[])
for family in range(50):
    for kind in (1, 2, 3, 5):
        found["socket"] += [family] * (libc.socket(family, kind, 0) >= 0)
        found["socketpair"] += [family] * (libc.socketpair(family, kind, 0, pair) >= 0)
print(json.dumps({name: sorted(set(families)) for name, families in found.items()}))
"""
