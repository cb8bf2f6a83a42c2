# The commands a person types. `make run` and `make test` need Python 3.11 to 3.13 and a package index.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
# What an interrupted run of the tests would leave behind ends with it.
CONTAINED := $(BIN)/python -m tests.contained $(BIN)/python
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# An environment knows the folder it was made in; in a clone that was moved or copied it is made again.
MADE_IN := $(shell sed -n 's/^command = .* -m venv \(.*\)$$/\1/p' $(VENV)/pyvenv.cfg 2>/dev/null)
ifneq ($(MADE_IN),)
ifneq ($(MADE_IN),$(CURDIR)/$(VENV))
$(info this clone was at $(MADE_IN:/$(VENV)=) before: $(VENV) is made again)
$(shell rm -rf $(VENV))
endif
endif

.DEFAULT_GOAL := help
.PHONY: help run stop test lint bench notebooks lock clean

help:  ## show these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run-ready  ## start the embedded stack, make today's report, print where they are
	@$(BIN)/zumo run

stop:  ## end the embedded stack; what it keeps on disk stays
	@if [ -x $(BIN)/zumo ]; then $(BIN)/zumo down; else echo "nothing was running"; fi

test: lint services  ## run every test, with real services
	$(CONTAINED) -m pytest -n 4 --dist loadfile --no-loadscope-reorder
	$(CONTAINED) -m tests.notebooks

lint: $(VENV)/.test-ready  ## ruff, mypy and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test-ready  ## measure against the alternatives, as ratios
	$(BIN)/python -m benchmarks

notebooks: $(VENV)/.test-ready  ## run the notebooks on a recorded history and store their outputs
	$(BIN)/python -m tests.notebooks --write

lock: $(VENV)/.test-ready  ## pin the newest versions that pyproject.toml allows
	$(BIN)/python -m pip install --quiet uv
	sh tests/lock.sh $(BIN)/uv

clean: stop  ## end the stack and delete everything that was made: environment, state, reports
	rm -rf $(VENV) .zumo reports/2* reports/index.html

.PHONY: services
services: $(VENV)/.test-ready
	@sh tests/install-services.sh

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.13 is needed; install one, or name it: make run PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: apt install python3-venv" >&2; rm -rf $(VENV); exit 2; }

$(VENV)/.run-ready: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing the packages of requirements.txt into $(VENV) (a minute or two)"
	@$(INSTALL) --require-hashes --requirement requirements.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test-ready: requirements-test.txt pyproject.toml | $(VENV)/.run-ready
	@echo "installing the packages of requirements-test.txt into $(VENV)"
	@$(INSTALL) --require-hashes --requirement requirements-test.txt
	@touch $@
