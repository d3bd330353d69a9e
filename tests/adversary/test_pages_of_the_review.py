"""The forms beside the votes let nobody do or read more than the API would, and each of them counts once."""

import base64
from collections.abc import Iterator

import pytest
from airlock_scene import API, FINGERPRINT, PNG, TSV, block
from page_scene import Pages, hidden, pages

from airlock.store import ReleaseRequest
from strongroom import sessions
from strongroom.audit import Event
from strongroom.database import reading, transaction
from strongroom.pages import cookie_name

ALL = {TSV: "count", PNG: "plot"}
SAID = "Please say how the cohort was chosen."
COMMENT = {"audience": "requester", "remark": "", "text": SAID, "about": ""}
KINDS = (
    Event.COMMENT_MADE,
    Event.COMMENT_CONFIRMED,
    Event.INTEREST_DECLARED,
    Event.BLOCK_LIFTED,
    Event.RELEASES_STOPPED,
    Event.STOP_LIFTED,
)


@pytest.fixture
def site() -> Iterator[Pages]:
    with pages() as one:
        yield one


def a_request(site: Pages, *, coarse: bool = False) -> str:
    """Have ruth submit two files; the table is blocked for its values where the data is coarse."""
    if coarse:
        site.stage.inspector.findings = {("check", TSV): block("small-count")}
    run = site.stage.complete_run(ALL, coarse=coarse)
    ruth = site.stage.ask("ruth")
    made = ruth.post(f"{API}/requests", {"run": run, "purpose": "For figure 2."}).json()["id"]
    site.stage.work()
    assert ruth.post(f"{API}/requests/{made}:submit", {"key": FINGERPRINT}).status_code == 200
    return str(made)


def voted(site: Pages, request: str, *names: str) -> None:
    """Have stewards say yes to every file."""
    for name in names:
        body = site.stage.ask("ruth").get(f"{API}/requests/{request}").json()
        leaving = [file for file in body["files"] if not file["supporting"]]
        answer = site.stage.vote(name, body | {"files": leaving})
        assert answer.status_code == 200


def done(site: Pages) -> int:
    return len(site.stage.events(*KINDS))


