# Everything one does with this project. `make help` lists it; every target sets up what it needs.

PYTHON_IN_VENV := .venv/bin/python
CODE := services shared deploy tests

.DEFAULT_GOAL := help
.PHONY: setup check lint types walls gates test up down demo rules properties mutants simulation defects chaos chaos-long attacks fuzz bench docs schema lock clean help

##@ Everyday

setup: ## Make .venv with the locked requirements (fast the second time)
	@PYTHON="$(PYTHON)" deploy/bootstrap

check: lint types walls rules gates ## The gates alone: lint, types, walls, rules, generated files; no server, half a minute

lint: setup # ruff: every rule less the argued exceptions, and the format
	.venv/bin/ruff check $(CODE)
	.venv/bin/ruff format --check $(CODE)

types: setup # mypy, strict
	.venv/bin/mypy

walls: setup # who may import whom
	.venv/bin/lint-imports --no-logo

gates: setup # sizes, words, and generated files that must not drift
	$(PYTHON_IN_VENV) -m pytest -q -m "house or contract"

test: lint types walls rules ## The gates, then all tests on a real Kafka and PostgreSQL
	$(PYTHON_IN_VENV) -m pytest --numprocesses 2 --dist loadscope

up: setup ## Start Kafka, PostgreSQL and both services here, without Docker
	@.venv/bin/tallystick up

down: setup ## Stop them, keep their data (THROW_AWAY=1: delete it)
	@.venv/bin/tallystick down $(if $(THROW_AWAY),--throw-away)

demo: setup ## A real year of retail, from Kafka to balances (DEMO=small, KEEP=1: leave it running)
	$(PYTHON_IN_VENV) -m services.cli.demo

##@ Proof

rules: setup ## Each rule of docs/rules.md with the tests that show it; none may be without
	$(PYTHON_IN_VENV) -m tests.unit.earning.decide.worked

properties: setup ## The core against its second model and its properties (EXAMPLES=10000 of each)
	TALLYSTICK_EXAMPLES=$(or $(EXAMPLES),10000) $(PYTHON_IN_VENV) -m pytest -q --timeout=0 -o session_timeout=1000000 \
		tests/unit/earning/decide -k "machine or properties"

SEEDED := $(if $(SEED),--seed $(SEED))

mutants: setup ## One small mistake after the other in the pure rooms (ONLY=, SAMPLE=, AGAIN=1)
	$(PYTHON_IN_VENV) -m tests.support.mutants $(if $(ONLY),--only $(ONLY)) $(if $(SAMPLE),--sample $(SAMPLE)) $(SEEDED)$(if $(AGAIN), --again)

simulation: setup ## Both services in simulated worlds, thousands of faults a minute (SEEDS=10000)
	$(PYTHON_IN_VENV) -m tests.support.simulation --seeds 1..$(or $(SEEDS),10000)

defects: setup ## Plant each known mistake in a copy, and see that a check catches it (ONLY=word)
	$(PYTHON_IN_VENV) -m tests.chaos.defects $(if $(ONLY),--only $(ONLY))

chaos: setup ## Kill, pause, cut and fill what runs for 4 minutes; check every promise (SEED=)
	$(PYTHON_IN_VENV) -m tests.chaos --minutes 4 $(SEEDED)

attacks: setup ## What hostile neighbours do, each on a fresh installation: promised, happened (ONLY=F1, QUICK=1)
	$(PYTHON_IN_VENV) -m tests.attacks $(foreach id,$(ONLY),--only $(id)) $(if $(QUICK),--quick)

fuzz: setup ## Mutated real records on every topic of a running installation (FACTS=100000, SEED=)
	$(PYTHON_IN_VENV) -m tests.attacks.fuzz --facts $(or $(FACTS),100000) $(SEEDED)

LONG := --together --rounds-a-world 6 --derive-each 3

chaos-long: setup ## Many faults at once for an hour (MINUTES=), then workers come and go
	$(PYTHON_IN_VENV) -m tests.chaos --minutes $(or $(MINUTES),65) $(LONG) $(SEEDED)
	$(PYTHON_IN_VENV) -m tests.chaos --minutes 6 --rounds 1 --workers 4 --only "long rebalance storm" $(SEEDED)

bench: setup ## Rates and latencies of this machine, beside hand-written minimal loops
	$(PYTHON_IN_VENV) -m tests.bench

##@ Upkeep

docs: setup ## Write the generated reference again from the code (docs/reference)
	$(PYTHON_IN_VENV) -m deploy.reference

schema: setup ## Write each service's whole schema again (services/*/sql/schema.sql)
	$(PYTHON_IN_VENV) -m deploy.schema

COMPILE := .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--python-version 3.11 --custom-compile-command 'make lock' pyproject.toml $(if $(UPGRADE),--upgrade)

lock: setup ## Write the requirements files again from pyproject.toml (UPGRADE=1: newest)
	$(COMPILE) --extra dev --output-file requirements-dev.txt
	$(COMPILE) --constraints requirements-dev.txt --output-file requirements.txt

clean: ## Delete what setup and the tools made; stop running servers, delete their data
	@[ ! -x $(PYTHON_IN_VENV) ] || [ ! -d .tallystick ] || .venv/bin/tallystick down --throw-away
	rm -rf mutants .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
