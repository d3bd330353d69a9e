"""Who may have keys for what, as truth tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from archive.facts import DatasetFacts, Decision, ObjectFacts
from archive.keys.orders import Asking
from archive.keys.purposes import KeyName, Kind, Purpose, recipient_of, seal_context
from archive.keys.rights import (
    KeysRefused,
    Standing,
    Vetted,
    check_images,
    check_objects,
    check_rights,
    check_usable,
    check_vetted,
)
from strongroom.projects import Role

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUN, OTHER = "1" * 32, "2" * 32
IMAGE, CHECKS = "sha256:" + "a" * 64, "sha256:" + "c" * 64
OPEN = Decision(
    run=RUN,
    person="ruth",
    project="cohort",
    workflow="count",
    version="1.0.0",
    workflow_digest="sha256:d",
    envelope={},
    images={"tools": IMAGE},
    datasets=("calls",),
    policy_version=1,
    created=NOON,
    expires=NOON + timedelta(hours=1),
)
COMPLETE = replace(OPEN, closed_at=NOON, closed_as="complete")
FAILED = replace(OPEN, closed_at=NOON, closed_as="executor_error")
CALLS = {"calls": DatasetFacts("calls", deleted=False, shared=True)}
RESEARCHER, STEWARD = frozenset({Role.RESEARCHER}), frozenset({Role.STEWARD})


def asking(kind: Kind = Kind.TASK, **more: object) -> Asking:
    """Return an order for `kind`."""
    plain = Asking(
        attempt="3" * 32,
        kind=kind,
        decision=RUN,
        project="cohort",
        person="ruth",
        objects=("a" * 32,),
        images=(IMAGE,),
        spec_sha256="e" * 64,
        public_key="",
        signing_key="",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def standing(decision: Decision | None = OPEN, **more: object) -> Standing:
    """Return tables in which everything is in order."""
    plain = Standing(decision, project_open=True, roles=RESEARCHER, ever_researcher=False, datasets=CALLS)
    return replace(plain, **more)  # type: ignore[arg-type]


def an_object(**more: object) -> ObjectFacts:
    """Return a file of the dataset."""
    plain = ObjectFacts(
        object="a" * 32,
        purpose="store",
        owner="calls",
        project=None,
        run=None,
        attempt=None,
        kind="upload",
        role="output",
        persons=(),
        ancestors=(),
        version=1,
        size=1,
        plaintext_hmac="",
        body_length=29,
        body_sha256="",
        segments=1,
        key_version=1,
        header_sha256="",
        policy_version=1,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def may(check: object, *given: object, **named: object) -> bool:
    """Say whether a check passes."""
    try:
        check(*given, **named)  # type: ignore[operator]
    except KeysRefused:
        return False
    return True


@pytest.mark.parametrize(
    ("order", "tables", "allowed"),
    [
        (asking(), standing(), True),
        (asking(), standing(None), False),
        (asking(project="other"), standing(), False),
        (asking(), standing(project_open=False), False),
        (asking(), standing(roles=frozenset()), False),
        (asking(), standing(roles=STEWARD), False),
        (asking(), standing(roles=frozenset(set(Role) - {Role.RESEARCHER})), False),
        (asking(person="rob"), standing(), False),
        (asking(), standing(COMPLETE), False),
        (asking(), standing(FAILED), False),
        (asking(), standing(replace(OPEN, expires=NOON)), False),
        (asking(), standing(datasets={}), False),
        (asking(Kind.REPACK), standing(COMPLETE), True),
        (asking(Kind.REPACK), standing(), False),
        (asking(Kind.REPACK), standing(FAILED), False),
        (asking(Kind.REPACK, person="rob"), standing(COMPLETE), False),
        (asking(Kind.REPACK), standing(COMPLETE, project_open=False), False),
        (asking(Kind.CHECK), standing(COMPLETE), True),
        (asking(Kind.CHECK), standing(), False),
        (asking(Kind.CHECK, person="sam"), standing(COMPLETE, roles=STEWARD), False),
        (asking(Kind.MEMBERS), standing(COMPLETE), True),
        (asking(Kind.MEMBERS), standing(), False),
        (asking(Kind.MEMBERS, person="sam"), standing(COMPLETE, roles=STEWARD), False),
        (asking(Kind.VIEW, person="sam"), standing(COMPLETE, roles=STEWARD), True),
        (asking(Kind.VIEW, person="sam"), standing(COMPLETE, roles=STEWARD, ever_researcher=True), False),
        (asking(Kind.VIEW), standing(COMPLETE), False),
        (asking(Kind.VIEW, person="sam"), standing(roles=STEWARD), False),
        (asking(Kind.VIEW, person="sam"), standing(COMPLETE, roles=STEWARD, project_open=False), False),
    ],
)
def test_who_may_have_keys(order: Asking, tables: Standing, allowed: bool) -> None:
    assert may(check_rights, order, tables, NOON) is allowed


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("parent_deleted", [False, True])
@pytest.mark.parametrize("parent_shared", [False, True])
def test_a_dataset_is_usable_with_all_its_ancestors(
    deleted: bool, shared: bool, parent_deleted: bool, parent_shared: bool
) -> None:
    known = {
        "child": DatasetFacts("child", deleted, shared, ("parent",)),
        "parent": DatasetFacts("parent", parent_deleted, parent_shared),
    }
    allowed = shared and parent_shared and not deleted and not parent_deleted
    assert may(check_usable, ["child"], known) is allowed


def test_ancestors_in_a_circle_end() -> None:
    known = {n: DatasetFacts(n, deleted=False, shared=True, ancestors=(m,)) for n, m in (("a", "b"), ("b", "a"))}
    assert may(check_usable, ["a"], known)
    assert not may(check_usable, ["a", "unknown"], known)


OF_RUN = {"purpose": "run", "owner": RUN, "run": RUN, "project": "cohort", "kind": "task"}
CLEAN = {"purpose": "airlock", "owner": "cohort", "run": RUN, "project": "cohort", "kind": "repack"}


@pytest.mark.parametrize(
    ("what", "readers"),
    [
        ({}, {Kind.TASK}),
        ({"owner": "other"}, set()),
        ({"project": "cohort"}, {Kind.TASK}),
        ({"project": "other"}, set()),
        (OF_RUN, {Kind.TASK, Kind.REPACK, Kind.MEMBERS}),
        ({**OF_RUN, "owner": OTHER}, set()),
        ({**OF_RUN, "run": OTHER}, set()),
        ({**OF_RUN, "project": "other"}, set()),
        ({**OF_RUN, "role": "stdout"}, {Kind.REPACK}),  # never read by a task, nor released
        ({**OF_RUN, "role": "stderr"}, {Kind.REPACK}),  # never read by a task, nor released
        (CLEAN, {Kind.CHECK, Kind.VIEW}),
        ({**CLEAN, "owner": "other"}, set()),
        ({**CLEAN, "run": OTHER}, set()),
        ({**CLEAN, "kind": "check", "role": "stdout"}, set()),
        ({**CLEAN, "kind": "task"}, set()),
    ],
)
def test_what_each_kind_may_read(what: dict[str, object], readers: set[Kind]) -> None:
    found = {kind for kind in Kind if may(check_objects, asking(kind), OPEN, [an_object(**what)], CALLS)}
    assert found == readers


def test_every_object_of_an_order_must_be_there() -> None:
    order = asking(objects=("a" * 32, "b" * 32))
    assert not may(check_objects, order, OPEN, [an_object()], CALLS)
    assert may(check_objects, order, OPEN, [an_object(), an_object(object="b" * 32)], CALLS)


def test_an_object_whose_ancestor_was_taken_back_is_refused() -> None:
    gone = {**CALLS, "reads": DatasetFacts("reads", deleted=False, shared=False)}
    for kind, what in ((Kind.TASK, OF_RUN), (Kind.REPACK, OF_RUN), (Kind.VIEW, CLEAN)):
        assert not may(check_objects, asking(kind), OPEN, [an_object(**what, ancestors=("reads",))], gone)


SIGNED = Vetted(
    {"workflow": "count", "version": "1.0.0", "digest": "sha256:d", "images": {"tools": IMAGE}},
    frozenset({"vera", "viktor"}),
)


@pytest.mark.parametrize(
    ("kind", "images", "allowed"),
    [
        (Kind.TASK, (IMAGE,), True),
        (Kind.TASK, (CHECKS,), False),
        (Kind.TASK, (IMAGE, IMAGE), True),
        (Kind.TASK, (IMAGE, CHECKS), False),
        (Kind.CHECK, (CHECKS,), True),
        (Kind.CHECK, (CHECKS, IMAGE), False),
        (Kind.CHECK, (IMAGE,), False),
        (Kind.VIEW, (CHECKS,), True),
        (Kind.VIEW, (IMAGE,), False),
        (Kind.REPACK, (CHECKS,), True),
        (Kind.REPACK, (IMAGE,), False),
        (Kind.MEMBERS, (CHECKS,), True),
        (Kind.MEMBERS, (IMAGE,), False),
    ],
)
def test_which_images_get_keys(kind: Kind, images: tuple[str, ...], allowed: bool) -> None:
    assert may(check_images, asking(kind, images=images), vetted=SIGNED, checks_image=CHECKS) is allowed
    assert not may(check_images, asking(kind, images=images), vetted=None, checks_image=None)


@pytest.mark.parametrize(
    ("vetted", "allowed"),
    [
        (SIGNED, True),
        (replace(SIGNED, signed_by=frozenset({"vera"})), False),
        (replace(SIGNED, signed_by=frozenset()), False),
        (replace(SIGNED, statement={**SIGNED.statement, "workflow": "other"}), False),
        (replace(SIGNED, statement={**SIGNED.statement, "version": "1.0.1"}), False),
        (replace(SIGNED, statement={**SIGNED.statement, "digest": "sha256:e"}), False),
        (replace(SIGNED, statement={**SIGNED.statement, "images": {}}), False),
    ],
)
def test_what_vetters_must_have_signed(vetted: Vetted, allowed: bool) -> None:
    assert may(check_vetted, vetted, OPEN, signatures=2) is allowed


def test_each_kind_seals_to_one_key() -> None:
    keys = {kind: recipient_of(kind, run=RUN, project="cohort") for kind in Kind}
    assert keys.pop(Kind.TASK) == KeyName(Purpose.RUN, RUN)
    assert set(keys.values()) == {KeyName(Purpose.AIRLOCK, "cohort")}


def test_no_two_keys_share_a_context() -> None:
    names = [KeyName(p, o) for p in Purpose for o in ("a", "b")]
    names += [name.beside() for name in names]
    contexts = [seal_context(name, version) for name in set(names) for version in (1, 2)]
    assert len(set(contexts)) == len(contexts)
