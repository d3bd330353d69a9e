"""Two Strongrooms: runs at A, tasks at B where the data is; each with people, stewards and keys of its own."""

import contextlib
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import yaml
from federation_scene import PROFILE, SCRIPT, labels, tables
from site_of_tests import PATIENCE, Site

from demo import people
from demo.people import ARCHIVE, PROJECT
from demo.stage import free_port

SNAKEFILE = """
container: "genomics"

rule all:
    input: "results/total.tsv"

rule count_there:
    output: "remote/counts.tsv"
    shell: "false"

rule total:
    input: "remote/counts.tsv"
    output: "results/total.tsv"
    resources: mem_mb=200, disk_mb=50
    shell: "cp {input} {output}"
"""
INBOX = "from-b"


class TwoSites:
    """A and B, both running; B serves A as it serves any network."""

    def __init__(self, home_a: Path, home_b: Path) -> None:
        self.ports = {"a": free_port(), "b": free_port()}
        site = {"name": "b", "url": f"http://{self.host('b')}/ga4gh/tes/v1", "audience": "site-b", "inbox": INBOX}
        self.a = Site(
            home_a,
            STRONGROOM_HTTP__PORT=str(self.ports["a"]),
            STRONGROOM_FEDERATION__SITES=json.dumps([site]),
            STRONGROOM_FEDERATION__SITE_SECONDS="0.5",
            STRONGROOM_FEDERATION__UNSAFE_HOSTS=json.dumps([self.host("b")]),
        )
        self.home_b = home_b
        self.b: Site
        self.image = ""

    def host(self, name: str) -> str:
        """Return HOST:PORT of a site."""
        return f"127.0.0.1:{self.ports[name]}"

    def open(self, folder: Path) -> None:
        """Start A with an inbox, then B with A as a client whose key is that inbox's."""
        self._start(self.a)
        with self.a.stage.client(self.a.cast.operator) as operator:
            operator.post(f"{ARCHIVE}/datasets", {"id": INBOX, "title": INBOX, "observability": "open"})
            operator.post(f"{ARCHIVE}/datasets/{INBOX}:share", {"project": PROJECT})
            recipient = operator.get(f"{ARCHIVE}/datasets/{INBOX}/recipient")["public_key"]
        client = {
            "name": "site-a",
            "issuer": f"http://{self.host('a')}/federation",
            "audience": "site-b",
            "project": PROJECT,
            "datasets": ["people"],
            "recipient": recipient,
            "output_hosts": [self.host("a")],
        }
        self.b = Site(
            self.home_b,
            STRONGROOM_HTTP__PORT=str(self.ports["b"]),
            STRONGROOM_FEDERATION__CLIENTS=json.dumps([client]),
            STRONGROOM_FEDERATION__UNSAFE_HOSTS=json.dumps([self.host("a")]),
        )
        self._start(self.b)
        self.b.add("people", tables(folder / "people"), observability="open", persons=labels)
        with self.b.stage.client(self.b.cast.operator) as operator:
            member = {"person": "ruth/development@site-a", "role": "researcher"}
            operator.post(f"/api/access/v1/projects/{PROJECT}/members", member)
        self._vet_profile(folder / "profile")
        self.vet_workflow(folder / "workflow")

    def _start(self, site: Site) -> None:
        self.image = site.stage.import_image("genomics", people.genomics_image())
        site.stage.import_image("checks", people.checks_image(), checks=True)
        site.stage.start()
        site.cast = people.cast(site.stage)

    def _vet_profile(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "count.py").write_text(SCRIPT)
        (folder / "profile.yaml").write_text(yaml.safe_dump(PROFILE))
        self.b.stage.vet(folder, "bea", "bert")

    def vet_workflow(self, folder: Path, name: str = "abroad", mode: str = "all", snakefile: str = SNAKEFILE) -> str:
        """Have A's vetters sign a workflow whose rule `count_there` runs at B; return NAME/VERSION."""
        folder.mkdir(parents=True)
        (folder / "Snakefile").write_text(snakefile)
        target = "/run/work/results/counts.tsv"
        path = "/run/work/people/alpha.tsv"
        executor = {
            "image": self.image,
            "command": ["python3", "/run/workflow/count.py", "--least=5", mode, target, path],
            "env": {"LC_ALL": "C.UTF-8"},
            "workdir": "/run/work",
        }
        manifest = {
            "name": name,
            "version": "1.0.0",
            "title": "Counts people at another site",
            "engine": {"name": "snakemake", "version": "9.27.1"},
            "entry": "Snakefile",
            "images": ["genomics"],
            "inputs": [],
            "commands": "free",
            "remote": {
                "count_there": {
                    "site": "b",
                    "executors": [executor],
                    "inputs": [{"url": "strongroom://dataset/people/alpha.tsv", "path": path}],
                    "outputs": {"remote/counts.tsv": target},
                }
            },
            "outputs": [{**PROFILE["outputs"][0], "match": "results/total.tsv", "rule": "total"}],
        }
        (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
        return self.a.stage.vet(folder, "vera", "viktor")

    def rows(self, site: Site, query: str, *values: Any) -> list[Any]:
        """Return what a site's database says."""
        base = sqlite3.connect(f"file:{site.stage.home}/database/strongroom.db?mode=ro", uri=True)
        with contextlib.closing(base):
            return base.execute(query, values).fetchall()

    def eventually(self, query: str, site: Site, *values: Any) -> list[Any]:
        """Return what the query finds once it finds something."""
        end = time.monotonic() + PATIENCE
        while not (found := self.rows(site, query, *values)):
            told = f"A\n{self.a.what_happened()}\nB\n{self.b.what_happened()}"
            assert time.monotonic() < end, f"{query}\n{told}"
            time.sleep(0.2)
        return found

    def release_at_b(self) -> str:
        """Have B's stewards approve the one request that waits there."""
        ((request,),) = self.eventually("select id from release_requests where state = 'SUBMITTED'", self.b)
        cast = self.b.cast
        self.b.vote(request, cast.first_steward)
        self.b.vote(request, cast.second_steward)
        with self.b.stage.client(cast.first_steward) as steward:
            steward.post(f"/api/airlock/v1/reviews/{request}:consolidate", {"outcome": "approve"})
        return str(request)

    def put(self, ticket: str, raw: bytes, **headers: str) -> httpx.Response:
        """Put something into A's inbox as anybody could."""
        url = f"http://{self.host('a')}{ARCHIVE}/inbox"
        return httpx.put(url, params={"ticket": ticket}, content=raw, headers=headers, timeout=30)

    def close(self) -> None:
        """Stop both."""
        for site in (self.a, getattr(self, "b", None)):
            if site is not None:
                site.stage.stop()
