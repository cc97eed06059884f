# `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test test-fast prove coverage check format docs docs-serve hooks

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Without --no-compile pip compiles thousands of modules that are never imported. Those that are
# imported must be compiled once, and the result kept: otherwise each trial server compiles them again.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
PARALLEL := --numprocesses 3 --dist loadfile --no-loadscope-reorder
ROOMS := conf data models tasks flows

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) "$$(grep '^torch==' constraints.txt)"
	$(INSTALL) --editable .
	touch $@

$(VENV)/.develop: $(VENV)/.installed
	$(INSTALL) --editable '.[test,check,docs]'
	touch $@

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

run: $(VENV)/.installed ## set up .venv and run the default study on scikit-learn's digits
	$(BIN)/dense run digits

test: $(VENV)/.develop ## the tests that CI runs
	$(BIN)/python -m pytest -m "not long" $(PARALLEL)

test-fast: $(VENV)/.develop ## the unit tests only
	$(BIN)/python -m pytest tests/unit -m "not long" --timeout 60 $(PARALLEL)

prove: $(VENV)/.develop ## the long tests: kills, outages and whole studies, for hours
	$(BIN)/python -m pytest -m long --timeout 3600

coverage: $(VENV)/.develop ## line coverage of the unit tests, without child processes
	$(BIN)/python -m pytest tests/unit -m "not long" $(PARALLEL) $(addprefix --cov=,$(ROOMS)) --cov-report=term:skip-covered

check: $(VENV)/.develop ## lint, formatting, types and spelling
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/codespell

format: $(VENV)/.develop ## fix what the linter can fix, and format
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

docs: $(VENV)/.develop ## build the documentation into site/, with every link checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: $(VENV)/.develop ## serve the documentation on http://127.0.0.1:8000
	$(BIN)/mkdocs serve

hooks: $(VENV)/.develop ## run `make check` on the changed files before every commit
	$(BIN)/pre-commit install
