"""Validates a crate's folder by a packaged profile without a network: validate.py FOLDER PROFILE, issues as JSON."""

import io
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
import rocrate
from requests_cache import CachedSession
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def fill(cache: Path) -> None:
    """Put the context that the package `rocrate` brings where the validator looks for what it fetched."""
    raw = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
    assert json.loads(raw)["@id"] == CONTEXT
    session = CachedSession(cache_name=str(cache), backend="sqlite", expire_after=-1)
    response = requests.Response()
    response.status_code, response.url, response._content = 200, CONTEXT, raw
    response.headers["Content-Type"] = "application/ld+json"
    response.request = requests.Request("GET", CONTEXT).prepare()
    response.raw = HTTPResponse(io.BytesIO(raw), status=200, preload_content=False)
    session.cache.save_response(response)


def main(folder: str, profile: str) -> None:
    """Print whether the crate passes, with every issue."""
    with TemporaryDirectory() as place:
        cache = Path(place) / "http"
        fill(cache)
        settings = ValidationSettings(
            rocrate_uri=folder,
            profile_identifier=profile,
            requirement_severity=Severity.REQUIRED,
            offline=True,
            cache_path=cache,
            cache_max_age=-1,
        )
        result = services.validate(settings)
        issues = [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]
        print(json.dumps({"passed": result.passed(), "issues": issues}))


main(*sys.argv[1:])
