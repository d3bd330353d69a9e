"""A task reaches no network, whatever the family: the namespace and Landlock stop it, each without the other."""

import os
import socket
from pathlib import Path

import pytest
from sandbox_lab import Lab, python
from weaker_walls import lacking, listening, no_landlock, run_without

ATTACK = """
import json, socket, struct
def reach(family, address, kind=socket.SOCK_STREAM):
    try:
        with socket.socket(family, kind) as one:
            one.settimeout(3)
            one.connect(address)
            one.send(b"data")
            return "reached"
    except OSError:
        return "refused"
def bind():
    try:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            return "bound"
    except OSError:
        return "refused"
def routes():  # RTM_GETROUTE, by which a task would learn the host's neighbourhood
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as one:
        one.send(struct.pack("IHHII", 28, 26, 0x301, 1, 0) + struct.pack("12x"))
        return len(one.recv(65536)) > 100 and len(socket.if_nameindex()) > 1
print(json.dumps(dict(
    tcp=reach(socket.AF_INET, ("127.0.0.1", {tcp})),
    tcp6=reach(socket.AF_INET6, ("::1", {tcp6})),
    udp=reach(socket.AF_INET, ("127.0.0.1", {udp}), socket.SOCK_DGRAM),
    abstract=reach(socket.AF_UNIX, {abstract!r}),
    path=reach(socket.AF_UNIX, {path!r}),
    others_seen=bool(routes()),
    bind=bind(),
)))
"""
SHUT = dict.fromkeys(("tcp", "tcp6", "udp", "abstract", "path", "bind"), "refused") | {"others_seen": False}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_no_family_reaches_the_host_and_each_wall_stands_alone(lab: Lab) -> None:
    abstract, path = f"\0strongroom-{os.getpid()}", str(lab.folder / "socket")
    with (
        listening(("127.0.0.1", 0)) as (_, tcp),
        listening(("::1", 0), family=socket.AF_INET6) as (_, tcp6, *_),
        listening(abstract, family=socket.AF_UNIX),
        listening(path, family=socket.AF_UNIX),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        os.chmod(path, 0o777)
        datagrams.bind(("127.0.0.1", 0))
        datagrams.setblocking(False)
        udp = datagrams.getsockname()[1]
        attack = python(ATTACK.format(tcp=tcp, tcp6=tcp6, udp=udp, abstract=abstract, path=path))
        one_net = lacking("--unshare-net")
        open_net = run_without(lab, [one_net, no_landlock], attack).json()
        assert open_net == {**dict.fromkeys(SHUT, "reached"), "others_seen": True, "path": "refused", "bind": "bound"}
        assert datagrams.recv(10) == b"data"
        # Landlock knows TCP and abstract sockets; UDP is for the namespace alone to stop.
        second = run_without(lab, [one_net], attack).json()
        assert second == {**SHUT, "udp": "reached", "others_seen": True}
        assert datagrams.recv(10) == b"data"
        assert run_without(lab, [no_landlock], attack).json() == {**SHUT, "udp": "reached", "bind": "bound"}
        assert lab.run(attack).json() == {**SHUT, "udp": "reached"}  # reached nobody: its own loopback
        with pytest.raises(BlockingIOError):
            datagrams.recv(10)


def test_loopback_of_its_own_is_a_choice_of_the_spec(lab: Lab) -> None:
    talk = """
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
print("spoke")
"""
    assert lab.run(python(talk), loopback=True).stdout == "spoke\n"
    assert "PermissionError" in lab.run(python(talk)).stderr
    with listening(("127.0.0.1", 0)) as (_, port):
        reach = f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=3)"
        assert "ConnectionRefusedError" in lab.run(python(reach), loopback=True).stderr
