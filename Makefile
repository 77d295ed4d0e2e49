# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Each target does its own set-up: virtual environments under .cache, results under build. Nothing is installed outside the checkout.

# The newest Python on the PATH that really runs; choose another with make PYTHON=/path/to/python3
ifndef PYTHON
PYTHON := $(shell sh tests/tools/find_python.sh)
endif
ifeq ($(PYTHON),)
$(error no usable Python: see above)
endif

VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ifeq ($(VERSION),)
$(error $(PYTHON) does not run: name another with make PYTHON=/path/to/python3)
endif
DEV := .cache/venvs/$(VERSION)/dev/bin
TOOLS := .cache/venvs/$(VERSION)/tools/bin
SETUP := @$(PYTHON) tests/tools/environments.py
GATES := @$(PYTHON) tests/tools/run_gates.py
# A user's own Python path must not leak into what runs here.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help demo emulator bench test test-fast test-matrix unit integration hostile molecule sanity lint build changelog docs clean distclean

help: ## list the targets
	@echo "make TARGET [PYTHON=/path/to/python3]    (now: $(PYTHON), Python $(VERSION))"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: ## the whole partner journey against the emulated cloud; leaves build/demo/{demo.log,report.html,results.json}
	$(SETUP) dev
	@$(DEV)/python tests/tools/demo.py

emulator: ## start the emulated cloud alone and print how to point a playbook at it (PORT=8443 fixes its port)
	$(SETUP) dev
	@exec $(DEV)/python tests/tools/run_emulator.py $(if $(PORT),--port $(PORT))

bench: ## whole runs measured side by side; leaves build/bench/results.json (BENCH_TENANTS=n BENCH_ROUNDS=n BENCH_SLOW_ROUNDS=n shrink it)
	$(SETUP) dev
	@$(DEV)/python tests/bench/bench.py

test: ## every gate; the last line counts the checks (logs in build/test)
	$(GATES)

test-fast: ## the inner loop: unit tests that are not slow, ruff, mypy
	$(GATES) unit-fast ruff mypy

test-matrix: ## unit and integration tests on every supported ansible-core that a Python here can carry (PYTHONS="/path …" adds some)
	@$(PYTHON) tests/tools/matrix.py $(PYTHONS)

unit: ## unit tests with coverage
	$(GATES) unit

integration: ## playbooks against the emulator
	$(GATES) integration

hostile: ## SEEDS=n runs of reading incidents from a service that does its worst (FIRST=n: where to begin)
	$(SETUP) dev
	@cd tests && PYTHONPATH="$(CURDIR)/build/collections:$(CURDIR)/tests" $(CURDIR)/$(DEV)/python -m integration.hostile \
		--seeds $(or $(SEEDS),50) --first $(or $(FIRST),1)

molecule: ## the molecule scenario against the emulator
	$(GATES) molecule

sanity: ## ansible-test sanity
	$(GATES) sanity

lint: ## all static checks but sanity
	$(GATES) ansible-lint galaxy-importer antsibull-docs mypy ruff doc-drift changelog reuse execution-environment

build: ## the collection's tarball, in build/dist
	$(GATES) build

changelog: ## write CHANGELOG.md for the version in galaxy.yml from the fragments and the plugins
	$(SETUP) tools
	@PATH="$(CURDIR)/$(TOOLS):$$PATH" $(TOOLS)/python tests/tools/write_changelog.py

docs: ## the documentation as a web site, in build/docs
	$(GATES) docs
	@echo "the site: build/docs/index.html"

clean: ## remove results, keep the virtual environments
	rm -rf build .cache/copies .cache/importer

distclean: clean ## remove everything that make made
	rm -rf .cache .mypy_cache .pytest_cache .ruff_cache
