"""What hostile programs ask of the kernel, as Python that prints its findings as JSON."""

CALLS = """
import ctypes, errno, json, os, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
column = 1 if os.uname().machine == "aarch64" else 0
def call(numbers, *arguments):
    ctypes.set_errno(0)
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    if libc.syscall(ctypes.c_long(numbers[column]), *given) >= 0:
        return "worked"
    return errno.errorcode.get(ctypes.get_errno(), "?")
buffer = ctypes.create_string_buffer(4096)
"""
UNPRIVILEGED = (
    CALLS
    + """
child = os.fork()
if child == 0:
    time.sleep(20)
    os._exit(0)
vector = struct.pack("QQ", ctypes.addressof(buffer), 8)
pidfd = os.pidfd_open(child)
found = dict(
    ptrace=call((101, 117), 0x4206, child, 0, 0),
    process_vm_readv=call((310, 270), child, vector, 1, vector, 1, 0),
    process_vm_writev=call((311, 271), child, vector, 1, vector, 1, 0),
    kcmp=call((312, 272), os.getpid(), child, 0, 0, 0),
    pidfd_getfd=call((438, 438), pidfd, 0, 0),
    keyctl_read=call((250, 219), 0, -3, 0),
    keyctl_join=call((250, 219), 1, 0),
    add_key=call((248, 217), b"user", b"k", b"v", 1, -3),
    request_key=call((249, 218), b"user", b"k", None, 0),
    io_uring_setup=call((425, 425), 2, buffer),
    userfaultfd=call((323, 282), 1),
    fanotify_init=call((300, 262), 0x200, 0),
    open_tree=call((428, 428), -100, b"/", 0),
    unshare_files=call((272, 97), 0x400),
    listmount=call((458, 458), struct.pack("IIQQ", 24, 0, 0xFFFFFFFFFFFFFFFF, 0), buffer, 10, 0),
    move_pages=call((279, 239), 0, 0, 0, 0, 0, 0),
    memfd_secret=call((447, 447), 0),
    personality=call((135, 92), 0x0040000),
)
os.kill(child, 9)
try:
    socket.socket(40, socket.SOCK_STREAM).close()
    found["AF_VSOCK"] = "worked"
except OSError as error:
    found["AF_VSOCK"] = errno.errorcode[error.errno]
print(json.dumps(found))
"""
)
# Without the filter the kernel itself refuses these here; elsewhere its settings may not.
REFUSED_TWICE = (
    CALLS
    + """
found = dict(
    bpf=call((321, 280), 0, buffer, 40),
    perf_event_open=call((298, 241), struct.pack("IIQ", 1, 64, 0) + bytes(112), 0, -1, -1, 0),
    open_by_handle_at=call((304, 265), -100, buffer, 0),
    name_to_handle_at=call((303, 264), -100, b"/run/work", buffer, buffer, 0),
    statmount=call((457, 457), buffer, buffer, 4096, 0),
    syslog=call((103, 116), 3, buffer, 100),
    settimeofday=call((164, 170), struct.pack("QQ", 1, 1), 0),
    clock_settime=call((227, 112), 0, struct.pack("QQ", 1, 1)),
    adjtimex=call((159, 171), buffer),
    swapon=call((167, 224), b"/tmp", 0),
    reboot=call((169, 142), 0xFEE1DEAD, 672274793, 0, 0),
    kexec_load=call((246, 104), 0, 0, 0, 0),
    init_module=call((175, 105), buffer, 10, b""),
    quotactl=call((179, 60), 0, 0, 0, 0),
    acct=call((163, 89), 0),
    mount_setattr=call((442, 442), -100, b"/", 0, buffer, 32),
    move_mount=call((429, 429), -100, b"/tmp", -100, b"/dev/shm", 0),
)
for name, family in dict(AF_PACKET=17, AF_ALG=38, AF_BLUETOOTH=31, AF_KEY=15, AF_RDS=21, AF_TIPC=30, AF_CAN=29,
                         AF_XDP=44, AF_NFC=39, AF_QIPCRTR=42, AF_SMC=43, AF_KCM=41, AF_RXRPC=33).items():
    found[name] = "?"
    for kind in (1, 2, 3, 5):
        try:
            socket.socket(family, kind).close()
            found[name] = "worked"
            break
        except OSError as error:
            found[name] = errno.errorcode[error.errno]
print(json.dumps(found))
"""
)
PRIVILEGED = (
    CALLS
    + """
found = dict(
    mount=call((165, 40), b"x", b"/tmp", b"tmpfs", 0, 0),
    umount2=call((166, 39), b"/tmp", 2),
    remount_writable=call((165, 40), b"none", b"/run", None, 32, 0),
    fsopen=call((430, 430), b"tmpfs", 0),
    open_tree_clone=call((428, 428), -100, b"/", 1),
    sethostname=call((170, 161), b"mine", 4),
    unshare_mounts=call((272, 97), 0x20000),
    unshare_network=call((272, 97), 0x40000000),
    setns=call((308, 268), os.open("/proc/self/ns/net", 0), 0),
    chroot=call((161, 51), b"/tmp"),
)
print(json.dumps(found))
"""
)
NEW_USER_NAMESPACE = (
    CALLS
    + """
print(json.dumps(dict(unshare_user=call((272, 97), 0x10000000))))
"""
)
FOREIGN = {
    # mov eax, 20; int 0x80; ret: getpid by the 32-bit table, in which other numbers are harmless
    "i386": "b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3'",
    # mov eax, 0x40000027; syscall; ret
    "x32": "b'\\xb8\\x27\\0\\0\\x40\\x0f\\x05\\xc3'",
}
MACHINE_CODE = """
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write({code})
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
print("alive")
"""
