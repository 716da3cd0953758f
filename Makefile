# Each target sets up what it needs in .venv, on a fresh Debian with Python 3.11 or later.
PYTHON ?= python3
OLD_PYTHON ?= $(PYTHON)# for tflite-runtime, which ended at Python 3.11
INTEROP_PYTHON = $(PYTHON)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PROJECTS := pyproject.toml convert/pyproject.toml train/pyproject.toml
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test interop fault-report screenshots check bench docs clean pi-board pi-test pi-machine-test setup-test

demo: $(VENV)/product.stamp  ## the main job on the built-in digits, in ./demo
	rm -rf demo && mkdir demo
	cd demo && ../$(BIN)/edgecls train
	cd demo && ../$(BIN)/edgecls convert --int8
	cd demo && ../$(BIN)/edgecls camera --model model.tflite --source 'fake:digits?fps=100'

interop: .interop/mediapipe/stamp .interop/tflite-runtime/stamp  ## other readers, for `make test`

test: $(VENV)/dev.stamp  ## everything a newcomer needs to know that it works
	$(BIN)/python -m pytest

pi-board: $(VENV)/dev.stamp  ## an emulated Raspberry Pi and models for it, in ./.emulator
	$(BIN)/python -m devices.emulator.root
	$(BIN)/python -m devices.emulator.models

pi-test: pi-board  ## what must hold on a Raspberry Pi: same pixels, same answers, cost of a frame
	EDGECLS_PI=1 $(BIN)/python -m pytest tests/pi

pi-machine-test: pi-board  ## cameras that are pulled and hang, the service, a deployment: a whole emulated machine
	$(BIN)/python -m devices.emulator.machine
	EDGECLS_PI=1 $(BIN)/python -m pytest tests/pi_machine

fault-report: $(VENV)/dev.stamp  ## every fault that edgecls survives, tested: the table, and docs/reliability.md
	$(BIN)/python -m tests.faults

screenshots: $(VENV)/dev.stamp  ## the pictures of the pages in docs/images, as the tests see them
	EDGECLS_SCREENSHOTS=docs/images $(BIN)/python -m pytest -q tests/web tests/collect tests/review -k screenshot

setup-test: $(VENV)/dev.stamp  ## a board's set-up, twice, in fresh Debians; needs root and debootstrap
	EDGECLS_SETUP=1 $(BIN)/python -m pytest tests/devices

check: $(VENV)/dev.stamp  ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/dev.stamp  ## ratios against what a user would write instead
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

docs: $(VENV)/dev.stamp  ## today's help into docs/commands
	$(BIN)/python docs/commands/generate.py

clean:
	rm -rf $(VENV) .interop .emulator demo .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: edgecls needs Python 3.11 or later, $(PYTHON) is older"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/product.stamp: $(VENV)/bin/python $(PROJECTS) constraints.txt
	$(PIP) install --quiet -c constraints.txt -e . -e ./convert -e ./train
	touch $@

$(VENV)/dev.stamp: $(VENV)/product.stamp requirements-dev.txt
	$(PIP) install --quiet -c constraints.txt -r requirements-dev.txt
	touch $@

.interop/tflite-runtime/stamp: INTEROP_PYTHON = $(OLD_PYTHON)
.interop/%/stamp: tests/interop/requirements-%.txt
	rm -rf $(@D)
	$(INTEROP_PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip --disable-pip-version-check install --quiet -r $<
	touch $@
