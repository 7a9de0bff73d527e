"""A run as a process of a shell: interrupted, at a terminal, or with nobody who reads it."""

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from harness.shapes.benchmark import embedded_data
from tests.support import struck
from tests.support.forked import Running

RUN = ["run", "--task", "refcoco+"]


EIGHT = [*RUN, "--split", "val", "--limit", "8"]


def interrupt():
    """Interrupt the run at its fortieth image, as Ctrl-C does in a shell."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    struck.at_image("0:40:interrupt:train2014")


def test_an_interrupted_run_ends_with_code_130_and_says_how_to_go_on(tmp_path):
    path = tmp_path / "xvlm-shapes" / "refcoco+.val.predictions.jsonl"
    arguments = [*RUN, "--split", "val", "--batch-size", "1", "--fresh", "--out", str(tmp_path)]
    embedded_data()  # is written before images are counted
    code, shown = Running(arguments, interrupt).finish()
    assert code == 130
    assert "what was predicted is kept, run the same command without --fresh to go on" in shown
    assert "Traceback" not in shown
    assert len(path.read_text().splitlines()) > 1


def say_on(path):
    """Write all messages to a file."""
    sys.stderr = path.open("w")


def test_a_bar_is_drawn_where_a_person_watches(tmp_path):
    reader, writer = os.openpty()
    arguments = [*EIGHT, "--out", str(tmp_path)]
    code, out = Running(arguments, partial(say_on, Path(os.ttyname(writer)))).finish()
    os.close(writer)
    shown = b""
    with suppress(OSError):  # the other end is closed
        while piece := os.read(reader, 4096):
            shown += piece
    os.close(reader)
    assert code == 0
    assert "8/8" in shown.decode() and "\x1b[" in shown.decode()
    assert "8 of 1056" in out


def say_to_nobody():
    """Write all messages into a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    sys.stderr = os.fdopen(writer, "w")
    return sys.stderr.flush  # as Python does at its end


def test_a_run_goes_on_when_nobody_reads_its_messages_any_more(tmp_path):
    code, out = Running([*EIGHT, "--out", str(tmp_path)], say_to_nobody).finish()
    assert code == 0
    assert "8 of 1056" in out
