# The two commands that matter: `make demo` and `make test`. Everything else is a part of them or a tool for developers.
JOBS := $(shell nproc)
export PATH := $(CURDIR)/build/node/bin:$(PATH)

.PHONY: help setup build demo test test-long docs bench fmt lint clean
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## install what is missing (Debian and npm packages)
	@scripts/setup

build: setup ## build/airgate and build/airgate-sim
	@cmake --preset release > build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build --preset release --parallel $(JOBS)

demo: build ## gateway, simulator and a first key: sends requests, prints answer, cost and audit line
	@build/airgate demo

test: setup ## unit and end-to-end tests, sanitizers included
	@scripts/test

test-long: setup ## what is too slow for `make test`: TSan, longer fuzzing, faults in a loop
	@scripts/test-long

docs: build ## write docs/reference/ from the program's tables
	@scripts/docs

bench: build ## figures against nginx and HAProxy, as ratios
	@bench/run

fmt: ## format the C sources
	@scripts/sources | grep -v raw_cases.h | xargs clang-format -i

lint: ## formatting, layering, banned functions, clang-tidy
	@scripts/lint

clean: ## remove build/
	rm -rf build
