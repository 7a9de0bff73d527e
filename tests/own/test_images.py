"""The images of own data: upright, in folders, linked, or not readable."""

import json

import pytest
from PIL import Image

from harness.cli.main import main
from harness.errors import DataError
from harness.formats.own.folder import OwnFolder, data_name
from harness.formats.own.images import shown_images
from harness.images import Region, allowing_links, read_views
from harness.registry import find_task
from harness.task import load_samples


def photo(path, *, size=(40, 20), orientation=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.new("RGB", size, "red").save(path, exif=exif)
    return path


def shown(folder, name):
    return shown_images([(name, "line 1")], folder)[name]


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "b/c/a.jpg"])
def test_an_image_is_shown_whole_with_its_size(tmp_path, name):
    path = photo(tmp_path / name)
    assert shown(tmp_path, name) == (path, 40, 20)


@pytest.mark.parametrize(("orientation", "size"), [(1, None), (3, (40, 20)), (6, (20, 40))])
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_photo_lying_on_a_side_is_shown_upright(tmp_path, name, orientation, size):
    path = photo(tmp_path / name, orientation=orientation)
    expected = (Region(path, (0, 0, *size)), *size) if size else (path, 40, 20)
    assert shown(tmp_path, name) == expected


def test_a_tiff_lying_on_a_side_is_turned_by_pillow_and_not_once_more(tmp_path):
    path = photo(tmp_path / "a.tif", orientation=6)
    assert shown(tmp_path, "a.tif") == (path, 20, 40)
    (view,) = read_views([path], lambda image: image.size, needed_by="a").values()
    assert view == (20, 40)


def test_either_form_of_unicode_finds_an_image(tmp_path):
    composed, decomposed = "caf\u00e9/\u00e9.jpg", "cafe\u0301/e\u0301.jpg"
    path = photo(tmp_path / decomposed)
    assert shown(tmp_path, composed) == shown(tmp_path, decomposed) == (path, 40, 20)
    assert shown(tmp_path, "\u00ea.jpg") == (tmp_path / "\u00ea.jpg", 0, 0)


def test_a_name_whose_decomposed_form_is_too_long_for_a_file_is_a_name_as_any(tmp_path):
    name = 100 * "\u00e9" + ".jpg"  # 204 bytes, decomposed 304
    assert shown(tmp_path, name).view == tmp_path / name  # missing, which is left to the run
    photo(tmp_path / name)
    (sample,) = load(tmp_path, "retrieval", {"image": name, "caption": "red"})
    assert sample.images == (tmp_path / name,)


def in_both_forms(tmp_path):
    """Write a composed and a decomposed name, or skip where the disk takes them for one."""
    names = "\u00e9.jpg", "e\u0301.jpg"
    photo(tmp_path / names[0])
    if (tmp_path / names[1]).exists():
        pytest.skip("this file system takes both forms of Unicode for one name")
    photo(tmp_path / names[1], size=(60, 30))
    return names


def test_two_images_whose_names_differ_by_their_form_of_unicode_are_two(tmp_path):
    composed, decomposed = in_both_forms(tmp_path)
    assert shown(tmp_path, composed) == (tmp_path / composed, 40, 20)
    assert shown(tmp_path, decomposed) == (tmp_path / decomposed, 60, 30)
    lines = [{"image": f"./{composed}", "caption": "red"}, {"image": decomposed, "caption": "wide"}]
    first, second = load(tmp_path, "retrieval", *lines)
    assert (first.images, first.captions) == ((tmp_path / composed,), ("red",))
    assert (second.images, second.captions) == ((tmp_path / decomposed,), ("wide",))
    (tmp_path / decomposed).unlink()
    with pytest.raises(DataError, match=r"line 2: the image .* occurs twice, first in .*line 1"):
        load(tmp_path, "caption", *lines)


