# Fourcycle. `make` alone lists the targets; `make run` and `make test` are the two to know.
.DEFAULT_GOAL := help
SHELL := /bin/sh

USE_CASE ?= flights
PORT ?=
BENCH ?= pipeline
MLFLOW_TRACKING_URI ?= sqlite:///mlflow.db

VENV := .venv
INSTALLED := $(VENV)/.installed
CODE := contract pipelines serving monitoring tracking use_cases tests benchmarks

# Bytecode caches halve every import; telemetry and analytics stay off.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export MLFLOW_TRACKING_URI
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false

.PHONY: help run check train serve monitor replay ui test docs-check faults soak tables lint bench lock clean

help:  ## This list
	@echo 'make <target> [USE_CASE=flights] [PORT=...]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

# An environment that was moved is built anew: "moved" is no file, so what needs it is never up to date.
$(INSTALLED): requirements.lock pyproject.toml scripts/setup $(shell sh scripts/moved)
	@sh scripts/setup
moved: ;

run: train  ## Data to a served and monitored model, then a summary
	@python -m pipelines.turn --use-case '$(USE_CASE)'

check: $(INSTALLED)  ## Say at once all that is wrong with a use case, before any work
	@python -m pipelines.check --use-case '$(USE_CASE)'

# Of a use case given by path, the file's name stands for the experiment: my/flights.yaml -> flights.
train: $(INSTALLED)  ## The pipeline alone: ingest to registered, gated version
	@mlflow run . --env-manager local --experiment-name '$(basename $(notdir $(USE_CASE)))/training' \
		-P 'use_case=$(USE_CASE)'

serve: $(INSTALLED)  ## Answer over HTTP with the champion (127.0.0.1:8080; PORT=)
	@python -m serving --use-case '$(USE_CASE)' $(if $(PORT),--port '$(PORT)')

monitor: $(INSTALLED)  ## Compare the newest window of predictions with the reference
	@python -m monitoring --use-case '$(USE_CASE)'

replay: train  ## The months after the holdout once more, with late labels (ROWS= of each, RETRAIN=no)
	@python -m pipelines.replay --use-case '$(USE_CASE)' --rows '$(ROWS)' --retrain '$(or $(RETRAIN),yes)'

ui: $(INSTALLED)  ## MLflow's user interface (127.0.0.1:5000; PORT=)
	@echo 'http://127.0.0.1:$(or $(PORT),5000)/#/experiments?workflowType=machine_learning'
	@mlflow ui --backend-store-uri "$$MLFLOW_TRACKING_URI" --host 127.0.0.1 --port '$(or $(PORT),5000)'

test: lint  ## Lint, types and every test
	@OMP_NUM_THREADS=1 pytest -n 2

docs-check: $(INSTALLED)  ## Every command of the documents, also those that take minutes
	@FOURCYCLE_DOCS=full OMP_NUM_THREADS=1 pytest -v -rs tests/system/test_docs.py

faults: $(INSTALLED)  ## Every race and kill in full count (make test runs a few)
	@FOURCYCLE_FAULT_ROUNDS=full OMP_NUM_THREADS=1 pytest -n 2 tests/faults tests/system/test_team.py \
		tests/pipelines/model/test_own_class.py

lint: $(INSTALLED)  ## Lint, format and types only
	@ruff check $(CODE)
	@ruff format --check $(CODE)
	@mypy --strict $(CODE)

soak: $(INSTALLED)  ## Ten minutes of load with promotions: nothing may grow
	@python -m benchmarks.soak

tables: $(INSTALLED)  ## Made tables of 2 million rows, 300 columns, 60 classes: time and memory of each step
	@FOURCYCLE_TABLES=full python -m benchmarks.tables

bench: $(INSTALLED)  ## Measure: BENCH=pipeline, serving, overload, logging, commits, registry, scorer, gate, monitoring, detectors
	@python -m 'benchmarks.$(BENCH)'

lock: $(INSTALLED)  ## Resolve pyproject.toml anew into requirements.lock
	@uv pip compile --quiet --upgrade --universal --generate-hashes --extra dev --no-emit-index-url \
		--no-emit-find-links --python-version 3.11 pyproject.toml -o requirements.lock

clean:  ## Remove caches; ALL=yes also removes runs, models and tables
	@find . -path './$(VENV)' -prune -o -name __pycache__ -type d -exec rm -rf {} +
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info
ifeq ($(ALL),yes)
	@rm -rf mlflow.db mlflow.db-* mlflow.db.lock mlruns mlartifacts data .serving
	@echo 'Removed: caches, mlflow.db, mlruns, data, .serving. Kept: $(VENV).'
else
	@echo 'Removed: caches. Kept: mlflow.db, mlruns, data, .serving (make clean ALL=yes removes them) and $(VENV).'
endif
