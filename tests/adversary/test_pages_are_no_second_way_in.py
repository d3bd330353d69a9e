"""The pages let nobody do or see what the API would not: forged, replayed, foreign and stolen forms and sessions."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from airlock_scene import API, FINGERPRINT, PNG, TSV, block, person
from page_scene import Pages, hidden, pages

from strongroom import sessions
from strongroom.audit import Event
from strongroom.database import now, transaction
from strongroom.identity import mint_token

ALL = {TSV: "count", PNG: "plot"}


@pytest.fixture
def site() -> Iterator[Pages]:
    with pages() as one:
        yield one


@pytest.fixture
def request_id(site: Pages) -> str:
    run = site.stage.complete_run(ALL)
    ruth = site.stage.ask("ruth")
    made = ruth.post(f"{API}/requests", {"run": run, "purpose": "For <b>figure</b> 2."}).json()["id"]
    site.stage.work()
    assert ruth.post(f"{API}/requests/{made}:submit", {"key": FINGERPRINT}).status_code == 200
    return str(made)


def votes(site: Pages) -> int:
    return len(site.stage.events(Event.VOTE_CAST))


@pytest.mark.parametrize("path", ["/reviews", "/requests", "/releases", "/runs", "/runs/new", "/manual", "/code/x"])
def test_without_a_session_there_is_only_the_sign_in(site: Pages, path: str) -> None:
    answer = site.browser().get(path)
    assert (answer.status_code, answer.headers["Location"][:8]) == (303, "/sign-in")
    forged = site.browser()
    forged.cookies["strongroom"] = "x" * 43
    assert forged.get(path).status_code == 303


def test_a_bearer_token_opens_no_page_and_a_session_opens_no_api(site: Pages) -> None:
    token = mint_token(site.stage.settings, "sam")
    assert site.browser().get("/reviews", Authorization=f"Bearer {token}").status_code == 303
    sam = site.browser("sam")
    assert sam.get(f"{API}/reviews").status_code == 401


def test_every_page_tells_the_browser_to_run_nothing_but_our_own_files(site: Pages, request_id: str) -> None:
    sam, ruth = site.browser("sam"), site.browser("ruth")
    answers = [
        sam.get(p) for p in ("/", "/sign-in", "/reviews", f"/reviews/{request_id}", "/reviews/none", "/manual")
    ]
    answers += [
        ruth.get(p) for p in ("/requests", f"/requests/{request_id}", "/runs", "/runs/new", "/static/pages.js")
    ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not re.search(r"<script(?![^>]*src=\"/static/)|\son\w+=|\sstyle=|javascript:|<style", answer.text)
        if "/static/" not in str(answer.url):
            assert answer.headers["Cache-Control"] == "no-store"
        assert not re.findall(r"(?:src|href|action)=\"(?:https?:)?//", answer.text)


def test_what_people_write_is_text_and_nothing_else(site: Pages, request_id: str) -> None:
    text = site.browser("sam").get(f"/reviews/{request_id}").text
    assert "&lt;b&gt;figure&lt;/b&gt;" in text
    assert "<b>figure" not in text


@pytest.mark.parametrize(
    "changed",
    [{"form": ""}, {"form": "a.b"}, {"form": "0" * 32 + "." + "0" * 64}, {"form": "é.é"}],
)
def test_t20_a_form_without_its_word_does_nothing(site: Pages, request_id: str, changed: dict[str, str]) -> None:
    sam, act = site.browser("sam"), f"/reviews/{request_id}/vote"
    form = sam.form(f"/reviews/{request_id}", act) | {"vote": "yes"}
    assert sam.post(act, form | changed).status_code == 403
    assert votes(site) == 0
    assert sam.post(act, form).status_code == 303
    assert votes(site) == 1


def test_t20_a_form_of_another_session_person_or_path_does_nothing(site: Pages, request_id: str) -> None:
    sam, sina, act = site.browser("sam"), site.browser("sina"), f"/reviews/{request_id}/vote"
    again = site.browser("sam")
    of_sina = sina.form(f"/reviews/{request_id}", act) | {"vote": "yes"}
    of_other_session = again.form(f"/reviews/{request_id}", act) | {"vote": "yes"}
    for_sign_out = sam.form(f"/reviews/{request_id}", "/sign-out")
    for form in (of_sina, of_other_session, of_sina | for_sign_out):
        assert sam.post(act, form).status_code == 403
    assert votes(site) == 0


def test_t20_a_vote_by_page_needs_a_second_factor_shown_just_now(site: Pages, request_id: str) -> None:
    app = site.stage.app
    identity = app.state.settings.identity.model_copy(update={"step_up_of_development": True})
    app.state.settings = app.state.settings.model_copy(update={"identity": identity})
    sam, desk, act = site.browser("sam"), f"/reviews/{request_id}", f"/reviews/{request_id}/vote"
    form = sam.form(desk, act) | {"vote": "yes"}
    refused = sam.post(act, form, Referer=f"http://strongroom.test{desk}")
    assert refused.headers["Location"] == f"/sign-in?again=true&to={desk}"
    elsewhere = sam.post(act, form, Referer=f"http://elsewhere.test{desk}")
    assert elsewhere.headers["Location"] == "/sign-in?again=true&to=/"
    assert "second factor" in sam.get(refused.headers["Location"]).text
    shown = site.browser()
    token = mint_token(site.stage.settings, "sam", step_up=True)
    assert shown.post("/sign-in/development", {"token": token, "to": desk}).headers["Location"] == desk
    form = shown.form(desk, act) | {"vote": "yes"}
    with transaction(site.stage.engine) as session:
        session.execute(sa.update(sessions.PageSession).values(stepped_up=sessions.PageSession.stepped_up - 301))
    assert "again=true" in shown.post(act, form).headers["Location"]
    assert votes(site) == 0
    with transaction(site.stage.engine) as session:
        session.execute(sa.update(sessions.PageSession).values(stepped_up=sessions.PageSession.stepped_up + 301))
    assert shown.post(act, form).headers["Location"].startswith(desk)
    assert votes(site) == 1


@pytest.mark.parametrize("site_header", ["cross-site", "same-site", "none"])
def test_a_form_that_another_site_sends_does_nothing(site: Pages, request_id: str, site_header: str) -> None:
    sam, act = site.browser("sam"), f"/reviews/{request_id}/vote"
    form = sam.form(f"/reviews/{request_id}", act) | {"vote": "yes"}
    assert sam.post(act, form, **{"Sec-Fetch-Site": site_header}).status_code == 403
    assert sam.post("/sign-out", form, **{"Sec-Fetch-Site": site_header}).status_code == 403
    token = {"token": mint_token(site.stage.settings, "sina")}
    signed = site.browser().post("/sign-in/development", token, **{"Sec-Fetch-Site": site_header})
    assert signed.status_code == 403
    assert "set-cookie" not in signed.headers
    assert votes(site) == 0


def test_a_form_sent_twice_counts_once(site: Pages) -> None:
    run = site.stage.complete_run(ALL)
    ruth = site.browser("ruth")
    form = ruth.form(f"/outputs/{run}", "/requests") | {"purpose": "Once.", "files": TSV}
    assert ruth.post("/requests", form).status_code == 303
    assert ruth.post("/requests", form).status_code == 409
    assert len(site.stage.ask("ruth").get(f"{API}/requests").json()["requests"]) == 1


def test_a_form_that_was_refused_can_be_mended_and_sent_again(site: Pages) -> None:
    run = site.stage.complete_run(ALL)
    ruth = site.browser("ruth")
    form = ruth.form(f"/outputs/{run}", "/requests") | {"files": TSV}
    for purpose in ("", "a\x1b[2J", "x" * 2001):
        assert ruth.post("/requests", form | {"purpose": purpose}).status_code == 400
    assert ruth.post("/requests", form | {"purpose": "Mended."}).status_code == 303


def test_t28_who_may_not_decide_finds_nothing_and_changes_nothing(site: Pages, request_id: str) -> None:
    act = f"/reviews/{request_id}/vote"
    good = site.browser("sam").form(f"/reviews/{request_id}", act)
    for name, status in (("ruth", 403), ("rob", 404), ("nobody", 404), ("both", 403), ("former", 403)):
        stranger = site.browser(name)
        assert stranger.get(f"/reviews/{request_id}").status_code == status, name
        assert stranger.get(f"/reviews/{request_id}/files/{good['file']}").status_code == status, name
        word = hidden(stranger.get("/manual").text, "/sign-out")["form"]
        assert stranger.post(act, good | {"form": word, "vote": "yes"}).status_code == 403
    assert votes(site) == 0
    assert not site.stage.events(Event.FILE_VIEWED)


def test_pages_of_others_answer_as_if_they_were_not(site: Pages, request_id: str) -> None:
    run = site.stage.complete_run(ALL)
    rob = site.browser("rob")
    for path in (
        f"/requests/{request_id}",
        f"/outputs/{run}",
        f"/code/{run}",
        f"/runs/{run}",
        "/requests/" + "0" * 32,
    ):
        assert rob.get(path).status_code == 404, path


def test_the_other_vote_shows_only_when_both_are_in(site: Pages, request_id: str) -> None:
    sam, sina, act = site.browser("sam"), site.browser("sina"), f"/reviews/{request_id}/vote"
    for _ in ALL:
        form = sam.form(f"/reviews/{request_id}", act)
        sam.post(act, form | {"vote": "no", "reason": "unclear"})
    for path in (f"/reviews/{request_id}", "/reviews"):
        text = sina.get(path).text
        assert "sam says" not in text
        assert "sam" not in re.sub(r"sam(?=ple)", "", text)
    for _ in ALL:
        sina.post(act, sina.form(f"/reviews/{request_id}", act) | {"vote": "yes"})
    assert "sam says no" in sina.get(f"/reviews/{request_id}").text


def test_what_the_checks_block_has_no_yes_and_takes_none(site: Pages) -> None:
    site.stage.inspector.findings = {("check", TSV): block("small-count")}
    run = site.stage.complete_run(ALL, coarse=True)
    made = site.stage.ask("ruth").post(f"{API}/requests", {"run": run, "purpose": "x"}).json()["id"]
    site.stage.ask("ruth").post(f"{API}/requests/{made}:submit", {"key": FINGERPRINT})
    sam, act = site.browser("sam"), f"/reviews/{made}/vote"
    blocked = next(
        f["id"] for f in site.stage.ask("sam").get(f"{API}/reviews/{made}").json()["files"] if f["path"] == TSV
    )
    page = sam.get(f"/reviews/{made}?file={blocked}").text
    assert 'value="yes"' not in page
    assert "small-count" in page
    assert sam.post(act, hidden(page, act) | {"vote": "yes", "file": blocked}).status_code == 409
    assert votes(site) == 0


def test_t5_in_coarse_mode_a_page_tells_only_what_the_contract_tells(site: Pages) -> None:
    site.stage.inspector.findings = {("check", TSV): block("small-count")}
    run = site.stage.complete_run(ALL, coarse=True)
    ruth = site.browser("ruth")
    text = ruth.get(f"/outputs/{run}").text
    form = hidden(text, "/requests") | {"purpose": "x", "files": TSV}
    made = ruth.post("/requests", form).headers["Location"]
    for told in (text, ruth.get(made).text):
        assert "Needs a steward" in told
        assert "small-count" not in told
        assert "Block" not in told
        assert "94 bytes" not in told
    other = site.stage.complete_run(ALL)
    assert "small-count" in ruth.get(f"/outputs/{other}").text


def test_a_session_ends_when_nobody_comes_when_its_time_is_up_and_at_sign_out(site: Pages) -> None:
    def change(**values: object) -> None:
        with transaction(site.stage.engine) as session:
            session.execute(sa.update(sessions.PageSession).values(**values))

    sam = site.browser("sam")
    change(seen=now() - timedelta(minutes=14))
    assert sam.get("/reviews", **{"X-By-Itself": "1"}).status_code == 200
    change(seen=now() - timedelta(minutes=16))
    assert sam.get("/reviews").status_code == 303
    sam = site.browser("sam")
    change(seen=now(), ends=now() - timedelta(seconds=1))
    assert sam.get("/reviews").status_code == 303
    sam = site.browser("sam")
    stolen = dict(sam.cookies)
    sam.post("/sign-out", sam.form("/reviews", "/sign-out"))
    sam.cookies = stolen
    assert sam.get("/reviews").status_code == 303


def test_the_word_of_a_session_is_new_at_each_sign_in_and_nowhere_in_the_database(site: Pages) -> None:
    sam = site.browser("sam")
    first = sam.cookies["strongroom"]
    sam.post("/sign-in/development", {"token": mint_token(site.stage.settings, "sam"), "to": "/"})
    second = sam.cookies["strongroom"]
    assert first != second
    sam.cookies["strongroom"] = first
    assert sam.get("/reviews").status_code == 303
    raw = b"".join(file.read_bytes() for file in (site.stage.settings.home / "database").iterdir())
    assert second.encode() not in raw
    assert site.stage.events(Event.SESSION_BEGUN)[0]["actor"] == person("sam")


@pytest.mark.parametrize(
    "to", ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)", "\t//evil"]
)
def test_a_sign_in_leads_nowhere_else(site: Pages, to: str) -> None:
    token = mint_token(site.stage.settings, "sam")
    answer = site.browser().post("/sign-in/development", {"token": token, "to": to})
    assert answer.headers["Location"] == "/"


def test_t31_the_development_sign_in_takes_that_issuers_tokens_alone(site: Pages) -> None:
    for token in ("", "x.y.z", mint_token(site.stage.settings, "sam")[:-4] + "AAAA"):
        answer = site.browser().post("/sign-in/development", {"token": token})
        assert answer.status_code in (401, 400)
        assert "set-cookie" not in answer.headers
    off = site.stage.settings.model_copy(
        update={"identity": site.stage.settings.identity.model_copy(update={"development_issuer": False})}
    )
    token = mint_token(site.stage.settings, "sam")
    site.stage.app.state.settings = off
    assert site.browser().post("/sign-in/development", {"token": token}).status_code == 404
    assert "development" not in site.browser().get("/sign-in").text


def test_the_cookie_is_out_of_reach_of_scripts_other_sites_and_plain_http(site: Pages) -> None:
    token = {"token": mint_token(site.stage.settings, "sam")}
    said = site.browser().post("/sign-in/development", token).headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=lax" in said
    served = site.stage.settings.http.model_copy(update={"url": "https://strongroom.example.org"})
    site.stage.app.state.settings = site.stage.settings.model_copy(update={"http": served})
    said = site.browser().post("/sign-in/development", token).headers["set-cookie"]
    assert said.startswith("__Host-strongroom=")
    assert "secure" in said.lower()
    assert "domain" not in said.lower()


def test_bad_input_is_named_and_never_a_failure(site: Pages, request_id: str) -> None:
    sam, ruth = site.browser("sam"), site.browser("ruth")
    act = f"/reviews/{request_id}/vote"
    for bad in (
        {"vote": "maybe"},
        {"vote": "no", "reason": "because"},
        {"file": "x"},
        {"body_sha256": "z"},
        {"vote": ""},
    ):
        form = sam.form(f"/reviews/{request_id}", act) | {"vote": "yes"} | bad
        assert sam.post(act, form).status_code == 400, bad
    for path in (
        "/runs?state=x",
        "/runs?after=x",
        f"/outputs/{'x' * 32}",
        "/outputs/é",
        f"/reviews/{request_id}?file=x",
    ):
        assert ruth.get(path).status_code in (400, 403, 404), path
    word = ruth.form("/requests", "/sign-out")
    assert ruth.post("/runs", word).status_code == 403
    big = [("form", "x"), *(("files", "y") for _ in range(1000))]
    assert ruth.post("/requests", big).status_code == 400
    assert votes(site) == 0


def test_t30_a_form_is_bounded_before_it_is_read(site: Pages) -> None:
    long = "x" * (600 << 10)
    for browser, path in ((site.browser(), "/sign-in/development"), (site.browser("ruth"), "/requests")):
        assert browser.post(path, {"token": long}).status_code == 400
        assert (
            browser.post(path, {"token": "x"}, **{"Content-Type": "multipart/form-data; boundary=x"}).status_code
            == 400
        )
        assert browser.post(path, {"token": "\0"}).status_code in (400, 401)


def test_a_refused_part_of_a_page_is_told_in_its_notice_and_a_lost_session_leads_to_the_sign_in(
    site: Pages, request_id: str
) -> None:
    htmx = {"HX-Request": "true"}
    sam = site.browser("sam")
    refused = sam.post(f"/reviews/{request_id}/vote", {"form": "x.y"}, **htmx)
    assert refused.headers["HX-Retarget"] == "#notice"
    assert 'class="trouble"' in refused.text
    assert "<html" not in refused.text
    lost = site.browser().get(f"/reviews/{request_id}", **htmx)
    assert lost.headers["HX-Redirect"] == "/sign-in"
    assert request_id not in lost.text
