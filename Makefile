# What a person types; `make help` lists it. Everything runs in .venv, which the first command makes.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test test-attacks test-faults test-slow test-oldest test-stack fuzz audit bench bench-quick lint docs format up down observe lock

PYTHON := .venv/bin/python

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

demo: .venv/ready ## Start everything, play a campaign of 10,000 recipients, print its funnel and the proof
	@$(PYTHON) -m deploy.local run -- $(PYTHON) -m tests.simulator demo

test: .venv/ready ## Run the tests on a real PostgreSQL and a real broker (BROKER=apache or tansu chooses)
	@$(PYTHON) -m pytest

test-stack: .venv/ready ## Run the tests of the local stack itself: starts, kills, interruptions, ports, users
	@$(PYTHON) -m pytest tests/local

test-slow: .venv/ready ## Run what is too slow for every time: replays, redrives, whole campaigns
	@$(PYTHON) -m pytest -m slow

test-faults: .venv/ready ## Run the fault tests, for most of an hour: kills, pauses, full disks, outages (FAULTS=short: minutes)
	@$(PYTHON) -m pytest tests/faults -m "$(if $(filter short,$(FAULTS)),not long,long or not long)"

test-attacks: .venv/ready ## Attack and overload the receiver, for some minutes, with the machine for itself
	@$(PYTHON) -m pytest tests/attacks

fuzz: .venv/ready ## Send a million odd requests to the receiver, and look for a body that cannot be split (FUZZ_SEED repeats a run)
	@$(PYTHON) -m pip install --quiet --target .cache/atheris --upgrade atheris==3.0.0
	@FUZZ_INPUTS=$${FUZZ_INPUTS:-1000000} $(PYTHON) -m pytest tests/fuzz
	@PYTHONPATH=.cache/atheris $(PYTHON) -m tests.fuzz.led_by_coverage

test-oldest: .venv/ready ## Run the tests of the database on PostgreSQL 15, where it is installed
	@$(PYTHON) -m pytest -m oldest

bench: .venv/bench ## Measure the services beside their floor and the obvious way, and write docs/benchmarks.md (most of an hour)
	@$(PYTHON) -m tests.bench run

bench-quick: .venv/ready ## Measure for two minutes, and say what is slower than what is recorded
	@$(PYTHON) -m tests.bench quick

audit: .venv/ready ## Ask PyPI for known vulnerabilities of what the services need
	@$(PYTHON) -m pip install --quiet --target .cache/pip-audit pip-audit
	@PYTHONPATH=.cache/pip-audit $(PYTHON) -m pip_audit --strict --require-hashes --disable-pip -r deploy/requirements/services.txt

lint: .venv/ready ## Check format, rules, types, security and the direction of imports
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m bandit --quiet --recursive ingest_service status_service shared schema
	@.venv/bin/lint-imports --no-logo

docs: .venv/ready ## Write what is made of declarations: the pages on metrics and configuration, the dashboards
	@$(PYTHON) -m tests.documents

format: .venv/ready ## Format the code
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

up: .venv/ready ## Start what is not running of PostgreSQL, Kafka and the services; .run/env says where
	@$(PYTHON) -m deploy.local up

down: .venv/ready ## Stop everything that runs from this checkout and leave nothing behind
	@$(PYTHON) -m deploy.local down

observe: .venv/ready ## Start what is not running and a Prometheus that reads it with our rules; prints its address, until Ctrl-C
	@$(PYTHON) -m deploy.local run -- $(PYTHON) -m deploy.local.observe

# Three locks with hashes: what the services need, that with the local stack, lint and tests, and that with `make bench`.
lock: .venv/ready ## Resolve pyproject.toml's dependencies anew into the locks
	@$(PYTHON) -m pip install --quiet --target .cache/uv uv
	@for lock in services development bench; do \
	  case $$lock in services) extras= ;; development) extras='--extra local --extra development' ;; \
	    bench) extras='--extra local --extra development --extra bench' ;; esac; \
	  .cache/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $$extras \
	    --upgrade --output-file deploy/requirements/$$lock.txt pyproject.toml || exit; \
	done

.venv/bench: deploy/requirements/bench.txt .venv/ready
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

.venv/ready: deploy/requirements/development.txt deploy/virtual_environment.sh
	@bash deploy/virtual_environment.sh
