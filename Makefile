# `make` does all the set-up and runs the mini study through to its PDF; `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := run

STUDY ?= mini
CORES ?= all
# A study of config/, or one that `tunegrid new` wrote here.
CONFIG := $(firstword $(wildcard config/$(STUDY).yaml $(STUDY).yaml) config/$(STUDY).yaml)
VENV := .venv
# Extras of `setup`: each a file requirements-<extra>.txt.
EXTRAS ?=
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TEX_PACKAGES := latexmk texlive-latex-recommended texlive-fonts-recommended lmodern
# A file's tests share what they make, so they stay together; tests/conftest.py has the order of the files.
# They start hundreds of processes, which would all compile the package, and each worker the tests, if bytecode were not kept.
TEST := PYTHONDONTWRITEBYTECODE= pytest --dist loadfile --no-loadscope-reorder --numprocesses
# The first interpreter that is new enough; none: `setup` says what to install.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
# The scripts of an environment name its place: if the folder was moved since, all of it is installed anew.
MOVED := $(shell [ ! -e $(BIN)/pip ] || grep -qF -e "$$(pwd -P)/$(BIN)/" -e "$$(realpath $(BIN))/" $(BIN)/pip || echo moved)
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup moved tex run resume paper report test test-slow test-all lint format bench clean

run: setup $(CONFIG) tex ## set up, and run a study through to its PDF, or go on with one (STUDY=mini; CORES=all)
	@tunegrid unlock # after a Snakemake that was killed; ends here if one is at work
	@code=0; TUNEGRID_MAKE=1 snakemake --cores $(CORES) --configfile $(CONFIG) --rerun-incomplete || code=$$?; \
		tunegrid summary $(CONFIG) || code=$$?; exit $$code

resume: run ## go on with a study that was interrupted, whatever interrupted it: the same as run

paper: ## run the paper study: the same as make STUDY=paper
	@$(MAKE) --no-print-directory run STUDY=paper

report: setup ## rebuild the report from the results that are there, without training (STUDY=mini)
	@tunegrid report $(CONFIG)

test: setup tex ## set up, and pass the tests that a change needs: about 5 minutes on two cores
	@$(TEST) 2 -m "not slow"

test-slow: setup tex ## the other tests: whole studies, deaths, Slurm, models of true size, more cases
	@$(TEST) 3 -m slow # on two cores, too: they wait for Slurm, for moments of death, for checkpoints

test-all: setup tex ## all tests at once
	@$(TEST) 3

lint: setup ## check format and style of Python and Snakemake files, and the layers of the package
	ruff format --check .
	ruff check .
	lint-imports
	snakefmt --check Snakefile workflow
	snakemake --lint --configfile config/mini.yaml

format: setup ## bring Python and Snakemake files into format
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

bench: setup ## measure: beside a plain Seq2SeqTrainer script, and how cost grows (two hours or more; results/bench)
	@python benchmarks/bench.py
	@python benchmarks/growth.py --mini-results results/bench/mini-study/results/mini

setup: $(READY) $(EXTRAS:%=$(VENV)/.extra-%) ## make .venv with everything in requirements.txt (EXTRAS="serve onnx qlora" adds extras)

$(VENV)/.extra-%: requirements-%.txt $(READY)
	pip install --quiet --disable-pip-version-check --requirement requirements.txt --requirement $<
	@touch $@

$(READY): requirements.txt pyproject.toml $(MOVED)
	@if ! $(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "TuneGrid needs Python 3.11 or later; found $$($(or $(PYTHON),python3) --version 2>/dev/null || echo none)." >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv; \
		else echo "Python's venv module is missing. Type: sudo apt-get install python3-venv" >&2; exit 1; fi; fi
	$(PYTHON) -m venv $(MOVED:moved=--clear) $(VENV)
	pip install --quiet --disable-pip-version-check --requirement requirements.txt
	pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

config/%.yaml:
	@echo "There is no study $*: neither config/$*.yaml nor $*.yaml is there. STUDY=NAME names one." >&2; exit 1

moved:
	@echo "This folder was moved: $(VENV) is made anew, without extras (make setup EXTRAS=\"…\")."

# Without LaTeX a study still ends with its .tex and HTML files, so this never fails: it installs what it may, or says how.
tex:
	@if ! { command -v latexmk && kpsewhich lmodern.sty; } >/dev/null 2>&1 && ! command -v tectonic >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing LaTeX: $(TEX_PACKAGES)"; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(TEX_PACKAGES) >/dev/null \
				|| echo "LaTeX could not be installed; the report will have no PDF." >&2; \
		else echo "No LaTeX here, so no PDF. For one, type: sudo apt-get install $(TEX_PACKAGES)" >&2; fi; fi

clean: ## remove the virtual environment (results stay)
	rm -rf $(VENV)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 11
