"""An input of another site comes from a listed host, at an address that was looked at, whole, or its task fails."""

import base64
import hashlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from backend_house import House, eventually
from backend_local import LocalPlace, open_place
from other_site import OtherSite, drips, drips_headers, never_ends, points_to, says, seals, somebody_else
from sandbox_lab import MIB, shell
from services.s3_store import S3Store

from sandbox import outside
from sandbox.crypt4gh import new_private_key
from sandbox.outside import OutsideError
from strongroom.networks import FederatedClient, Federation
from tes import body_door

CANARY = b"a line of another site, and a secret one\n"
MOST = 4 * MIB


@pytest.fixture(scope="module")
def site() -> Iterator[OtherSite]:
    one = OtherSite()
    yield one
    one.close()


@pytest.fixture(scope="module")
def place(
    site: OtherSite, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalPlace]:
    client = FederatedClient(
        name="north",
        issuer="https://login.north.example",
        audience="a",
        project="cohort",
        recipient=base64.b64encode(bytes(range(32))).decode(),
        input_hosts=(site.host, f"files.test:{site.port}", "public.test"),
        input_bytes=MOST,
    )
    federation = Federation(
        clients=(client,),
        unsafe_hosts=(site.host, f"files.test:{site.port}"),
        s3_endpoint=f"http://{site.host}",
        input_seconds=3,
    )
    with open_place(request, tmp_path_factory.mktemp("outside"), federation=federation) as one:
        yield one


def run(place: LocalPlace, *urls: str, script: str = "cat in0", client: str = "north") -> dict[str, Any]:
    planned = [
        {"path": f"/run/work/in{n}", "outside": url, "client": client, "most": MOST} for n, url in enumerate(urls)
    ]
    inputs = [{"path": f"/run/work/in{n}", "outside": n, "most": MOST, "mtime": 0} for n in range(len(urls))]
    house: House = place.house
    told = place.submit(
        shell(script),
        inputs=inputs,
        plan={"inputs": planned},
        outside={"socket": str(house.settings.sockets / body_door.NAME)},
    )
    assert not any(url in told.launch.spec.decode() for url in urls)
    return dict(told.end())


def output(place: LocalPlace, report: dict[str, Any]) -> bytes:
    assert (report["cause"], report["exit_code"]) == ("exited", 0), report
    return place.house.opened(report).get("stdout.0", b"")


def refused(place: LocalPlace, url: str, why: str) -> None:
    report = run(place, url)
    assert report["cause"] == "system", report
    assert why in report["reason"], report["reason"]
    assert report["outputs"] == []
    assert "sig=" not in json.dumps(report)
    assert "/data" not in report["reason"]


def test_t29_files_of_a_listed_host_are_inputs(place: LocalPlace, site: OtherSite) -> None:
    large = bytes(range(256)) * 8192
    site.files |= {"/a": CANARY, "/large": large, "/bucket/key": b"of a bucket\n", "/empty": b""}
    urls = [site.url("/a?sig=1"), site.url("/large"), "s3://bucket/key", site.url("/empty")]
    script = "cat in0 in2 in3; sha256sum < in1; (echo x >> in0) 2>/dev/null || echo kept"
    found = output(place, run(place, *urls, script=script))
    digest = hashlib.sha256(large).hexdigest().encode()
    assert found == CANARY + b"of a bucket\n" + digest + b"  -\nkept\n"


@pytest.mark.parametrize("by_id", [True, False])
def test_t29_a_drs_object_is_fetched_and_checked(place: LocalPlace, site: OtherSite, by_id: bool) -> None:
    name = f"object-{by_id}"
    site.add_drs(name, CANARY, by_id=by_id)
    assert output(place, run(place, f"drs://{site.host}/{name}")) == CANARY
    headers = dict(site.seen)[f"/data/{name}"]
    assert headers["Authorization"] == "Bearer of-drs"


def test_t29_what_is_sealed_to_the_attempts_one_time_key_is_opened(place: LocalPlace, site: OtherSite) -> None:
    large = CANARY * 10_000
    site.habits |= {"/sealed": seals(large), "/nothing": seals(b"")}
    script = "sha256sum < in0; wc -c < in1"
    found = output(place, run(place, site.url("/sealed"), site.url("/nothing"), script=script))
    assert found == hashlib.sha256(large).hexdigest().encode() + b"  -\n0\n"
    keys = {headers["Client-Public-Key"] for path, headers in site.seen if path in ("/sealed", "/nothing")}
    output(place, run(place, site.url("/sealed"), script="true"))
    assert {headers["Client-Public-Key"] for path, headers in site.seen if path == "/sealed"} > keys


