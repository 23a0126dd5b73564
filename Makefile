# Every target installs what it needs first; nothing is written outside this folder. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help demo dev test check bench simulate test-long reset clean

# The first Python at hand that will do; bootstrap.py says what is wrong with the one named here when none will.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$python && exit; \
	done; echo python3)
RUN := .venv/bin/python -m

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: ## install, run the main job on the sample data, show its answers (a second time: changes nothing)
	@$(PYTHON) bootstrap.py --group demo
	@.venv/bin/spice demo

dev: ## the Dagster UI with its daemon on the same data; Ctrl-C stops all of it
	@$(PYTHON) bootstrap.py --group demo
	@.venv/bin/spice dev

test: ## all tests, with the seconds of each group
	@$(PYTHON) bootstrap.py --group test
	@$(RUN) tests.servers.spark_install
	@$(RUN) tests.run

check: ## lint, types, import layers, unit tests
	@$(PYTHON) bootstrap.py --group test
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/pytest tests/unit

bench: ## speed and memory against the bare tools, one JSON line a figure
	@$(PYTHON) bootstrap.py --group test
	@$(RUN) tests.benchmarks

simulate: ## the simulator of log, relay and projections: make simulate SEEDS=10000 FIRST=0
	@$(PYTHON) bootstrap.py --group test
	@$(RUN) tests.simulator --seeds $(or $(SEEDS),2000) --first $(or $(FIRST),0)

test-long: ## the tests that take long: many random kills, ten years of data
	@$(PYTHON) bootstrap.py --group test
	@$(RUN) tests.servers.spark_install
	@SPICE_LONG_TESTS=1 $(RUN) tests.run

reset: ## remove the data in .spice (asks; your files in .spice/sources stay)
	@$(PYTHON) bootstrap.py --group demo
	@.venv/bin/spice reset

clean: ## remove the environment and all caches, not the data
	rm -rf .venv .uv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis .schemathesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