def test_t20_each_form_needs_the_word_of_its_own_page_and_session(site: Pages) -> None:
    request = a_request(site, coarse=True)
    sam, again = site.browser("sam"), site.browser("sam")
    sena, ruth = site.browser("sena"), site.browser("ruth")
    desk, blocked = f"/reviews/{request}", _blocked(site, request)
    forms = [
        (sam, desk, f"{desk}/comment", COMMENT),
        (sam, desk, f"{desk}/interest", {}),
        (ruth, f"/requests/{request}", f"/requests/{request}/comment", {"text": "It is the whole cohort."}),
        (sena, f"{desk}?file={blocked}", f"{desk}/lift", {"reason": "false-alarm", "note": "A year is no count."}),
        (sam, "/stops", "/stops", {"reason": "leak"}),
    ]
    elsewhere = {path: hidden(again.get(page).text, path) for who, page, path, _ in forms if who is sam}
    for who, page, path, fields in forms:
        good = who.form(page, path) | fields
        other = elsewhere.get(path, {"form": hidden(who.get("/stops").text, "/sign-out")["form"]})
        for word in ("", "a.b", other["form"]):
            assert who.post(path, good | {"form": word}).status_code == 403, path
        assert who.post(path, good, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403, path
    assert done(site) == 0
    for who, page, path, fields in (forms[0], forms[2], forms[3], forms[4], forms[1]):
        good = who.form(page, path) | fields
        assert who.post(path, good).status_code == 303, path
        before = done(site)
        assert who.post(path, good).status_code in (403, 404, 409), path
        assert done(site) == before
    assert done(site) == len(forms)


@pytest.mark.parametrize(
    ("name", "statuses"), [("ruth", {400, 403}), ("rob", {403, 404}), ("nobody", {403, 404}), ("both", {403})]
)
def test_t28_who_may_not_review_does_none_of_it(site: Pages, name: str, statuses: set[int]) -> None:
    request = a_request(site, coarse=True)
    stranger, desk = site.browser(name), f"/reviews/{request}"
    forms = {
        "comment": COMMENT,
        "confirm": {"comment": "0" * 32},
        "interest": {},
        "decline": {},
        "lift": {"file": _blocked(site, request), "reason": "false-alarm", "note": "It is a year."},
    }
    for act, fields in forms.items():
        path = f"{desk}/{act}"
        settings = site.stage.settings
        with reading(site.stage.engine) as session:
            visit = sessions.find(session, stranger.cookies[cookie_name(settings)], limits=settings.identity)
        # The word itself is good: it is the rules that say no.
        answer = stranger.post(path, {"form": sessions.form_word(visit, path)} | fields)
        assert answer.status_code in statuses, (act, answer.status_code)
    assert done(site) == 0


def test_comments_for_stewards_stay_theirs_and_words_wait_for_the_other_steward(site: Pages) -> None:
    request = a_request(site)
    sam, sina, ruth = site.browser("sam"), site.browser("sina"), site.browser("ruth")
    desk, mine = f"/reviews/{request}", f"/requests/{request}"
    private = "Look at the second band with me."
    for words in (COMMENT, COMMENT | {"audience": "stewards", "text": private}):
        assert sam.post(f"{desk}/comment", sam.form(desk, f"{desk}/comment") | words).status_code == 303
    voted(site, request, "sam", "sina")
    assert "first say what is to change" in sam.get(desk).text
    assert 'value="return"' not in sam.get(desk).text
    assert f'action="{desk}/confirm"' not in sam.get(desk).text  # nobody confirms words of their own
    page = sina.get(desk).text
    assert SAID in page
    assert private in page
    assert sina.post(f"{desk}/confirm", hidden(page, f"{desk}/confirm")).status_code == 303
    assert 'value="return"' in sam.get(desk).text
    assert SAID not in ruth.get(mine).text  # not before the decision
    assert sam.post(f"{desk}/decide", sam.form(desk, f"{desk}/decide") | {"outcome": "return"}).status_code == 303
    told = ruth.get(mine).text
    assert SAID in told
    assert private not in told
    assert "sam" not in told.replace("same", "")


def test_who_declares_an_interest_is_off_the_request(site: Pages) -> None:
    request = a_request(site)
    sam, desk = site.browser("sam"), f"/reviews/{request}"
    assert sam.post(f"{desk}/interest", sam.form(desk, f"{desk}/interest")).headers["Location"] == "/reviews"
    assert sam.get(desk).status_code == 403
    assert request[:8] not in sam.get("/reviews").text
    assert "Have an interest" in site.browser("sina").get(desk).text
    assert "Have an interest" not in site.browser("ruth").get(f"/requests/{request}").text


def test_t5_a_senior_lifts_and_a_coarse_requester_learns_nothing_of_it(site: Pages) -> None:
    request = a_request(site, coarse=True)
    sena, sam, ruth = site.browser("sena"), site.browser("sam"), site.browser("ruth")
    desk, blocked = f"/reviews/{request}", _blocked(site, request)
    before = ruth.get(f"/requests/{request}").text
    assert f'href="{desk}?file={blocked}"' in sena.get("/reviews").text
    assert "you may lift it" not in sam.get("/reviews").text
    page = sena.get(f"{desk}?file={blocked}").text
    assert "small-count" in page
    assert f'action="{desk}/vote"' not in page
    assert f'hx-get="{desk}/files/' not in page  # a senior lifts by what checks say and looks at no file
    assert f'action="{desk}/lift"' not in sam.get(f"{desk}?file={blocked}").text
    form = hidden(page, f"{desk}/lift") | {"reason": "false-alarm", "note": "A year is no count of persons."}
    assert sena.post(f"{desk}/lift", form).status_code == 303
    assert "A year is no count of persons." in sam.get("/figures").text
    assert 'value="yes"' in sam.get(f"{desk}?file={blocked}").text
    after = ruth.get(f"/requests/{request}").text
    for told in (before, after, ruth.get("/requests").text):
        for word in ("small-count", "lifted", "Block", "differencing", "94 bytes"):
            assert word not in told, word
    assert ruth.get("/figures").status_code == 403
    assert site.stage.ask("ruth").get(f"{API}/figures").json()["findings"] == {}
    assert site.stage.ask("sam").get(f"{API}/figures").json()["findings"] == {"small-count": 1}
    seen = site.stage.ask("ruth").get(f"{API}/requests/{request}").json()
    assert [file["lifted"] for file in seen["files"]] == [False, False]


def test_one_person_stops_and_two_let_go_on(site: Pages) -> None:
    request = a_request(site)
    sam, sina, ruth = site.browser("sam"), site.browser("sina"), site.browser("ruth")
    assert 'action="/stops"' not in ruth.get("/stops").text
    assert sam.post("/stops", sam.form("/stops", "/stops") | {"reason": "because"}).status_code == 400
    assert sam.post("/stops", sam.form("/stops", "/stops") | {"reason": "leak"}).status_code == 303
    stop = site.stage.ask("sam").get(f"{API}/stops").json()["stops"][0]["id"]
    for page in (sam.get(f"/reviews/{request}").text, ruth.get(f"/requests/{request}").text):
        assert "All releases are stopped" in page
    told = ruth.get("/stops").text
    assert "sam" not in told
    lift = f"/stops/{stop}/lift"
    assert f'action="{lift}"' not in told
    assert sam.post(lift, sam.form("/stops", lift)).status_code == 303
    assert f'action="{lift}"' not in sam.get("/stops").text
    assert "All releases are stopped" in sam.get(f"/reviews/{request}").text
    assert sina.post(lift, sina.form("/stops", lift)).status_code == 303
    assert "All releases are stopped" not in sam.get(f"/reviews/{request}").text


def test_groups_and_supporting_files_reach_the_stewards_as_the_form_has_them(site: Pages) -> None:
    run = site.stage.complete_run(ALL)
    ruth = site.browser("ruth")
    form = ruth.form(f"/outputs/{run}", "/requests") | {"purpose": "Figure 2."}
    chosen = [("files", TSV), ("files", PNG), ("as", f"1/{TSV}"), ("as", f"never/{PNG}")]
    group = {"name-1": "main", "context-1": "All adults of the cohort.", "controls-1": "Bands of ten or more."}
    bad = ruth.post("/requests", [*form.items(), *chosen, *(group | {"controls-1": ""}).items()])
    assert bad.status_code == 400
    assert "controls" in bad.text
    never = [("files", TSV), ("as", f"never/{TSV}")]
    assert ruth.post("/requests", [*form.items(), *never]).status_code == 400
    made = ruth.post("/requests", [*form.items(), *chosen, *group.items()]).headers["Location"]
    request = made.rsplit("/", 1)[-1]
    site.stage.work()
    assert site.stage.ask("ruth").post(f"{API}/requests/{request}:submit", {"key": FINGERPRINT}).status_code == 200
    desk = site.browser("sam").get(f"/reviews/{request}").text
    for word in ("All adults of the cohort.", "Bands of ten or more.", "never leaves; helps", "of 1 files"):
        assert word in desk, word
    picture = next(f["id"] for f in _files(site, request) if f["path"] == PNG)
    assert 'value="yes"' not in site.browser("sam").get(f"/reviews/{request}?file={picture}").text
    voted(site, request, "sam")
    assert "You voted on every file" in site.browser("sam").get(f"/reviews/{request}").text


def test_each_part_of_a_file_is_shown_with_the_findings_on_it_alone(site: Pages) -> None:
    found = {"code": "small-count", "severity": "warn", "about": "values", "reason": "", "cure": ""}
    site.stage.inspector.findings = {("check", TSV): [found | {"place": {"member": 2, "row": 1, "column": 1}}]}
    request = a_request(site)
    table = {"kind": "table", "columns": ["n"], "rows": [["7"]], "total_rows": 1, "truncated": False}
    lines = {"kind": "text", "rows": [["<b>one</b> \\u001b"]], "total_rows": 9, "truncated": True}
    parts = [{"number": 1, "format": "log", "view": lines}, {"number": 2, "format": "table", "view": table}]
    site.stage.inspector.view = {"kind": "parts", "parts": parts, "total_parts": 3}
    page = site.browser("sam").get(f"/reviews/{request}/files/{_blocked(site, request)}").text
    first, second = page.split("Part 2", 1)
    assert "2 of 3 parts" in first
    assert "&lt;b&gt;one&lt;/b&gt;" in first
    assert "1 of 9 rows" in first
    assert 'class="v-warn"' not in first
    assert '<td class="number v-warn">7' in second


def test_pages_of_pdf_are_shown_as_pictures_one_at_a_time(site: Pages) -> None:
    request = a_request(site)
    there = f"/reviews/{request}/files/{_blocked(site, request)}"
    sam = site.browser("sam")
    site.stage.inspector.view = {"kind": "parts", "parts": [], "total_parts": 1, "pages": 3}
    assert f'href="{there}?page=1"' in sam.get(there).text
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    facts = {"kind": "page", "media_type": "image/png", "width": 8, "height": 9, "total": 3, "part": 1}
    site.stage.inspector.view = {**facts, "png": png, "number": 2}
    page = sam.get(f"{there}?page=2").text
    assert site.stage.inspector.asked[-1]["request"]["page"] == 2
    assert f'src="data:image/png;base64,{png}" width="8" height="9"' in page
    for link in ("page=1", "page=3", "from=1"):
        assert f'href="{there}?{link}"' in page
    site.stage.inspector.view = {**facts, "png": "", "number": 3}
    page = sam.get(f"{there}?page=3").text
    assert "This page cannot be drawn" in page
    assert 'class="picture"' not in page
    assert f'href="{there}?page=4"' not in page
    assert "There is no such page" in _beyond(site, there, facts)
    site.stage.inspector.view = {**facts, "png": base64.b64encode(b"<svg>").decode(), "number": 1}
    assert 'class="picture"' not in sam.get(f"{there}?page=1").text
    assert sam.get(f"{there}?page=0").status_code == 400


def _beyond(site: Pages, there: str, facts: dict[str, object]) -> str:
    site.stage.inspector.view = {**facts, "png": "", "number": 9}
    return site.browser("sam").get(f"{there}?page=9").text


def test_an_appeal_is_offered_until_its_deadline(site: Pages) -> None:
    request = a_request(site)
    for name in ("sam", "sina"):
        body = site.stage.ask("ruth").get(f"{API}/requests/{request}").json()
        assert site.stage.vote(name, body, tsv="unclear").status_code == 200
    sam = site.stage.ask("sam")
    assert sam.post(f"{API}/reviews/{request}:consolidate", {"outcome": "reject"}).status_code == 200
    ruth, path = site.browser("ruth"), f"/requests/{request}"
    assert f'action="{path}/appeal"' in ruth.get(path).text
    with transaction(site.stage.engine) as session:
        row = session.get_one(ReleaseRequest, request)
        row.changed = row.changed.replace(year=row.changed.year - 1)
    page = ruth.get(path).text
    assert f'action="{path}/appeal"' not in page
    assert "time for an appeal is over" in page


def _files(site: Pages, request: str) -> list[dict[str, str]]:
    files: list[dict[str, str]] = site.stage.ask("sam").get(f"{API}/reviews/{request}").json()["files"]
    return files


def _blocked(site: Pages, request: str) -> str:
    return next(file["id"] for file in _files(site, request) if file["path"] == TSV)
