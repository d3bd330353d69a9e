"""A Strongroom that serves two other networks, with their issuers and a place that takes deliveries; never a mock."""

import base64
import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from site_of_tests import PATIENCE, Site

from demo import people
from demo.people import AIRLOCK, PROJECT
from sandbox.crypt4gh import new_private_key, public_key_of
from strongroom.cli.key import opened

TES = "/ga4gh/tes/v1"
PEOPLE = {"alpha.tsv": 40, "beta.tsv": 31, "gamma.tsv": 22}
SCRIPT = """
import sys
least, mode, target, *files = sys.argv[1:]
rows = [line.split("\\t") for name in files for line in open(name).read().splitlines()]
if mode == "fail":
    sys.exit(7)
if mode == "slow":
    import time
    time.sleep(300)
with open(target, "w") as out:
    out.write("group\\tpeople\\n")
    for group in ("a", "b"):
        out.write(group + "\\t" + str(sum(row[1] == group for row in rows)) + "\\n")
with open("/run/work/results/inside.tsv", "w") as out:
    out.write("\\n".join(row[0] for row in rows))
with open("/run/work/results/members.txt", "w") as out:
    ours = [name for name in files if name.startswith("/run/work/people/")]
    out.writelines(line.split("\\t")[0] + "\\n" for name in ours for line in open(name))
print("somebody's name is on the standard output")
"""
PROFILE: dict[str, Any] = {
    "name": "count-people",
    "version": "1.0.0",
    "title": "Counts people by group",
    "images": ["genomics"],
    "inputs": [{"role": "people", "folder": "people", "pattern": "*.tsv", "min_files": 1, "max_files": 5}],
    "holes": {
        "least": {"type": "integer", "minimum": 5, "maximum": 100},
        "mode": {"type": "enum", "values": ["all", "fail", "slow"]},
        "files": {"type": "files", "role": "people"},
    },
    "executors": [
        {
            "image": "genomics",
            "command": [
                "python3",
                "/run/workflow/count.py",
                {"hole": "least", "prefix": "--least="},
                {"hole": "mode"},
                "/run/work/results/counts.tsv",
                {"hole": "files"},
            ],
            "env": {"LC_ALL": "C.UTF-8"},
            "workdir": "/run/work",
        }
    ],
    "files": ["results/counts.tsv", "results/inside.tsv"],
    "outputs": [
        {
            "match": "results/counts.tsv",
            "release": "airlock",
            "rule": "task",
            "format": "tsv",
            "keys": {"group": ["a", "b"]},
            "counts": ["people"],
            "columns": ["group", "people"],
            "max_rows": 5,
        },
        {"match": "results/inside.tsv", "release": "inside"},
        {"match": "results/members.txt", "release": "inside", "rule": "task", "members": True},
    ],
    "resources": {"cores": 1, "ram_gb": 0.5, "disk_gb": 0.1, "seconds": 600},
}


