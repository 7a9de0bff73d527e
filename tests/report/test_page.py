"""The report as a file: complete, within its budget, escaped, readable."""

import json
import re
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.records.record import write_result
from harness.report.content import script_json
from harness.report.page import ASSETS
from tests.support.records import RECORD
from tests.support.scored_boxes import scored

RESULTS = Path(__file__).parents[2] / "results"


class Page(HTMLParser):
    """The elements of a page: (name, attributes), and the texts of its data scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, object] = {}
        self._script: str | None = None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self._script = None
        if tag == "script" and attributes.get("type") == "application/json":
            self._script = attributes.get("data-slug") or attributes["id"]

    def handle_data(self, data):
        if self._script:
            self.data[self._script] = json.loads(data)

    def handle_endtag(self, tag):
        self._script = None

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and wanted.items() <= attributes.items()
        ]


def written(folder: Path, *arguments: object) -> str:
    path = folder / "report.html"
    assert main(["report", *map(str, arguments), "--out", str(path)]) == 0
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def embedded(report):
    return report.read_text(encoding="utf-8")


def test_every_sample_of_every_result_is_in_it_under_5_mb(embedded):
    data = Page(embedded).data
    images = data.pop("images")
    assert len(embedded.encode()) < 5_000_000
    assert {slug: len(cards) for slug, cards in data.items()} == {
        **{"vqav2/val": 700, "vqav2/test-dev": 100, "vqav2/test": 100},
        **{"nlvr2/dev": 160, "nlvr2/test": 320, "coco-caption/test": 100, "coco-caption/val": 40},
        **{"coco-retrieval/test": 100, "coco-retrieval/val": 40},
        **{"flickr30k-retrieval/test": 100, "flickr30k-retrieval/val": 40},
        **{"refcoco+/val": 1056, "refcoco+/testA": 702, "refcoco+/testB": 696, "ovad/box": 514},
    }
    assert len(images) == 200
    assert all(address.startswith("data:image/") for address in images.values())


def test_what_each_task_shows_of_a_sample(embedded):
    data = Page(embedded).data

    def card(slug: str, id: str) -> dict:
        return next(card for card in data[slug] if card["id"] == id)

    box = card("refcoco+/testA", "1135")
    assert (box["text"], box["wrong"], box["score"]) == (
        *(["the ball"], True, {"accuracy": 0.0, "iou": 24.69}),
    )
    assert [row[0] for row in box["pics"][0][5]] == ["truth", "prediction"]
    question = card("vqav2/val", "100000001")
    assert question["more"] == [
        ["Answers of 10 people", [["square (9 people)", 100.0, True], ["diamond", 30.0, True]]]
    ]
    caption = card("coco-caption/test", "100014")
    assert len(caption["hit"]) == len(caption["said"].split(" "))
    assert len(caption["more"][0][1]) == 5
    attributes = card("ovad/box", "45")
    assert attributes["pics"][0][5][0][0] == "given"
    assert attributes["more"][0][0].startswith("Attributes by score (12 of 20")


def test_it_has_no_address_but_of_itself_and_no_handler(embedded):
    page = Page(embedded)
    for name, attributes in page.elements:
        assert not [key for key in attributes if key.startswith("on") or key == "style"]
        for key in ("src", "href", "action", "data"):
            address = attributes.get(key)
            assert address is None or address.startswith(("#", "data:image/")), (name, address)
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy["content"]


def test_it_can_be_read_with_a_keyboard_and_a_screen_reader(embedded):
    page = Page(embedded)
    ids = {attributes["id"] for _, attributes in page.elements if attributes.get("id")}
    for link in page.all("a"):
        target = link["href"].removeprefix("#")
        assert target in ids or target.rsplit("/", 1)[0] in ids, target
    assert len(page.all("main")) == len(page.all("nav")) == len(page.all("h1")) == 1
    assert page.all("html", lang="en") and page.all("a", **{"class": "skip"})
    assert all(svg.get("aria-label") for svg in page.all("svg"))
    assert all(section.get("aria-labelledby") in ids for section in page.all("section"))


@pytest.mark.parametrize("theme", [0, 1])
def test_texts_have_the_contrast_that_wcag_asks_for(theme):
    css = (ASSETS / "report.css").read_text()
    block = re.findall(r":root \{(.*?)\}", css, flags=re.S)[theme]
    colours = dict(re.findall(r"--(\w+): (#\w{6})", block))

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for text in ("ink", "soft", "accent", "bad", "good", "warm"):
        for ground in ("ground", "panel"):
            light, dark = sorted((luminance(colours[text]), luminance(colours[ground])))[::-1]
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
    for mark in ("hit1", "hit2", "hit4"):
        light, dark = sorted((luminance(colours["ink"]), luminance(colours[mark])))[::-1]
        assert (light + 0.05) / (dark + 0.05) >= 4.5, mark


def test_without_images_it_holds_none(tmp_path, capsys):
    results = scored(tmp_path, {100: "red cup"})
    html = written(tmp_path, results, "--data", tmp_path / "data", "--no-images")
    page = Page(html)
    assert page.data["images"] == {} and not page.all("image")
    assert "no pictures are embedded" in capsys.readouterr().err


def test_it_is_cut_to_its_size_and_says_so(tmp_path, capsys):
    html = written(tmp_path, RESULTS, "--max-size", "1.2MB")
    assert len(html.encode()) <= 1_200_000
    err = capsys.readouterr().err
    assert "of 1,056 samples are in the gallery; --max-size makes room" in err
    assert re.search(r"\d+ of 1,\d+ pictures are embedded", err)
    assert "samples are in the gallery" in html


def test_no_letter_of_data_ends_a_script():
    text = "</script><!-- \u2028\u2029 & \ud800"
    content = script_json([text])
    assert not set("<>&\u2028\u2029") & set(content)
    assert json.loads(content) == [text.replace("\ud800", "?")]


def test_results_without_annotations_or_predictions_are_still_reported(tmp_path, capsys):
    results = scored(tmp_path, {100: "red cup"})
    (results / "boxes" / "refcoco+.val.predictions.jsonl").unlink()
    html = written(tmp_path, results, "--data", tmp_path / "elsewhere")
    assert "no images, texts or truths are shown" in html
    assert "they were not kept beside the record" in html
    (card,) = Page(html).data["refcoco+/val"]
    assert card["said"] == "(not kept)" and card["score"]["accuracy"] == 100.0


def test_a_folder_without_results_makes_a_report_that_says_so(tmp_path):
    (tmp_path / "runs").mkdir()
    assert "There are no results in the folder yet" in written(tmp_path, tmp_path / "runs")


def test_two_results_of_one_task_and_split_have_addresses_of_their_own(tmp_path):
    first = scored(tmp_path, {100: "red cup"})
    second = scored(tmp_path, {100: "red cup"}, wrong=frozenset({100}))
    html = written(tmp_path, first, second, "--data", tmp_path / "data")
    assert Page(html).data.keys() == {"refcoco+/val", "refcoco+/val@boxes", "images"}
    assert '<a href="#provenance:refcoco+/val">100.00</a>' in html
    assert '<a href="#provenance:refcoco+/val@boxes">0.00</a>' in html.split('id="all-results"')[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 3, "nowhere: no such folder of results"),
        ([str(RESULTS), "--baseline", "nowhere"], 3, "nowhere: no such record or folder"),
        ([str(ASSETS), "--out", "/proc/no/report.html"], 4, "choose another --out"),
    ],
)
def test_what_cannot_be_reported_is_an_error(arguments, code, message, tmp_path, capsys):
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "report.html")]
    assert main(["report", *arguments, *out]) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_a_published_number_stands_beside_the_measured_one_which_leads_to_its_provenance(tmp_path):
    write_result(RECORD.path(tmp_path / "runs"), asdict(RECORD))
    html = written(tmp_path, tmp_path / "runs")
    assert "accuracy 84.50 (83.50 to 85.50), published 84.51" in html
    (row,) = re.findall(
        r"<tr>(?:(?!</tr>).)*84\.51.*?</tr>",
        html.split('id="paper"')[1].split('id="leaderboard"')[0],
        flags=re.S,
    )
    assert '<a href="#provenance:refcoco+/val">84.50</a>' in row and "reproduced" in row
    board = html.split('id="leaderboard"')[1].split("</section>")[0]
    assert '<a href="#provenance:refcoco+/val">84.50 (84.51, -0.01)</a>' in board
    assert board.count("#provenance:") == 1
    assert "spice is not run: no models" in html
    assert "refcoco+: 2 of the paper&#39;s 3 rows have no result" in html
    assert "coco-retrieval: " in html.split('id="not-run"')[1]
