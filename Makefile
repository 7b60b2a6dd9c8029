# make run and make test do all the set-up they need. PYTHON chooses the interpreter (3.11 or later).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-bench

.PHONY: setup browser run test test-all notebook docs pictures bench bench-quick lint format clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "muslin needs Python 3.11 or later; set PYTHON=python3.x"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No venv module: apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]' --group dev
	@touch $@

run: setup
	@$(BIN)/muslin train --validation 0 --evaluate $(ARGS)

# The tests of the pages need Chromium; without it they are skipped.
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing Chromium …" && \
	{ apt-get update -qq || true; apt-get install -y -qq --no-install-recommends chromium >/dev/null; }; } || \
	echo "Chromium is not installed (apt-get install chromium): the tests of the pages are skipped."

# Three workers for two cores: many tests wait, for a process or for a page.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n + (n + 1) / 2)))

test: setup browser
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-all: setup browser
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group parity --group docs
	@$(BIN)/python -m pytest -m '' $(ARGS)

# Runs the notebook in full, in place; `make test` runs a copy with a small budget.
notebook: setup
	@MUSLIN_BUDGET=full $(BIN)/python notebooks/run.py

# The site, into build/site; it opens from the folder, and needs no network.
docs: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group docs
	@NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --quiet

# The pictures of pages in the README and in docs/: trains, writes the pages, looks at them with Chromium (two minutes).
pictures: setup browser
	@$(BIN)/python website/pictures.py

# The comparison with PyTorch, JAX and scikit-learn, which live in an environment of their own.
$(PEERS)/.installed: benchmarks/requirements.txt
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@echo "Installing the peers into $(PEERS) …"
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

bench: setup $(PEERS)/.installed
	@$(BIN)/python -m benchmarks.compare $(ARGS)

bench-quick: setup $(PEERS)/.installed
	@$(BIN)/python -m benchmarks.compare --quick $(ARGS)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(PEERS) build dist .pytest_cache .ruff_cache
