"""Our own processes are known by the uid that the kernel names; no header of a TCP client makes one."""

import pytest
from site_of_tests import Site

HEADERS = [
    {"X-Forwarded-For": "unix-peer"},
    {"X-Forwarded-For": "0, unix-peer", "X-Forwarded-Proto": "https"},
    {"Forwarded": "for=unix-peer"},
    {"X-Real-IP": "unix-peer"},
    {"Host": "unix-peer"},
]


@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("path", ["/ga4gh/tes/v1/tasks", "/ga4gh/tes/v1/changes?run=x&wait=0"])
def test_t19_a_header_makes_no_service(site: Site, path: str, headers: dict[str, str]) -> None:
    with site.stage.client("") as client:
        assert client.http.get(path, headers=headers).status_code == 401


def test_t19_a_person_does_not_ask_what_only_gateways_ask(site: Site) -> None:
    with site.stage.client(site.cast.researcher) as client:
        assert client.http.get("/ga4gh/tes/v1/changes", params={"run": "x", "wait": 0}).status_code == 403
        assert client.http.post("/ga4gh/tes/v1/runs/x:cancel").status_code == 403
