"""Writes the metadata of a release's Five Safes RO-Crate from its record and proven events alone."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from strongroom.audit import Event

METADATA = "ro-crate-metadata.json"
WORKFLOW = (
    "workflow.json"  # the vetted version by name and digests: its text lies in the catalogue, which its digest binds
)
HEAD, EVENTS, RECORD = "evidence/head.json", "evidence/events.jsonl", "evidence/record.json"
FORMAT = 1
SHP, SCHEMA = "https://w3id.org/shp#", "http://schema.org/"
SHA512 = "https://www.iana.org/assignments/named-information#sha-512"
FIVE_SAFES = "https://w3id.org/5s-crate/0.4"
PROFILES = {
    FIVE_SAFES: "Five Safes RO-Crate profile",
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
SPE, AIRLOCK, CATALOGUE, POLICY = "#strongroom", "#airlock", "#catalogue", "#policy"
# What tells of a release; anything else that the log holds of its run stays in the log.
TOLD = frozenset(
    {
        Event.RUN_SUBMITTED,
        Event.RUN_STATE,
        Event.RUN_RESUMED,
        Event.DECISION_RECORDED,
        Event.DECISION_CLOSED,
        Event.INTAKE_TAKEN,
        Event.FILE_CHECKED,
        Event.FILE_VIEWED,
        Event.REQUEST_STATE,
        Event.VOTE_CAST,
        Event.RELEASE_MADE,
        Event.RELEASE_DOWNLOADED,
        Event.RELEASE_DELIVERED,
    }
)
Facts = Mapping[str, Any]
Entity = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """What a crate tells: the frozen record, the events in the log's order, and the head that proves them."""

    record: Facts
    events: Sequence[Facts]
    size: int
    root: str

    def of(self, kind: Event) -> list[Facts]:
        """Return the events of one kind."""
        return [event for event in self.events if event["event"] == kind.value]

    def first(self, kind: Event) -> Facts | None:
        """Return the first event of a kind."""
        return next(iter(self.of(kind)), None)

    def when(self, kind: Event, state: str) -> str | None:
        """Return the time at which something last came to `state`."""
        return next((str(e["time"]) for e in reversed(self.of(kind)) if e["facts"].get("state") == state), None)

    @property
    def withdrawn(self) -> bool:
        """Whether the release was called back: its results are then no part of the crate (A7)."""
        return self.when(Event.REQUEST_STATE, "REVOKED") is not None


def is_clean(event: Facts, requester: str) -> bool:
    """Say whether a requester may read this event: their own, or the platform's, but of no other person (A8)."""
    return event["actor"] == requester or "@" not in event["actor"]


def metadata(story: Story) -> Facts:
    """Return the RO-Crate metadata document; equal stories have equal documents."""
    record, project = story.record, f"#project-{story.record['project']}"
    workflow, results = _workflow(story), [] if story.withdrawn else _results(story)
    actions = [*_before(story, workflow["@id"], project), _execution(story, workflow["@id"], results)]
    actions += [*_disclosure(story), *_after(story, results)]
    parts = [workflow, *results, *_evidence(story)]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Release {record['request']} of project {record['project']}",
        "description": record["purpose"],
        "datePublished": record["released"],
        "license": {"@id": "#terms"},
        "conformsTo": _ids(PROFILES),
        "mainEntity": {"@id": workflow["@id"]},
        "hasPart": _ids(part["@id"] for part in parts),
        "mentions": _ids(action["@id"] for action in actions),
        "sourceOrganization": {"@id": project},
        "publisher": {"@id": SPE},
    }
    about = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": _ids(["https://w3id.org/ro/crate/1.1", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"]),
    }
    graph = [about, root, *parts, *actions, *_context(story, project)]
    return {"@context": ["https://w3id.org/ro/crate/1.1/context"], "@graph": graph}


def _before(story: Story, workflow: str, project: str) -> list[Entity]:
    asked, decided = story.first(Event.RUN_SUBMITTED), story.first(Event.DECISION_RECORDED)
    found: list[Entity] = []
    if asked is not None:
        done = {"endTime": asked["time"], "agent": {"@id": SPE}}
        found += [
            _assess("check", "CheckValue", "Digests of workflow and images were checked", "./", SHA512, **done),
            _assess("validation", "ValidationCheck", "The request was validated", "./", FIVE_SAFES, **done),
            {
                "@id": "#retrieval",
                "@type": "DownloadAction",
                "name": "The vetted workflow was taken from the catalogue by its digest",
                "object": {"@id": workflow},
                "result": {"@id": workflow},
                "instrument": {"@id": CATALOGUE},
                "actionStatus": _done(),
                **done,
            },
        ]
    if decided is not None:
        signed = {"endTime": decided["time"], "agent": {"@id": SPE}}
        found.append(_assess("sign-off", "SignOff", "The run was decided under policy", "./", POLICY, **signed))
        found[-1]["object"] = _ids(["./", workflow, project])
    return found


