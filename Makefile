# Set-up, build, tests and demo in one command each. `make help` lists them; CMake and ctest do the work and can be
# used directly (CONTRIBUTING.md).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: help setup build all test demo bench-setup bench bench-quick bench-check notebooks wheel install dev tsan tidy format clean

BUILD := build
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
STUDY ?=
NAMES ?=
export STUDY TORCH_INDEX

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup: ## system packages through apt and .venv with torch, where missing (TORCH_INDEX=address: take torch from there)
	@tools/setup.sh build

# ninja configures again by itself when a CMake file changes.
$(BUILD)/build.ninja: | setup
	@cmake --preset default

build: setup $(BUILD)/build.ninja ## the command line, build/ichdet (the default)
	@cmake --build $(BUILD) -j $(JOBS) --target ichdet_cli

all: setup $(BUILD)/build.ninja ## everything: libraries, command line, Python package, examples, tests
	@cmake --build $(BUILD) -j $(JOBS)

test: ## everything, then the C++ tests (ctest) and the Python and parity tests (pytest)
	@tools/setup.sh test
	@$(MAKE) --no-print-directory all
	@tools/test.sh $(BUILD)

demo: build ## find a hemorrhage in a phantom that ichdet makes itself (STUDY=folder: in that study instead)
	@tools/demo.sh $(BUILD)/ichdet

# Peers and Google Benchmark are set up, ichdet is built; BENCH runs the suite.
BENCH := PYTHONPATH=$(BUILD)/python ICHDET_BINARY=$(BUILD)/ichdet .venv-oracles/bin/python benchmarks/run.py
bench-setup:
	@tools/setup.sh bench
	@cmake --preset default -DICHDET_BUILD_BENCHMARKS=ON >/dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target ichdet_cli ichdet_python ichdet_benchmarks

bench: bench-setup ## everything measured beside its peers, hours: build/bench/results.json, benchmarks.md and plots; stop it when you like
	@$(BENCH) --resume --stages $(BUILD)/bench_stages --out $(BUILD)/bench/results.json
	@cp docs/benchmarks.md $(BUILD)/bench/
	@cd benchmarks && PYTHONPATH=../$(BUILD)/python ../.venv-oracles/bin/python -m suite.page ../$(BUILD)/bench/results.json ../$(BUILD)/bench/benchmarks.md
	@echo "the page with these figures: $(BUILD)/bench/benchmarks.md (its prose is that of the committed page)"

bench-quick: bench-setup ## the quick part of it, under five minutes
	@$(BENCH) --quick --stages $(BUILD)/bench_stages --out $(BUILD)/bench/quick.json

bench-check: bench-quick ## and what became slower beside its peers by more than 15 % since benchmarks/baseline.json
	@cd benchmarks && PYTHONPATH=../$(BUILD)/python ../.venv-oracles/bin/python -m suite.check ../$(BUILD)/bench/quick.json

notebooks: ## run examples/notebooks on phantoms and keep the outputs that may be committed (NAMES="01 05": these alone)
	@tools/setup.sh test
	@cmake --build $(BUILD) -j $(JOBS) --target ichdet_python
	@PYTHONPATH=$(BUILD)/python .venv-oracles/bin/python tools/run_notebooks.py $(NAMES)

wheel: setup $(BUILD)/build.ninja ## dist/ichdet-*.whl, which needs torch and NumPy and no system package
	@cmake --build $(BUILD) -j $(JOBS) --target ichdet_python
	@.venv/bin/python -m pip wheel . -q --no-deps --no-build-isolation -C build-dir=$(BUILD) -w dist
	@ls -sh dist/*.whl

install: setup $(BUILD)/build.ninja ## install to PREFIX (default /usr/local)
	@cmake --build $(BUILD) -j $(JOBS) --target ichdet_installed
	@cmake --install $(BUILD) --prefix "$(PREFIX)" | grep -v -e '/include/' -e 'Up-to-date' || true
	@echo "installed: $(PREFIX)/bin/ichdet (it uses the LibTorch in $(CURDIR)/.venv: keep that folder)"

dev: ## warnings as errors, with address and undefined-behaviour sanitizers, in build-dev; then ctest there
	@tools/setup.sh test
	@cmake --preset dev
	@cmake --build --preset dev -j $(JOBS)
	@ctest --preset dev

tsan: ## eight threads that share a prepared network, under the thread sanitizer, in build-tsan
	@tools/setup.sh build
	@cmake --preset tsan
	@cmake --build --preset tsan -j $(JOBS)
	@export OMP_NUM_THREADS=1 TSAN_OPTIONS=suppressions=tools/tsan.supp; \
	for tests in nn models; do build-tsan/tests/test_$$tests -tc='*share*' -tce='*OpenVINO*'; done

tidy: ## clang-tidy on every file, in build-tidy
	@tools/setup.sh dev
	@cmake --preset tidy
	@cmake --build --preset tidy -j $(JOBS)

format: ## clang-format on every C++ file, in place
	@tools/setup.sh dev
	@git ls-files -z '*.hpp' '*.cpp' | xargs -0 clang-format -i

clean: ## remove build folders and the demo; .venv, .venv-oracles and downloaded weights stay
	@rm -rf build build-dev build-tsan build-tidy demo
