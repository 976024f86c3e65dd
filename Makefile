PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=constraints.txt $(BIN)/pip

# Rooms whose tests start no processes and no runner of Beam, without the laws, which take a while.
FAST := heads pipeline tests/architecture tests/golden tests/heads \
    $(addprefix tests/pipeline/,confidence config errors extract report results slicing validation)

.PHONY: demo test test-fast lint test-packaging test-engines dist docs clean

demo: $(VENV)/installed
	$(BIN)/headcount demo --output out/demo

# Tests start many processes, which would compile all modules again if none kept the bytecode. A
# worker of pytest has the tests of a module together, which share what is made once.
test test-fast: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

test-fast: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(FAST) \
	    -m 'not slow and not packaging and not engines'

lint: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test-packaging: $(VENV)/installed-engines
	$(BIN)/python -m pytest -m packaging tests/packaging

test-engines: $(VENV)/installed-engines
	$(BIN)/python -m pytest -m engines tests/engines

dist: $(VENV)/installed-dev
	rm -rf dist
	$(BIN)/python -m build

docs: $(VENV)/installed-dev
	$(BIN)/python -m docs.config_page > docs/config.md
	$(BIN)/python -m docs.metrics_page > docs/metrics.md
	$(BIN)/python -m docs.coverage_page > docs/coverage.md
	$(BIN)/python -m docs.gates_page

clean:
	rm -rf $(VENV) out build dist

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --editable '.[dev]'
	touch $@ $(VENV)/installed

$(VENV)/installed-engines: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --editable '.[dev,engines]'
	touch $@ $(VENV)/installed-dev $(VENV)/installed
