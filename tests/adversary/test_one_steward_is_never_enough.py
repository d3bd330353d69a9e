"""Nothing leaves by one person's word, a stolen token, a changed row, another project's id, or after it must not."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from airlock_scene import API, FINGERPRINT, PNG, PROJECT, TSV, VCF, Scene, person, scene
from asking import Asking

from airlock.release_requests import REMARKS
from airlock.review_store import Draw
from airlock.store import FileVote, RequestFile
from airlock.wording import check_wording
from strongroom.audit import Event
from strongroom.database import now, reading, transaction
from strongroom.errors import BadRequest
from strongroom.identity import mint_token
from strongroom.projects import Certificate, Membership, Project, Role, Training

ALL = {TSV: "count", PNG: "plot", VCF: "sites"}


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as one:
        yield one


def approved(stage: Scene) -> dict[str, Any]:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    for name in ("sam", "sina"):
        assert stage.vote(name, request).status_code == 200
    done = stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    assert done.status_code == 200, done.text
    return request


def state(stage: Scene, request: dict[str, Any]) -> str:
    found = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()
    return str(found["state"])


def due(stage: Scene) -> None:
    """Let the pause after a refusal be over, then work."""
    from airlock.store import ReleaseRequest

    with transaction(stage.engine) as session:
        session.execute(sa.update(ReleaseRequest).where(ReleaseRequest.next_try.is_not(None)).values(next_try=now()))
    stage.work()


# T14: words.


@pytest.mark.parametrize(
    "text",
    [
        "Ask patient 943 476 5919 again.",
        "Write to jane.doe@example.org.",
        "ACGTACGTTTGACCA is in row three.",
        "aGVsbG8gd29ybGQgdGhpcyBpcyBkYXRh",
        "deadbeefdeadbeef0123456789abcdef",
        "7 12 9 14 3 22 8 15 4 19",
        "x" * 501,
        "",
        "\u200b\u200c\u200b",
        "\u2603\u2604\u2605\u2606\u2607\u2608\u2609",
        "line\x1b[2J",
    ],
)
def test_t14_text_that_could_carry_data_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="text"):
        check_wording(text)


def test_t14_plain_words_are_let_through() -> None:
    check_wording(
        "Please merge the groups 80-89 and 90+, and say how the adults of the cohort were chosen (see the README)."
    )
    check_wording("Bitte die Größe der Gruppen nennen.")


def test_t14_one_stewards_words_reach_nobody_outside(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    place = f"{API}/reviews/{request['id']}"
    for name in ("sam", "sina"):
        stage.vote(name, request, tsv="too-much")
    words = {"audience": "requester", "remark": "round", "text": "The third group has very few persons."}
    made = stage.ask("sam").post(f"{place}:comment", words).json()
    assert made["waits"]

    def reads() -> list[tuple[str, str | None]]:
        seen = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()["comments"]
        return [(one["sentence"], one["text"]) for one in seen]

    # Neither the author, nor the requester, nor a steward of nothing confirms.
    for name in ("sam", "ruth", "rob", "nobody", "former", "both"):
        answer = stage.ask(name).post(f"{place}:confirm", {"comment": made["id"]})
        assert answer.status_code in (403, 404), name
    assert reads() == []
    stage.ask("sam").post(f"{place}:consolidate", {"outcome": "return"})
    remark = REMARKS[next(one for one in REMARKS if one.value == "round")]
    assert reads() == [(remark, None)]
    assert "few persons" not in stage.ask("ruth").get(f"{API}/requests/{request['id']}").text


def test_t14_confirmed_words_do(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    place = f"{API}/reviews/{request['id']}"
    words = {"audience": "requester", "text": "The third group has very few persons."}
    made = stage.ask("sam").post(f"{place}:comment", words).json()
    assert stage.ask("sina").post(f"{place}:confirm", {"comment": made["id"]}).status_code == 409  # blind still
    for name in ("sam", "sina"):
        stage.vote(name, request)
    assert stage.ask("sina").post(f"{place}:confirm", {"comment": made["id"]}).status_code == 200
    stage.ask("sam").post(f"{place}:consolidate", {"outcome": "return"})
    (seen,) = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()["comments"]
    assert seen["text"] == words["text"]
    (said,) = stage.events(Event.COMMENT_MADE)
    assert "few persons" not in json.dumps(said)


# T20: stolen tokens.


def test_t20_votes_and_decisions_need_a_second_factor_shown_just_now() -> None:
    with scene(step_up=True) as stage:
        request = stage.submitted(stage.complete_run(ALL), TSV)
        body = {"votes": [{"file": request["files"][0]["id"], "vote": "yes"}]}
        place = f"{API}/reviews/{request['id']}"
        for verb, form in (
            ("vote", body),
            ("consolidate", {"outcome": "return"}),
            ("confirm", {"comment": "0" * 32}),
        ):
            refused = stage.ask("sam").post(f"{place}:{verb}", form)
            assert refused.status_code == 401, verb
            assert "insufficient_user_authentication" in refused.headers["www-authenticate"]
        lift = {"files": [request["files"][0]["id"]], "reason": "false-alarm", "note": "Genes."}
        assert stage.ask("sena").post(f"{API}/requests/{request['id']}:lift", lift).status_code == 401
        assert stage.ask("sam").post(f"{API}/stops/{'0' * 32}:lift").status_code == 401
        assert stage.events(Event.VOTE_CAST) == []
        fresh = Asking(stage.app, mint_token(stage.settings, "sam", step_up=True))
        assert fresh.post(f"{place}:vote", body).status_code == 200


@pytest.mark.parametrize(("age", "good"), [(0, True), (290, True), (310, False), (-60, False), (100_000, False)])
def test_t20_a_second_factor_of_long_ago_or_of_tomorrow_is_none(age: int, good: bool) -> None:
    from strongroom.errors import StepUpNeeded
    from strongroom.identity import Person, check_stepped_up
    from strongroom.settings import Settings

    settings = Settings()
    who = Person("sam@home", stepped_up=1_000_000 - age)
    if good:
        check_stepped_up(settings, who, moment=1_000_000)
        return
    with pytest.raises(StepUpNeeded):
        check_stepped_up(settings, who, moment=1_000_000)


def test_t20_a_person_of_a_real_issuer_is_always_asked_and_five_minutes_are_the_most() -> None:
    from strongroom.errors import StepUpNeeded
    from strongroom.identity import Person, check_stepped_up
    from strongroom.settings import Settings

    with pytest.raises(StepUpNeeded):
        check_stepped_up(Settings(), Person("sam@home"), moment=1)
    with pytest.raises(ValueError, match="300"):
        Settings(identity={"step_up_seconds": 301})  # type: ignore[arg-type]


def test_t20_a_new_key_waits_a_day_and_is_told(stage: Scene) -> None:
    from access.keys import public_key_of
    from access.store import ResearcherKey
    from strongroom.errors import Conflict
    from strongroom.settings import Settings

    assert Settings().key_wait == timedelta(hours=24)
    with transaction(stage.engine) as session:
        session.add(ResearcherKey(fingerprint=FINGERPRINT, person="ruth@home", public_key="k", proved_at=now()))
    with reading(stage.engine) as session:
        with pytest.raises(Conflict, match="new"):
            public_key_of(session, "ruth@home", FINGERPRINT, wait=Settings().key_wait)
        assert public_key_of(session, "ruth@home", FINGERPRINT, wait=timedelta(0)) == "k"


# T28: persons.


@pytest.mark.parametrize("who", ["ruth", "rob", "both", "former", "nobody", "sena"])
def test_t28_who_is_no_steward_from_outside_does_nothing_in_a_review(stage: Scene, who: str) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    file = request["files"][0]["id"]
    place, ask = f"{API}/reviews/{request['id']}", stage.ask(who)
    forms: dict[str, Any] = {
        "vote": {"votes": [{"file": file, "vote": "yes"}]},
        "consolidate": {"outcome": "approve"},
        "decline": None,
        "interest": None,
        "confirm": {"comment": "0" * 32},
    }
    for verb, form in forms.items():
        assert ask.post(f"{place}:{verb}", form).status_code in (403, 404), verb
    assert ask.get(f"{place}/files/{file}/view").status_code in (403, 404)
    assert ask.post(f"{API}/releases/{request['id']}:revoke").status_code in (403, 404, 409)
    assert not stage.events(Event.VOTE_CAST, Event.FILE_VIEWED, Event.INTEREST_DECLARED, Event.STEWARD_OFF)
    assert state(stage, request) == "SUBMITTED"


def test_t28_a_draw_that_was_changed_in_the_database_lets_no_member_vote(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    with transaction(stage.engine) as session:
        for name in ("rob", "both"):
            session.add(Draw(id=name * 4, request=request["id"], turn=1, steward=person(name), drawn=now()))
    for name in ("rob", "both"):
        assert stage.vote(name, request).status_code in (403, 404)


# Tampering, replays, other projects.


def test_t11_votes_and_lifts_written_into_the_database_release_nothing(stage: Scene) -> None:
    from strongroom.audit import AuditEvent

    request = stage.submitted(stage.complete_run(ALL), TSV)
    assert stage.vote("sam", request).status_code == 200
    with transaction(stage.engine) as session:
        mine = session.scalars(sa.select(FileVote)).one()
        last = session.scalars(sa.select(sa.func.max(AuditEvent.seq))).one()
        copied = {c.name: getattr(mine, c.name) for c in FileVote.__table__.columns}
        session.add(FileVote(**{**copied, "steward": person("sina"), "audit_seq": last + 1}))
        session.execute(sa.update(RequestFile).values(lifted_by=person("sena"), verdict="pass"))
        from airlock.store import ReleaseRequest

        session.get_one(ReleaseRequest, request["id"]).state = "CONSOLIDATING"
    stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    stage.work()
    # The airlock's own tables were believed; the broker is asked with numbers of votes that the log does not hold.
    (asked,) = stage.broker.asked
    votes = {e["seq"] for e in stage.events(Event.VOTE_CAST)}
    assert not {seq for seqs in asked["votes"].values() for seq in seqs} <= votes


def test_a_vote_is_cast_once_however_often_the_form_is_sent(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    body = {"votes": [{"file": request["files"][0]["id"], "vote": "yes"}]}
    place = f"{API}/reviews/{request['id']}:vote"
    assert stage.ask("sam").post(place, body).status_code == 200
    for _ in range(3):
        assert stage.ask("sam").post(place, body).status_code == 409
    assert len(stage.events(Event.VOTE_CAST)) == 1
    assert state(stage, request) == "FIRST_REVIEW"


def test_an_id_of_another_project_or_request_is_as_unknown_as_none(stage: Scene) -> None:
    with transaction(stage.engine) as session:
        session.add(Project(id="other", title="Other", min_count=5, policy_version=1, created=now()))
        for name in ("olga", "oskar"):
            session.add(Membership(project="other", person=person(name), role=Role.STEWARD.value, since=now()))
        session.add(Membership(project="other", person=person("rolf"), role=Role.RESEARCHER.value, since=now()))
    first, second = (stage.submitted(stage.complete_run(ALL), TSV) for _ in range(2))
    file, foreign = first["files"][0]["id"], second["files"][0]["id"]
    for name in ("olga", "rolf"):
        ask = stage.ask(name)
        for path in (f"requests/{first['id']}", f"reviews/{first['id']}", f"reviews/{first['id']}/files/{file}/view"):
            answer, none = ask.get(f"{API}/{path}"), ask.get(f"{API}/{path.replace(first['id'], '0' * 32)}")
            assert (answer.status_code, answer.json()) == (none.status_code, none.json()), path
        assert ask.get(f"{API}/register").json() == {"lifts": []}
        assert ask.get(f"{API}/figures").json()["weeks"] == []
    body = {"votes": [{"file": foreign, "vote": "yes"}]}
    assert stage.ask("sam").post(f"{API}/reviews/{first['id']}:vote", body).status_code == 404
    words = {"audience": "stewards", "text": "Hello there.", "file": foreign}
    made = stage.ask("sam").post(f"{API}/reviews/{first['id']}:comment", {**words, "file": file}).json()
    assert stage.ask("sam").post(f"{API}/reviews/{first['id']}:comment", words).status_code == 404
    confirm = stage.ask("sina").post(f"{API}/reviews/{second['id']}:confirm", {"comment": made["id"]})
    assert confirm.status_code == 404


# What must not leave any more.


def test_expired_training_stops_submit_votes_and_release(stage: Scene) -> None:
    ready = stage.ready(stage.complete_run(ALL), TSV)
    request = approved(stage)
    paper = {
        "issuer": "ONS",
        "sha256": "0" * 64,
        "since": now() - timedelta(days=9),
        "until": now() - timedelta(days=1),
    }
    with transaction(stage.engine) as session:
        for name, training in (("ruth", Training.RESEARCHER), ("sara", Training.STEWARD)):
            session.add(Certificate(person=person(name), training=training.value, **paper))
    stage.work()
    assert state(stage, request) == "APPROVED"
    assert stage.broker.asked == []
    refused = stage.ask("ruth").post(f"{API}/requests/{ready['id']}:submit", {"key": FINGERPRINT})
    assert (refused.status_code, "training" in refused.text) == (403, True)
    with transaction(stage.engine) as session:
        fresh = {**paper, "until": now() + timedelta(days=9)}
        session.add(Certificate(person=person("ruth"), training=Training.RESEARCHER.value, **fresh))
    due(stage)
    assert state(stage, request) == "RELEASED"
    stage.ask("ruth").post(f"{API}/requests/{ready['id']}:submit", {"key": FINGERPRINT})
    assert stage.vote("sara", ready).status_code == 403
    # Where a project asks for training, who has no paper at all is refused as well.
    with transaction(stage.engine) as session:
        session.get_one(Project, PROJECT).needs_training = True
    assert stage.vote("sam", ready).status_code == 403


def test_a_project_that_ends_between_approval_and_release_releases_nothing(stage: Scene) -> None:
    request = approved(stage)
    with transaction(stage.engine) as session:
        session.get_one(Project, PROJECT).ends = now()
    stage.work()
    due(stage)
    assert stage.broker.asked == []
    with reading(stage.engine) as session:
        from airlock.store import Release

        assert session.get(Release, request["id"]) is None


def test_an_emergency_stop_freezes_releases_and_downloads_and_two_persons_lift_it(stage: Scene) -> None:
    stage.signed_policy()
    out = stage.released(stage.complete_run(ALL), TSV)
    request = approved(stage)
    for name in ("ruth", "rob", "nobody"):
        assert stage.ask(name).post(f"{API}/stops", {"reason": "leak"}).status_code == 403
    stopped = stage.ask("sara").post(f"{API}/stops", {"reason": "leak"}).json()
    stage.work()
    assert len(stage.broker.asked) == 1
    assert stage.ask("").get(out["files"][0]["link"]).status_code == 409
    assert stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()["stopped"]
    lift = f"{API}/stops/{stopped['id']}:lift"
    for name, status in (("ruth", 403), ("nobody", 403), ("sam", 200), ("sam", 409)):
        assert stage.ask(name).post(lift).status_code == status
    due(stage)
    assert state(stage, request) == "APPROVED"
    assert stage.ask("sina").post(lift).json()["lifted"] is not None
    due(stage)
    assert state(stage, request) == "RELEASED"
    assert stage.ask("").get(out["files"][0]["link"]).status_code == 200


def test_a_stop_in_the_middle_of_a_release_holds_it_back(stage: Scene) -> None:
    from airlock import release
    from airlock.giving_back import Earlier
    from airlock.release import Exported
    from airlock.stops import Stopped

    request = approved(stage)
    order = release.begin(stage.context, request["id"])
    assert order is not None
    earlier = Earlier({}, {}, release.judge(stage.context, request["id"]), {})
    stage.ask("sara").post(f"{API}/stops", {"reason": "leak"})
    exported = [Exported(f.file, b"crypt4gh", "5" * 64, 1) for f in order.files]
    with pytest.raises(Stopped):
        release.finish(stage.context, order, exported, earlier)
    assert state(stage, request) == "RELEASING"
