"""A statement counts only with a good signature of a trusted key, over its kind as well as its content."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.dsse import BadEnvelope, facts_in, key_id, pre_authentication, sign, signers, verify

KIND = "application/vnd.strongroom.test+json"
ONE, TWO, FOREIGN = (Ed25519PrivateKey.generate() for _ in range(3))
TRUSTED = {key_id(key.public_key()): key.public_key() for key in (ONE, TWO)}


def test_the_specification_s_example_is_pre_authenticated_as_written() -> None:
    # DSSE v1 protocol.md, test vectors
    assert pre_authentication("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_facts_come_back_from_an_envelope_of_a_trusted_key() -> None:
    envelope = sign(KIND, {"b": 1, "a": [True]}, ONE)
    assert verify(envelope, KIND, TRUSTED) == {"b": 1, "a": [True]}
    assert facts_in(envelope) == {"b": 1, "a": [True]}


def test_each_trusted_signer_counts_once() -> None:
    envelope = sign(KIND, {}, ONE, ONE, TWO, FOREIGN)
    assert signers(envelope, KIND, TRUSTED) == frozenset(TRUSTED)
    assert signers(sign(KIND, {}, ONE, ONE), KIND, TRUSTED) == {key_id(ONE.public_key())}


def test_a_foreign_signature_is_none() -> None:
    envelope = sign(KIND, {}, FOREIGN)
    assert signers(envelope, KIND, TRUSTED) == frozenset()
    with pytest.raises(BadEnvelope):
        verify(envelope, KIND, TRUSTED)
    with pytest.raises(BadEnvelope):
        verify(sign(KIND, {}, ONE), KIND, {})


def test_a_foreign_key_under_a_trusted_name_is_none() -> None:
    envelope = sign(KIND, {}, FOREIGN)
    envelope["signatures"][0]["keyid"] = key_id(ONE.public_key())
    assert signers(envelope, KIND, TRUSTED) == frozenset()


def test_another_kind_is_refused_even_if_the_signature_is_good() -> None:
    envelope = sign(KIND, {}, ONE)
    with pytest.raises(BadEnvelope):
        verify(envelope, "application/vnd.strongroom.other+json", TRUSTED)
    envelope["payloadType"] = "application/vnd.strongroom.other+json"
    with pytest.raises(BadEnvelope):
        verify(envelope, "application/vnd.strongroom.other+json", TRUSTED)


def test_a_changed_payload_is_refused() -> None:
    envelope = sign(KIND, {"votes": 1}, ONE)
    envelope["payload"] = base64.b64encode(b'{"votes":2}').decode()
    with pytest.raises(BadEnvelope):
        verify(envelope, KIND, TRUSTED)


@pytest.mark.parametrize(
    "damage",
    [
        {"payload": "not base64!"},
        {"payload": None},
        {"payload": 7},
        {"signatures": []},
        {"signatures": [{}]},
        {"signatures": [{"keyid": 3, "sig": None}]},
        {"signatures": [{"keyid": key_id(ONE.public_key())}]},
        {"signatures": [{"keyid": key_id(ONE.public_key()), "sig": "%%%"}]},
        {"signatures": [{"keyid": key_id(ONE.public_key()), "sig": 5}]},
        {"signatures": [{"keyid": ["x"], "sig": ""}]},
        {"signatures": ["words"]},
        {"signatures": None},
    ],
)
def test_a_malformed_envelope_is_refused_and_never_breaks_the_verifier(damage: dict[str, object]) -> None:
    envelope = {**sign(KIND, {}, ONE), **damage}
    with pytest.raises(BadEnvelope):
        verify(envelope, KIND, TRUSTED)