def _execution(story: Story, workflow: str, results: Sequence[Entity]) -> Entity:
    begun, ended = story.when(Event.RUN_STATE, "RUNNING"), story.when(Event.RUN_STATE, "COMPLETE")
    times = {name: value for name, value in (("startTime", begun), ("endTime", ended)) if value is not None}
    return {
        "@id": "#execution",
        "@type": "CreateAction",
        "name": f"Run {story.record['run']}",
        "agent": {"@id": _person(story.record["requester"])},
        "instrument": {"@id": workflow},
        "object": _ids(_datasets(story)),
        "result": _ids(result["@id"] for result in results),
        "actionStatus": _done(),
        **times,
    }


def _disclosure(story: Story) -> list[Entity]:
    status = _done("FailedActionStatus") if story.withdrawn else _done()
    released = story.when(Event.REQUEST_STATE, "RELEASED") or story.record["released"]
    agents = sorted({str(vote["actor"]) for vote in story.of(Event.VOTE_CAST)})
    whole = _assess(
        "disclosure",
        "DisclosureCheck",
        "The release was called back" if story.withdrawn else "Automatic checks and two data stewards let it leave",
        "./",
        POLICY,
        endTime=story.when(Event.REQUEST_STATE, "REVOKED") or released,
        agent=_ids([AIRLOCK, *(_person(agent) for agent in agents)]),
    )
    found = [whole | {"actionStatus": status}]
    for event in [*story.of(Event.FILE_CHECKED), *story.of(Event.VOTE_CAST)]:
        facts, voted = event["facts"], event["event"] == Event.VOTE_CAST.value
        good = facts["vote"] == "yes" if voted else facts["verdict"] != "block"
        name = f"Vote: {facts['vote']}" if voted else f"Automatic check: {facts['verdict']}"
        one = _assess(
            f"disclosure-{event['seq']}",
            "DisclosureCheck",
            name,
            f"#reviewed-{facts['file'] if voted else event['subject']}",
            POLICY,
            endTime=event["time"],
            agent={"@id": _person(event["actor"]) if voted else AIRLOCK},
        )
        found.append(one | {"actionStatus": _done() if good else _done("FailedActionStatus")})
    return found


def _after(story: Story, results: Sequence[Entity]) -> list[Entity]:
    publishing = {
        "@id": "#publishing",
        "@type": "UpdateAction",
        "additionalType": {"@id": f"{SHP}GenerateCheckValue"},
        "name": "BagIt manifests of the crate were written",
        "object": {"@id": "./"},
        "instrument": {"@id": SHA512},
        "agent": {"@id": SPE},
        "endTime": story.record["released"],
        "actionStatus": _done(),
    }
    found = [publishing]
    shown = {result["@id"] for result in results}
    by_file = {file["file"]: _result_id(file) for file in story.record["files"]}
    for event in [*story.of(Event.RELEASE_DOWNLOADED), *story.of(Event.RELEASE_DELIVERED)]:
        got = by_file.get(event["facts"].get("file"))
        if got not in shown:
            continue
        found.append(
            {
                "@id": f"#receiving-{event['seq']}",
                "@type": "DownloadAction",
                "name": "A released file was received",
                "object": {"@id": got},
                "result": {"@id": got},
                "instrument": {"@id": AIRLOCK},
                "agent": {"@id": _person(story.record["requester"])},
                "endTime": event["time"],
                "actionStatus": _done(),
            }
        )
    return found


def workflow_facts(story: Story) -> Facts:
    """Return what workflow.json says: the version that ran, by name, digest and images."""
    asked, decided = story.first(Event.RUN_SUBMITTED), story.first(Event.DECISION_RECORDED)
    return {
        "workflow": asked["facts"]["workflow"] if asked is not None else None,
        "digest": asked["facts"]["digest"] if asked is not None else None,
        "images": decided["facts"]["images"] if decided is not None else {},
    }


