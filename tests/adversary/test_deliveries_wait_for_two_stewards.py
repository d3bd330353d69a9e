"""Outputs of federated tasks leave for a listed place, sealed, after two stewards, and never otherwise."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from federation_scene import Federated

from demo.people import AIRLOCK


def held(federated: Federated, path: str, **changes: str) -> tuple[str, str]:
    """Run a task whose output goes to `path` or URL; return it with its request, which waits for the stewards."""
    body = federated.task(path)
    body["outputs"][0].update(changes)
    task = federated.created(body)
    assert federated.ended(task)["state"] == "COMPLETE"
    return task, federated.request_of(task)


@contextlib.contextmanager
def administrator(federated: Federated) -> Iterator[sqlite3.Connection]:
    """Let somebody with the database's own rights change rows."""
    file = federated.site.stage.home / "database" / "strongroom.db"
    with contextlib.closing(sqlite3.connect(file, timeout=30)) as base, base:
        yield base


def body_of(federated: Federated, request: str) -> Path:
    ((identifier,),) = federated.rows("select object from release_request_files where request = ?", request)
    return federated.site.stage.home / "objects" / identifier[:2] / identifier


def test_t29_a_host_that_is_not_listed_is_refused_at_create(federated: Federated) -> None:
    port = federated.outside.port
    count = "select count(*) from tasks"
    before = federated.rows(count)
    for url in (
        "https://evil.example/put",
        f"https://127.0.0.1:{port + 1}/put",
        f"https://127.0.0.1.evil.example:{port}/put",
        f"http://localhost:{port}/put",  # listed, but plain http is for hosts that the operator called unsafe
        f"https://user@localhost:{port}/put",
        "file:///srv/out",
        "s3://bucket/out",
        "strongroom://run/x/results/counts.tsv",
        "/srv/out",
    ):
        body = federated.task()
        body["outputs"][0]["url"] = url
        answer = federated.ask("POST", "/tasks", body)
        assert answer.status_code == 400, (url, answer.text)
        assert answer.json()["msg"].startswith("outputs[0].url: "), answer.text
    assert federated.rows(count) == before


def test_t3_what_the_contract_keeps_inside_is_not_asked_for(federated: Federated) -> None:
    body = federated.task()
    body["outputs"].append({"url": federated.outside.url("inside"), "path": "/run/work/results/inside.tsv"})
    answer = federated.ask("POST", "/tasks", body)
    assert answer.status_code == 400
    assert answer.json()["msg"].startswith("outputs[1].path: ")


def test_t3_nothing_is_delivered_before_two_stewards_said_yes(federated: Federated) -> None:
    _, request = held(federated, "early")
    time.sleep(2.5)  # sweeps pass
    federated.site.vote(request, federated.site.cast.first_steward)
    time.sleep(2.5)
    federated.site.vote(request, federated.site.cast.second_steward)
    time.sleep(2.5)
    assert not [path for path in federated.outside.puts if "early" in path]
    assert federated.delivery(request) == ("WAITING", None, 0)


def test_t3_what_a_steward_refuses_is_never_delivered(federated: Federated) -> None:
    _, request = held(federated, "rejected")
    cast = federated.site.cast
    federated.site.vote(request, cast.first_steward)
    federated.site.vote(request, cast.second_steward, "no")
    with federated.site.stage.client(cast.first_steward) as steward:
        steward.post(f"{AIRLOCK}/reviews/{request}:consolidate", {"outcome": "reject"})
    time.sleep(2.5)
    assert not [path for path in federated.outside.puts if "rejected" in path]


def test_t29_a_name_that_has_a_private_address_gets_nothing(federated: Federated) -> None:
    # Listed by the operator and https: only the look at its address is left to stop it.
    url = f"https://localhost:{federated.outside.port}/put/private"
    task, request = held(federated, "private", url=url)
    federated.approve(request)
    federated.eventually(lambda: federated.delivery(request)[2] > 0, "no attempt")
    state, trouble, _ = federated.delivery(request)
    assert state == "WAITING"
    assert "not of the open internet" in str(trouble)
    assert federated.outside.taken.get("private") is None
    assert federated.events("delivery.refused", request)
    assert federated.ask("GET", f"/tasks/{task}", view="FULL").json()["logs"][0]["outputs"] == []


