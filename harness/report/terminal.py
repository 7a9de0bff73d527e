"""Pictures in a terminal that can show them: by kitty's protocol or as sixels.

A terminal is asked only where both its input and its output are one, with a short time limit.
"""

import base64
import io
import os
import select
import sys
from collections.abc import Mapping

from PIL import Image

KITTY, SIXEL, NONE = "kitty", "sixel", "none"
LONGEST = 480  # pixels of a picture's longer side
CHUNK = 4096  # bytes of base64 in one message of kitty's protocol
COLOURS = 64  # of a sixel picture
PATIENCE = 0.2  # seconds that a terminal has to answer


def detect() -> str:
    """Return how the terminal shows pictures: `kitty`, `sixel` or `none`."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return NONE
    return by_environment(os.environ) or (SIXEL if _answers_sixel() else NONE)


def by_environment(environment: Mapping[str, str]) -> str | None:
    """Return what the environment says of the terminal, None where it leaves it open.

    A multiplexer (tmux, screen) hides the terminal behind it, so nothing is sent through it.

    >>> by_environment({"TERM": "xterm-kitty"}), by_environment({"TERM": "dumb"})
    ('kitty', 'none')
    >>> by_environment({"TERM": "xterm-256color"})
    """
    term = environment.get("TERM", "")
    if "TMUX" in environment or "STY" in environment or term.startswith(("screen", "tmux")):
        return NONE
    if term in ("", "dumb", "linux"):
        return NONE
    if "KITTY_WINDOW_ID" in environment or term in ("xterm-kitty", "xterm-ghostty"):
        return KITTY
    return KITTY if environment.get("TERM_PROGRAM") in ("ghostty", "WezTerm") else None


def to_text(image: Image.Image, protocol: str) -> str:
    """Return a picture as the text that a terminal shows it by."""
    image = image.convert("RGB")
    image.thumbnail((LONGEST, LONGEST))
    return to_kitty(image) if protocol == KITTY else to_sixel(image)


def to_kitty(image: Image.Image) -> str:
    """Return a picture by kitty's protocol: PNG in base64, in chunks."""
    file = io.BytesIO()
    image.save(file, "PNG")
    content = base64.standard_b64encode(file.getvalue()).decode("ascii")
    chunks = [content[start : start + CHUNK] for start in range(0, len(content), CHUNK)]
    messages = []
    for number, chunk in enumerate(chunks):
        first = "a=T,f=100," if number == 0 else ""
        more = int(number < len(chunks) - 1)
        messages.append(f"\x1b_G{first}q=2,m={more};{chunk}\x1b\\")
    return "".join(messages)


def to_sixel(image: Image.Image) -> str:
    """Return a picture as sixels: bands of six rows, one pass per colour of a band."""
    indexed = image.quantize(COLOURS)
    width, height = indexed.size
    palette = indexed.getpalette() or []
    pixels = indexed.tobytes()
    parts = [f'\x1bPq"1;1;{width};{height}']
    used = sorted(set(pixels))
    for colour in used:
        red, green, blue = (round(part / 2.55) for part in palette[3 * colour : 3 * colour + 3])
        parts.append(f"#{colour};2;{red};{green};{blue}")
    for top in range(0, height, 6):
        rows = [pixels[row * width : (row + 1) * width] for row in range(top, min(top + 6, height))]
        for colour in sorted(set(b"".join(rows))):
            bits = bytearray(width)
            for bit, row in enumerate(rows):
                for column, value in enumerate(row):
                    if value == colour:
                        bits[column] |= 1 << bit
            parts.append(f"#{colour}{_run_lengths(bits)}$")
        parts.append("-")
    return "".join([*parts, "\x1b\\"])


def _run_lengths(bits: bytearray) -> str:
    """Return sixels with repeated ones counted: `!12~`."""
    parts: list[str] = []
    start = 0
    for index in range(1, len(bits) + 1):
        if index == len(bits) or bits[index] != bits[start]:
            count, letter = index - start, chr(63 + bits[start])
            parts.append(f"!{count}{letter}" if count > 3 else letter * count)
            start = index
    return "".join(parts)


def _answers_sixel() -> bool:
    """Ask the terminal for its attributes (DA1), of which 4 means sixels."""
    try:
        import termios
        import tty
    except ImportError:  # not on every system
        return False
    descriptor = sys.stdin.fileno()
    try:
        before = termios.tcgetattr(descriptor)
    except termios.error:
        return False
    answer = b""
    try:
        tty.setcbreak(descriptor)
        sys.stdout.write("\x1b[c")
        sys.stdout.flush()
        while not answer.endswith(b"c") and select.select([descriptor], [], [], PATIENCE)[0]:
            if not (byte := os.read(descriptor, 1)):
                break
            answer += byte
    except OSError:
        return False
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
    return is_sixel_answer(answer)


def is_sixel_answer(answer: bytes) -> bool:
    r"""Return whether an answer to DA1 lists sixels.

    >>> is_sixel_answer(b"\x1b[?62;4;22c"), is_sixel_answer(b"\x1b[?62;22c"), is_sixel_answer(b"")
    (True, False, False)
    """
    start = answer.find(b"\x1b[?")
    return start >= 0 and b"4" in answer[start + 3 :].removesuffix(b"c").split(b";")[1:]
