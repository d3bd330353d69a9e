"""A task sees its own inputs and nothing else: not the network, not the host, not the kernel's back doors."""

import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest
from sandbox_lab import TOOLS, Lab, python, shell

SYSCALLS = """
import ctypes, errno, json, os
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = dict(ptrace=(101, 117), keyctl=(250, 219), add_key=(248, 217), request_key=(249, 218),
    io_uring_setup=(425, 425), bpf=(321, 280), unshare=(272, 97), setns=(308, 268), mount=(165, 40),
    umount2=(166, 39), pivot_root=(155, 41), chroot=(161, 51), perf_event_open=(298, 241), userfaultfd=(323,
    282), open_by_handle_at=(304, 265), process_vm_readv=(310, 270), pidfd_getfd=(438, 438), fsopen=(430, 430),
    open_tree=(428, 428), clone3=(435, 435), kexec_load=(246, 104), init_module=(175, 105), swapon=(167, 224),
    personality=(135, 92), mount_setattr=(442, 442), syslog=(103, 116), statmount=(457, 457), clone=(56, 220),
    ioctl=(16, 29))
column = 1 if os.uname().machine == "aarch64" else 0
ARGUMENTS = dict(unshare=(0x10000000,), personality=(0x0040000,), ptrace=(16, 1, 0, 0))
answers = {}
for name, number in NUMBERS.items():
    if name in ("clone", "ioctl"):
        continue
    ctypes.set_errno(0)
    result = libc.syscall(number[column], *ARGUMENTS.get(name, (0, 0, 0, 0, 0)))
    answers[name] = errno.errorcode.get(ctypes.get_errno(), "OK") if result < 0 else "OK"
result = libc.syscall(NUMBERS["clone"][column], 0x10000000 | 17, 0, 0, 0, 0)
if result == 0:
    os._exit(0)
answers["clone_newuser"] = errno.errorcode[ctypes.get_errno()] if result < 0 else "OK"
result = libc.syscall(NUMBERS["ioctl"][column], 0, 0x5412, b"x")
answers["TIOCSTI"] = errno.errorcode[ctypes.get_errno()] if result < 0 else "OK"
print(json.dumps(answers))
"""
FAMILIES = """
import json, socket
answers = {}
for name, family in dict(AF_VSOCK=40, AF_PACKET=17, AF_ALG=38, AF_BLUETOOTH=31, AF_KEY=15).items():
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
        answers[name] = "OK"
    except OSError as error:
        answers[name] = error.errno
print(json.dumps(answers))
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def answers(lab: Lab, code: str, **changes: Any) -> dict[str, Any]:
    found = lab.run(python(code), **changes).json()
    assert isinstance(found, dict)
    return found


def test_a_task_runs_and_its_output_is_sealed(lab: Lab) -> None:
    ended = lab.run(
        shell("tr a-z A-Z < in/person.vcf > results/out.txt"),
        inputs=[lab.encrypted("in/person.vcf", b"genotype")],
        outputs=[{"path": "/run/work/results/out.txt", "type": "FILE"}],
    )
    assert (ended.message["cause"], ended.message["exit_code"]) == ("exited", 0)
    assert ended.files["results/out.txt"] == b"GENOTYPE"


def test_a_task_cannot_reach_the_network(lab: Lab) -> None:
    abstract = f"\0strongroom-{os.getpid()}"
    with socket.socket() as listener, socket.socket(socket.AF_UNIX) as unix:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        unix.bind(abstract)
        unix.listen()
        code = f"""
import json, socket
def reach(family, address):
    with socket.socket(family) as one:
        one.settimeout(3)
        try:
            one.connect(address)
            return "reached"
        except OSError as error:
            return "refused"
print(json.dumps(dict(interfaces=[name for _, name in socket.if_nameindex()],
    loopback=reach(socket.AF_INET, ("127.0.0.1", {listener.getsockname()[1]})),
    outside=reach(socket.AF_INET, ("192.0.2.1", 80)),
    abstract=reach(socket.AF_UNIX, {abstract!r}))))