def test_t29_what_is_sealed_for_somebody_else_is_refused(place: LocalPlace, site: OtherSite) -> None:
    site.habits["/foreign"] = seals(CANARY, recipient=somebody_else())
    refused(place, site.url("/foreign"), "sealed for somebody else")


@pytest.mark.parametrize("cut", [1, 28, len(CANARY) + 28 + 1])
def test_t29_a_crypt4gh_file_that_breaks_off_is_refused(place: LocalPlace, site: OtherSite, cut: int) -> None:
    site.habits["/cut"] = seals(CANARY, cut=cut)
    refused(place, site.url("/cut"), "Crypt4GH")


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:1/",
        "http://localhost/",
        "https://unlisted.example/x",
        "https://public.test@169.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "\\\\169.254.169.254\\x",
        "",
    ],
)
def test_t29_a_redirect_leads_to_listed_hosts_only(place: LocalPlace, site: OtherSite, location: str) -> None:
    site.habits["/away"] = points_to(location)
    refused(place, site.url("/away"), "points" if location else "points elsewhere too often")


def test_t29_a_redirect_to_a_listed_host_is_followed_and_takes_no_rights_along(
    place: LocalPlace, site: OtherSite
) -> None:
    site.files["/there"] = CANARY
    site.add_drs("moved", CANARY)
    del site.files["/data/moved"]
    site.habits["/data/moved"] = points_to("/there?sig=2")
    assert output(place, run(place, f"drs://{site.host}/moved")) == CANARY
    assert "Authorization" not in dict(site.seen)["/there?sig=2"]


def test_t29_redirects_come_to_an_end(place: LocalPlace, site: OtherSite) -> None:
    site.habits["/round"] = points_to("/round")
    before = len(site.seen)
    refused(place, site.url("/round"), "too often")
    assert len(site.seen) - before == outside.MOST_REDIRECTS + 1


def test_t29_an_endless_answer_ends(place: LocalPlace, site: OtherSite) -> None:
    site.habits |= {"/endless": never_ends, "/slow": drips, "/slow-head": drips_headers}
    refused(place, site.url("/slow-head"), "longer to come")
    refused(place, site.url("/endless"), "larger than it may be")
    refused(place, site.url("/slow"), "longer to come")


def test_t29_a_task_that_waits_for_another_site_can_be_cancelled(place: LocalPlace, site: OtherSite) -> None:
    site.habits["/slow-too"] = drips
    planned = {"path": "/run/work/in0", "outside": site.url("/slow-too"), "client": "north", "most": MOST}
    told = place.submit(
        shell("cat in0"),
        inputs=[{"path": "/run/work/in0", "outside": 0, "most": MOST, "mtime": 0}],
        plan={"inputs": [planned]},
        outside={"socket": str(place.house.settings.sockets / body_door.NAME)},
    )
    eventually(lambda: "/slow-too" in site.paths(), "nobody asked")
    place.backend.cancel(told.attempt)
    assert told.end(within=2)["cause"] == "lost"  # of what is cancelled no more is wanted; nothing ran yet
    assert not told.started.is_set()


@pytest.mark.parametrize(
    ("habit", "why"),
    [
        (says(200, b"short", Content_Length="9"), "broke off"),
        (says(200, b"x", Content_Length=str(MOST + 1)), "larger than it may be"),
        (says(200, b"x", Content_Length="1", Content_Encoding="gzip"), "packed it"),
        (says(206, b"x", Content_Length="1"), "answered 206"),
        (says(500, b"a secret of theirs", Content_Length="18"), "answered 500"),
        (says(302, b"", Content_Length="0"), "too often"),
        (says(200, b"no chunks", Transfer_Encoding="chunked"), "broke off"),
    ],
)
def test_t29_an_answer_that_is_none_is_no_input(place: LocalPlace, site: OtherSite, habit: Any, why: str) -> None:
    site.habits["/bad"] = habit
    refused(place, site.url("/bad?sig=3"), why)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"checksums": [{"type": "sha-256", "checksum": "0" * 64}]}, "checksum"),
        ({"checksums": [{"type": "md5", "checksum": "0" * 32}]}, "checksum"),
        ({"size": len(CANARY) + 1}, "not as long"),
        ({"access_methods": []}, "no way of access"),
        ({"access_methods": [{"type": "https", "access_url": {"url": "https://unlisted.example/x"}}]}, "not listed"),
        ({"access_methods": [{"type": "https", "access_url": {"url": "http://169.254.169.254/"}}]}, "not listed"),
        ({"access_methods": [{"type": "https", "access_id": "../../../admin"}]}, "no way of access"),
        ({"access_methods": "many"}, "no way of access"),
    ],
)
def test_t29_a_drs_that_lies_is_not_believed(
    place: LocalPlace, site: OtherSite, changes: dict[str, Any], why: str
) -> None:
    site.add_drs("lie", CANARY, **changes)
    refused(place, f"drs://{site.host}/lie", why)


