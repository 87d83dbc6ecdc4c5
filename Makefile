# One word each. `make demo` and `make test` need nothing before them, as root or as an ordinary user.

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
DEMO := $(VENV)/.installed-for-demo
RUN := $(VENV)/bin
WORKERS ?= 2
NODE_APPS := tests/apps/express tests/apps/mysql tests/apps/https tests/apps/newman
NODE_MODULES := $(NODE_APPS:%=%/node_modules/.package-lock.json)

.DEFAULT_GOAL := help
.PHONY: help setup servers test fast lint gates demo recordings bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv and install rr into it

INSTALL = $(RUN)/python -m pip install -qq --disable-pip-version-check --root-user-action=ignore --use-pep517

$(STAMP): pyproject.toml .ci/venv
	@PYTHON="$(PYTHON)" .ci/venv $(VENV)
	@echo "Installing rr and all that its tests need into $(VENV) (some minutes)"
	@$(INSTALL) -e '.[dev,demo]'
	@touch $@ $(DEMO)

$(DEMO): pyproject.toml .ci/venv
	@PYTHON="$(PYTHON)" .ci/venv $(VENV)
	@echo "Installing rr and the sample shop into $(VENV) (a minute or two)"
	@$(INSTALL) -e '.[demo]'
	@touch $@

servers: $(STAMP) ## real MySQL and MariaDB servers for the tests and the bench, and a driver built for them
	@.ci/servers
	@.ci/docker
	@.ci/mysqlclient $(RUN)/python

test: servers $(NODE_MODULES) lint fast ## lint, the fast tests, then those with real processes
	@$(RUN)/pytest -n $(WORKERS) --dist loadgroup -m "system and not gate"

fast: servers ## the fast tests alone: a minute
	@$(RUN)/pytest -n $(WORKERS) -m "not system and not gate"

lint: $(STAMP) ## ruff and mypy --strict
	@$(RUN)/ruff check --quiet .
	@$(RUN)/ruff format --quiet --check .
	@$(RUN)/mypy --no-error-summary
	@$(RUN)/mypy --no-error-summary sample_app
	@$(RUN)/mypy --no-error-summary --explicit-package-bases tests

gates: servers $(NODE_MODULES) ## the long proofs: suites, soak, kill rounds
	@$(RUN)/pytest -m gate

demo: $(DEMO) ## record the sample shop, close it, replay its order service, break it, replay it
	@$(RUN)/python -m sample_app.demo

recordings: $(STAMP) ## record the shop's services anew, into keploy/
	@$(RUN)/python -m sample_app.recordings

bench: servers ## what recording costs, against HAProxy and mitmproxy; writes bench/results.json
	@$(RUN)/python -m bench

clean: ## remove what the other targets made
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage bench/results.json
	rm -rf tests/.servers $(NODE_APPS:%=%/node_modules)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

%/node_modules/.package-lock.json: %/package-lock.json
	@command -v npm >/dev/null || { echo "The tests' apps in $* need npm: apt install nodejs npm" >&2; exit 1; }
	@cd $* && npm ci --silent --no-audit --no-fund --no-update-notifier
	@touch $@
