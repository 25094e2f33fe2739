# The two commands: `make demo` and `make test`. Each sets up what it needs in .venv and .cache, and nothing elsewhere.

PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.9
DEMO_RUN := runs/predict/paintings

# OpenMP threads that spin while they wait take the cores from each other; torch reads this when it loads.
export OMP_WAIT_POLICY := passive
export ARTDET_CACHE_DIR ?= $(CURDIR)/.cache/artdet
export UV_LINK_MODE ?= hardlink

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint types layers format pins clean

help:
	@echo "make demo      find what the example paintings depict, and draw it"
	@echo "make test      lint, types, layers, tests"
	@echo "make test-all  the same with the slow tests"
	@echo "make format    put the code into the usual form"
	@echo "make pins      resolve the pinned requirements anew"
	@echo "make clean     remove .venv and .cache"

demo: .venv/ready-run
	@$(BIN)/artdet predict examples/paintings --draw --overwrite
	@echo
	@echo "The paintings with boxes are in $(DEMO_RUN)/pictures"

test: .venv/ready-dev lint types layers
	$(BIN)/pytest -m "not slow"

test-all: .venv/ready-dev lint types layers
	$(BIN)/pytest

lint: .venv/ready-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/ready-dev
	$(BIN)/mypy

layers: .venv/ready-dev
	$(BIN)/lint-imports

format: .venv/ready-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Pins without addresses, so that they hold for any index that serves these packages.
pins: $(BIN)/uv
	$(BIN)/uv pip compile -q -U --no-header --no-annotate --no-emit-index-url --python-version 3.11 \
		--all-extras pyproject.toml requirements/app-db.in -o requirements/dev.txt
	$(BIN)/uv pip compile -q --no-header --no-annotate --no-emit-index-url --python-version 3.11 \
		--extra openvino pyproject.toml -c requirements/dev.txt -o requirements/run.txt

.venv/ready-run: requirements/run.txt pyproject.toml $(BIN)/uv
	@echo "Installing what artdet needs into .venv (some gigabytes, mostly torch; once)"
	@$(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode --no-deps -r requirements/run.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

.venv/ready-dev: requirements/dev.txt pyproject.toml $(BIN)/uv
	@echo "Installing what artdet and its tests need into .venv (some gigabytes, mostly torch; once)"
	@$(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode --no-deps -r requirements/dev.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "artdet needs Python 3.11 or later; name one with: make PYTHON=python3.12 demo"; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)

clean:
	rm -rf .venv .cache
