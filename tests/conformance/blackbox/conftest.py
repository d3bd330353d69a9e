"""What is asked of which server, and the table of clauses at the end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from server import Server

ORDER = {"failed": 0, "passed": 1, "not asked": 2}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say what can be given."""
    group = parser.getgroup("ga4gh", "the server under test")
    group.addoption("--wes-url", default="", help="Base URL of WES, such as https://host/ga4gh/wes/v1.")
    group.addoption("--tes-url", default="", help="Base URL of TES, such as https://host/ga4gh/tes/v1.")
    group.addoption("--token", default="", help="Bearer token of who asks.")
    group.addoption(
        "--other-token", default="", help="Bearer token of somebody else, who must not see the first's runs."
    )
    group.addoption("--wes-workflow", default="", help="A workflow_url that runs here within a minute or so.")
    group.addoption("--wes-type", default="", help="Its workflow_type; by default the only one of service-info.")
    group.addoption("--wes-type-version", default="", help="Its workflow_type_version; by default from service-info.")
    group.addoption("--wes-params", default="{}", help="Its workflow_params, as JSON.")
    group.addoption("--wes-tags", default="{}", help="Tags that each run needs here, as JSON.")
    group.addoption("--wes-failing", default="", help="A workflow_url of the same type that ends as EXECUTOR_ERROR.")
    group.addoption("--tes-image", default="", help="An image with sh, for tasks.")
    group.addoption("--tes-folder", default="/data", help="A folder inside tasks where files may be.")
    group.addoption(
        "--tes-output-url", default="", help="A URL that outputs may go below; none: outputs are not asked."
    )
    group.addoption("--tes-socket", default="", help="A Unix socket to reach TES by.")
    group.addoption("--tes-other-url", default="", help="Where --other-token is asked with, if not at --tes-url.")
    group.addoption("--tes-header", action="append", default=[], help="NAME:VALUE, sent with each request to TES.")
    group.addoption("--patience", type=float, default=300.0, help="Seconds that a run or task may take.")
    group.addoption("--clause", action="append", default=[], help="Ask this clause only, such as WES-09; repeatable.")
    group.addoption("--must-only", action="store_true", help="Ask only what the specifications demand.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Ask only what can be asked with what was given; the table says what else there is."""
    asked, left, wanted = [], [], config.getoption("clause")
    for item in items:
        if wanted and _clause(item)[0] not in wanted:
            left.append((item, "with --clause"))
            continue
        missing = [name for mark in item.iter_markers("needs") for name in mark.args if not config.getoption(name)]
        level = next((mark.args[1] for mark in item.iter_markers("clause")), "MUST")
        if missing or (config.getoption("must_only") and level != "MUST"):
            why = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
            left.append((item, f"needs {why}" if why else "with --must-only"))
        else:
            asked.append(item)
    items[:] = asked
    config.stash[_LEFT] = left
    config.hook.pytest_deselected(items=[item for item, _ in left])


_LEFT = pytest.StashKey[list[tuple[pytest.Item, str]]]()
_SEEN = pytest.StashKey[dict[tuple[str, str, str], list[str]]]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember for each clause how its tests went."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.when == "call" or report.outcome == "failed":
        seen = item.config.stash.setdefault(_SEEN, {})
        seen.setdefault(_clause(item), []).append(report.outcome)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table: each clause once, with the worst that became of it."""
    rows = {
        clause: min(how, key=lambda one: ORDER.get(one, 0)) for clause, how in config.stash.get(_SEEN, {}).items()
    }
    why = {_clause(item): reason for item, reason in config.stash.get(_LEFT, [])}
    for clause in why:
        rows.setdefault(clause, "not asked")
    terminalreporter.section("clauses")
    for clause in sorted(rows):
        identifier, level, text = clause
        reason = f" ({why[clause]})" if rows[clause] == "not asked" else ""
        terminalreporter.write_line(f"{rows[clause]:<9} {identifier:<7} {level:<6} {text}{reason}")
    counts = {how: sum(found == how for found in rows.values()) for how in ORDER}
    terminalreporter.write_line(", ".join(f"{count} {how}" for how, count in counts.items()))


def _clause(item: pytest.Item) -> tuple[str, str, str]:
    mark = item.get_closest_marker("clause")
    assert mark is not None, f"{item.nodeid} names no clause"
    return mark.args


@pytest.fixture(scope="session")
def given(pytestconfig: pytest.Config) -> Any:
    """What stands on the command line, by name."""
    return pytestconfig.option


@pytest.fixture(scope="session")
def wes(given: Any) -> Server:
    """WES, as who asks."""
    return Server(given.wes_url, given.token)


@pytest.fixture(scope="session")
def tes(given: Any) -> Server:
    """TES, as who asks."""
    return Server(given.tes_url, given.token, socket=given.tes_socket, headers=given.tes_header)


@pytest.fixture(scope="session")
def fields(wes: Server, given: Any) -> dict[str, str]:
    """The form of a good run; tests change one thing about it."""
    info = wes.get("/service-info").json()
    types = info["workflow_type_versions"]
    kind = given.wes_type or next(iter(types))
    version = given.wes_type_version or types[kind]["workflow_type_version"][0]
    return {
        "workflow_url": given.wes_workflow or "no-such-workflow/0.0.0",
        "workflow_type": kind,
        "workflow_type_version": version,
        "workflow_params": given.wes_params,
        "tags": json.dumps({**json.loads(given.wes_tags), "blackbox": "yes"}),
    }
