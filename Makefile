# make run: the default study on embedded real data.  make test: what CI runs.
.PHONY: run test test-fast prove check format
.DEFAULT_GOAL := run

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Without --no-compile pip compiles thousands of modules that nothing here imports.
# What is imported is compiled then, and kept: else every process, and every trial server, compiles it.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) "$$(grep '^torch==' constraints.txt)"
	$(INSTALL) --editable .
	touch $@

$(VENV)/.test: $(VENV)/.installed
	$(INSTALL) --editable '.[test,check]'
	touch $@

run: $(VENV)/.installed
	$(BIN)/dense run digits

test: $(VENV)/.test
	$(BIN)/python -m pytest -m "not long" --numprocesses 3 --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/.test
	$(BIN)/python -m pytest tests/unit -m "not long" --timeout 60 --numprocesses 3 --dist loadfile --no-loadscope-reorder

prove: $(VENV)/.test
	$(BIN)/python -m pytest -m long --timeout 3600

check: $(VENV)/.test
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: $(VENV)/.test
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
