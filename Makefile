# Needs Python 3.11 or later, and nothing else: all tools are installed into .venv, by hash.

PYTHON ?= $(or $(shell python3 scripts/choose_python.py),python3)
UV_VERSION := 0.13.9
# Tests wait a good part of their time.
TESTERS ?= $(shell $(BIN)/python -c "import os; print(min(8, (os.cpu_count() or 1) + 1))")
PORT ?=
DATA ?=

BIN := .venv/bin
UV := $(BIN)/uv
STATIC := src/deeepai/control/static/scalar.js
NODE_TESTS := tests/clients/node
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url
# Python clients that do not go together with those of the tests.
APART := $(patsubst %/requirements.in,%,$(wildcard tests/clients/*/requirements.in))
LOCKS := requirements/*.txt $(APART:%=%/requirements.txt)
EMPTY_INDEXES := grep -LE '^--(extra-)?index-url|https?://' $(LOCKS)

# Each start would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run audio slides test drill cover lint lock clean

run: .venv/run.stamp $(STATIC)
	@exec $(BIN)/deeepai serve $(if $(PORT),--port $(PORT)) $(if $(DATA),--data "$(DATA)")

# Speech, transcription and realtime: the libraries and two models, some 500 MB.
audio: .venv/run.stamp requirements/audio.txt
	@$(INSTALL) --require-hashes -r requirements/audio.txt
	$(BIN)/deeepai engines install whisper-base
	$(BIN)/deeepai engines install kokoro-82m

# Previews as an office program draws them; without it, decks are made all the same and drawn by a simpler renderer.
OFFICE := libreoffice-impress-nogui fonts-noto-cjk
slides:
	@if command -v soffice >/dev/null || command -v libreoffice >/dev/null; then echo "LibreOffice is installed."; \
	elif command -v apt-get >/dev/null; then \
		$(if $(filter 0,$(shell id -u)),,sudo) sh -c "apt-get update -q && apt-get install -y -q --no-install-recommends $(OFFICE)"; \
	else \
		echo "Install LibreOffice Impress and Noto CJK fonts, and let 'soffice' be on PATH:"; \
		echo "  Fedora        sudo dnf install libreoffice-impress google-noto-sans-cjk-fonts google-noto-serif-cjk-fonts"; \
		echo "  Arch          sudo pacman -S libreoffice-fresh noto-fonts-cjk"; \
		echo "  Alpine        sudo apk add libreoffice-impress font-noto-cjk"; \
		echo "  macOS         brew install --cask libreoffice"; \
		echo "Without it decks are made all the same; their previews are drawn by a simpler renderer."; \
	fi

test: .venv/test.stamp $(STATIC) $(if $(wildcard $(NODE_TESTS)/package-lock.json),$(NODE_TESTS)/node_modules/.stamp)
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder $(TESTFLAGS)

# What is longer: each vendor's answers, spoiled in so many ways; a cluster whose parts go and come back so many times.
DRILL_EXAMPLES ?= 2000
DRILL_ROUNDS ?= 5
drill: .venv/test.stamp
	DRILL_EXAMPLES=$(DRILL_EXAMPLES) DRILL_ROUNDS=$(DRILL_ROUNDS) \
		$(BIN)/python -m pytest -n $(TESTERS) --timeout 7200 $(TESTFLAGS) \
		tests/spoiled tests/fuzz tests/drill tests/security/test_tenants.py tests/clients/test_go.py tests/clients/test_rust.py

cover:
	$(MAKE) test TESTFLAGS="--cov=deeepai --cov-report=term:skip-covered"

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

# Takes what pyproject.toml and requirements/build.in ask for, in the newest versions that go together.
lock: $(UV)
	$(COMPILE) --extra engines --extra slides --extra images pyproject.toml -o requirements/run.txt
	$(COMPILE) --extra engines --extra slides --extra images --extra audio pyproject.toml -o requirements/audio.txt
	$(COMPILE) --all-extras --group test --group lint pyproject.toml -o requirements/test.txt
	$(foreach folder,$(APART),$(COMPILE) $(folder)/requirements.in -o $(folder)/requirements.txt &&) true
	$(COMPILE) requirements/build.in -o requirements/build.txt
	@test "$$($(EMPTY_INDEXES) | wc -l)" = "$$(ls $(LOCKS) | wc -l)" || \
		{ echo "a lock file names a package registry"; exit 1; }

clean:
	rm -rf .venv .cache $(STATIC) $(NODE_TESTS)/node_modules

$(UV):
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/run.stamp: $(UV) requirements/run.txt requirements/build.txt pyproject.toml
	@echo "Installing into .venv"
	@$(INSTALL) --require-hashes -r requirements/run.txt
	@$(INSTALL) --no-deps --build-constraints requirements/build.txt -e .
	@touch $@

.venv/test.stamp: .venv/run.stamp requirements/test.txt
	@$(INSTALL) --require-hashes -r requirements/test.txt
	@touch $@

# In a throw-away environment: a gateway needs no Node.
$(STATIC): scripts/build_static.py | .venv/run.stamp
	@echo "Fetching the API reference's viewer"
	@$(UV) run --quiet --no-project --isolated --python $(BIN)/python --with-requirements requirements/build.txt \
		python scripts/build_static.py
	@touch $@

$(NODE_TESTS)/node_modules/.stamp: $(NODE_TESTS)/package-lock.json | .venv/test.stamp
	$(BIN)/python scripts/npm.py ci --prefix $(NODE_TESTS) --no-audit --no-fund
	@touch $@
