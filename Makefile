# Every command a developer needs, by name. Each target is one script or one cargo call; the scripts say why.

SHELL := /bin/sh
# One at a time: cargo already uses every core, and two builds of one target directory only wait for each other.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo setup test test-servers soak build image lint doc docs bench fuzz clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Install what it needs, build, serve a real function, send it a real picture, save the response under target/demo/
	@scripts/demo.sh

setup: ## Install what the tests need (Debian packages, a Python environment); quick when it is there
	@scripts/setup.sh

test: ## Install what the tests need, run every test, and list those that could not run, with the reason
	@scripts/test.sh

test-servers: ## Run the tests of object storage with every server: Ceph, SeaweedFS, Apache, WsgiDAV and Rucio as well
	@scripts/test-servers.sh

soak: ## Two minutes (SOAK_SECONDS) of mixed traffic, kills and hang-ups, with every response checked
	@scripts/soak.sh

build: ## Build the static release binary dist/bandog, and prove that it needs no file but itself
	@scripts/build.sh
	@scripts/check-static.sh

image: ## Build the FROM scratch image bandog:latest, which holds the binary
	@scripts/image.sh

lint: ## Formatting, clippy, and what is installed of shellcheck, cargo-deny and cargo-machete
	@scripts/lint.sh

doc: ## Build the documentation; a warning is an error
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

docs: ## Build the book of docs/ with mdbook into target/book/, and check every link in it
	@scripts/docs.sh

bench: ## Measure beside bare posix_spawn loops and what else a user could pick; table and plots in target/bench/
	@scripts/bench.sh

fuzz: ## Fuzz every parser for FUZZ_SECONDS each (60), or replay the corpus where cargo-fuzz is missing
	@scripts/fuzz.sh

clean: ## Remove what was built (the base image and its cache stay; see scripts/base-image.sh)
	cargo clean
	rm -rf dist
