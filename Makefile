# The few commands that a contributor needs. `make setup` once, `make ci` before a pull request.
.PHONY: setup test lint types format docs bench ci

BIN = .venv/bin

setup:
	python3 -m venv .venv
	$(BIN)/pip install --quiet --editable '.[dev]'

test:
	$(BIN)/pytest --numprocesses auto

lint:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types:
	$(BIN)/mypy

format:
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs:
	$(BIN)/pip install --quiet --editable '.[docs]'
	.ci/docs

bench:
	$(BIN)/python -m benchmarks.load
	$(BIN)/python -m benchmarks.transport
	$(BIN)/python -m benchmarks.fleet

ci:
	.ci/run
