# Fourcycle. `make` alone lists the targets; `make run` and `make test` are the two to know.
.DEFAULT_GOAL := help
SHELL := /bin/sh

USE_CASE ?= flights
export REASON ?= asked for by hand
PORT ?=
HTML ?=
EXIT ?=
UNTIL ?=
BENCH ?= pipeline
# Also where it is set to nothing, as CI sets a secret that a fork does not have.
ifeq ($(strip $(MLFLOW_TRACKING_URI)),)
MLFLOW_TRACKING_URI := sqlite:///mlflow.db
endif

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
VENV := .venv
INSTALLED := $(VENV)/.installed
ROOMS := contract pipelines serving monitoring tracking use_cases
CODE := $(ROOMS) tests benchmarks docs

# Bytecode caches halve every import; telemetry and analytics stay off.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export MLFLOW_TRACKING_URI
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false

.PHONY: help run init status check train serve monitor replay demo ui test ci-report release rollback clients docs reference tour docs-check faults scale mutants coverage lint soak tables bench debian dist publish audit images images-test images-push lock clean

help:  ## This list
	@echo 'make <target> [USE_CASE=flights] [PORT=...]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

# An environment that was moved is built anew: "moved" is no file, so what needs it is never up to date.
$(INSTALLED): requirements.lock pyproject.toml scripts/setup $(shell sh scripts/moved)
	@sh scripts/setup
moved: ;

run: train  ## Data to a served and monitored model, then a summary
	@python -m pipelines.turn --use-case '$(USE_CASE)'

init: $(INSTALLED)  ## Propose a use case from a table: DATA=sales.csv TARGET=sold
	@python -m pipelines.init --data '$(DATA)' --target '$(TARGET)'

status: $(INSTALLED)  ## How every use case stands, in a few lines (HTML=file: as a page)
	@python -m pipelines.status --html '$(HTML)'

check: $(INSTALLED)  ## Say at once all that is wrong with a use case, before any work
	@python -m pipelines.check --use-case '$(USE_CASE)'

# Of a use case given by path, the file's name stands for the experiment: my/flights.yaml -> flights.
train: $(INSTALLED)  ## The pipeline alone: ingest to registered, gated version
	@name=$$(basename '$(USE_CASE)' .yaml); mlflow run . --env-manager local \
		--experiment-name "$$name/training" -P 'use_case=$(USE_CASE)'

serve: $(INSTALLED)  ## Answer over HTTP with the champion (127.0.0.1:8080; PORT=)
	@python -m serving --use-case '$(USE_CASE)' $(if $(PORT),--port '$(PORT)')

monitor: $(INSTALLED)  ## Compare the newest window of predictions with the reference
	@python -m monitoring --use-case '$(USE_CASE)'

replay: train  ## The months after the holdout once more, with late labels (ROWS= of each, RETRAIN=no)
	@python -m pipelines.replay --use-case '$(USE_CASE)' --rows '$(ROWS)' --retrain '$(or $(RETRAIN),yes)'

# Some months of flights with enough rows of each for a retraining: minutes, where all of them are many.
demo: train  ## The loop as a story: some months replayed, then story.html, UI and service (EXIT=yes: no staying)
	@python -m pipelines.replay --use-case '$(USE_CASE)' --rows '$(or $(ROWS),6000)' \
		--until '$(or $(UNTIL),$(if $(filter flights,$(USE_CASE)),2013-11-01))' \
		--story story.html --stay '$(if $(filter yes,$(EXIT)),no,yes)'

ui: $(INSTALLED)  ## MLflow's user interface (127.0.0.1:5000; PORT=)
	@python -m pipelines.ui --port '$(PORT)'

test: lint  ## Lint, types and every test
	@OMP_NUM_THREADS=1 pytest -n 2

ci-report: $(INSTALLED)  ## What a change does to the model, as a comment (BASE=origin/main, SAMPLE=, PR=)
	@python -m pipelines.ci_report --use-case '$(USE_CASE)' --base '$(or $(BASE),origin/main)' \
		--sample '$(SAMPLE)' --pull-request '$(PR)'

release: $(INSTALLED)  ## In CI: promote what waits, for whoever let the deployment through
	@python -m pipelines.ci_release --use-case '$(USE_CASE)'

rollback: $(INSTALLED)  ## Back to the version before (REASON=)
	@python -m pipelines.rollback --use-case '$(USE_CASE)' --reason "$$REASON"

docs: $(INSTALLED)  ## The site, build/site/index.html; a broken link or a warning fails
	@python -m docs.site.build

reference: $(INSTALLED)  ## Write docs/reference and the JSON schema of a use case from the code
	@python -m docs.site.reference

tour: $(INSTALLED)  ## Walk docs/tutorial.md (PAGE=) in an empty home: its commands, and what they say
	@python -m docs.site.tour $(PAGE)

docs-check: $(INSTALLED)  ## Every command of the documents, also those that take minutes
	@FOURCYCLE_DOCS=full OMP_NUM_THREADS=1 pytest -v -rs tests/system/test_docs.py tests/docs/test_tour.py

faults: $(INSTALLED)  ## Every race and kill in full count (make test runs a few)
	@FOURCYCLE_FAULT_ROUNDS=full OMP_NUM_THREADS=1 pytest -n 2 tests/faults tests/pipelines/model/test_own_class.py \
		tests/system/test_tracking_server.py tests/system/test_workflows.py tests/docker/test_observability.py \
		tests/docker/test_kubernetes.py tests/docker/test_kubernetes_processes.py tests/system/test_reproduce.py \
		tests/system/test_mlflow_run.py tests/pipelines/registry/test_rules_in_any_order.py