def test_a_name_in_a_third_form_of_unicode_is_not_guessed(tmp_path):
    mixed = "\u00e9e\u0301.jpg"
    photo(tmp_path / "\u00e9\u00e9.jpg")
    assert shown(tmp_path, mixed).view == tmp_path / "\u00e9\u00e9.jpg"
    if (tmp_path / mixed).exists():
        pytest.skip("this file system takes both forms of Unicode for one name")
    photo(tmp_path / "e\u0301e\u0301.jpg")
    with pytest.raises(DataError) as refused:
        shown(tmp_path, mixed)
    assert str(refused.value) == (
        r"line 1: names the file '\xe9e\u0301.jpg', but one file has this name in composed and "
        "another one in decomposed characters of Unicode; name exactly one of them"
    )


def test_what_is_no_image_is_left_to_the_run(tmp_path):
    (tmp_path / "a.jpg").write_text("no image")
    assert shown(tmp_path, "a.jpg") == (tmp_path / "a.jpg", 0, 0)
    assert shown(tmp_path, "b.jpg") == (tmp_path / "b.jpg", 0, 0)


def test_links_out_of_the_folder_are_not_followed_unless_allowed(tmp_path):
    photo(tmp_path / "cache" / "a.jpg")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").symlink_to(tmp_path / "cache" / "a.jpg")
    assert shown(tmp_path / "photos", "a.jpg").width == 0
    with allowing_links([tmp_path / "cache"]):
        assert shown(tmp_path / "photos", "a.jpg").width == 40
        absolute = str(tmp_path / "cache" / "a.jpg")
        assert shown(tmp_path / "photos", absolute).width == 40


def load(tmp_path, kind, *lines):
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = OwnFolder(tmp_path, "own", tmp_path / "own.jsonl")
    return load_samples(find_task(f"own-{kind}"), data, "own")


LINE = {"image": "a.jpg", "expression": "red", "box": [1, 2, 10, 30]}


def test_boxes_count_in_upright_pixels(tmp_path):
    photo(tmp_path / "a.jpg", orientation=6)
    (sample,) = load(tmp_path, "grounding", LINE)
    assert (sample.width, sample.height) == (20, 40)
    photo(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"line 1: has the box \[1, 2, 10, 30\], outside of its"):
        load(tmp_path, "grounding", LINE)
    with pytest.raises(DataError, match="is 30 x 50 pixels, but it is 40 x 20"):
        load(tmp_path, "grounding", LINE | {"width": 30, "height": 50})


def test_a_box_is_not_scored_without_the_size_of_its_image(tmp_path):
    task, (sample,) = find_task("own-grounding"), load(tmp_path, "grounding", LINE)
    with pytest.raises(DataError, match=r"a.jpg: cannot be read, .*--images DIR"):
        task.score([sample], {1: [0.5, 0.5, 1.0, 1.0]})
    assert task.score([sample], {1: task.fallback_prediction(sample)}).metrics["accuracy"] == 0
    known = load(tmp_path, "grounding", LINE | {"width": 20, "height": 40})
    assert task.score(known, {1: [0.3, 0.425, 0.5, 0.75]}).metrics["accuracy"] == 100.0


def test_unreadable_images_are_skipped_and_counted_as_wrong(tmp_path, capsys):
    photo(tmp_path / "a.jpg", size=(20, 40))
    (tmp_path / "b.jpg").write_text("no image")
    lines = [LINE, LINE | {"image": "b.jpg"}]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    run = ["run", "--task", "grounding", "--annotations", str(tmp_path / "own.jsonl")]
    run += ["--checkpoint", "xvlm-shapes", "--out", str(tmp_path / "runs")]
    assert main(run) == 3
    assert "b.jpg: is not an image that Pillow can read" in capsys.readouterr().err
    assert main([*run, "--on-error", "skip"]) == 0
    folder = tmp_path / "runs" / "xvlm-shapes"
    record = json.loads((folder / "own-grounding.own.json").read_text())
    assert list(record["predictions"]["skipped"]) == ["2"] and record["n"] == 2
    export = (folder / "own-grounding.own.export.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in export] == [1]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("boxes.jsonl", "boxes"),
        ("my photos (1).v2.jsonl", "my-photos-1-v2"),
        ("école.csv", "école"),
        ("shapes.jsonl", "own-shapes"),
        ("....jsonl", "own-"),
        (f"{'a' * 300}.jsonl", "a" * 100),
    ],
)
def test_the_name_of_the_data_is_that_of_its_file(tmp_path, file, name):
    assert data_name(None, tmp_path / file) == name
