# interest-stream: every command a person needs. `make help` lists them.
#
# Needs: make, and Python 3.11, 3.12 or 3.13 with its venv module. Everything else is installed
# into .venv from locked, hashed requirements; nothing is installed globally, and nothing twice.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV  ?= .venv
BUILD ?= build
# Passed on to the command: make demo ARGS="--seconds 20"
ARGS  ?=
# The dataset of `make replay` and `make evaluate`: a folder, its format known by its contents.
DATA  ?= ../shared/data/afk

BIN := $(VENV)/bin
RUN := $(BIN)/interest-stream
LOCKS := requirements/demo.lock requirements/full.lock

# The first Python on the path that is new enough; PYTHON=... overrides.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	>/dev/null 2>&1 && echo "$$p" && break; done)

PIP := $(BIN)/python -m pip --disable-pip-version-check
# Without compiling all that may never be imported: a quarter of the time.
INSTALL := $(PIP) install --quiet --no-compile --require-hashes
# Our own package in place; its build needs setuptools only, which the locks hold.
INSTALL_SELF := PYTHONWARNINGS=ignore $(PIP) install --quiet --no-deps --no-build-isolation --editable .

##@ Run

.PHONY: demo
demo: $(VENV)/.stamp-demo ## The whole line on a simulator, live in the terminal (ARGS="--seconds 20")
	$(RUN) demo $(ARGS)

.PHONY: replay
replay: $(VENV)/.stamp-full ## Real events through a real Kafka: train, serve, compare (DATA=folder)
	@mkdir -p $(BUILD)
	$(BIN)/python -m deploy.replay $(DATA) --report $(BUILD)/replay.json $(ARGS)

.PHONY: kafka
kafka: $(VENV)/.stamp-demo ## Apache Kafka 4.1 from its jars, in the foreground (needs Java and Maven)
	$(BIN)/python -m deploy.kafka $(ARGS)

##@ Model

.PHONY: bundle
bundle: $(VENV)/.stamp-full ## Make the demo's bundle anew: simulate, train, export
	$(RUN) simulate-events --users 400 --out $(BUILD)/simulated
	$(RUN) train $(BUILD)/simulated --preset small --checkpoint $(BUILD)/demo.pt \
		--out streams/demo/bundle $(ARGS)

.PHONY: train
train: $(VENV)/.stamp-full ## Train a bundle on a folder of events (DATA=folder)
	$(RUN) train $(DATA) --out $(BUILD)/bundle $(ARGS)

# Where a dataset's report goes: ../shared/data/cdrib-game-video -> build/evaluate-cdrib.
STUDY = $(BUILD)/evaluate-$(firstword $(subst -, ,$(notdir $(patsubst %/,%,$(DATA)))))

.PHONY: evaluate
evaluate: $(VENV)/.stamp-full ## Train 3 seeds, rank, report, from nothing (DATA=folder)
	$(RUN) study $(DATA) --out $(STUDY) $(ARGS)

.PHONY: evaluate-all
evaluate-all: $(VENV)/.stamp-full ## Also what trains, sizes, ablations (on validation): hours (DATA=folder)
	$(RUN) study $(DATA) --out $(STUDY) --methods all $(ARGS)

.PHONY: evaluate-quick
evaluate-quick: $(VENV)/.stamp-full ## A small part of AFK against a floor, in minutes (DATA=folder)
	$(RUN) study $(DATA) --out $(BUILD)/evaluate-quick --methods quick \
		--seeds 1 --ties file --users 1000 --epochs 10 --validation --floor ndcg@10=0.1 $(ARGS)

##@ Check

.PHONY: test
test: $(VENV)/.stamp-full ## All tests (ARGS="-m 'not kafka'", ARGS="-k window", ...)
	$(BIN)/pytest $(ARGS)

# Schedules of `make simulate`, from seed FIRST on.
N     ?= 20000
FIRST ?= 0

.PHONY: simulate
simulate: $(VENV)/.stamp-full ## Crashes, rebalances, zombies: N schedules against the reference (N=1000000, ARGS=--resume)
	$(BIN)/python -m tests.simulation.run --schedules $(N) --first $(FIRST) \
		--report $(BUILD)/simulate.json $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.stamp-full ## Every decoder of outside bytes, N inputs guided by coverage (N=1000000)
	$(BIN)/python -m tests.fuzz.run --inputs $(N) --report $(BUILD)/fuzz.json $(ARGS)

# Faults of `make chaos` for the service; STOCK of them for stock Faust (default a fifth).
FAULTS ?= 200
STOCK  ?=
SEED   ?=