class Outside:
    """An HTTP server of another network: two OIDC issuers, and a store that takes PUTs."""

    def __init__(self) -> None:
        self.keys = {name: ECKey.generate_key("P-256", {"kid": f"{name}-1"}) for name in ("north", "south")}
        self.taken: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.answers: list[int] = []  # statuses of the next PUTs, before they are taken
        self.looks = 0
        self.files: dict[str, bytes] = {}  # what a GET of /files/NAME finds
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(self))
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def issuer(self, name: str) -> str:
        """Return the `iss` of one of the issuers."""
        return f"http://127.0.0.1:{self.port}/{name}"

    def url(self, path: str) -> str:
        """Return a URL that this server takes a PUT at."""
        return f"http://127.0.0.1:{self.port}/put/{path}"

    def token(self, client: str, subject: str, *, key: Any = None, header: Any = None, **changes: Any) -> str:
        """Return a token as the issuer would sign it, but for the changes."""
        claims = {
            "iss": self.issuer(client),
            "aud": "strongroom-b",
            "sub": subject,
            "exp": int(time.time()) + 600,
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        signer = key or self.keys[client]
        return jwt.encode(header or {"alg": "ES256", "kid": f"{client}-1"}, claims, signer, algorithms=None)

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()


def _answering(outside: Outside) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def _say(self, status: int, value: Any = None) -> None:
            raw = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_GET(self) -> None:
            name = self.path.split("/")[1]
            if name == "files" and self.path.partition("?")[0] in outside.files:
                raw = outside.files[self.path.partition("?")[0]]
                self.send_response(200)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)
            elif name not in outside.keys:
                self._say(404)
            elif self.path.endswith("/.well-known/openid-configuration"):
                outside.looks += 1
                self._say(200, {"issuer": outside.issuer(name), "jwks_uri": f"{outside.issuer(name)}/jwks"})
            else:
                self._say(200, {"keys": [outside.keys[name].as_dict(private=False)]})

        def do_PUT(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            outside.puts.append(self.path)
            status = outside.answers.pop(0) if outside.answers else 200
            if status == 200:
                outside.taken[self.path.removeprefix("/put/")] = raw
            self._say(status)

    return Answering


class Federated:
    """One running Strongroom with its federated clients, and what they do."""

    def __init__(self, home: Path) -> None:
        self.outside = Outside()
        self.secret = new_private_key()
        public = public_key_of(self.secret)
        host = f"127.0.0.1:{self.outside.port}"
        client = {
            "audience": "strongroom-b",
            "project": PROJECT,
            "datasets": ["people"],
            "recipient": base64.b64encode(public).decode(),
            "ram_gb": 1.0,
            "disk_gb": 1.0,
            "open_tasks": 6,
            "creates_per_minute": 1000,
            "input_hosts": [host, "drs.listed.example"],
            "output_hosts": [host, f"localhost:{self.outside.port}", "192.0.2.7"],
        }
        clients = [{**client, "name": name, "issuer": self.outside.issuer(name)} for name in ("north", "south")]
        clients[1]["creates_per_minute"] = 8
        clients[1]["input_hosts"] = []
        self.site = Site(
            home,
            STRONGROOM_FEDERATION__CLIENTS=json.dumps(clients),
            STRONGROOM_FEDERATION__UNSAFE_HOSTS=json.dumps([host]),
            STRONGROOM_FEDERATION__HOSTS=json.dumps(["b.example.org"]),
            STRONGROOM_FEDERATION__KEYS_FLOOR_SECONDS="1",
        )
        self.image = ""

    def open(self, folder: Path) -> None:
        """Start it, with one dataset that is granted and one that is not, and one signed profile."""
        stage = self.site.stage
        self.image = stage.import_image("genomics", people.genomics_image())
        stage.import_image("checks", people.checks_image(), checks=True)
        stage.start()
        self.site.cast = people.cast(stage)
        for dataset in ("people", "others"):
            self.site.add(dataset, tables(folder / dataset), observability="open", persons=labels)
        for person in ("ada@north", "bob@north", "cleo@south"):
            self.member(person)
        self.vet(folder / "profile")

    def member(self, person: str) -> None:
        """Make an end user of another network a researcher of the project."""
        with self.site.stage.client(self.site.cast.operator) as operator:
            operator.post(f"/api/access/v1/projects/{PROJECT}/members", {"person": person, "role": "researcher"})

    def vet(self, folder: Path, *vetters: str, **changes: Any) -> str:
        """Write a profile, and have it signed; return NAME/VERSION."""
        folder.mkdir(parents=True)
        (folder / "count.py").write_text(SCRIPT)
        (folder / "profile.yaml").write_text(yaml.safe_dump(PROFILE | changes))
        return self.site.stage.vet(folder, *(vetters or ("vera", "viktor")))

    def task(self, path: str = "counts", **changes: Any) -> dict[str, Any]:
        """Return a task that the profile describes, whose output goes to `path` of the place outside."""
        return {
            "name": "count",
            "inputs": [{"url": "strongroom://dataset/people/alpha.tsv", "path": "/run/work/people/alpha.tsv"}],
            "outputs": [{"url": self.outside.url(path), "path": "/run/work/results/counts.tsv"}],
            "executors": [self.executor()],
            **changes,
        }

    def executor(self, mode: str = "all", *files: str, **changes: Any) -> dict[str, Any]:
        """Return the executor that the profile describes."""
        paths = [f"/run/work/people/{name}" for name in files or ("alpha.tsv",)]
        script = ["python3", "/run/workflow/count.py", "--least=5", mode, "/run/work/results/counts.tsv", *paths]
        signed = {"image": self.image, "command": script, "workdir": "/run/work", "env": {"LC_ALL": "C.UTF-8"}}
        return {**signed, **changes}

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str = "", headers: Any = None, **params: Any
    ) -> httpx.Response:
        """Ask TES as an end user, ada at north if nobody is named."""
        bearer = {"Authorization": f"Bearer {token or self.ada}", **(headers or {})}
        base = self.site.stage.settings.base_url
        return httpx.request(method, f"{base}{TES}{path}", json=body, headers=bearer, params=params, timeout=60)

    @property
    def ada(self) -> str:
        """Return a token of the first end user."""
        return self.outside.token("north", "ada")

    def created(self, body: Any = None, *, token: str = "") -> str:
        """Create a task and return its id."""
        answer = self.ask("POST", "/tasks", body or self.task(), token=token)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def ended(self, task: str, *, token: str = "") -> dict[str, Any]:
        """Wait for the end of a task and return it, FULL."""
        end = time.monotonic() + PATIENCE
        while True:
            found: dict[str, Any] = self.ask("GET", f"/tasks/{task}", token=token, view="FULL").json()
            if found["state"] in ("COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED"):
                return found
            assert time.monotonic() < end, f"{found}\n{self.site.what_happened()}"
            time.sleep(0.2)

    def request_of(self, task: str) -> str:
        """Wait until the release request of a task is with the stewards; return its id."""
        query = "select r.id from release_requests r join federated_tasks f on f.run = r.run where f.task = ?"
        query += " and r.state = 'SUBMITTED'"
        return str(self.eventually(lambda: self.rows(query, task), "no request")[0][0])

    def approve(self, request: str) -> None:
        """Have both stewards look at a request, vote yes, and decide."""
        for steward in (self.site.cast.first_steward, self.site.cast.second_steward):
            self.site.vote(request, steward)
        with self.site.stage.client(self.site.cast.first_steward) as steward:
            steward.post(f"{AIRLOCK}/reviews/{request}:consolidate", {"outcome": "approve"})

    def delivery(self, request: str) -> tuple[str, str | None, int]:
        """Return state, trouble and attempts of a request's one delivery."""
        found = self.rows("select state, trouble, attempts from deliveries where request = ?", request)
        return (found[0][0], found[0][1], found[0][2])

    def eventually(self, found: Callable[[], Any], what: str) -> Any:
        """Return what `found` returns once it is true."""
        end = time.monotonic() + PATIENCE
        while not (value := found()):
            assert time.monotonic() < end, f"{what}\n{self.site.what_happened()}"
            time.sleep(0.1)
        return value

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Return what the database says, read as its administrator could."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.site.stage.home}/database/strongroom.db?mode=ro", uri=True)
        ) as base:
            return base.execute(query, values).fetchall()

    def events(self, event: str, subject: str = "%") -> list[dict[str, Any]]:
        """Return the audit events of a kind, oldest first."""
        query = "select body from audit_events where event = ? and subject like ? order by seq"
        return [json.loads(body) for (body,) in self.rows(query, event, subject)]

    def opened(self, raw: bytes) -> str:
        """Decrypt what was delivered with the client's own key."""
        return opened(raw, self.secret).decode()

    def close(self) -> None:
        """Stop everything."""
        self.site.stage.stop()
        self.outside.close()


def tables(folder: Path) -> list[Path]:
    """Write small tables of people, one row each: a label and a group."""
    folder.mkdir(parents=True)
    files = []
    for name, count in PEOPLE.items():
        file = folder / name
        file.write_text("".join(f"{name}-{n}\t{'ab'[n % 2]}\n" for n in range(count)))
        files.append(file)
    return files


def labels(file: Path) -> list[str]:
    """Return whose data a table of people holds."""
    return [line.split("\t")[0] for line in file.read_text().splitlines()]


def rsa_key() -> RSAKey:
    """Return an RSA key of nobody's."""
    return RSAKey.generate_key(2048, {"kid": "north-1"})