def test_t29_a_place_that_changed_after_review_gets_nothing(federated: Federated) -> None:
    _, request = held(federated, "frozen")
    with administrator(federated) as base:
        new = federated.outside.url("thief")
        base.execute("update deliveries set url = ? where request = ?", (new, request))
    federated.approve(request)
    federated.eventually(lambda: federated.delivery(request)[2] > 0, "no attempt")
    assert "not the one that the stewards saw" in str(federated.delivery(request)[1])
    with administrator(federated) as base:
        from airlock.delivery import digest_of

        sets = "update deliveries set url_sha256 = ?, next_try = '2000-01-01 00:00:00' where request = ?"
        base.execute(sets, (digest_of(new), request))
    federated.eventually(lambda: federated.delivery(request)[2] > 1, "no second attempt")
    assert federated.delivery(request)[0] == "WAITING"
    assert {"thief", "frozen"} & set(federated.outside.taken) == set()


def test_t29_bytes_that_changed_after_review_are_not_delivered(federated: Federated) -> None:
    _, request = held(federated, "changed")
    federated.outside.answers = [503]
    federated.approve(request)
    federated.eventually(lambda: federated.delivery(request)[2] > 0, "no attempt")
    body = body_of(federated, request)
    kept = body.read_bytes()
    body.chmod(0o640)
    body.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    puts = len(federated.outside.puts)
    federated.eventually(lambda: "not those that were reviewed" in str(federated.delivery(request)[1]), "no refusal")
    assert len(federated.outside.puts) == puts
    body.write_bytes(kept)
    federated.eventually(lambda: federated.outside.taken.get("changed"), "the good bytes were not delivered")


def test_t29_a_delivery_is_tried_again_until_the_place_takes_it_once(federated: Federated) -> None:
    _, request = held(federated, "again")
    federated.outside.answers = [500, 302]
    federated.approve(request)
    federated.eventually(lambda: federated.delivery(request)[0] == "DELIVERED", "not delivered")
    assert federated.outside.puts.count("/put/again") == 3
    assert federated.opened(federated.outside.taken["again"]).startswith("group\tpeople")
    assert len(federated.events("release.delivered", request)) == 1
    time.sleep(2.5)
    assert federated.outside.puts.count("/put/again") == 3


def test_t29_what_is_delivered_opens_with_the_clients_key_alone(federated: Federated) -> None:
    from sandbox.crypt4gh import Crypt4GHError, header_length, new_private_key, open_header

    _, request = held(federated, "sealed")
    federated.approve(request)
    raw = federated.eventually(lambda: federated.outside.taken.get("sealed"), "nothing was delivered")
    header = raw[: header_length(raw[:4096])]
    assert open_header(header, federated.secret)
    with pytest.raises(Crypt4GHError):
        open_header(header, new_private_key())
    assert b"people" not in raw


def test_t29_a_release_that_was_called_back_is_not_delivered(federated: Federated) -> None:
    _, request = held(federated, "called-back")
    federated.outside.answers = [503] * 3
    federated.approve(request)
    federated.eventually(lambda: federated.delivery(request)[2] > 0, "no attempt")
    with federated.site.stage.client(federated.site.cast.first_steward) as steward:
        steward.post(f"{AIRLOCK}/releases/{request}:revoke")
    federated.eventually(lambda: federated.delivery(request)[0] == "FAILED", "still waiting")
    federated.outside.answers.clear()
    assert "called-back" not in federated.outside.taken


def test_t29_stewards_see_where_it_goes_and_the_log_has_no_right_in_it(federated: Federated) -> None:
    _, request = held(federated, "signed?X-Amz-Signature=abc")
    with federated.site.stage.client(federated.site.cast.first_steward) as steward:
        (file,) = steward.get(f"{AIRLOCK}/reviews/{request}")["files"]
    assert file["deliver_to"] == federated.outside.url("signed?…")
    submitted = [one for one in federated.events("request.state", request) if one["facts"]["state"] == "SUBMITTED"]
    assert list(submitted[0]["facts"]["deliveries"].values()) == [file["deliver_to_sha256"]]
    bodies = federated.rows("select count(*) from audit_events where cast(body as text) like '%X-Amz-Signature%'")
    assert bodies == [(0,)]
