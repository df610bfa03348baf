# SPDX-License-Identifier: MIT
# The one interface for people and for build machines. Needs python3 >= 3.11 and make; everything else is
# set up under build/ on first use, without root. `make` alone tells the targets.

PYTHON ?= python3
# Empty: fetched into build/. Otherwise a MicroPython >= 1.24 of that width to use instead.
MICROPYTHON32 ?=
MICROPYTHON ?=
BOARD ?=
PORT ?=
DRY ?=

BIN := build/venv/bin
RUN := $(BIN)/python
DEMO := PYTHONPATH=build/cpython LIMPET_VM32=$(CURDIR)/build/vm32/micropython \
	LIMPET_VM64=$(CURDIR)/build/vm64/micropython $(RUN) examples/demo/run.py
BENCH := PYTHONPATH=build/cpython:tests:tools $(RUN) -m bench

# Steps use the same two processors and the demo measures time: one after the other.
.NOTPARALLEL:
.PHONY: help stage venv vm test test-cpython test-micropython readme lint types compile alloc size bench bench-quick \
	demo demos flash package.json dist clean

help:
	@echo "make demo              a host and a board talk, on this machine (DEMO_SECONDS= DEMO_LOSS= DEMO_RESET=1 DEMO_VM=)"
	@echo "make test              everything a build machine checks"
	@echo "make test-cpython      the tests on CPython (TESTS= names or options for pytest); longer ones:"
	@echo "                       MODEL_STEPS= of the bus (20000), FUZZ_STRINGS= into links (100000), LINK_RUNS= of resets (100)"
	@echo "make test-micropython  the portable tests on both MicroPython VMs (TESTS= names)"
	@echo "make readme            the README's examples, with a MicroPython VM as the board"
	@echo "make lint types        format, style, spelling, structure; mypy"
	@echo "make compile           mpy-cross over everything that runs on MicroPython"
	@echo "make alloc size        no allocation in hot calls; bytes of .mpy and RAM"
	@echo "make bench             times beside those of other buses, into docs/performance.md (BENCH_ROUNDS=)"
	@echo "make flash             BOARD= PORT= put the library and the board's program on a board (DRY=1: only say what)"
	@echo "make package.json dist what mip installs from; sdist, wheel, zip for boards"
	@echo "make stage venv vm     the parts of the set-up, made by the targets that need them"
	@echo "make clean             removes what the other targets made"

stage:
	$(PYTHON) tools/stage.py

venv:
	$(PYTHON) tools/make_venv.py

vm:
	$(PYTHON) tools/fetch_micropython.py --vm32 "$(MICROPYTHON32)" --vm64 "$(MICROPYTHON)"

test: lint types compile alloc size test-cpython test-micropython readme demos bench-quick
	@echo "test: all passed"

test-cpython: venv stage
	$(RUN) -m pytest -q $(TESTS)

test-micropython: venv vm stage
	$(RUN) tools/upy_tests.py $(TESTS)

readme: venv vm stage
	$(RUN) tests/readme_talk.py $(CURDIR)/build/vm32/micropython
	$(RUN) tests/readme_talk.py $(CURDIR)/build/vm64/micropython

lint: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(RUN) tools/structure.py
	$(RUN) tools/package_json.py --check

types: venv stage
	$(BIN)/mypy
	$(BIN)/mypy tools/*.py

compile: venv
	$(RUN) tools/compile_all.py

alloc: venv vm stage
	$(RUN) tools/frames.py
	$(RUN) tools/alloc.py

size: venv vm
	$(RUN) tools/size.py

bench: venv vm stage
	$(BENCH)

# Once and briefly, so that it goes on working: no figure of it means anything.
bench-quick: venv vm stage
	$(BENCH) --quick

demo: venv vm stage
	$(DEMO)

demos: venv vm stage
	DEMO_SECONDS=3 DEMO_LOSS=0 DEMO_RESET=0 DEMO_VM=unix32 $(DEMO)
	DEMO_SECONDS=3 DEMO_LOSS=0 DEMO_RESET=0 DEMO_VM=unix64 $(DEMO)
	DEMO_SECONDS=3 DEMO_LOSS=0.05 DEMO_RESET=0 DEMO_VM=unix32 $(DEMO)
	DEMO_SECONDS=3 DEMO_LOSS=0 DEMO_RESET=1 DEMO_VM=unix32 $(DEMO)

flash: venv
	@echo $(RUN) tools/flash.py $(if $(DRY),--dry-run) "$(BOARD)" "$(PORT)"
	@$(RUN) tools/flash.py $(if $(DRY),--dry-run) "$(BOARD)" "$(PORT)"

package.json:
	$(PYTHON) tools/package_json.py

dist: venv
	$(RUN) tools/dist.py

clean:
	rm -rf build dist *.egg-info .hypothesis
