# Every recipe is one command that replaces its shell, so a signal to make reaches it.
.DEFAULT_GOAL := help
.PHONY: help demo compete verdict-check test check real-servers bench storm simulate format lock clean
MAKEFLAGS += --no-print-directory
RUNTIME := exec scripts/setup runtime
DEV := exec scripts/setup dev
PYTHON := .venv/bin/python
# Some machines forbid Python to keep what it compiled; a run starts it hundreds of times.
unexport PYTHONDONTWRITEBYTECODE

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## a whole arena here for about 90 s (ARGS='--seconds 45 --json demo.json')
	@ARENA_STEP='[1/4]' $(RUNTIME) $(PYTHON) -m arena demo $(ARGS)

compete: ## a contest of about two minutes, with its report (ARGS='--json outcome.json')
	@ARENA_STEP='[1/6]' $(RUNTIME) $(PYTHON) -m arena compete run examples/competition.toml $(ARGS)

verdict-check: ## judge seasons with a known truth, 15 minutes (ARGS='--names')
	@$(RUNTIME) $(PYTHON) -m arena verdict-check $(ARGS)

test: ## every test, against one real Kafka (ARGS='tests/arena -k fold')
	@$(DEV) $(PYTHON) -m pytest $(ARGS)

check: ## format, lint, types, tests
	@$(DEV) $(PYTHON) -m ruff format --check .
	@$(DEV) $(PYTHON) -m ruff check .
	@$(DEV) $(PYTHON) -m mypy --strict .
	@$(DEV) $(PYTHON) -m pytest $(ARGS)

real-servers: ## a contest against each of three real model servers (ARGS='llama-tiny')
	@exec scripts/setup local-llm $(PYTHON) -m tests.real_servers $(ARGS)

bench: ## turns per second, latency, memory, the page, indicators (ARGS='--only indicators')
	@$(RUNTIME) $(PYTHON) -m arena bench $(ARGS)
	@$(if $(ARGS),:,$(DEV) $(PYTHON) -m tests.dashboard.web.measure_page)

storm: ## a whole arena under faults, then the checker (ARGS='--seed 1 --minutes 2 --json storm.json')
	@$(RUNTIME) $(PYTHON) -m arena storm $(ARGS)

simulate: ## an arena in one process under seeded faults (ARGS='--seeds 2000 --json simulate.json')
	@$(RUNTIME) $(PYTHON) -m arena simulate $(ARGS)

format: ## format the code
	@$(DEV) $(PYTHON) -m ruff format .
	@$(DEV) $(PYTHON) -m ruff check --fix .

lock: ## resolve every dependency again and rewrite the locks
	@$(DEV) scripts/lock

clean: ## remove what can be rebuilt; .arena and its records stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.arena/*' -prune -exec rm -rf {} +
