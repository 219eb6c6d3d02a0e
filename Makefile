# make demo, make test: each creates a virtual environment of its own first.
# make demo FOLDER="my pictures": the same with your pictures, one folder per class.
# make test-quick: for the inner loop, without lint and without what takes long.
# make test-lowest: another one, with the lowest versions that pyproject.toml allows.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

LOWEST := .venv-lowest
LOWEST_TESTS := image_contract validation normalizer features extraction training persistence pretrained meta_estimators weights_and_routing dask dask_cluster

# Processes that tests run in. Each takes a file at a time, in the order of tests/conftest.py.
WORKERS ?= 2
PYTEST := -m pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder

.PHONY: demo test test-quick test-all test-lowest lint docs bench bench-full dist clean
.DELETE_ON_ERROR:

# The stamp is younger than everything it was made from, so a second call installs nothing.
$(INSTALLED)-%: pyproject.toml
	$(PYTHON) -c "import sys; sys.exit('skcifar needs Python 3.11 to 3.13, found ' + sys.version.split()[0] + '. Name another: make PYTHON=python3.12 ...') if not (3, 11) <= sys.version_info[:2] <= (3, 13) else None"
	@echo "Installing TensorFlow and others into $(VENV) (2.8 GB, some minutes)"
	test -x "$(BIN)/python" || $(PYTHON) -m venv "$(VENV)"
	"$(BIN)/python" -m pip install --quiet --upgrade pip
	"$(BIN)/python" -m pip install --quiet --editable ".[$*]"
	touch "$@"

demo: $(INSTALLED)-all
	@echo "Running the demo (one to three minutes)"
	"$(BIN)/python" examples/demo $(if $(FOLDER),"$(FOLDER)")

test: $(INSTALLED)-test lint
	"$(BIN)/python" $(PYTEST)

test-quick: $(INSTALLED)-test
	"$(BIN)/python" $(PYTEST) -m "not slow and not costly"

test-all: $(INSTALLED)-test lint
	"$(BIN)/python" $(PYTEST) -m ""

$(LOWEST)/installed: pyproject.toml tests/lowest-versions.txt
	@echo "Installing TensorFlow and others, in old versions, into $(LOWEST) (2.8 GB, some minutes)"
	test -x "$(LOWEST)/bin/python" || $(PYTHON) -m venv "$(LOWEST)"
	"$(LOWEST)/bin/python" -m pip install --quiet --upgrade pip
	"$(LOWEST)/bin/python" -m pip install --quiet --constraint tests/lowest-versions.txt --editable ".[test]"
	touch "$@"

# What old libraries deprecate is of no interest, so warnings are no errors here.
test-lowest: $(LOWEST)/installed
	"$(LOWEST)/bin/python" $(PYTEST) -W default $(LOWEST_TESTS:%=tests/test_%.py)

lint: $(INSTALLED)-test
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"

BENCHMARKS := fit grid_search prediction growth startup feature_stores load_and_memory

bench bench-full: $(INSTALLED)-test
	set -e; for name in $(BENCHMARKS); do "$(BIN)/python" benchmarks/$$name.py $(if $(filter bench-full,$@),--full); done

docs: $(INSTALLED)-docs
	@echo "Running the examples and the code of the guide: some minutes."
	"$(BIN)/python" -m sphinx -W --keep-going -q docs docs/_build/html
	"$(BIN)/python" docs/check_site.py docs/_build/html
	@echo "Open docs/_build/html/index.html"

# A wheel and a source archive, checked: metadata, README and contents.
dist:
	rm -rf dist
	test -x .venv-dist/bin/twine || { $(PYTHON) -m venv .venv-dist && .venv-dist/bin/python -m pip install --quiet build twine; }
	.venv-dist/bin/python -m build
	.venv-dist/bin/twine check --strict dist/*
	.venv-dist/bin/python .github/check_dist.py dist

clean:
	rm -rf "$(VENV)" "$(LOWEST)" .venv-dist demo dist build docs/_build docs/_output docs/auto_examples docs/api docs/sg_execution_times.rst
