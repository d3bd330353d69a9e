"""Wherever attempts run, inputs of other sites come to them from where the dispatcher says, and from nowhere else."""

import base64
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from other_site import OtherSite, points_to, seals
from sandbox_lab import MIB, shell

from strongroom.networks import FederatedClient, Federation
from tes import body_door

PLACES = {"slurm": "backend_slurm", "kubernetes": "backend_kubernetes"}  # this host: test_t29_inputs_come_…
LINES = b"a line of another site\n" * 50_000
MOST = 4 * MIB


@pytest.fixture(params=PLACES, scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    address = request.getfixturevalue("cluster").place.host if request.param == "kubernetes" else "127.0.0.1"
    site = OtherSite(address)
    client = FederatedClient(
        name="north",
        issuer="https://login.north.example",
        audience="a",
        project="cohort",
        recipient=base64.b64encode(bytes(range(32))).decode(),
        input_hosts=(site.host,),
    )
    federation = Federation(clients=(client,), unsafe_hosts=(site.host,), input_networks=(f"{address}/32",))
    folder: Path = tmp_path_factory.mktemp(request.param)
    with import_module(PLACES[request.param]).open_place(request, folder, federation=federation) as one:
        one.site = site
        yield one
    site.close()


def submit(place: Any, *paths: str, script: str) -> dict[str, Any]:
    inputs = [{"path": f"/run/work/in{n}", "outside": n, "most": MOST, "mtime": 0} for n in range(len(paths))]
    planned = [
        {"path": one["path"], "outside": place.site.url(path), "client": "north", "most": MOST}
        for one, path in zip(inputs, paths, strict=True)
    ]
    asked_at = place.cluster.agent / "broker.sock" if place.name == "slurm" else Path("/run") / body_door.NAME
    told = place.submit(shell(script), inputs=inputs, plan={"inputs": planned}, outside={"socket": str(asked_at)})
    return dict(told.end(120))


def test_plain_and_sealed_files_of_a_listed_site_reach_the_task(place: Any) -> None:
    place.site.files["/plain"] = LINES
    place.site.habits["/sealed"] = seals(LINES)
    report = submit(place, "/plain", "/sealed", script="cmp in0 in1 && wc -c < in0; (echo x > in0) 2>/dev/null; true")
    assert (report["cause"], report["exit_code"]) == ("exited", 0), report
    assert place.house.opened(report)["stdout.0"].split() == [str(len(LINES)).encode()]


def test_t29_a_redirect_to_the_metadata_address_ends_the_attempt(place: Any) -> None:
    place.site.habits["/away"] = points_to("http://169.254.169.254/latest/meta-data/")
    report = submit(place, "/away", script="cat in0")
    assert (report["cause"], report["outputs"]) == ("system", [])
    assert "host that is not listed" in report["reason"]
