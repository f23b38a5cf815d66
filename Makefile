# One door for people, hooks and CI. `make run` and `make test` do their own set-up.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
ONCE ?=
# compiled once, at installation and on first import: tests start some hundred processes
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test test-slow check format bench validate lock setup setup-run clean

help:            ## what each target does
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(UV): requirements/uv.txt
	@$(PYTHON) tools/bootstrap.py venv --python $(PYTHON) --venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $(UV)

$(VENV)/.run: requirements/web.txt pyproject.toml | $(UV)
	@echo "kerp: installing what 'make run' needs (pinned, hashed)"
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/web.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(UV)
	@echo "kerp: installing what 'make test' needs (pinned, hashed)"
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@ $(VENV)/.run

setup-run: $(VENV)/.run
setup: $(VENV)/.dev

run: setup-run   ## one whole session of the paper's protocol, as a log and a report (ONCE=1: stop there)
	@ONCE=$(ONCE) $(BIN)/python tools/run.py

test: setup      ## everything, browser included
	@$(PYTHON) tools/bootstrap.py debian
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m "not slow"

test-slow: setup ## the slower checks as well
	@$(PYTHON) tools/bootstrap.py debian
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m slow

check: setup     ## format, lint, strict types, import contracts
	@$(BIN)/ruff format --check src tests tools benchmarks
	@$(BIN)/ruff check src tests tools benchmarks
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup    ## rewrite files the way `check` wants them
	@$(BIN)/ruff format src tests tools benchmarks
	@$(BIN)/ruff check --fix src tests tools benchmarks

bench: setup     ## speed, as ratios against a peer in the same run
	@$(BIN)/python -m benchmarks

validate: setup  ## checks against figures that may not be copied here (../shared/evidence)
	@$(BIN)/python -m pytest -m validate -rs

lock: setup      ## write the lock files again from pyproject.toml
	@$(BIN)/python tools/lock.py

clean:           ## remove what was built
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
