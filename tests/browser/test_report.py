"""The report in a real browser: nothing fails, everything works, and data stay data."""

import re

import pytest

from harness.cli.main import main
from tests.support.scored_boxes import scored

PAGE = 24  # samples on the page at once
HOSTILE = {
    100: "<script>document.title = 'stolen'</script>",
    101: '"></p><img src=x onerror="document.title=\'stolen\'">',
    102: "</script><script>document.title='stolen'</script>",
    103: "line\u2028separator\u2029and <!-- <script>",
    104: "\u202eright to left\u202c ‏עברית",
    105: "{{ 7 * 7 }} ${document.title='stolen'} &lt;b&gt;",
    106: "javascript:document.title='stolen'",
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    results = scored(folder, HOSTILE, wrong=frozenset({101, 102}))
    path = folder / "report.html"
    arguments = ["--data", str(folder / "data"), "--out", str(path)]
    assert main(["report", str(results), *arguments]) == 0
    return path


def ids(page) -> list[str]:
    return page.locator("section:not(.away) .card h4 a").all_inner_texts()


def count(page) -> str:
    return page.locator("section:not(.away) .count").inner_text()


def test_it_opens_with_the_overview_and_every_section_opens_without_an_error(report, visit):
    with visit(report) as page:
        assert page.locator("#overview tbody tr").count() == 15
        assert page.locator("main > section:not(.away)").count() == 1
        for link in page.locator(".side a").all():
            link.click()
            target = link.get_attribute("href").removeprefix("#")
            assert page.locator("main > section:not(.away)").get_attribute("id") == target


def test_nothing_may_be_fetched_or_run_but_what_the_page_brings(report, browser):
    page = browser.new_page()
    page.goto(report.as_uri())
    assert page.locator("[style], [onclick], [onload], [onerror], link, iframe").count() == 0
    blocked = page.evaluate(
        """async () => {
            const seen = [];
            addEventListener("securitypolicyviolation", (e) => seen.push(e.effectiveDirective));
            document.body.append(Object.assign(document.createElement("script"),
                {textContent: "document.title = 'stolen'"}));
            document.body.insertAdjacentHTML("beforeend",
                "<img src=x onerror=document.title='stolen'><b style=color:red>x</b>");
            await new Promise((done) => setTimeout(done, 300));
            return seen.sort();
        }"""
    )
    assert blocked == ["img-src", "script-src-attr", "script-src-elem", "style-src-attr"]
    assert page.title() == "xvlm-eval report"
    page.close()


def test_samples_are_searched_filtered_and_sorted(report, visit):
    with visit(report, "#vqav2/val") as page:
        section = page.locator("section:not(.away)")
        assert count(page) == "700 of 700"
        assert len(ids(page)) == PAGE
        section.locator(".search").fill("how many CIRCLES")
        texts = section.locator(".card .text").all_inner_texts()
        assert texts and all(re.search("how many .*circles", text.lower()) for text in texts)
        section.locator(".search").fill("")
        section.locator(".only-wrong").check()
        assert count(page) == "33 of 700"
        assert section.locator(".card:not(.wrong)").count() == 0
        section.locator(".type").select_option("answer: yes/no")
        assert count(page) == "2 of 700"
        section.locator(".only-wrong").uncheck()
        section.locator(".type").select_option("")
        section.locator(".sort").select_option("given")
        assert ids(page)[:2] == ["100000000", "100000001"]
        section.locator(".sort").select_option("worst")
        assert section.locator(".card.wrong").count() == PAGE


def test_keys_filter_turn_pages_and_open_samples(report, visit):
    with visit(report, "#refcoco+/val") as page:
        first = ids(page)
        page.keyboard.press("w")
        assert count(page) == "16 of 1,056"
        page.keyboard.press("w")
        page.keyboard.press("n")
        assert ids(page) != first and len(ids(page)) == PAGE
        page.keyboard.press("p")
        assert ids(page) == first
        page.keyboard.press("j")
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.textContent") == first[1]
        page.keyboard.press("Enter")
        assert page.locator("dialog h2").inner_text() == f"refcoco+/val/{first[1]}"
        page.keyboard.press("ArrowRight")
        assert page.locator("dialog h2").inner_text() == f"refcoco+/val/{first[2]}"
        assert page.evaluate("decodeURIComponent(location.hash)") == f"#refcoco+/val/{first[2]}"
        page.keyboard.press("Escape")
        assert page.locator("dialog[open]").count() == 0
        assert page.evaluate("document.activeElement.textContent") == first[2]
        page.keyboard.press("/")
        page.keyboard.type("wjn")  # letters, not keys, while one types
        assert page.locator("section:not(.away) .search").input_value() == "wjn"


def test_a_link_opens_its_sample_with_boxes_and_texts(report, visit):
    with visit(report, "#refcoco+/testA/1135") as page:
        dialog = page.locator("dialog[open]")
        assert dialog.locator(".text").inner_text() == "the ball"
        assert dialog.locator("rect.box.truth").count() == 1
        assert dialog.locator("rect.box.prediction").count() == 1
        page.goto(f"{report.as_uri()}#coco-caption/test/100014")  # within the page that is open
        page.get_by_role("heading", name="coco-caption/test/100014").wait_for()
        assert dialog.locator(".items li").count() == 5
        assert dialog.locator("dd .h4").count() > 3  # words in an n-gram of four
        page.goto(f"{report.as_uri()}#nlvr2/dev/dev-0-0-0")
        page.get_by_role("heading", name="nlvr2/dev/dev-0-0-0").wait_for()
        assert dialog.locator(".pic").count() == 2


def test_a_number_leads_to_its_provenance(report, visit):
    with visit(report) as page:
        page.locator("#overview tbody tr").first.locator("td.num a").click()
        provenance = page.locator("section:not(.away) .provenance")
        assert provenance.get_attribute("open") is not None
        for text in ("official-scorer|answer-list", "vqa.safetensors", "torch", "commit"):
            assert text in provenance.inner_text()


def test_texts_of_data_stay_texts(hostile, visit):
    with visit(hostile, "#refcoco+/val") as page:
        cards = page.locator("section:not(.away) .card")
        assert cards.count() == len(HOSTILE)
        for id, text in HOSTILE.items():
            card = cards.filter(has=page.get_by_role("link", name=str(id), exact=True))
            assert card.locator(".text").text_content() == text
            assert card.locator(".text").evaluate("n => getComputedStyle(n).unicodeBidi") == (
                "isolate"
            )
        assert page.title() == "xvlm-eval report"
        assert page.locator("main script, main img, main iframe").count() == 0
        assert page.locator("script:not([type])").count() == 1
    with visit(hostile, "#refcoco+/val/102") as page:
        assert page.locator("dialog[open] .text").text_content() == HOSTILE[102]


def test_without_javascript_tables_and_first_samples_are_there(hostile, report, visit):
    with visit(report, java_script_enabled=False) as page:
        assert page.locator("main > section").filter(visible=True).count() == 15 + 4 + 1
        section = page.locator('section[id="refcoco+/val"]')
        assert section.locator(".card").filter(visible=True).count() == 6
        assert section.locator(".card rect.box.truth").count() == 6
        assert section.locator(".tools").is_hidden()
        assert page.locator("#all-results tbody tr").count() > 50
        assert page.locator("#paper tbody tr").count() == 53
    with visit(hostile, java_script_enabled=False) as page:
        texts = page.locator(".card .text").all_text_contents()
        assert set(texts) < set(HOSTILE.values()) and len(texts) == 6


def test_25_010_expressions_stay_usable(tmp_path, visit):
    texts = {id: f"the {id % 97}th cup of row {id}" for id in range(25_010)}
    results = scored(tmp_path, texts, wrong=frozenset({7, 24_000}))
    path = tmp_path / "report.html"
    arguments = ["--data", str(tmp_path / "data"), "--out", str(path)]
    assert main(["report", str(results), *arguments]) == 0
    with visit(path, "#refcoco+/val") as page:
        assert count(page) == "25,010 of 25,010"
        assert ids(page)[:2] == ["7", "24000"] and len(ids(page)) == PAGE
        assert page.locator("*").count() < 4_000  # elements, whatever the number of samples
        page.locator("section:not(.away) .search").fill("row 25009")
        assert ids(page) == ["25009"]
        page.locator("section:not(.away) .search").fill("row 2")
        assert len(ids(page)) == PAGE


def test_flips_stand_side_by_side(tmp_path, visit):
    texts = {100: "red cup", 101: "the cup", 102: "a cup"}
    before = scored(tmp_path, texts, wrong=frozenset({100}))
    after = scored(tmp_path, texts, wrong=frozenset({102}))
    path = tmp_path / "report.html"
    arguments = ["--data", str(tmp_path / "data"), "--baseline", str(before), "--out", str(path)]
    assert main(["report", str(after), *arguments]) == 0
    with visit(path, "#refcoco+/val") as page:
        assert ids(page)[:2] == ["102", "100"]  # the loss, then the gain
        page.locator("section:not(.away) .flip").select_option("gain")
        assert ids(page) == ["100"]
        card = page.locator("section:not(.away) .card")
        assert card.locator("dt").all_inner_texts() == ["true", "predicted", "before"]
        assert card.locator("rect.box.before").get_attribute("x") == "85"
        assert "accuracy 100.00 (before 0.00)" in card.locator(".scores").inner_text()
