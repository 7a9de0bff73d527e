"""Command lines with words that name nothing: exit code 2, and the nearest names."""

import pytest

from harness.cli.main import main
from tests.support.small_run import RUN


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run"], "--task is needed"),
        (["run", "--task", "refcco+"], "did you mean refcoco+"),
        (["run", "--task", "chess"], "known are: coco-caption, coco-retrieval,"),
        (["run", "--task", "refcoco+", "--split", "tests"], "did you mean testB or testA?"),
        (["run", "--task", "refcoco+", "--checkpoint", "xvlm-shape"], "did you mean xvlm-shapes"),
        (["run", "--task", "refcoco+", "--device", "abacus"], "no such device"),
        (["run", "--task", "refcoco+", "--dtype", "tf32", "--device", "cpu"], "only CUDA"),
        (["run", "--task", "refcoco+", "--checkpoint", "x-vlm"], "x-vlm-base-16m"),
    ],
)
def test_a_name_that_does_not_exist_ends_with_code_2_and_the_nearest_ones(
    capsys, tmp_path, monkeypatch, arguments, expected
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert expected in capsys.readouterr().err


def test_an_empty_name_of_a_folder_is_not_taken_for_the_embedded_benchmark(world, capsys):
    assert main([*RUN, "--data", ""]) == 2
    assert "--data is empty, and names nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["run", "--task", "refcoco+", "--checkpoint", ""], "--checkpoint"),
        (["run", "--task", "refcoco+", "--checkpoint="], "--checkpoint"),
        (["run", "--task", "refcoco+", "--out", "  ", "--plan"], "--out"),
        (["run", "--task", "refcoco+", "--allow-links", ""], "--allow-links"),
        (["table", ""], "argument 1"),
        (["export", "results", "--format", "csv", "--out="], "--out"),
    ],
)
def test_a_blank_argument_is_not_taken_for_one_that_is_not_given(arguments, name, capsys):
    assert main(arguments) == 2
    assert f"xvlm-eval: {name} is empty, and names nothing" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--model", "blip"], ["--name", "mine"]])
def test_a_family_or_a_name_without_weights_is_refused(flags, capsys):
    assert main(["run", "--task", "refcoco+", *flags]) == 2
    assert "is about weights of your own; name them by --checkpoint FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["dance"], ["run", "--limit", "0"], ["run", "--limit", "x"], ["run", "--dtype", "int8"]],
)
def test_a_command_line_that_cannot_be_read_ends_with_code_2(arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
