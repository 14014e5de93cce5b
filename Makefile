# Everything runs in .venv, made on the first use from the pinned requirements*.txt.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help venv demo test test-fast test-slow coverage mutants lint protos schemas bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     the main job from start to end, on the embedded fleet"
	@echo "make test     every test but the long ones"
	@echo "make test-fast  those that start no process and open no HTTP server, for between two edits"
	@echo "make test-slow  the long ones: loads, soaks, thousands of breaks"
	@echo "make coverage lines and branches that the tests reach"
	@echo "make mutants  small faults that the tests notice; AREAS=\"rules paging\" for some, ARGS=\"--sample 80\" for a sample"
	@echo "make lint     style, types, the folders' arrows, generated files"
	@echo "make protos   viam_mcp/proto/ from protos/"
	@echo "make schemas  tool_schemas/ and the README's table from the tools"
	@echo "make bench    what is fast, against what, in one run"
	@echo "make venv     only the environment"

venv: .venv/.dev

.venv/.runtime: requirements.txt requirements-build.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "viam-mcp needs Python 3.11 or newer; name one with make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements.txt -r requirements-build.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.txt
	$(PIP) -r requirements-dev.txt
	@touch $@

.venv/.bench: .venv/.runtime benchmarks/requirements.txt
	$(PIP) -r benchmarks/requirements.txt
	@touch $@

.venv/.mutants: .venv/.dev requirements-mutants.txt
	$(PIP) -r requirements-mutants.txt
	@touch $@

demo: .venv/.runtime
	@$(BIN)/viam-mcp demo

PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal

test: .venv/.dev
	$(PYTEST) -m "not slow"

test-fast: .venv/.dev
	HYPOTHESIS_PROFILE=fast $(PYTEST) -m "not slow and not served and not legacy"

test-slow: .venv/.dev
	$(BIN)/python -m pytest -m slow

coverage: .venv/.dev
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered

mutants: .venv/.mutants
	$(BIN)/python scripts/mutants.py $(ARGS) $(AREAS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/protos.py --check
	$(BIN)/python scripts/schemas.py --check

protos: .venv/.dev
	$(BIN)/python scripts/protos.py

schemas: .venv/.dev
	$(BIN)/python scripts/schemas.py

bench: .venv/.bench
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv
