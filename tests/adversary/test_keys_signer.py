"""One order for one attempt, however many ask at once; and the log's head carries the signer's name."""

import base64
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from keyroom import Attempt, KeyRoom, key_room, registering, seal, text

from archive import bodies
from archive.keys.trust import load_public
from sandbox.grants import Claim, GrantError, open_grant
from strongroom.audit_heads import check_log, logged, signed_heads
from strongroom.database import reading
from strongroom.errors import StrongroomError

RACERS = 8


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        made.dataset("calls")
        yield made


@pytest.fixture(scope="module")
def calls(room: KeyRoom) -> str:
    return room.file("calls", b"x")


def won(act: Callable[[], object]) -> bool:
    """Say whether an act was not refused."""
    try:
        act()
    except StrongroomError:
        return False
    return True


def race(act: Callable[[], object]) -> int:
    """Do the same thing many times at once; return how often it was allowed."""
    with ThreadPoolExecutor(RACERS) as pool:
        return sum(pool.map(lambda _: won(act), range(RACERS)))


def test_t1_of_many_claims_at_once_one_wins(room: KeyRoom, calls: str) -> None:
    attempt, run = Attempt(), room.decision(["calls"])
    assert race(lambda: room.order(attempt, run, [calls])) == 1
    refused = [e for e in room.events("claim.refused") if e["subject"] == attempt.id]
    assert len(refused) == RACERS - 1


def test_t1_of_many_redemptions_at_once_one_wins(room: KeyRoom, calls: str) -> None:
    order = room.order(Attempt(), room.decision(["calls"]), [calls])
    assert race(lambda: room.ask("broker", verb="grant", order=order)) == 1


def test_t12_of_many_first_uses_at_once_one_key_comes(room: KeyRoom) -> None:
    room.dataset("fresh")
    with ThreadPoolExecutor(RACERS) as pool:
        ask = lambda _: room.ask("broker", verb="recipient", purpose="store", owner="fresh")["public_key"]  # noqa: E731
        assert len(set(pool.map(ask, range(RACERS)))) == 1


def test_t22_the_sandbox_believes_this_grant_for_its_own_claim_only(room: KeyRoom, calls: str) -> None:
    attempt = Attempt()
    order = room.order(attempt, room.decision(["calls"]), [calls])
    envelope = room.ask("broker", verb="grant", order=order)["grant"]
    broker = base64.b64decode(bodies.broker_public_key(room.settings))
    mine = Claim(attempt.id, base64.b64decode(attempt.public_key), attempt.own.public_key, "e" * 64)
    assert set(open_grant(envelope, broker, claim=mine, now=time.time()).headers) == {calls}
    for other in (
        Claim("0" * 32, mine.public_key, mine.signing_key, mine.spec_sha256),
        Claim(mine.attempt, bytes(32), mine.signing_key, mine.spec_sha256),
        Claim(mine.attempt, mine.public_key, mine.signing_key, "f" * 64),
        Claim(mine.attempt, mine.public_key, Attempt().own.public_key, mine.spec_sha256),
    ):
        with pytest.raises(GrantError):
            open_grant(envelope, broker, claim=other, now=time.time())
    signer = load_public(room.home / "trust" / "signer.pem").public_bytes_raw()
    with pytest.raises(GrantError):
        open_grant(envelope, signer, claim=mine, now=time.time())


def test_the_signer_refuses_what_it_does_not_know(room: KeyRoom, calls: str) -> None:
    attempt, run = Attempt(), room.decision(["calls"])
    asking = room.asking(attempt, run, [calls])
    for wrong in ({"verb": "sign"}, {"expires": 1}, {"jti": "0" * 32}, {"kind": "export"}, {"public_key": "x"}):
        with pytest.raises(StrongroomError):
            room.ask("signer", **{**asking, **wrong})
    room.ask("signer", **asking)


def test_the_signer_signs_the_logs_head(room: KeyRoom) -> None:
    room.kill("signer")
    room.start("signer")  # it signs at its start, then every few seconds
    end = time.monotonic() + 10
    heads: list[dict[str, object]] = []
    while not heads and time.monotonic() < end:
        time.sleep(0.05)
        with reading(room.engine) as session:
            heads = signed_heads(session)
    with reading(room.engine) as session:
        report = check_log(logged(session), heads, load_public(room.home / "trust" / "signer.pem"))
    assert report.whole
    assert report.signed >= 1


def granted(room: KeyRoom, calls: str) -> tuple[Attempt, bytes]:
    """Return an attempt that holds keys, and whom it seals to."""
    attempt = Attempt()
    return attempt, base64.b64decode(room.grant(attempt, room.decision(["calls"]), [calls])["recipient"])


def test_t22_only_the_attempts_own_words_register(room: KeyRoom, calls: str) -> None:
    attempt, recipient = granted(room, calls)
    output = seal(b"x", recipient).output()
    honest = registering(attempt, output)
    thief = Attempt(id=attempt.id)
    for said in (
        registering(thief, output),
        {**honest, "outputs": [seal(b"y", recipient).output()]},
        {**honest, "attempt": "0" * 32},
        {**honest, "signature": None},
        {**honest, "signature": text(b"0" * 64)},
    ):
        with pytest.raises(StrongroomError, match=r"not signed|No keys were given"):
            room.ask("broker", **said)
    with pytest.raises(StrongroomError, match="signature, and nothing else"):
        room.ask("broker", verb="register", attempt=attempt.id, outputs=[output])
    room.ask("broker", **honest)


def test_t22_another_process_may_carry_the_attempts_words(room: KeyRoom, calls: str) -> None:
    attempt, recipient = granted(room, calls)
    made = seal(b"x", recipient)
    room.ask_as(os.geteuid(), "broker", **registering(attempt, made.output()))
    assert room.row(made.object).attempt == attempt.id
