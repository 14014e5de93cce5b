# Everything runs in .venv, made on the first use from the pinned requirements*.txt.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help venv demo test lint protos schemas bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     the main job from start to end, on the embedded fleet"
	@echo "make test     every test"
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

demo: .venv/.runtime
	@$(BIN)/viam-mcp demo

test: .venv/.dev
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

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
