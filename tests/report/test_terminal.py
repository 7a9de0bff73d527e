"""Pictures in terminals: kitty's protocol and sixels, as a terminal would decode them."""

import base64
import io
import re

import pytest
from PIL import Image

from harness.report import terminal


@pytest.fixture
def picture():
    image = Image.new("RGB", (20, 14), "#ff0000")
    image.paste("#0000ff", (5, 3, 20, 14))
    return image


def test_kitty_is_sent_the_picture_as_png_in_chunks(picture):
    noise = Image.effect_noise((120, 120), 90).convert("RGB")
    messages = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", terminal.to_text(noise, "kitty"))
    assert len(messages) > 1 and all(len(content) <= 4096 for _, content in messages)
    assert messages[0][0].startswith("a=T,f=100") and messages[-1][0].endswith("m=0")
    content = base64.b64decode("".join(content for _, content in messages))
    assert Image.open(io.BytesIO(content)).size == (120, 120)


def test_sixels_draw_every_pixel(picture):
    text = terminal.to_text(picture, "sixel")
    assert text.startswith('\x1bPq"1;1;20;14') and text.endswith("\x1b\\")
    assert decoded(text) == [picture.getpixel((x, y)) for y in range(14) for x in range(20)]


def decoded(text: str) -> list[tuple[int, int, int]]:
    """The pixels of a sixel picture, decoded as terminals do."""
    width, height = map(int, re.match(r'\x1bPq"1;1;(\d+);(\d+)', text).groups())
    body = text[text.index("#") : -2]
    colours = {
        int(number): tuple(round(int(part) * 2.55) for part in parts)
        for number, *parts in re.findall(r"#(\d+);2;(\d+);(\d+);(\d+)", body)
    }
    body = re.sub(r"#\d+;2;\d+;\d+;\d+", "", body)
    pixels = {}
    top = column = 0
    repeat, colour = 1, None
    for sign, number, letter in re.findall(r"([#!])(\d+)|([?-~$-])", body):
        if sign == "#":
            colour = colours[int(number)]
        elif sign == "!":
            repeat = int(number)
            continue
        elif letter == "$":
            column = 0
        elif letter == "-":
            top, column = top + 6, 0
        else:
            for x in range(column, column + repeat):
                for bit in range(6):
                    if (ord(letter) - 63) >> bit & 1:
                        pixels[x, top + bit] = colour
            column += repeat
        repeat = 1
    return [pixels[x, y] for y in range(height) for x in range(width)]


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "kitty"),
        ({"TERM": "xterm-kitty", "TMUX": "tmux,1,0"}, "none"),
        ({"TERM": "screen.xterm-256color"}, "none"),
        ({}, "none"),
        ({"TERM": "xterm-256color"}, None),
    ],
)
def test_what_the_environment_says_of_a_terminal(environment, protocol):
    assert terminal.by_environment(environment) == protocol


def test_nothing_is_asked_where_input_or_output_is_no_terminal(capsys):
    assert terminal.detect() == "none"
    assert capsys.readouterr().out == ""
