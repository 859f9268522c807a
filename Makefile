# Each target makes its own virtual environment in .venv; only Python 3.11 or newer is needed.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=

installed := $(VENV)/.installed
pytest := OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n auto

.PHONY: help demo test test-all bench lint format clean

help:  ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: $(installed)  ## plan with the pretrained model and write a report; options in ARGS
	$(VENV)/bin/worldmodel demo $(ARGS)

test: $(installed)  ## the quick suite
	$(pytest) $(ARGS)

test-all: $(installed)  ## the quick and the slow tests
	$(pytest) -m '' $(ARGS)

bench: $(installed)  ## speed, as ratios measured side by side; options in ARGS
	OMP_NUM_THREADS=1 $(VENV)/bin/python bench/speed.py $(ARGS)

lint: $(installed)  ## style, types and the one-way floors
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python
	$(VENV)/bin/lint-imports

format: $(installed)  ## mend the style
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:  ## remove the environment and what was built
	rm -rf $(VENV) build dist *.egg-info

$(installed): pyproject.toml constraints.txt tools/ensure_gl.sh
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    f"expected Python 3.11 or newer, got {sys.version.split()[0]}; set PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	tools/ensure_gl.sh
	@touch $@
