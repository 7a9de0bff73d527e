"""What the readers of official files keep, join and leave out."""

import json
import pickle

import pytest

from harness.errors import DataError
from harness.formats.karpathy import CaptionedImage, caption_id, read_flat_captions, read_karpathy
from harness.formats.nlvr2 import read_flat_statements, read_lines
from harness.formats.ovad import read_ovad
from harness.formats.refer import read_flat, read_references
from harness.formats.submissions import match_predictions, read_boxes, read_labels
from harness.formats.vqa import read_answer_list, read_flat_questions, read_questions
from tests.support import refcoco_files
from tests.support.official_files import ANNOTATIONS, COCO, OVAD, QUESTIONS


@pytest.fixture
def write(tmp_path):
    def written(content, name="file.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return written


def test_answers_keep_every_key_since_the_official_scorer_compares_them_as_a_whole(write):
    answers = [{"answer": "cup", "answer_id": 1, "region": [1, None]}, {"answer": "cup"}]
    annotations = [{**entry, "answers": answers} for entry in ANNOTATIONS["annotations"]]
    first, second = read_questions(
        write(QUESTIONS), write({"annotations": annotations[::-1]}, "annotations.json")
    )
    assert (first.question_id, second.question_id) == (11, 10)  # the annotations' order
    assert list(first.answers) == answers
    assert (first.answer_type, first.question_type, first.text) == ("other", "what", "what is it?")


def test_hidden_answers_are_empty(write):
    assert [question.answers for question in read_questions(write(QUESTIONS), None)] == [(), ()]


def test_flat_answers_get_ids_in_order_and_equal_ones_share_an_object(write):
    entry = {"question": "is it?", "image": "val2014/1.jpg"}
    path = write([
        {**entry, "question_id": 1, "answer": ["cup", "red", "cup"]},
        {**entry, "question_id": 2, "answer": ["cup"]},
        {**entry, "question_id": 3, "answer": "cup"},
        {**entry, "question_id": 4},
    ])  # fmt: skip
    images, questions = zip(*read_flat_questions(path), strict=True)
    assert set(images) == {"val2014/1.jpg"}
    assert [[answer["answer_id"] for answer in question.answers] for question in questions] == [
        [1, 2, 3],
        [1],
        [1],
        [],
    ]
    assert questions[0].answers[2] == {"answer": "cup", "answer_confidence": "yes", "answer_id": 3}
    assert questions[0].answers[0] is questions[1].answers[0] is questions[2].answers[0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [('["yes", ""]', ", item 1: is an empty answer"), ('["yes", "yes"]', ": has an answer twice")],
)
def test_an_answer_list_has_distinct_answers(write, content, problem):
    path = write(content)
    with pytest.raises(DataError) as caught:
        read_answer_list(path)
    assert str(caught.value) == f"{path}{problem}"


def test_a_split_of_captions_has_its_images_with_their_folders(write):
    others = {**COCO["images"][0], "split": "val", "filename": "3.jpg", "filepath": None}
    training = {**others, "split": "restval", "filename": "4.jpg"}
    path = write({"images": [*COCO["images"], others, training]})
    images = read_karpathy(path, "test")
    assert images[0].image == "val2014/COCO_val2014_000000000001.jpg"
    assert images[0].captions == ("a red cup", "one cup")
    assert [caption_id(image) for image in images] == [1, 2]
    assert read_karpathy(path, "val") == [CaptionedImage("3.jpg", ("a red cup", "one cup"), 1)]


@pytest.mark.parametrize(
    ("image", "number", "id"),
    [
        ("val2014/COCO_val2014_000000391895.jpg", None, 391895),
        ("COCO_val2014_000000391895.jpg", 7, 391895),  # `imgid` of a file without `cocoid`
        ("photos/003.jpg", 7, 7),
        ("photos/extra_7.jpg", None, 7),  # as X-VLM's code
        ("photos/garden-a.jpg", None, "photos/garden-a.jpg"),
    ],
)
def test_the_id_of_a_captioned_image_is_the_annotations_own(image, number, id):
    assert caption_id(CaptionedImage(image, ("a",), number)) == id


def test_flat_captions_are_a_list_or_one_string(write):
    path = write([{"image": "1.jpg", "caption": "a"}, {"image": "2.jpg", "caption": ["b", "c"]}])
    assert [image.captions for image in read_flat_captions(path)] == [("a",), ("b", "c")]
    path = write([{"image": "1.jpg", "caption": []}])
    with pytest.raises(DataError, match=r"the image '1\.jpg' has no caption"):
        read_flat_captions(path)


def test_examples_of_nlvr2_are_grouped_by_set_and_sentence(write):
    line = '{"identifier": "dev-850-3-1", "sentence": "two cups", "label": "False"}'
    (example,) = read_lines(write(line), folder="dev")
    assert (example.left, example.right) == ("dev/dev-850-3-img0.png", "dev/dev-850-3-img1.png")
    assert (example.label, example.group) == (False, "dev-850--1")
    entry = {"sentence": "two cups", "label": "True"}
    names = [["dev/dev-850-3-img0.png", "dev/dev-850-3-img1.png"], ["a.png", "b.png"]]
    flat = read_flat_statements(write([{**entry, "images": pair} for pair in names]))
    assert [each.group for each in flat] == ["dev-850: two cups", "a.png: two cups"]
    assert [each.identifier for each in flat] == ["0", "1"]


def test_small_boxes_of_ovad_are_left_out_and_coordinates_truncated(write):
    small = {**OVAD["annotations"][0], "id": 9, "area": 49.9, "att_vec": []}
    annotations = read_ovad(write({**OVAD, "annotations": [small, *OVAD["annotations"]]}))
    assert [box.id for box in annotations.boxes] == [1, 2]
    assert annotations.boxes[0].pixels == (1, 2, 20, 20)
    assert annotations.boxes[0].labels == (1, -1)


@pytest.fixture
def references(tmp_path, write):
    (tmp_path / "refs.p").write_bytes(pickle.dumps(refcoco_files.refs()))
    return read_references(tmp_path / "refs.p", write(refcoco_files.instances()))


def test_a_flat_expression_is_the_next_sentence_with_its_text(write, references):
    first = references[0]
    texts = [sentence.text for sentence in first.sentences]
    path = write([{"ref_id": first.ref_id, "text": text} for text in [texts[1], "edited"]])
    sentences = [sentence for _, sentence in read_flat(path, references, "val")]
    assert [sentence.text for sentence in sentences] == [texts[1], "edited"]
    assert [sentence.sent_id for sentence in sentences] == [
        first.sentences[1].sent_id,
        first.sentences[0].sent_id,
    ]


def test_boxes_have_a_sentence_id_or_the_next_sentence_of_their_reference(write):
    box = [0.5, 0.5, 1, 1]
    path = write(
        [{"pred": box, "ref_id": 7}, {"pred": box, "sent_id": 3}, {"pred": box, "ref_id": 7}]
    )
    assert read_boxes(path, {7: [10, 11]}) == [(10, box), (3, box), (11, box)]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"pred": [0, 0, 1]}, "pred should have 4 items, but is [0, 0, 1]"),
        ({"pred": [0, 0, 1, 1]}, "has neither 'sent_id' nor 'ref_id'"),
        ({"pred": [0, 0, 1, 1], "sent_id": None}, "sent_id should be a whole number, but is null"),
        ({"pred": [0, 0, 1, 1], "ref_id": 8}, "ref_id 8 has 0 expressions here, this is one more"),
    ],
)
def test_a_box_of_no_expression_is_refused(write, entry, problem):
    path = write([entry])
    with pytest.raises(DataError) as caught:
        read_boxes(path, {7: [10]})
    assert str(caught.value) == f"{path}, item 0: {problem}"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_labels_are_read_whatever_ends_a_line(tmp_path, newline):
    lines = ["dev-0-0-0,True,0.9", "dev-0-1-0,false"]
    (tmp_path / "labels.csv").write_bytes(newline.join(lines).encode())
    assert read_labels(tmp_path / "labels.csv") == [("dev-0-0-0", True), ("dev-0-1-0", False)]


def test_predictions_that_do_not_match_the_samples_are_counted_with_examples(tmp_path):
    assert match_predictions(tmp_path, [(2, "b"), (1, "a")], [1, 2]) == {1: "a", 2: "b"}
    with pytest.raises(DataError) as caught:
        match_predictions(tmp_path, [(1, "a"), (1, "b"), (9, "c")], [1, 2, 3])
    assert str(caught.value) == (
        f"{tmp_path}: 2 ids are missing, e.g. 2, 3; 1 ids occur more than once, e.g. 1; "
        "1 ids belong to no sample, e.g. 9 (3 predictions for 3 samples)"
    )
