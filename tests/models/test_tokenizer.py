"""The tokenizer: BERT's word pieces after [CLS]."""

import pytest

from harness.errors import CheckpointError
from harness.models.fusion.tokenizer import Tokenizer

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "cup", "##s", "'", "s", "."]


def tokenizer_of(folder, pieces=PIECES, end="\n"):
    path = folder / "vocab.txt"
    path.write_text("\n".join(pieces) + end, encoding="utf-8")
    return Tokenizer(path)


@pytest.fixture
def tokenizer(tmp_path):
    return tokenizer_of(tmp_path)


def pieces(tokenizer, text):
    return [PIECES[number] for number in tokenizer.ids(text)]


def test_a_text_is_cls_and_its_word_pieces_without_sep(tokenizer):
    assert pieces(tokenizer, "A red CUPS") == ["[CLS]", "a", "red", "cup", "##s"]
    assert pieces(tokenizer, "") == ["[CLS]"]


def test_accents_are_removed_and_unknown_words_are_one_piece(tokenizer):
    assert pieces(tokenizer, "réd blue") == ["[CLS]", "red", "[UNK]"]
    assert pieces(tokenizer, "cup" + "s" * 200) == ["[CLS]", "[UNK]"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u2e43red", ["a", "[UNK]", "red"]),  # a dash of Unicode 8, no part of a word
        ("a\u1e94f", ["[UNK]"]),
        ("red\U0002b820cup", ["red", "[UNK]", "cup"]),  # an ideograph of Unicode 8
        ("re\u1ab0d", ["red"]),  # a combining mark of Unicode 7
        ("re\u0898d cups", ["red", "cup", "##s"]),  # one of Unicode 14
        ("r\u00e9d[SEP]cup\u3000a", ["red", "[SEP]", "cup", "a"]),
        ("\u2028a\u200b\x85", ["a"]),
        ("r\u00e9d " + "s" * 101, ["red", "[UNK]"]),
    ],
)
def test_rare_characters_are_split_by_the_tables_of_python(tokenizer, text, expected):
    assert pieces(tokenizer, text) == ["[CLS]", *expected]


def test_texts_within_and_beyond_ascii_are_split_alike(tokenizer):
    texts = ["A red, cup's [SEP] plate", "cups.a\tred\n'", "cup" * 40, "[MASK]ed"]
    for text in texts:
        # A zero-width blank is removed, and sends the text the other way.
        assert tokenizer.ids(text) == tokenizer.ids(f"{text}\u200b"), text


def test_words_of_printable_ascii_are_those_of_the_library(tokenizer):
    for character in map(chr, range(128)):
        for text in (f"red{character}CUPS", f"{character} a{character}{character}", character):
            expected = tokenizer._bert.encode(text, add_special_tokens=False).ids
            assert tokenizer.piece_ids(text) == expected, repr(text)
    long = "s" * 101
    assert pieces(tokenizer, f"a {long[:100]} {long}") == [
        "[CLS]",
        "a",
        "s",
        *["##s"] * 99,
        "[UNK]",
    ]


def test_a_special_token_written_in_a_text_is_that_token(tokenizer):
    assert pieces(tokenizer, "red[SEP]") == ["[CLS]", "red", "[SEP]"]
    assert tokenizer.ids("a[SEP]")[-1] == tokenizer.sep == 3


def test_decoded_text_has_no_special_tokens_and_no_blanks_before_marks(tokenizer):
    ids = [PIECES.index(piece) for piece in ["[CLS]", "a", "cup", "##s", ".", "[SEP]", "[PAD]"]]
    assert tokenizer.text(ids) == "a cups."
    assert (
        tokenizer.text([PIECES.index(piece) for piece in ["cup", "'", "s", "red"]]) == "cup's red"
    )


def test_a_batch_is_padded_to_its_longest_text_and_cut(tokenizer):
    batch = tokenizer.batch(["a red cup", "a"])
    assert batch.ids.tolist() == [[2, 5, 6, 7], [2, 5, 0, 0]]
    assert batch.present.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert tokenizer.batch(["a red cup", "a"], max_tokens=3).ids.tolist() == [[2, 5, 6], [2, 5, 0]]


def test_the_last_line_may_lack_its_end(tmp_path):
    assert len(tokenizer_of(tmp_path, end="")) == len(tokenizer_of(tmp_path)) == len(PIECES)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        (
            [piece for piece in PIECES if piece != "[SEP]"],
            r"is not a BERT vocabulary: \[SEP\] missing",
        ),
        ([*PIECES, "cup"], "repeats a word piece"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path, pieces, message):
    with pytest.raises(CheckpointError, match=message):
        tokenizer_of(tmp_path, pieces)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"vocab\.txt: cannot be read as a vocabulary"):
        Tokenizer(tmp_path / "vocab.txt")
