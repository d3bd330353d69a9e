"""A researcher and two stewards do all of their work in a browser, by keyboard alone, over a real Strongroom."""

from pathlib import Path
from typing import Any

from browsing import desk
from site_of_tests import Site

from demo.people import AIRLOCK

DATA = "hapmap-pages"  # of its own: what left of other data before is among the findings of stewards


def test_from_a_run_to_a_release_by_keyboard(
    site: Site, sources: tuple[list[Path], list[Path]], chromium: Any, tmp_path: Path
) -> None:
    base = site.stage.settings.base_url
    site.add(DATA, sources[0], observability="open")
    with desk(chromium, base) as ruth:
        ruth.open("/")
        ruth.judge("sign-in")
        ruth.sign_in(site.cast.researcher, "/runs")
        ruth.press("New run")
        ruth.page.wait_for_url("**/runs/new")
        ruth.judge("workflows")
        ruth.press("Allele frequencies of a cohort")
        ruth.page.wait_for_url("**/cohort-frequencies/1.0.0")
        ruth.tab_to("Calls")
        ruth.page.keyboard.type(DATA)
        ruth.judge("ask", picture=True)
        ruth.press("Start the run")
        ruth.wait("#run")
        ruth.judge("run-live")
        ruth.wait("h1 .state.s-complete")  # told by the server's events: nobody pressed a key
        ruth.judge("run", picture=True)
        ruth.press("Outputs and release")
        ruth.wait("#purpose")
        ruth.judge("outputs", picture=True)
        ruth.tab_to("Purpose")
        ruth.page.keyboard.type("Figure 2: the spectrum of rare alleles in the cohort.")
        ruth.press("Draft a release request")
        ruth.wait("#key")
        ruth.judge("request-ready")
        ruth.press("Submit")
        ruth.wait("h1 .state.s-submitted")
        ruth.judge("request", picture=True)
        request = ruth.page.url.rsplit("/", 1)[-1]

        for token in (site.cast.first_steward, site.cast.second_steward):
            with desk(chromium, base) as steward:
                steward.sign_in(token, "/reviews")
                _review(steward, request, last=token == site.cast.second_steward)

        ruth.page.reload()
        ruth.wait("h1 .state.s-released")
        ruth.judge("released")
        with ruth.page.expect_download() as coming:
            ruth.press("Download")
        assert Path(coming.value.path()).read_bytes().startswith(b"crypt4gh")
        for path, name in (("/runs", "runs"), ("/requests", "requests"), ("/releases", "releases")):
            ruth.open(path)
            ruth.judge(name)
        _code_is_shown(ruth, request, site)
        ruth.press("Sign out")
        ruth.page.wait_for_url("**/sign-in")
    assert site.downloaded(request, tmp_path)


def _review(steward: Any, request: str, *, last: bool) -> None:
    """Vote yes on every file by its key, looking at each; the second steward finds the decision."""
    if not last:
        steward.judge("queue", picture=True)
    steward.press(request[:8])
    steward.wait("#inside .sheet, #inside .picture")
    kinds = set()
    files = steward.page.locator(".files a").count()
    for number in range(files):
        steward.wait("#inside .sheet, #inside .picture")
        kinds.add("picture" if steward.page.locator("#inside .picture").count() else "sheet")
        if not last:
            name = steward.page.locator("#file-name").inner_text().rsplit("/", 1)[-1]
            steward.judge(f"desk-{name}", picture=name == "sites.vcf.gz")
        steward.page.evaluate("window.scrollTo(0, 150)")
        before = steward.page.evaluate("window.scrollY")
        steward.page.keyboard.press("y")
        steward.wait(f".desk nav .hint:has-text('You voted on {number + 1} of {files}')")
        jumped = abs(steward.page.evaluate("window.scrollY") - before)
        assert jumped < 50 or number + 1 == files, f"the page jumped by {jumped} after a vote"
    assert kinds == {"picture", "sheet"}
    if not last:
        _says_something(steward)
    steward.page.keyboard.press("?")
    steward.wait("dialog[open]")
    steward.judge("keys")
    steward.page.keyboard.press("Escape")
    if last:
        steward.judge("decide", picture=True)
        steward.press("Approve all")
        steward.wait("h1 .state.s-approved, h1 .state.s-releasing, h1 .state.s-released")
    else:
        assert not steward.page.locator("text=Both reviews are in").count()
    for path, name in (("/manual", "manual"), ("/stops", "stops"), ("/figures", "figures")):
        steward.open(path)
        steward.judge(name)


def _says_something(steward: Any) -> None:
    """Say something to the other steward alone, by keyboard."""
    steward.press("Say something")
    steward.tab_to("the requester, who reads it")
    steward.page.keyboard.press("ArrowDown")
    steward.tab_to("In your own words")
    steward.page.keyboard.type("Please look at the rarest alleles with me.")
    steward.judge("saying")
    steward.press("Say it")
    steward.wait(".said .words")
    steward.page.locator("#comments").scroll_into_view_if_needed()
    steward.judge("comments")


def _code_is_shown(ruth: Any, request: str, site: Site) -> None:
    with site.stage.client(site.cast.researcher) as client:
        run = client.get(f"{AIRLOCK}/requests/{request}")["run"]
    ruth.open(f"/code/{run}")
    ruth.wait("text=rule safe_sites")
    ruth.judge("code")
