# Thin wrappers over the plain lines that the README shows.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: setup demo test shapes-checkpoint baselines check-style

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq -e '.[test,java]'
	@touch $@

demo: setup
	$(BIN)/xvlm-eval run --task all --fresh
	$(BIN)/xvlm-eval table

test: setup
	$(BIN)/python -m pytest

shapes-checkpoint: setup
	$(BIN)/python -m harness.shapes.train
	$(BIN)/python -m harness.shapes.heads

baselines: setup
	$(BIN)/xvlm-eval run --task all --checkpoint xvlm-shapes --fresh
	mkdir -p results/xvlm-shapes
	find runs/xvlm-shapes -name '*.json' ! -name '*.timings.json' ! -name '*.submission.json' ! -name '*.limit-*' -exec cp {} results/xvlm-shapes/ ';'

check-style: setup
	$(BIN)/pip install -qq -e '.[dev]'
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