"""
        found = answers(lab, code)
    assert found == {"interfaces": ["lo"], "loopback": "refused", "outside": "refused", "abstract": "refused"}


def test_a_task_sees_no_file_of_the_host_and_no_input_of_another_task(lab: Lab) -> None:
    secret = lab.folder / "secret"
    secret.write_text("of the host")
    secret.chmod(0o666)
    other = lab.encrypted("other.vcf", b"of another task")
    found = lab.run(
        shell(
            f"cat {secret} {other['file']} {lab.key_file} /etc/hostname /root/.bashrc other.vcf; ls / /run /run/work"
        ),
        inputs=[lab.encrypted("mine.vcf", b"mine")],
    )
    assert "of the host" not in found.stdout
    assert "of another task" not in found.stdout
    listing = found.stdout.split()
    assert "mine.vcf" in listing
    assert "other.vcf" not in listing
    assert not {"media", "root", "home"} & set(listing)


def test_proc_tells_nothing_of_the_supervisor_or_the_host(lab: Lab) -> None:
    found = answers(
        lab,
        """
import json, os
def read(path):
    try:
        return open(path, "rb").read().decode(errors="replace")
    except OSError as error:
        return "refused"
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
print(json.dumps(dict(pids=len(pids), environ=read("/proc/1/environ"), cmdline=read("/proc/1/cmdline"),
    mountinfo=read("/proc/self/mountinfo"), root=os.path.exists("/proc/1/root/media"),
    fds=[os.readlink("/proc/self/fd/" + fd) for fd in ("0", "1", "2")] + [fd for fd in map(str, range(3, 64))
        if os.path.exists("/proc/self/fd/" + fd)], memory=read("/proc/1/mem"), cgroup=read("/proc/self/cgroup"))))
""",
    )
    assert found["pids"] <= 3
    assert found["environ"] in ("", "refused")
    assert str(lab.folder) not in json.dumps(found)
    assert "strongroom" not in found["mountinfo"]
    assert str(Path(__file__).parents[2]) not in found["mountinfo"]
    assert found["memory"] in ("", "refused")
    assert found["fds"][3:] == []


def test_the_kernels_back_doors_are_shut(lab: Lab) -> None:
    found = answers(lab, SYSCALLS)
    assert found.pop("clone3") == "ENOSYS"
    assert set(found.values()) == {"EPERM"}, found


def test_no_socket_goes_round_the_network_namespace(lab: Lab) -> None:
    assert "OK" not in answers(lab, FAMILIES).values()


def test_a_32_bit_system_call_kills(lab: Lab) -> None:
    if os.uname().machine != "x86_64":
        return  # int 0x80 is of x86 alone
    code = """
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))  # mov eax, 20; int 0x80; ret
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
print("alive")
"""
    ended = lab.run(python(code))
    assert "alive" not in ended.stdout
    assert ended.message["exit_code"] == 128 + 31  # SIGSYS


def test_nothing_but_its_own_folders_can_be_written(lab: Lab) -> None:
    script = f"""
for path in /x /bin/x /etc/x /run/x /dev/x {TOOLS}/x /proc/sys/kernel/hostname /sys/x a.vcf; do
  if (echo changed > $path) 2>/dev/null; then echo wrote $path; fi
done
chmod 666 a.vcf 2>/dev/null; ln a.vcf linked 2>/dev/null && echo linked
mknod device c 1 3 2>/dev/null && echo device
cp /bin/busybox busybox; chmod 6755 busybox; ./busybox id -u
echo done > /tmp/x && echo done > /dev/shm/x && echo done > here && cat /tmp/x
"""
    given = lab.encrypted("a.vcf", b"input")
    before = Path(given["file"]).read_bytes()
    ended = lab.run(shell(script), inputs=[given])
    assert "wrote" not in ended.stdout
    assert "device" not in ended.stdout
    assert "1000" in ended.stdout.split()
    assert "done" in ended.stdout.split()
    assert Path(given["file"]).read_bytes() == before


def test_a_task_has_no_capability_and_can_gain_none(lab: Lab) -> None:
    ended = lab.run(
        shell("grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/self/status; cat /proc/sys/user/max_user_namespaces")
    )
    status = dict(line.split(":\t") for line in ended.stdout.splitlines() if ":" in line)
    assert {name: value.strip("0") for name, value in status.items() if name.startswith("Cap")} == dict.fromkeys(
        ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), ""
    )
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_an_image_that_leads_the_walls_astray_is_refused(lab: Lab) -> None:
    # CVE-2026-87766: bubblewrap before 0.12 would make folders on the host.
    with tempfile.TemporaryDirectory() as host:
        (lab.image / "run").rmdir()
        (lab.image / "run").symlink_to(f"/oldroot{host}")
        ended = lab.run(shell("true"))
        assert ended.message["cause"] == "system"
        assert "import it again" in ended.message["reason"]
        assert list(Path(host).iterdir()) == []
