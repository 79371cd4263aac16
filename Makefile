# make           what can be done here
# The product needs Python 3.11 or newer and make; everything else comes from the lock file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data

.PHONY: help setup run test check fast bench-setup bench evaluate lock clean
.DEFAULT_GOAL := help

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: $(VENV)/.ready  ## make the environment in .venv and nothing else

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Huitou needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (about 700 MB, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: setup  ## start everything and play a real shop's year
	@$(BIN)/huitou up --demo --data-dir $(DATA)

check: setup  ## style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fast: setup  ## the tests that need no server
	@$(BIN)/python -m pytest -m "not real and not browser"

test: check  ## everything that .ci/run checks
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=25

evaluate: setup  ## judge the models on the histories at hand
	@$(BIN)/python -m tests.evaluations

bench-setup: setup .bench/.ready  ## install the rivals of the benchmarks into .bench

.bench/.ready: tests/bench/rivals/requirements.lock tests/bench/rivals/KafkaStreamsFold.java tests/bench/rivals/kafka-streams-jars.json
	@test -x .bench/bin/python || $(PYTHON) -m venv .bench
	@.bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement tests/bench/rivals/requirements.lock
	@$(BIN)/python -m tests.bench.rivals.kafka_streams_jars
	@touch $@

bench: bench-setup  ## measure everything beside its rivals and write the table into README.md
	@$(BIN)/python -m tests.bench.table

lock: setup  ## resolve pyproject.toml anew into requirements.lock
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --extra demo --extra dev pyproject.toml --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --constraint requirements.lock sinks/requirements-apprise.in --output-file sinks/requirements-apprise.lock
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 tests/bench/rivals/requirements.in --output-file tests/bench/rivals/requirements.lock

clean:  ## remove the environments (data stays)
	@rm -rf $(VENV) .bench
