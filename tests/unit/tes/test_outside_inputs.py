"""Which files of other sites a client may name."""

import base64

import pytest

from strongroom.errors import BadRequest
from strongroom.networks import FederatedClient, Federation
from tes.outside_inputs import check_input, is_outside

CLIENT = FederatedClient(
    name="north",
    issuer="https://login.north.example",
    audience="a",
    project="cohort",
    recipient=base64.b64encode(bytes(range(32))).decode(),
    input_hosts=("files.example", "drs.example:8443", "s3.example"),
)
FEDERATION = Federation(clients=(CLIENT,), s3_endpoint="https://s3.example")


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example/a?sig=1",
        "https://files.example:443/a",
        "drs://drs.example:8443/abc",
        "s3://bucket/key/with/parts and",
        "s3://bucket/key/with%20part",
    ],
)
def test_a_file_of_a_listed_host_may_be_named(url: str) -> None:
    if " " in url:
        with pytest.raises(BadRequest, match=r"inputs\[3\]\.url"):
            check_input(url, "inputs[3].url", CLIENT, FEDERATION)
    else:
        check_input(url, "inputs[3].url", CLIENT, FEDERATION)


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example/a",
        "http://files.example/a",
        "https://files.example:8443/a",
        "https://u:p@files.example/a",
        "drs://drs.example/abc",
        "drs://drs.example:8443/a/b",
        "drs://drs.example:8443/..%2f",
        "s3://b",
        "gs://bucket/key",
        "",
    ],
)
def test_another_file_may_not_and_the_field_is_named(url: str) -> None:
    with pytest.raises(BadRequest, match=r"^inputs\[3\]\.url"):
        check_input(url, "inputs[3].url", CLIENT, FEDERATION)


def test_with_another_store_s3_means_another_host() -> None:
    with pytest.raises(BadRequest, match=r"s3\.amazonaws\.com"):
        check_input("s3://bucket/key", "inputs[0].url", CLIENT, Federation(clients=(CLIENT,)))


def test_our_own_objects_are_no_files_of_other_sites() -> None:
    ours = {"data.example", "127.0.0.1:8080"}
    assert not is_outside("drs://data.example/" + "a" * 32, ours)
    assert not is_outside("drs://127.0.0.1:8080/" + "a" * 32, ours)
    assert is_outside("drs://other.example/" + "a" * 32, ours)
    assert is_outside("https://data.example/x", ours)
    assert not is_outside("strongroom://dataset/a/b", ours)
