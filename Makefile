# Two commands on a fresh machine with Python >= 3.11 and make: `make demo`, `make test`.

VENV ?= .venv
PYTHON ?= $(shell ./.ci/find-python)
BIN := $(VENV)/bin

# Without bytecode every import is three times slower, and some machines switch it off.
unexport PYTHONDONTWRITEBYTECODE
# LiteLLM otherwise asks the network for its price list when it is imported.
export LITELLM_LOCAL_MODEL_COST_MAP = True

INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
COMPILE = $(BIN)/python -m compileall -q -j 0 openhands_acp $(VENV)/lib >/dev/null || true

.PHONY: demo test quick check format bench browser small-model schemas clean

demo: $(VENV)/.run
	$(BIN)/openhands-acp demo $(ARGS)

test: $(VENV)/.test node
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

quick: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" --hypothesis-profile=quick $(ARGS)

check: $(VENV)/.dev
	VENV=$(VENV) ./.ci/check

format: $(VENV)/.dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(VENV)/.test
	./.ci/openhands-tools .venv-openhands
	$(BIN)/python -m tests.bench $(ARGS)

# With a Chromium of this machine: a page that is opened, clicked, typed into, and kept from what is not public.
browser: $(VENV)/.test
	$(INSTALL) -e '.[test,browser]'
	$(BIN)/python -m pytest tests/browser/check_chromium.py tests/browser/check_page.py $(ARGS)

# With a server of a real small model: make small-model ARGS="http://127.0.0.1:8080/v1 openai/qwen2.5-coder-1.5b"
small-model: $(VENV)/.test
	$(BIN)/python -m tests.bench.small_model $(ARGS)

schemas: $(VENV)/.run
	$(BIN)/openhands-acp schemas schemas

clean:
	rm -rf .venv .venv-* tests/clients/node_modules

# ---------------------------------------------------------------- environment

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: no Python from 3.11 to 3.14 found; set PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@$(COMPILE)
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[test]'
	@$(COMPILE)
	@touch $@ $(VENV)/.run

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[test,dev]'
	@$(COMPILE)
	@touch $@ $(VENV)/.test $(VENV)/.run

# The TypeScript SDK's client, where there is Node.
.PHONY: node
node: $(if $(and $(wildcard tests/clients/package.json),$(shell command -v npm)),tests/clients/node_modules/.installed)

tests/clients/node_modules/.installed: tests/clients/package.json
	cd tests/clients && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@
