# Everything one does with a checkout. `make` alone lists it.
# The first call of a command makes .venv and installs there; later calls install only when
# pyproject.toml or constraints.txt changed.

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP_ARGS ?=
LAB_ARGS ?=
BENCH_ARGS ?=

# The first Python that fits; `make PYTHON=/path/to/python lab` takes another.
FITS = import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c "$(FITS)" >/dev/null 2>&1 && { echo "$$p"; break; }; done)

# Tests compare and time with one thread: it is exact, and fastest beside other programs.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1
# Two workers share the tests, as many as the smallest machines have cores. In the browser the tests of one
# open page stay together, since to open it takes as long as they do.
WORKERS ?= -n 2 --dist worksteal
PAGES ?= -n 2
RUN := $(ONE_THREAD) PYTHONUNBUFFERED=1 $(PY)

.DEFAULT_GOAL := help
.PHONY: help lab test lint types unit notebooks-test browser notebooks studies bench portrait badges lessons doctor clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: $(VENV)/.lab ## start JupyterLab on the first lesson (installs on the first call)
	@$(BIN)/optviz lab $(LAB_ARGS)

test: lint unit notebooks-test browser ## run everything: lint, types, layers, tests, notebooks, browser

lint: $(VENV)/.test ## check style, format, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.test ## run unit, property and doc tests
	$(RUN) -m pytest -m "not browser" $(WORKERS)

notebooks-test: $(VENV)/.test ## run every notebook and compare with what is stored, network denied
	$(RUN) -m tests.notebooks

browser: $(VENV)/.test ## run the tests in real headless Chromium
	$(RUN) -m tests.chromium
	$(RUN) -m pytest -m browser $(PAGES) tests/browser

notebooks: $(VENV)/.test ## execute all notebooks in place, then renew the README's lesson table
	$(RUN) -m tests.notebooks.execute $(NOTEBOOKS)
	$(PY) -m tests.readme lessons

studies: $(VENV)/.test ## measure the long studies of the lessons anew (an hour), then the README's table
	$(RUN) -m optviz.lessons.studies $(STUDIES)
	$(PY) -m tests.readme results

bench: $(VENV)/.bench ## measure, and write the table into the README
	$(RUN) -m tests.chromium
	$(RUN) -m tests.bench $(BENCH_ARGS)

portrait: $(VENV)/.test ## take the README's picture of the explorer in a real browser
	$(RUN) -m tests.chromium
	$(RUN) -m tests.browser.portrait

badges: $(VENV)/.test ## write the address in pyproject.toml into the README and the notebooks
	$(PY) -m tests.readme badges

lessons: $(VENV)/.lab ## list the lessons
	@$(BIN)/optviz lessons

doctor: $(VENV)/.lab ## check this installation
	@$(BIN)/optviz doctor

clean: ## remove .venv and what the tools left behind
	rm -rf $(VENV) .hypothesis .mypy_cache .ruff_cache .import_linter_cache .benchmarks build *.egg-info

$(PY):
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 with venv was found. Install one (Debian and\
	Ubuntu: apt-get install python3-venv), or name one: make PYTHON=/path/to/python lab" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.lab $(VENV)/.test $(VENV)/.bench: $(VENV)/.%: pyproject.toml constraints.txt | $(PY)
	$(PY) -m pip install --disable-pip-version-check -c constraints.txt $(PIP_ARGS) -e ".[$*]"
	@touch $@
