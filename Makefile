PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: compare test lint types tests docs benchmarks clean

compare: $(INSTALLED)  ## the main job: the classic comparison on MNIST, ten seeds an arm
	$(BIN)/python experiments/denoising_comparison.py

test: lint types tests  ## everything that must hold

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

tests: $(INSTALLED)  ## in two processes of one thread each; who is done takes over tests of the other
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

docs: $(INSTALLED)  ## the reference of every public name, from the docstrings
	$(BIN)/python -m pdoc --docformat numpy --output-directory build/docs stacked

benchmarks: $(INSTALLED)  ## every benchmark, a few minutes; leave the machine alone meanwhile
	for name in step cache classic startup shuffling seeds precision ranks; do $(BIN)/python benchmarks/$$name.py || exit 1; done

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $(INSTALLED)

clean:
	rm -rf .venv results build
