# The two commands of a newcomer: `make run` and `make test`. Both build what they need first; the second call is quick.
# Needs Python 3.11 or newer, git and make. Servers, Chromium and npm are used where the machine has them.

PYTHON ?= python3
ARGS ?=
UPGRADE ?=
PRODUCT := wxbot h5 models services clients
CODE := $(PRODUCT) sandbox
VENV := .venv
RUN := $(VENV)/ready-to-run
DEV := $(VENV)/ready-to-test
PAGES := node_modules/.ready
PEERS := node_modules/.ready-to-test
BENCH := .venv-bench
CHECKERS := .venv-check/ready .venv-wapiti/ready
UV := $(VENV)/bin/uv
# uv is some twenty times faster; where it cannot be had, pip does the same work from the same hashes.
INSTALL = if [ -x $(UV) ]; then $(UV) pip install --quiet --python $(VENV)/bin/python $(1); \
	else $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(1); fi
SEMGREP := .venv-check/bin/semgrep
left_out = echo "left out: $(1) is not here"; [ "$$CI" != true ]
OURSELVES := --no-build-isolation --no-deps --editable .

ifeq ($(and $(MAKE_TERMOUT),$(if $(NO_COLOR),,yes)),yes)
say = @printf '\033[1;36m==>\033[0m %s\n' $(1)
else
say = @printf '==> %s\n' $(1)
endif

.DEFAULT_GOAL := help
.PHONY: help run install test soak bench check checkers format lock clean pages peers

help: ## show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUN) pages ## run the product beside a pretend WeChat and planet; Ctrl-C stops all of it
	@exec $(VENV)/bin/python -m wxbot.demo

install: $(RUN) pages ## what a server needs: environment and stylesheet, nothing started

test: $(DEV) peers ## run every test this machine can run; ARGS="--databases=sqlite -k words" for fewer
	$(call say,"tests; what is left out is told at the end")
	@$(VENV)/bin/python -m pytest -n auto --dist worksteal $(ARGS)

soak: $(DEV) peers ## every round of the races, kills and fuzzes of which `make test` runs a sample; an hour or two
	$(call say,"soak: all rounds")
	@$(VENV)/bin/python -m pytest --soak -m soak $(ARGS)

bench: $(BENCH)/ready $(DEV) peers ## every benchmark beside its peers, on a machine that does nothing else; needs wrk
	$(call say,"benchmarks; results go into benchmarks/RESULTS.md")
	@for one in push notices vouchers pages start growth waiting reconcile; do $(VENV)/bin/python -m benchmarks.$$one || exit 1; done

check: $(DEV) checkers ## lint, format, arrows between the layers, insecure patterns, scanners against a server
	$(call say,"ruff check"); $(VENV)/bin/ruff check .
	$(call say,"ruff format --check"); $(VENV)/bin/ruff format --check .
	$(call say,"bandit"); $(VENV)/bin/bandit --quiet --configfile pyproject.toml --recursive $(CODE)
	$(call say,"arrows between the layers"); $(VENV)/bin/python -m pytest tests/test_layers.py
	$(call say,"semgrep: our own rules"); if [ -x $(SEMGREP) ]; then $(SEMGREP) scan --config .semgrep.yml --error --quiet \
		--metrics=off --disable-version-check $(PRODUCT); else $(call left_out,semgrep); fi
	$(call say,"scanners against a server with something in it"); $(VENV)/bin/python -m tests.scan

format: $(DEV) ## put every file into the one format
	@$(VENV)/bin/ruff check --fix-only --quiet . && $(VENV)/bin/ruff format .

lock: $(DEV) ## pin what pyproject.toml asks for, with hashes; UPGRADE=--upgrade takes newer versions
	$(call say,"requirements.lock and those of tests and checkers")
	@$(UV) pip compile --quiet --universal $(UPGRADE) --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --output-file requirements.lock
	@$(UV) pip compile --quiet --universal $(UPGRADE) --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --extra dev --output-file requirements-dev.lock
	@$(UV) pip compile --quiet --universal $(UPGRADE) --generate-hashes --no-emit-index-url --no-header \
		benchmarks/requirements.txt --output-file benchmarks/requirements.lock
	@for group in check wapiti; do $(UV) pip compile --quiet --universal $(UPGRADE) --generate-hashes --no-emit-index-url \
		--no-header --group pyproject.toml:$$group --output-file requirements-$$group.lock || exit 1; done
	@if command -v npm >/dev/null; then npm install --package-lock-only --ignore-scripts --no-audit --no-fund --silent; fi

clean: ## remove what was built (not var/, which holds the data of `make run`)
	@rm -rf $(VENV) $(BENCH) $(dir $(CHECKERS)) node_modules build .pytest_cache .ruff_cache .hypothesis *.egg-info
	@find $(CODE) tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "This Python lacks venv; on Debian: apt install python3-venv"; exit 1; }
	$(call say,"environment in $(VENV)")
	@$(PYTHON) -m venv $(VENV)

$(VENV)/ready: $(VENV)/bin/python
	@[ -x $(UV) ] || $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check 'uv<1' \
		|| echo "uv cannot be had; pip takes its place and takes longer"
	@touch $@

# What builds our own package (setuptools) has its pin and hashes in the lock of the tests.
$(RUN): requirements.lock requirements-dev.lock pyproject.toml | $(VENV)/ready
	$(call say,"what the product needs")
	@awk '/^[a-z]/ {ours = /^setuptools==/} ours' requirements-dev.lock > $(VENV)/setuptools.lock
	@$(call INSTALL,--require-hashes -r requirements.lock -r $(VENV)/setuptools.lock)
	@$(call INSTALL,$(OURSELVES))
	@touch $@

$(DEV): requirements-dev.lock pyproject.toml | $(VENV)/ready
	$(call say,"what the tests need")
	@if [ -x $(UV) ]; then $(UV) pip sync --quiet --python $(VENV)/bin/python --require-hashes requirements-dev.lock; \
	else $(call INSTALL,--require-hashes -r requirements-dev.lock); fi
	@$(call INSTALL,$(OURSELVES))
	@touch $(RUN) $@

# An environment beside ours, for what does not get along with it.
define apart
@[ -x $(@D)/bin/python ] || $(VENV)/bin/python -m venv $(@D)
@if [ -x $(UV) ]; then $(UV) pip sync --quiet --python $(@D)/bin/python --require-hashes $<; \
	else $(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<; fi
@touch $@
endef

$(BENCH)/ready: benchmarks/requirements.lock | $(VENV)/ready
	$(call say,"what the peers of the benchmarks need in $(BENCH)")
	$(apart)

# Without its environment a checker is left out, which CI does not allow.
checkers:
	@for ready in $(CHECKERS); do $(MAKE) --silent --no-print-directory $$ready || [ "$$CI" != true ] || exit 1; done

$(CHECKERS): .venv-%/ready: requirements-%.lock | $(VENV)/ready
	$(call say,"checkers in .venv-$*")
	$(apart)

NPM_CI := npm ci --ignore-scripts --no-audit --no-fund --silent
ifeq ($(shell command -v npm),)
pages peers:
	$(call say,"npm is not here: the pages use their own small stylesheet instead of WeUI")
else
pages: $(PAGES)
peers: $(PEERS)
$(PAGES): package-lock.json
	$(call say,"stylesheet of the pages")
	@$(NPM_CI) --omit=dev && touch $@

# What others wrote for WeChat in JavaScript: the tests let it loose on the sandbox.
$(PEERS): package-lock.json
	$(call say,"stylesheet of the pages and the clients that the tests use")
	@$(NPM_CI) && touch $(PAGES) $@
endif
