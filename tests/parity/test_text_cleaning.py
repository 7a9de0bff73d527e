"""Text cleaning of ALBEF and BLIP, against the official functions."""

from harness.models.blip.preprocessing import pre_caption, pre_question
from harness.models.fusion.preprocessing import clean_caption, clean_question

KIND = "text_cleaning"
FUNCTIONS = {
    "albef": {"pre_caption": clean_caption, "pre_question": clean_question},
    "blip": {"pre_caption": pre_caption, "pre_question": pre_question},
}


def test_texts_are_cleaned_as_officially(case):
    compared = 0
    for family, functions in case.json("cases.json").items():
        for name, lengths in functions.items():
            for words, rows in lengths.items():
                for row in rows:
                    cleaned = FUNCTIONS[family][name](row["in"], int(words))
                    assert cleaned == row["out"], (family, name, words)
                    compared += 1
    assert compared