# Ray and Spark lie apart, beside the packages of .venv: each process that a test starts finds both.
scale: $(INSTALLED)  ## Ten million rows (ROWS=) by a Ray cluster whose parts are killed; Spark asks a version
	@apart=$$(sh scripts/tool scale python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
		PYTHONPATH="$$apart" FOURCYCLE_SCALE_ROWS='$(or $(ROWS),10000000)' OMP_NUM_THREADS=1 pytest -v -rs tests/scale

clients: $(INSTALLED)  ## Clients of others (kserve, Triton, MLServer, generated ones), installed apart, ask the service
	@for set in clients mlserver; do sh scripts/tool $$set python --version >/dev/null || exit 1; done
	@OMP_NUM_THREADS=1 pytest -v -rs tests/serving/test_clients.py

# MODULES="contract/store/cells.py ...": these alone, beside what is known of the others.
mutants: $(INSTALLED)  ## Change lines of what decides and computes: a test must fail (an hour)
	@OMP_NUM_THREADS=1 python -m tests.mutants $(MODULES)

# TESTS="tests/serving ...": these alone.
coverage: $(INSTALLED)  ## Every test once more: what of each room it reaches, and what not, in build/coverage
	@rm -rf build/coverage && mkdir -p build/coverage
	@OMP_NUM_THREADS=1 coverage run -m pytest -n 2 -m "not browser" $(TESTS); code=$$?; \
		coverage combine --quiet && coverage html --quiet || exit 1; \
		for room in $(ROOMS); do \
			printf '%-10s %5s %%\n' $$room $$(coverage report --include="$$room/*" --format=total); \
		done; exit $$code

lint: $(INSTALLED)  ## Lint, format and types only
	@ruff check $(CODE)
	@ruff format --check $(CODE)
	@mypy --strict $(CODE)

soak: $(INSTALLED)  ## Ten minutes of load with promotions: nothing may grow
	@python -m benchmarks.soak

tables: $(INSTALLED)  ## Strangers' tables beside scikit-learn; made ones of 2 million rows, 300 columns, 60 classes
	@python -m benchmarks.strangers
	@FOURCYCLE_TABLES=full python -m benchmarks.tables

bench: $(INSTALLED)  ## Measure: BENCH=pipeline, serving, overload, fairness, logging, commits, registry, scorer, gate, monitoring, detectors
	@python -m 'benchmarks.$(BENCH)'

debian:  ## Programs that tests drive: a browser, a load generator, ... (Debian, root)
	@sh scripts/debian

dist: $(INSTALLED)  ## A wheel, and the notes of CHANGELOG.md about TAG=v1.2.3, in build/dist
	@sh scripts/dist '$(TAG)'

publish:  ## A release page on GitHub from what dist and audit made (TAG=v1.2.3)
	@gh release create '$(TAG)' --verify-tag --title '$(TAG)' --notes-file build/dist/notes.md \
		build/dist/*.whl build/sbom.json

audit: $(INSTALLED)  ## What is locked, as a CycloneDX SBOM, and known holes in it, in build/
	@mkdir -p build
	@sh scripts/tool audit cyclonedx-py requirements requirements.lock --pyproject pyproject.toml -o build/sbom.json
	@sh scripts/tool audit pip-audit --disable-pip --require-hashes -r requirements.lock -f json -o build/audit.json

images:  ## Build the three images, fourcycle-serving, -jobs and -tracking
	@sh scripts/stand-ins docker/*.Dockerfile
	@for image in serving jobs tracking; do docker build --network host -f docker/$$image.Dockerfile \
		-t fourcycle-$$image -t fourcycle-$$image:$(VERSION) . || exit 1; done

images-test: $(INSTALLED)  ## All containers of compose, used and hurt: restarts, kills, stores away, backup
	@if docker info >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory images && sh scripts/stand-ins docker/compose*.yaml && \
		FOURCYCLE_IMAGES=yes pytest -v -x tests/docker/test_containers.py; \
	else echo 'No container engine answers here (docker info), so nothing was tried.'; fi

images-push:  ## Push them as IMAGES=registry/owner/name, -serving ... with TAG=; their digests for CI
	@sh scripts/push '$(IMAGES)' '$(TAG)'

lock: $(INSTALLED)  ## Resolve pyproject.toml anew into requirements.lock
	@uv pip compile --quiet --upgrade --universal --generate-hashes --extra dev --no-emit-index-url \
		--no-emit-find-links --python-version 3.11 pyproject.toml -o requirements.lock
	@for set in scripts/tools/*.in; do uv pip compile --quiet --upgrade --universal --generate-hashes \
		--no-emit-index-url --no-emit-find-links --python-version 3.11 $$set -o $${set%.in}.lock; done

clean:  ## Remove caches; ALL=yes also removes runs, models and tables
	@find . -path './$(VENV)' -prune -o -name __pycache__ -type d -exec rm -rf {} +
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info
ifeq ($(ALL),yes)
	@rm -rf mlflow.db mlflow.db-* mlflow.db.lock mlruns mlartifacts data .serving .ui
	@echo 'Removed: caches, mlflow.db, mlruns, data, .serving. Kept: $(VENV).'
else
	@echo 'Removed: caches. Kept: mlflow.db, mlruns, data, .serving (make clean ALL=yes removes them) and $(VENV).'
endif
