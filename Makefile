# The commands of this repository. The first one that needs it builds .venv from the lock files.
# `make help` lists them.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11, 2) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.run-ready
DEV    := $(VENV)/.dev-ready
BENCH  := $(VENV)/.bench-ready
TRAINED := .venv-train
TRAIN  := $(TRAINED)/.ready
UV     ?= uv
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help replay run test lint format bench quality train faults containers soak lock clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null || \
	 grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST)

replay: $(RUN) ## the five seed articles through the whole pipeline, on a virtual clock
	$(BIN)/wirewatch replay seeds --expect seeds/expected.yaml

run: $(RUN) ## the service, with config/ and .wirewatch/
	$(BIN)/wirewatch run

# Bytecode is kept even where the environment says otherwise: without it each of hundreds of processes compiles the
# package anew, and each of four workers all tests.
test: $(DEV) lint ## lint, types, import contracts and all tests; installs a browser and Prometheus if it may
	@.ci/programs
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 4 $(PYTEST_ARGS)

lint: $(DEV) ## format check, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(DEV) ## format and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(BENCH) ## measure costs as ratios in one run; ONLY=name PAGES=DIR OUT=FILE AGAINST=FILE PROFILE=1 ROUNDS=n
	$(BIN)/python tests/bench/run.py $(if $(ONLY),--only $(ONLY)) $(if $(PAGES),--pages $(PAGES)) $(if $(OUT),--out $(OUT)) \
	  $(if $(AGAINST),--against $(AGAINST)) $(if $(PROFILE),--profile) $(if $(ROUNDS),--rounds $(ROUNDS))

quality: $(RUN) ## what matching finds and what it costs; EVAL=DIR BACKGROUND=DIR add your own material
	$(BIN)/python -m tests.quality.report $(if $(EVAL),--eval $(EVAL)) $(if $(BACKGROUND),--background $(BACKGROUND))

train: $(TRAIN) ## make the meaning models anew: an hour on 2 cores; MEASURE=DIR prints labelled sets as well
	$(TRAINED)/bin/python -m worker.training.build $(if $(MEASURE),--measure $(MEASURE))

faults: $(DEV) ## the long fault suite: 200 kills, broker and database taken away, poison, full disks; half an hour
	WIREWATCH_FAULTS=long WIREWATCH_KILLS=50 $(BIN)/python -m pytest -m faults -n 0 -rA $(PYTEST_ARGS)

containers: $(DEV) ## the image and the compose file in real containers, by podman: built, rehearsed, a worker killed
	WIREWATCH_CONTAINERS=1 $(BIN)/python -m pytest tests/containers -m containers -n 0 -rA $(PYTEST_ARGS)

soak: $(DEV) ## the service under steady load; MINUTES=30 RATE=5 MEANING=off: memory, cost and keys, as a table
	$(BIN)/python -m tests.service.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(RATE),--rate $(RATE)) $(if $(MEANING),--meaning $(MEANING))

lock: ## resolve the lock files anew (needs uv)
	$(UV) pip compile --universal --python-version 3.11.2 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --upgrade pyproject.toml --group build -o requirements.lock
	$(UV) pip compile --universal --python-version 3.11.2 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links -c requirements.lock --upgrade pyproject.toml --group dev -o requirements-dev.lock
	$(UV) pip compile --universal --python-version 3.11.2 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links -c requirements-dev.lock --upgrade --group bench -o requirements-bench.lock

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) $(TRAINED) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "wirewatch needs Python 3.11.2 to 3.13 (apt-get install python3 python3-venv)"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing: apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(RUN): requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(DEV): requirements-dev.lock $(RUN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(BENCH): requirements-bench.lock $(DEV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-bench.lock
	@touch $@

$(TRAIN): requirements.lock worker/training/requirements.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(TRAINED)
	$(TRAINED)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(TRAINED)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r worker/training/requirements.txt
	@touch $@
