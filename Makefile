# Thin wrappers over the plain lines that the README shows.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# CONSTRAINTS=tests/lowest.txt installs the oldest versions that are allowed.
CONSTRAINTS ?=

# A fixed batch size: where it is the same, predictions are compared one by one.
EMBEDDED := $(BIN)/xvlm-eval run --task all --checkpoint xvlm-shapes --batch-size 32 --fresh
export REASON

.PHONY: setup demo test check lint docs nightly shapes-checkpoint baselines examples

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq -e '.[test,java,dev]' $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
	@touch $@

demo: setup
	$(BIN)/xvlm-eval run --task all --fresh
	$(BIN)/xvlm-eval table
	$(BIN)/xvlm-eval report --out runs/report.html

test: setup
	$(BIN)/python -m pytest

check: setup
	$(EMBEDDED) --out runs/check
	$(BIN)/xvlm-eval check runs/check

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: setup
	$(BIN)/pip install -qq -e '.[docs]'
	$(BIN)/mkdocs build --strict

# What a stranger does from an empty environment: some minutes, most of them pip's.
examples:
	$(PYTHON) tests/stranger.py

# What takes too long for every change: random input, other input every time, and many more kills.
nightly: setup
	XVLM_EVAL_FUZZ_EXAMPLES=1000 XVLM_EVAL_KILLS=10 XVLM_EVAL_NIGHTLY=1 \
		$(BIN)/python -m pytest tests/faults/test_fuzz_*.py tests/own/test_fuzz.py \
		tests/faults/test_kills.py tests/shapes/test_scenes.py tests/bench/test_end_to_end.py

shapes-checkpoint: setup
	$(BIN)/python -m harness.shapes.training.train
	$(BIN)/python -m harness.shapes.training.heads

# REASON="which numbers moved, and why that is right": needed where the check fails.
baselines: setup
	$(EMBEDDED) --out runs/baselines
	$(BIN)/xvlm-eval baseline runs/baselines --baseline results $(if $(REASON),--reason "$$REASON")
