# Everything runs in .venv; each target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# One thread a process; bytecode is kept, since tests start many processes that load the package.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

.PHONY: help setup demo test soak mutants bench docs package format clean

help:
	@echo "make demo   build, train, score and report on synthetic actors (runs/demo/report/index.html)"
	@echo "make test   format check, lint, types, tests"
	@echo "make setup  .venv with everything, the face models and the actors' head"
	@echo "make docs   the documentation as a site (site/index.html); make package  wheel and sdist (dist/)"
	@echo "make bench  speed against the usual alternative; make soak  the long tests"
	@echo "make mutants  faults at random places, and whether the tests notice (hours)"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "dfmnist needs Python 3.11 or newer: install it, then 'make PYTHON=python3.12 $(or $(MAKECMDGOALS),setup)'"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "dfmnist needs Python's venv module: install it ('apt-get install python3-venv' on Debian)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	$(BIN)/dfmnist fetch faces
	$(BIN)/dfmnist fetch efficientnet_lite0
	$(BIN)/dfmnist fetch actors
	@touch $@

demo: setup
	$(BIN)/dfmnist demo --out runs/demo

test: setup
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy
	$(PYTEST) -n 2 --dist loadgroup --no-loadscope-reorder -m "not soak"

soak: setup
	$(PYTEST) -m soak -n 0

# The rooms, the number of faults in each and the draw can be chosen: ROOMS=… EACH=… SEED=…
ROOMS ?= pipeline dataset liveness detectors experiments/plan.py
EACH ?= 20
SEED ?= 0
mutants: setup
	$(BIN)/python bench/mutants.py --each $(EACH) --seed $(SEED) $(ROOMS)

bench: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@for name in animate detect end_to_end frames train score screen; do $(BIN)/python bench/$$name.py || exit 1; done

docs: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/zensical build --clean --strict
	cp -r docs/example-report site/
	$(BIN)/python tests/docs/site.py site

package: setup
	rm -rf dist
	$(BIN)/python tests/packaging.py check --keep .

format: setup
	$(BIN)/ruff format src tests bench
	$(BIN)/ruff check --fix src tests bench

clean:
	rm -rf runs site dist .cache $(VENV)
