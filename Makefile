# Two commands on a fresh machine: `make run` and `make test`. Needs python3 >= 3.11 with venv; no compiler.
PYTHON ?= python3
VENV := .venv
BENCH := .venv-bench
PY := $(VENV)/bin/python
PIP_INSTALL := $(PY) -m pip install --disable-pip-version-check
QUIETLY := > $(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
CONFIG ?= configs/local.toml
SECONDS ?=
REPLAY ?=
ACTOR ?= strategy
SESSION ?= $(basename $(notdir $(CONFIG)))

.DEFAULT_GOAL := help
.PHONY: help run run-testnet test test-all lint bench faults soak backtest top doctor profile clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

run: $(VENV)/.kernels  ## local exchange and all actors [SECONDS=30] [CONFIG=configs/local.toml] [REPLAY="file file"]
	@if grep -q '\.py"' $(CONFIG) 2>/dev/null; then $(PY) -m scripts.warm_kernels $(CONFIG); fi
	@$(PY) supervisor.py $(CONFIG) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(REPLAY),--replay $(REPLAY))

run-testnet: $(VENV)/.kernels  ## the same processes on Thalex's testnet, keys from .env [SECONDS=30]
	@$(PY) supervisor.py configs/testnet.toml $(if $(SECONDS),--seconds $(SECONDS))

# Two tests at a time; one that fails is judged alone, where no other session takes its core (decision 9).
PYTEST := $(PY) -m pytest -m "not slow"
test: $(VENV)/.ready-dev $(VENV)/.kernels  ## what every commit must pass (about a quarter of an hour)
	@$(PYTEST) -n 2 --dist worksteal || { test $$? -eq 1 && echo "What failed beside other tests, alone:" && \
		$(PYTEST) --last-failed --last-failed-no-failures none; }

test-all: $(VENV)/.ready-dev $(VENV)/.kernels  ## everything, the slow tests included
	@$(PY) -m pytest

lint: $(VENV)/.ready-dev  ## ruff, mypy --strict, the layers
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

bench: $(BENCH)/.kernels  ## every benchmark, beside what a user would pick instead
	@$(BENCH)/bin/python -m benchmarks --out runs/bench.jsonl
	@$(BENCH)/bin/python -m scripts.performance_page runs/bench.jsonl > docs/performance.md

faults: $(VENV)/.ready-dev $(VENV)/.kernels  ## the fault suite [SEED=1] [ROUNDS=n] [ROW=name] [FULL=1] [NICE=-10], about a quarter of an hour
	@$(PY) -m tests.faults $(if $(SEED),--seed $(SEED)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ROW),--row $(ROW)) \
		$(if $(FULL),--full) $(if $(NICE),--nice $(NICE))

backtest: $(VENV)/.ready-backtest $(VENV)/.kernels  ## a short example over recorded data, ends with the report's path [DATA="file file"] [CONFIG=...]
	@$(PY) -m operating.as_program backtest.example $(if $(DATA),--data $(DATA)) --config $(CONFIG)

soak: $(VENV)/.ready-dev $(VENV)/.kernels  ## a session left alone at twice the suite's rate [HOURS=1] [SEED=1]
	@$(PY) -m tests.faults --hours $(or $(HOURS),1) $(if $(SEED),--seed $(SEED))

top: $(VENV)/.ready  ## the actors of a running session at work: cpu, memory, latencies, rings [SESSION=local]
	@$(PY) cli.py top --session $(SESSION)

doctor: $(VENV)/.ready  ## whether this machine and a configuration are fit for a session [CONFIG=...] [VENUE=1]
	@$(PY) cli.py doctor $(CONFIG) $(if $(VENUE),--venue)

profile: $(VENV)/.ready  ## flame chart of an actor of a running session [ACTOR=strategy] [SECONDS=10] [SESSION=local]
	@$(PY) cli.py profile $(ACTOR) $(or $(SECONDS),10) --session $(SESSION)

clean:  ## remove .venv and caches; runs/ and state/ stay
	rm -rf $(VENV) $(BENCH) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info

# Half an environment (no python3-venv on a Debian) would have its bin/python taken for a whole one by the next call.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "python3 >= 3.11 is needed, this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# A second call installs nothing: the stamp is newer than pyproject.toml.
$(VENV)/.ready: pyproject.toml | $(VENV)/bin/python
	@echo "installing (once, a minute or two) ..."
	@$(PIP_INSTALL) --editable . $(QUIETLY)
	@touch $@

# What the name of their cache is made of (domain/jit.py): kernels, and what their modules import.
KERNEL_SOURCES := $(shell find domain fills messages trading backtest runtime venues -name '*.py')

# Kernels are compiled when their sources are new, not while a session starts.
$(VENV)/.kernels: $(VENV)/.ready $(KERNEL_SOURCES)
	@echo "compiling kernels (after each change of them, about half a minute) ..."
	@$(PY) -m scripts.warm_kernels
	@touch $@

$(VENV)/.ready-dev: pyproject.toml | $(VENV)/.ready
	@echo "installing the tools for tests (once) ..."
	@$(PIP_INSTALL) --editable ".[dev]" $(QUIETLY)
	@touch $@

$(VENV)/.ready-backtest: pyproject.toml | $(VENV)/.ready
	@echo "installing what searches and reports need (once) ..."
	@$(PIP_INSTALL) --editable ".[backtest]" $(QUIETLY)
	@touch $@

# The peers have an environment of their own: hftbacktest wants numpy < 2.3, and both sides of a comparison want one.
$(BENCH)/.ready: pyproject.toml
	@$(PYTHON) -m venv $(BENCH) || { rm -rf $(BENCH); exit 1; }
	@echo "installing the peers of the benchmarks (once) ..."
	@$(BENCH)/bin/python -m pip install --disable-pip-version-check --editable ".[bench]" > $(BENCH)/install.log 2>&1 || \
		{ cat $(BENCH)/install.log; exit 1; }
	@touch $@

$(BENCH)/.kernels: $(BENCH)/.ready $(KERNEL_SOURCES)
	@echo "compiling kernels (after each change of them, about half a minute) ..."
	@$(BENCH)/bin/python -m scripts.warm_kernels
	@touch $@