def _workflow(story: Story) -> Entity:
    facts = workflow_facts(story)
    return {
        "@id": WORKFLOW,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": facts["workflow"] or "The workflow of a task of another network",
        "encodingFormat": "application/json",
        "programmingLanguage": {"@id": "#engine"},
        **({"identifier": facts["digest"]} if facts["digest"] else {}),
    }


def _results(story: Story) -> list[Entity]:
    return [
        {
            "@id": _result_id(file),
            "@type": "File",
            "name": file["path"],
            "contentSize": str(file["size"]),
            "identifier": f"sha256:{file['sha256']}",
        }
        for file in story.record["files"]
    ]


def _evidence(story: Story) -> list[Entity]:
    names = {
        HEAD: (f"Signed head of the audit log: {story.size} entries, root {story.root}", "application/json"),
        EVENTS: ("Events of this release, each with its inclusion proof (RFC 9162)", "application/jsonl"),
        RECORD: (
            "Criteria: thresholds, policy, findings and tools that this release was held to",
            "application/json",
        ),
    }
    return [{"@id": p, "@type": "File", "name": n, "encodingFormat": kind} for p, (n, kind) in names.items()]


def _context(story: Story, project: str) -> list[Entity]:
    record = story.record
    people = {record["requester"], *(e["actor"] for e in story.of(Event.VOTE_CAST))}
    files = [
        {"@id": f"#reviewed-{f['file']}", "@type": "CreativeWork", "name": f"sha256:{f['body_sha256']}"}
        for f in record["files"]
    ]
    known = {f["@id"] for f in files}
    others = {f"#reviewed-{e['facts']['file']}" for e in story.of(Event.VOTE_CAST)}
    others |= {f"#reviewed-{e['subject']}" for e in story.of(Event.FILE_CHECKED)}
    return [
        *({"@id": profile, "@type": "CreativeWork", "name": name} for profile, name in PROFILES.items()),
        {"@id": SPE, "@type": "Organization", "name": "Strongroom"},
        {"@id": AIRLOCK, "@type": "SoftwareApplication", "name": "Strongroom's airlock"},
        {"@id": CATALOGUE, "@type": "SoftwareApplication", "name": "Strongroom's catalogue of vetted workflows"},
        {"@id": "#engine", "@type": "ComputerLanguage", "name": "The workflow's own language"},
        {"@id": POLICY, "@type": "CreativeWork", "name": f"Policy {record['policy_version']}"},
        {"@id": "#terms", "@type": "CreativeWork", "name": f"Terms of project {record['project']}"},
        # Five Safes wants a term here, Process Run Crate a tool.
        {"@id": SHA512, "@type": ["DefinedTerm", "SoftwareApplication"], "name": "sha-512"},
        {"@id": project, "@type": "Project", "name": record["project"]},
        *({"@id": d, "@type": "Dataset", "name": d.removeprefix("#dataset-")} for d in _datasets(story)),
        *({"@id": _person(p), "@type": "Person", "name": p} for p in sorted(people)),
        *files,
        *({"@id": o, "@type": "CreativeWork", "name": "A file that did not leave"} for o in sorted(others - known)),
    ]


def _assess(name: str, kind: str, title: str, target: str, instrument: str, **more: Any) -> Entity:
    return {
        "@id": f"#{name}",
        "@type": "AssessAction",
        "additionalType": {"@id": f"{SHP}{kind}"},
        "name": title,
        "object": {"@id": target},
        "instrument": {"@id": instrument},
        "actionStatus": _done(),
        **more,
    }


def _done(status: str = "CompletedActionStatus") -> str:
    return SCHEMA + status


def _datasets(story: Story) -> list[str]:
    asked = story.first(Event.DECISION_RECORDED)
    return [f"#dataset-{name}" for name in sorted(asked["facts"].get("datasets", ()))] if asked is not None else []


def _result_id(file: Facts) -> str:
    # Each released file by name and digest: two equal files of a release stay two.
    return f"{_named(file['sha256'])}?file={file['file']}"


def _named(sha256: str) -> str:
    """Return the RFC 6920 name of what has this SHA-256."""
    return f"ni:///sha-256;{base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip('=')}"


def _person(person: str) -> str:
    return f"#person-{quote(person, safe='@')}"


def _ids(names: Any) -> list[dict[str, str]]:
    return [{"@id": name} for name in names]