.PHONY: chaos
chaos: $(VENV)/.stamp-full ## Real faults on a real Kafka under load, and a judge (FAULTS=200 SEED=7)
	$(BIN)/python -m tests.chaos --faults $(FAULTS) $(if $(STOCK),--stock $(STOCK)) \
		$(if $(SEED),--seed $(SEED)) --folder $(BUILD)/chaos --report $(BUILD)/chaos.json $(ARGS)

.PHONY: overload
overload: MINUTES ?= 10
overload: $(VENV)/.stamp-full ## Ten times what a worker can do: memory bounded, lag drains (MINUTES=10)
	$(BIN)/python -m tests.chaos.overload --minutes $(MINUTES) --folder $(BUILD)/overload \
		--report $(BUILD)/overload.json $(ARGS)

.PHONY: soak
soak: MINUTES ?= 30
soak: $(VENV)/.stamp-full ## A long steady load: memory stays flat, slope with its error (MINUTES=30)
	$(BIN)/python -m tests.chaos.soak --minutes $(MINUTES) --folder $(BUILD)/soak \
		--report $(BUILD)/soak.json $(ARGS)

.PHONY: lint
lint: $(VENV)/.stamp-full ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: $(VENV)/.stamp-full ## mypy --strict
	$(BIN)/mypy

.PHONY: format
format: $(VENV)/.stamp-full ## Bring all Python files into the one format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

.PHONY: check
check: lint types test ## lint, types and test

##@ Measure

# The peers' libraries have an environment of their own.
BENCH_VENV := $(BUILD)/bench-venv

.PHONY: bench
bench: $(VENV)/.stamp-full $(BENCH_VENV)/.stamp ## Beside its peers on a real Kafka (ARGS="--only loop,ours")
	$(BIN)/python -m tests.bench --report $(BUILD)/bench.json $(ARGS)

.PHONY: bench-quick
bench-quick: $(VENV)/.stamp-full ## Ratios that must not get worse, in about a minute
	$(BIN)/python -m tests.bench --only loop,ours --parts throughput --rounds 2 --events 60000 \
		--at-least loop_cpu=0.6 --report $(BUILD)/bench-quick.json $(ARGS)

##@ Generated files

.PHONY: docs
docs: $(VENV)/.stamp-demo ## docs/configuration.md from the settings, the rooms' pictures from the imports
	$(BIN)/python -m streams.settings.docs docs/configuration.md
	$(BIN)/python -m deploy.rooms

.PHONY: dashboard
dashboard: $(VENV)/.stamp-demo ## The Grafana dashboard's JSON, from deploy/dashboard/dashboard.py
	$(BIN)/python -m deploy.dashboard

##@ Set-up

.PHONY: setup
setup: $(VENV)/.stamp-full ## Install everything now (demo and test do it by themselves)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 on the path;" \
		"install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); echo "make: $(PYTHON) can't make a virtual" \
		"environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# The worker and the demo: no torch.
$(VENV)/.stamp-demo: requirements/demo.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the worker and the demo into $(VENV) (0.6 GB, once) ..."
	@$(INSTALL) -r requirements/demo.lock
	@$(INSTALL_SELF)
	@touch $@

# Everything: also torch and the tools of development. The demo's lock is a part of this one.
$(VENV)/.stamp-full: requirements/full.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing everything into $(VENV) (7 GB on Linux with torch, once; 2 to 10 minutes) ..."
	@$(INSTALL) -r requirements/full.lock
	@$(INSTALL_SELF)
	@touch $(VENV)/.stamp-demo $@

$(BENCH_VENV)/.stamp: requirements/bench.lock | $(VENV)/.stamp-full
	@echo "Installing the peers of the benchmark into $(BENCH_VENV) (0.5 GB, once) ..."
	@$(BIN)/python -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-compile \
		--require-hashes -r requirements/bench.lock
	@touch $@

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header
COMPILE := $(LOCK) pyproject.toml requirements/build.in

.PHONY: lock
lock: $(VENV)/.stamp-full ## Renew the locks after a change of dependencies (ARGS="--upgrade")
	$(COMPILE) --extra dev $(ARGS) -o requirements/full.lock
	$(COMPILE) --extra demo -c requirements/full.lock $(ARGS) -o requirements/demo.lock
	$(LOCK) requirements/bench.in $(ARGS) -o requirements/bench.lock

.PHONY: clean
clean: ## Remove what was built (the virtual environment stays)
	rm -rf $(BUILD) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
