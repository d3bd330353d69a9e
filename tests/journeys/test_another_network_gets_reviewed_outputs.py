"""Another network's client: a bearer token of its issuer, a task by a signed profile, outputs where it wants them."""

from federation_scene import Federated

from demo.people import AIRLOCK


def test_t3_t29_another_network_gets_reviewed_outputs(federated: Federated) -> None:
    task = federated.created(federated.task("journey"))
    ended = federated.ended(task)
    assert ended["state"] == "COMPLETE", federated.site.what_happened()
    assert [log["logs"] for log in ended["logs"]] == [[{"exit_code": 0}]]
    assert [log["outputs"] for log in ended["logs"]] == [[]]
    request = federated.request_of(task)
    assert "journey" not in federated.outside.taken
    with federated.site.stage.client(federated.site.cast.first_steward) as steward:
        shown = steward.get(f"{AIRLOCK}/reviews/{request}")
    assert shown["requester"] == "ada@north"
    assert shown["files"][0]["deliver_to"] == federated.outside.url("journey")
    assert len(shown["recipient_fingerprint"]) == 64
    federated.approve(request)
    raw = federated.eventually(lambda: federated.outside.taken.get("journey"), "nothing was delivered")
    assert raw.startswith(b"crypt4gh")
    assert federated.opened(raw) == "group\tpeople\na\t20\nb\t20\n"
    federated.eventually(lambda: federated.delivery(request)[0] == "DELIVERED", "not written down")
    after = federated.ask("GET", f"/tasks/{task}", view="FULL").json()
    assert after["logs"][0]["outputs"] == [
        {"url": federated.outside.url("journey"), "path": "/run/work/results/counts.tsv", "size_bytes": "23"}
    ]


def test_t29_each_step_of_a_federated_task_names_its_end_user(federated: Federated) -> None:
    task = federated.created(federated.task("audited"))
    federated.ended(task)
    (made,) = federated.events("task.federated", task)
    assert (made["actor"], made["facts"]["client"]) == ("ada@north", "north")
    assert made["facts"]["issuer"] == federated.outside.issuer("north")
    assert made["facts"]["profile"] == "count-people/1.0.0"
    ((run,),) = federated.rows("select run from federated_tasks where task = ?", task)
    (decided,) = federated.events("decision.recorded", run)
    assert decided["facts"]["person"] == "ada@north"
    assert decided["facts"]["datasets"] == ["people"]
    federated.request_of(task)
    assert [one["facts"]["as"] for one in federated.events("decision.closed", run)] == ["complete"]
