# Two commands matter: `make up` runs the product, `make test` proves it. `make help` lists the rest.
SHELL := /bin/bash
# The first Python on PATH that is new enough; `make up PYTHON=/path/to/python3.12` names another one.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && exit; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install install-dev up down status doctor demo lint test test-fast bench bench-extract bench-mirror chaos lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

$(VENV)/.uv: requirements-bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Fieldloop needs Python 3.11 or newer; this is %d.%d. Set PYTHON=... to another one." % sys.version_info[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $@

# Stamps: a second run costs nothing, a changed lock installs what changed.
$(VENV)/.installed: $(VENV)/.uv requirements.lock pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m fieldloop.stack.warm
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

install: $(VENV)/.installed ## create the environment from the lock files
install-dev: $(VENV)/.installed-dev ## the same, with the tools that tests and checks need

up: install ## start everything and keep it running; Ctrl-C stops it
	@$(BIN)/fieldloop up

down: install ## stop what `make up` or `fieldloop up --detach` started
	@$(BIN)/fieldloop down

status: install ## what runs, and how the record stands
	@$(BIN)/fieldloop status

doctor: install ## look for everything that goes wrong in the field, and say how to mend it
	@$(BIN)/fieldloop doctor

demo: install ## sample documents through the whole loop, with the accuracy before and after
	@$(BIN)/fieldloop demo

lint: install-dev ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## everything, on real parts
	$(BIN)/pytest

test-fast: lint ## everything but what boots Label Studio
	$(BIN)/pytest -m "not label_studio"

SEED ?= 1
SECONDS_OF_TROUBLE ?= 45

chaos: install-dev ## the real stack under a crowd and trouble: make chaos SEED=7, or SEED=1-20
	$(BIN)/python -m tests.sync.chaos --seeds $(SEED) --seconds $(SECONDS_OF_TROUBLE)

bench-mirror: install-dev ## the mirror and its queries against their targets
	$(BIN)/python -m bench.mirror
	$(BIN)/python -m bench.mirror_queries

bench-extract: install-dev ## extraction on the labelled forms of the shared data
	$(BIN)/python -m bench.extract

bench-read: install-dev ## reading, side by side with pdfplumber
	$(BIN)/python -m bench.read

bench: install-dev ## the figures of docs/benchmarks.md, each with the command that makes it
	@for file in bench/*.py; do case $$file in */_*) continue;; esac; \
	  name=$$(basename $$file .py); echo; echo "== python -m bench.$$name"; \
	  $(BIN)/python -m bench.$$name || exit 1; done

COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11
LABEL_STUDIO := label-studio==1.23.2
# The package imports redis and rq without saying so.
LABEL_STUDIO_ML := label-studio-ml==1.0.9\nredis\nrq

lock: $(VENV)/.uv ## make the lock files anew from pyproject.toml
	$(COMPILE) --extra local --group build pyproject.toml -o requirements.lock
	$(COMPILE) --extra local --group build --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	printf '$(LABEL_STUDIO)\n' | $(COMPILE) - -o requirements-label-studio.lock
	printf '$(LABEL_STUDIO_ML)\n' | $(COMPILE) - -o requirements-label-studio-ml.lock

clean: ## remove the environments and caches (never the state folder)
	rm -rf $(VENV) .venv-* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