def test_t29_a_drs_that_says_nothing_sensible_is_not_believed(place: LocalPlace, site: OtherSite) -> None:
    site.files["/ga4gh/drs/v1/objects/list"] = b"[1]"
    site.files["/ga4gh/drs/v1/objects/deep"] = b"[" * 100_000
    site.habits["/ga4gh/drs/v1/objects/endless"] = never_ends
    for name in ("list", "deep", "endless", "absent"):
        refused(place, f"drs://{site.host}/{name}", "An input's site does not")


def test_t29_the_address_that_was_looked_at_is_the_one_that_is_asked(
    place: LocalPlace, site: OtherSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name means something to the dispatcher alone, and another thing when it is asked again.
    site.files["/pinned"] = CANARY
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if host != "files.test":
            return real(host, *rest, **more)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "169.254.169.254", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert output(place, run(place, f"http://files.test:{site.port}/pinned")) == CANARY
    assert asked == ["files.test"]
    assert dict(site.seen)["/pinned"]["Host"] == f"files.test:{site.port}"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"])
def test_t29_a_listed_name_with_a_private_address_is_refused(
    place: LocalPlace, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if host != "public.test":
            return real(host, *rest, **more)
        return real("198.41.0.4", *rest, **more) + real(address, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    refused(place, "https://public.test/x?sig=4", "not of the open internet")


def test_t29_lists_are_asked_again_when_a_file_is_fetched(place: LocalPlace, site: OtherSite) -> None:
    before = len(site.seen)
    report = run(place, site.url("/a"), client="gone")
    assert (report["cause"], report["outputs"]) == ("system", [])
    refused(place, "https://unlisted.example/x", "have files from")
    assert len(site.seen) == before


def test_t29_an_attempt_is_told_of_its_own_inputs_only(place: LocalPlace, site: OtherSite) -> None:
    site.files["/a"] = CANARY
    for number in (1, -1, 99, "0", None, True):
        inputs = [{"path": "/run/work/in0", "outside": number, "most": MOST, "mtime": 0}]
        planned = [{"path": "/run/work/in0", "object": "a" * 32}, {"path": "/run/work/x"}]
        told = place.submit(
            shell("cat in0"),
            inputs=inputs,
            plan={"inputs": planned},
            outside={"socket": str(place.house.settings.sockets / body_door.NAME)},
        )
        report = told.end()
        assert (report["cause"], report.get("outputs", [])) == ("system", []), number


def test_t29_a_task_cannot_fetch_by_itself(place: LocalPlace, site: OtherSite) -> None:
    site.files["/a"] = CANARY
    script = f"cat in0; wget -q -O - {site.url('/./a')} || echo no network; ls /srv /media"
    report = run(place, site.url("/a"), script=f"({script}) 2>/dev/null; true")
    assert output(place, report) == CANARY + b"no network\n"


def test_t29_over_tls_the_name_must_be_proved(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    client, got = s3_store.client(), bytearray()
    client.put_object(Bucket="bodies", Key="outside", Body=CANARY)
    url = client.generate_presigned_url("get_object", Params={"Bucket": "bodies", "Key": "outside"}, ExpiresIn=60)
    place = {"url": url, "address": "127.0.0.1", "seconds": 10}

    def fetch(**changes: str) -> None:
        outside.fetch(lambda _: {**place, **changes}, 0, most=MOST, private_key=new_private_key(), write=got.extend)

    with pytest.raises(OutsideError, match="not who it says"):
        fetch()
    monkeypatch.setenv("SSL_CERT_FILE", str(s3_store.ca))
    fetch()
    assert bytes(got) == CANARY
    with pytest.raises(OutsideError, match="not who it says"):
        fetch(url=url.replace("127.0.0.1", "other.example"))
