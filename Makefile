# Strongroom's one door: `make` alone says what there is. Needs Debian 12 with root, git, make, Python 3.11 and pip;
# every target does its own set-up and says what it does. A second call finds its work done.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export PYTHONSAFEPATH := 1
export UV_CACHE_DIR ?= $(or $(HOME),/root)/.cache/strongroom/uv
export UV_NO_PROGRESS ?= 1
export UV_SYSTEM_CERTS ?= true
export NO_MKDOCS_2_WARNING := 1

# The distribution's own Python: services drop to users of their own, who cannot read an interpreter in a home folder.
BASE := /usr/bin/python3.11
UV := .venvs/uv/bin/uv
BIN := .venv/bin
TESTS ?= tests
PYTEST_FLAGS ?=
LANES ?= 2

comma := ,
say = @printf '\033[1m%s\033[0m\n' "$(1)"
# An environment: $(1) its folder, $(2) its lock. Readable by all, whatever umask the caller has.
# Compiled here: behind its walls an engine sees its own read-only, and would compile all of it at every start.
define environment
	umask 022; [ -x $(1)/bin/python ] || $(UV) venv -q --python $(BASE) $(1)
	umask 022; $(UV) pip sync -q --compile-bytecode --python $(1)/bin/python --require-hashes $(2)
endef

.PHONY: help setup demo test check bench fuzz serve docs kubernetes clean

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# The environments that tests and services stand on.
MADE := $(addsuffix /made,.venv $(addprefix .venvs/,engine-snakemake engine-nextflow schemathesis pytes crates seaweedfs pages))

setup: $(MADE) sandbox/first .venvs/launcher/launcher .venvs/joiner/joiner ## Debian packages, uv, and the environments of services and engines

demo: setup ## The whole path on real data: submit, compute, review, release, compare
	$(BIN)/strongroom demo

serve: setup ## Start Strongroom on http://127.0.0.1:8080
	$(BIN)/strongroom serve

test: setup ## All tests, real processes included (TESTS=tests/unit narrows; LANES=0: one process)
	$(BIN)/python -m pytest -n $(LANES) $(PYTEST_FLAGS) $(TESTS)

check: .venv/made .venvs/docs/made ## Style, types, import rules, documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/architecture
	.venvs/docs/bin/mkdocs build --strict

bench: setup ## Strongroom against bare tools: sandbox, tasks, SLURM, Kubernetes, Snakemake (half an hour)
	$(BIN)/strongroom bench

fuzz: .venv/made ## Damage the airlock's cases and have the checks judge them (ten minutes; SECONDS=60)
	$(BIN)/python -P tests/fuzzing.py --seconds $(or $(SECONDS),600)

docs: .venv/made .venvs/docs/made ## Write the generated pages and build the site into site/
	$(BIN)/python docs/generated.py
	.venvs/docs/bin/mkdocs build --strict
	$(call say,The site is in site/index.html)

kubernetes: ## Build the Kubernetes that tests run against, once for all clones
	@tests/services/kubernetes/build

clean: ## Remove what make made here: environments, caches, site (never strongroom-data)
	rm -rf .venv .venvs sandbox/first site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venvs/debian.made: .ci/debian .ci/debian-packages
	@mkdir -p $(@D)
	@.ci/debian
	@touch $@

# uv comes by pip with its hash; --target leaves the system's Python as it is.
.venvs/uv/made: .ci/uv.lock .venvs/debian.made
	$(call say,Fetching uv)
	@rm -rf $(@D)
	@umask 022; python3 -m pip install -q --root-user-action=ignore --no-deps --require-hashes --target $(@D) -r .ci/uv.lock
	@touch $@

.venv/made: requirements.lock pyproject.toml .ci/build.lock .venvs/uv/made
	$(call say,Making .venv: the services)
	@$(call environment,.venv,requirements.lock)
	@umask 022; $(UV) pip install -q --python $(BIN)/python --no-deps --build-constraints .ci/build.lock -e .
	@touch $@

.venvs/engine-snakemake/made: engines/snakemake/requirements.lock .venvs/uv/made
	$(call say,Making $(@D): Snakemake, apart from the services)
	@$(call environment,$(@D),$<)
	@touch $@

.venvs/engine-nextflow/made: $(shell find engines/nextflow -type f) .venvs/debian.made
	$(call say,Making $(@D): Nextflow and our plug-in for it)
	@engines/nextflow/build $(@D)
	@touch $@

.venvs/schemathesis/made: tests/conformance/schemathesis/requirements.lock .venvs/uv/made
	$(call say,Making $(@D): what attacks our APIs by their OpenAPI files)
	@$(call environment,$(@D),$<)
	@touch $@

.venvs/pytes/made: tests/conformance/pytes/requirements.lock .venvs/uv/made
	$(call say,Making $(@D): py-tes$(comma) a client from outside)
	@$(call environment,$(@D),$<)
	@touch $@

.venvs/crates/made: tests/conformance/crates/requirements.lock .venvs/uv/made
	$(call say,Making $(@D): the validator of RO-Crates)
	@$(call environment,$(@D),$<)
	@touch $@

.venvs/seaweedfs/made: tests/services/s3/requirements.lock .venvs/uv/made
	$(call say,Making $(@D): the S3 store that tests run against)
	@$(call environment,$(@D),$<)
	@touch $@

.venvs/pages/made: tests/pages/requirements.lock .venvs/uv/made
	$(call say,Making $(@D): Playwright$(comma) which drives Chromium over our pages)
	@$(call environment,$(@D),$<)
	@touch $@

# Static, as it must run on any node; beside the modules that use it, so that a wheel takes it along.
sandbox/first: sandbox/first.c .venvs/debian.made
	$(call say,Making $@: what an executor becomes behind its walls)
	@umask 022; gcc -static -s -O2 -Wall -Wextra -Werror -o $@ $<

# Static, as it must run in any image; `-s`, as it must fit into a ConfigMap.
.venvs/launcher/launcher: $(wildcard images/launcher/*.[ch]) .venvs/debian.made
	$(call say,Making $@: the first process of an executor in a pod)
	@mkdir -p $(@D)
	@gcc -static -s -O2 -Wall -Wextra -Werror -o $@ $(filter %.c,$^)

# Static, as it must run on any node.
.venvs/joiner/joiner: $(wildcard images/joiner/*.c) .venvs/debian.made
	$(call say,Making $@: what a job of SLURM becomes)
	@mkdir -p $(@D)
	@gcc -static -s -O2 -Wall -Wextra -Werror -o $@ $(filter %.c,$^)

.venvs/docs/made: docs/requirements.lock .venvs/uv/made
	$(call say,Making $(@D): MkDocs)
	@$(call environment,$(@D),$<)
	@touch $@
