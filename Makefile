# What a person types; `make help` lists it. Everything runs in .venv, which the first command makes.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test test-faults test-slow test-oldest test-stack lint format up down lock

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

test-faults: .venv/ready ## Run the fault tests, for an hour or more: kills, pauses, full disks, outages (FAULTS=short: minutes)
	@$(PYTHON) -m pytest tests/faults -m "$(if $(filter short,$(FAULTS)),not long,long or not long)"

test-oldest: .venv/ready ## Run the tests of the database on PostgreSQL 15, where it is installed
	@$(PYTHON) -m pytest -m oldest

lint: .venv/ready ## Check format, rules, types and the direction of imports
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports --no-logo

format: .venv/ready ## Format the code
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

up: .venv/ready ## Start what is not running of PostgreSQL, Kafka and the services; .run/env says where
	@$(PYTHON) -m deploy.local up

down: .venv/ready ## Stop everything that runs from this checkout and leave nothing behind
	@$(PYTHON) -m deploy.local down

# Two locks with hashes: what the services need, and that with the local stack, lint and tests.
lock: .venv/ready ## Resolve pyproject.toml's dependencies anew into the locks
	@$(PYTHON) -m pip install --quiet --target .cache/uv uv
	@for lock in services development; do \
	  [ $$lock = services ] && extras= || extras='--extra local --extra development'; \
	  .cache/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $$extras \
	    --upgrade --output-file deploy/requirements/$$lock.txt pyproject.toml || exit; \
	done

.venv/ready: deploy/requirements/development.txt deploy/virtual_environment.sh
	@bash deploy/virtual_environment.sh
