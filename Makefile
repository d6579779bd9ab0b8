# make demo and make test each set up .venv on a fresh machine and then run.  Choose the interpreter with
# make PYTHON=python3.12 test; pass options to pytest with make PYTEST_ARGS="-m 'not slow'" test.
PYTHON ?= python3
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LINT_INSTALLED := $(VENV)/.installed-lint
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test lint clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    set up .venv and run the shipped twin experiment"
	@echo "make test    set up .venv and run the tests"
	@echo "make lint    set up .venv and run ruff and mypy"
	@echo "make clean   remove .venv, caches and build products"

demo: $(INSTALLED)
	$(BIN)/dalearn demo

# One thread a process: the tensors of the tests are small, and more threads than cores only wait for each other.  The
# files of the tests are shared between up to four processes.
test: export OMP_NUM_THREADS ?= 1
test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

lint: $(LINT_INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dalearn needs Python 3.11 or newer; choose one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

# The stamps are older than a changed pyproject.toml or constraints.txt, which installs again.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e ".[test]"
	touch $@

$(LINT_INSTALLED): $(INSTALLED)
	$(PIP) install -c constraints.txt -e ".[test,dev]"
	touch $@
