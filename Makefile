# Thin wrappers over the plain lines that the README shows.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# A batch size of its own: predictions are compared one by one where it is the same.
EMBEDDED := $(BIN)/xvlm-eval run --task all --checkpoint xvlm-shapes --batch-size 32 --fresh
BASELINES := results/xvlm-shapes

.PHONY: setup demo test check shapes-checkpoint baselines check-style

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

check: setup
	$(EMBEDDED) --out runs/check
	$(BIN)/xvlm-eval check runs/check --require-all

shapes-checkpoint: setup
	$(BIN)/python -m harness.shapes.training.train
	$(BIN)/python -m harness.shapes.training.heads

baselines: setup
	$(EMBEDDED) --out runs/baselines
	rm -rf $(BASELINES) && mkdir -p $(BASELINES)
	cp runs/baselines/xvlm-shapes/*.json runs/baselines/xvlm-shapes/*.contributions.npz $(BASELINES)
	rm $(BASELINES)/*.timings.json $(BASELINES)/*.submission.json
	cp runs/baselines/xvlm-shapes/*.predictions.jsonl $(BASELINES)
	gzip -9n $(BASELINES)/*.predictions.jsonl

check-style: setup
	$(BIN)/pip install -qq -e '.[dev]'
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
