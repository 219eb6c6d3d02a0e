# make demo, make test: each creates a virtual environment of its own first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: demo test test-all lint docs bench bench-full clean
.DELETE_ON_ERROR:

# The stamp is younger than everything it was made from, so a second call installs nothing.
$(INSTALLED)-%: pyproject.toml
	$(PYTHON) -c "import sys; sys.exit('skcifar needs Python 3.11 to 3.13, found ' + sys.version.split()[0]) if not (3, 11) <= sys.version_info[:2] <= (3, 13) else None"
	test -x "$(BIN)/python" || $(PYTHON) -m venv "$(VENV)"
	"$(BIN)/python" -m pip install --quiet --upgrade pip
	"$(BIN)/python" -m pip install --quiet --editable ".[$*]"
	touch "$@"

demo: $(INSTALLED)-all
	"$(BIN)/python" examples/demo.py

test: $(INSTALLED)-test lint
	"$(BIN)/python" -m pytest

test-all: $(INSTALLED)-test lint
	"$(BIN)/python" -m pytest -m ""

lint: $(INSTALLED)-test
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .

BENCHMARKS := fit grid_search prediction growth startup feature_stores

bench bench-full: $(INSTALLED)-test
	set -e; for name in $(BENCHMARKS); do "$(BIN)/python" benchmarks/$$name.py $(if $(filter bench-full,$@),--full); done

docs: $(INSTALLED)-docs
	"$(BIN)/python" -m sphinx -W --keep-going -q docs docs/_build/html
	"$(BIN)/python" docs/check_site.py docs/_build/html

clean:
	rm -rf "$(VENV)" demo build docs/_build docs/auto_examples docs/api docs/sg_execution_times.rst
