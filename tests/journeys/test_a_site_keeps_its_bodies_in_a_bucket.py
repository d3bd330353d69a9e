"""The main job with an object store in place of a folder: the same results, and no sealed body on the host."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from services.s3_store import BUCKET, S3Store
from site_of_tests import FREQUENCIES, Site

from demo import bare
from demo.stage import Stage
from strongroom.settings import Uids


@pytest.fixture(scope="module")
def bucket_site(s3_store: S3Store, sources: tuple[list[Path], list[Path]]) -> Iterator[Site]:
    """A whole running Strongroom whose bodies lie in a bucket; its secret is readable for root and our group."""
    s3_store.folder.chmod(0o755)
    os.chown(s3_store.secret_file, 0, Uids().group)
    s3_store.secret_file.chmod(0o640)
    s3 = s3_store.settings(prefix="a-site/")
    names = ("endpoint", "bucket", "prefix", "access_key", "secret_key_file", "ca")
    said = {f"STRONGROOM_OBJECTS__S3__{name.upper()}": str(getattr(s3, name)) for name in names}
    home = Path(tempfile.mkdtemp(prefix="strongroom-"))
    whole = Site(home, STRONGROOM_OBJECTS__STORE="s3", **said)
    try:
        whole.open(*sources)
        yield whole
    finally:
        whole.stage.stop()
        shutil.rmtree(home, ignore_errors=True)


def keys(store: S3Store) -> list[str]:
    pages = store.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="a-site/")
    return [one["Key"] for page in pages for one in page.get("Contents", [])]


def everything_written(stage: Stage) -> bytes:
    """Return all bytes of logs and of the database."""
    folders = (stage.home / "logs", stage.home / "database", stage.home / "queue")
    return b"".join(path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file())


def test_a_researcher_gets_the_same_results_from_a_bucket(
    bucket_site: Site, s3_store: S3Store, sources: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    site = bucket_site
    request = site.requested(site.frequencies())
    site.approved(request)
    released = site.downloaded(request, tmp_path / "released")
    plainly = bare.run(FREQUENCIES, {"calls": sources[0]}, tmp_path / "bare")
    assert "393 sites" in bare.compare(list(released.values()), plainly)
    assert [path for path in (site.stage.home / "objects").rglob("*") if path.is_file()] == []
    assert len(keys(s3_store)) > 100
    assert not [key for key in keys(s3_store) if key.endswith(".parts")]


def test_no_url_and_no_secret_is_written_down(bucket_site: Site, s3_store: S3Store) -> None:
    written = everything_written(bucket_site.stage)
    assert len(written) > 1_000_000
    assert b"X-Amz-" not in written
    assert s3_store.secret_file.read_bytes().strip() not in written


def test_what_is_deleted_leaves_the_bucket(
    bucket_site: Site, s3_store: S3Store, sources: tuple[list[Path], list[Path]]
) -> None:
    site, before = bucket_site, set(keys(s3_store))
    site.add("doomed", sources[0][:2], observability="open")
    made = set(keys(s3_store)) - before
    assert len(made) == 2
    with site.stage.client(site.cast.operator) as operator:
        operator.post("/api/archive/v1/datasets/doomed:delete")
    assert not made & set(keys(s3_store))
