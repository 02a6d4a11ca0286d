# Everything one does with this project. `make help` lists it; every target sets up what it needs.

PYTHON_IN_VENV := .venv/bin/python
CODE := services shared deploy tests

.DEFAULT_GOAL := help
.PHONY: help setup test check lint types walls gates docs rules demo bench chaos chaos-long defects up down lock clean properties mutants simulation

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## Make .venv with the locked requirements (fast the second time)
	@PYTHON="$(PYTHON)" deploy/bootstrap

test: lint types walls rules ## Everything: the gates, then all tests on a real Kafka and PostgreSQL
	$(PYTHON_IN_VENV) -m pytest --numprocesses 2 --dist loadscope

check: lint types walls rules gates ## The gates alone: no server needed, about half a minute

lint: setup # ruff: every rule less the argued exceptions, and the format
	.venv/bin/ruff check $(CODE)
	.venv/bin/ruff format --check $(CODE)

types: setup # mypy, strict
	.venv/bin/mypy

walls: setup # who may import whom
	.venv/bin/lint-imports --no-logo

gates: setup # sizes, words, and generated files that must not drift
	$(PYTHON_IN_VENV) -m pytest -q -m "house or contract"

rules: setup ## Rule of the domain → the tests that show it, its worked numbers among them; none may be without
	$(PYTHON_IN_VENV) -m tests.unit.earning.decide.worked

docs: setup ## Write the generated reference again from the code (docs/reference)
	$(PYTHON_IN_VENV) -m deploy.reference

demo: setup ## A real year of retail from Kafka to balances (DEMO=small: shorter; KEEP=1: leave it running)
	$(PYTHON_IN_VENV) -m services.cli.demo

properties: setup ## The core against its second model and its properties, EXAMPLES=10000 of each (a night's work)
	TALLYSTICK_EXAMPLES=$(or $(EXAMPLES),10000) $(PYTHON_IN_VENV) -m pytest -q --timeout=0 -o session_timeout=1000000 \
		tests/unit/earning/decide -k "machine or properties"

bench: setup ## Rates and latencies of this machine, beside hand-written minimal loops
	$(PYTHON_IN_VENV) -m tests.bench

SEEDED := $(if $(SEED),--seed $(SEED))

simulation: setup ## Both services in a simulated world, SEEDS=50000 of them: thousands of orders of events a minute
	$(PYTHON_IN_VENV) -m tests.support.simulation --seeds 1..$(or $(SEEDS),10000)

chaos: setup ## Kill, pause, cut and fill whatever runs, for 4 minutes, and check every promise (SEED=n: again)
	$(PYTHON_IN_VENV) -m tests.chaos --minutes 4 $(SEEDED)

LONG := --together --rounds-a-world 6 --derive-each 3

chaos-long: setup ## Many faults at once for an hour (MINUTES=n), then 4 workers of each service come and go for 3 minutes
	$(PYTHON_IN_VENV) -m tests.chaos --minutes $(or $(MINUTES),65) $(LONG) $(SEEDED)
	$(PYTHON_IN_VENV) -m tests.chaos --minutes 6 --rounds 1 --workers 4 --only "long rebalance storm" $(SEEDED)

defects: setup ## Plant each known mistake in a copy of the code, and see that a check catches it (ONLY=word)
	$(PYTHON_IN_VENV) -m tests.chaos.defects $(if $(ONLY),--only $(ONLY))

mutants: setup ## Make one small mistake after the other in the pure rooms, and count those that a test notices (ONLY=, SAMPLE=, AGAIN=1)
	$(PYTHON_IN_VENV) -m tests.support.mutants $(if $(ONLY),--only $(ONLY)) $(if $(SAMPLE),--sample $(SAMPLE)) $(SEEDED)$(if $(AGAIN), --again)

up: setup ## Start Kafka, PostgreSQL and both services on this machine, without Docker
	@.venv/bin/tallystick up

down: setup ## Stop them, keep their data (THROW_AWAY=1: delete it)
	@.venv/bin/tallystick down $(if $(THROW_AWAY),--throw-away)

COMPILE := .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--python-version 3.11 --custom-compile-command 'make lock' pyproject.toml $(if $(UPGRADE),--upgrade)

lock: setup ## Write the requirements files again from pyproject.toml (UPGRADE=1: newest versions)
	$(COMPILE) --extra dev --output-file requirements-dev.txt
	$(COMPILE) --constraints requirements-dev.txt --output-file requirements.txt

clean: ## Delete what setup and the tools have made; running servers are stopped, their data deleted
	@[ ! -x $(PYTHON_IN_VENV) ] || [ ! -d .tallystick ] || .venv/bin/tallystick down --throw-away
	rm -rf mutants .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
