# Thin wrappers over the plain lines that the README shows.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: setup demo test shapes-checkpoint check-style

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq -e '.[test,java]'
	@touch $@

demo: setup
	$(BIN)/xvlm-eval run --task refcoco+ --fresh
	$(BIN)/xvlm-eval table

test: setup
	$(BIN)/python -m pytest

shapes-checkpoint: setup
	$(BIN)/python -m harness.shapes.train

check-style: setup
	$(BIN)/pip install -qq -e '.[dev]'
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
