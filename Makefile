# `make` lists the targets. The environment is .venv; .venv/bin/rag is the command line.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
PIP = .venv/bin/python -m pip --disable-pip-version-check install -qq -c constraints.txt

# The question goes to the shell through the environment: quotes, $ and backticks in it mean nothing to make or to the shell.
override Q := $(value Q)
export Q

# Where the measurements keep indexes and answers, which generators they compare, and the sets that the refusal is fitted to.
BENCH_WORK ?= .bench
BESIDE ?= qwen2.5-coder-1.5b-instruct,smollm2-135m-instruct
FITTED_ON ?= seeds nq_open squad2 clapnq
RULED ?= seeds,nq_open,squad2,hotpotqa

# How many changed rules the tests are run against.
MUTANTS ?= 60

# What the product's speed is measured beside, and how llama.cpp is built for it: its AMX code crashed on the machine that measured.
PEERS = $(BENCH_WORK)/peers
LLAMA = -DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_AVX512=ON -DGGML_AVX512_VNNI=ON

.PHONY: help ask chat ui index eval install dev lint check test test-long bench-quality bench-retrieval bench-growth bench-speed bench-rules bench-language mutants fit-refusal train-checker train-probe screenshots clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

ask: asked .venv/.installed ## answer a question: make ask Q="How many exhibits did the Taizhou expo have?"
	@$(call indexed)
	@.venv/bin/rag ask -- "$$Q"

chat: .venv/.installed ## ask one question after the other
	@$(call indexed)
	@.venv/bin/rag chat

ui: .venv/.installed ## open the web page
	@$(call indexed)
	@.venv/bin/rag ui

index: .venv/.installed ## index seeds/
	@.venv/bin/rag index seeds && touch index/articles.db

eval: .venv/.installed ## measure the answers to tests/data/questions.jsonl
	@$(call indexed)
	@.venv/bin/rag eval tests/data/questions.jsonl

install: .venv/.installed ## install into .venv

dev: .venv/.installed-dev ## install the development tools too

lint: .venv/.installed-dev ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

check: lint ## lint, and the tests that need no model (seconds)
	.venv/bin/pytest -m "not slow and not long"

test: lint ## lint, and the test suite, with real models and a real browser
	.venv/bin/pytest -m "not long"

test-long: .venv/.installed-dev ## kills, failing disks, damage and fuzz at full length (minutes); benchmarks/durability.md
	RAG_FIGURES=benchmarks/durability.md .venv/bin/pytest -m long

bench-quality: .venv/.installed-dev ## measure on sets of questions: make bench-quality BENCH=folder
	.venv/bin/python benchmarks/quality.py "$(BENCH)" "$(BENCH_WORK)" --generators "$(BESIDE)" > "$(BENCH_WORK).md"
	mv "$(BENCH_WORK).md" benchmarks/quality.md

bench-retrieval: .venv/.installed-dev ## measure passages and searches alone: make bench-retrieval BENCH=folder
	.venv/bin/python benchmarks/retrieval.py "$(BENCH)" "$(BENCH_WORK)/retrieval" > "$(BENCH_WORK).md"
	mv "$(BENCH_WORK).md" benchmarks/retrieval.md

bench-growth: .venv/.installed-dev ## measure indexing and searching up to a million generated passages (10 GB of disk)
	@mkdir -p "$(BENCH_WORK)"
	.venv/bin/python benchmarks/growth.py "$(BENCH_WORK)" > "$(BENCH_WORK).md"
	.venv/bin/python benchmarks/scale.py "$(BENCH_WORK)" >> "$(BENCH_WORK).md"
	mv "$(BENCH_WORK).md" benchmarks/growth.md

bench-speed: .venv/.installed-dev $(PEERS)/.installed ## measure beside other programs' speed: make bench-speed BENCH=folder
	.venv/bin/python benchmarks/speed.py "$(BENCH)" "$(BENCH_WORK)/speed" "$(PEERS)/bin/python" > "$(BENCH_WORK).md"
	mv "$(BENCH_WORK).md" benchmarks/speed.md

bench-rules: .venv/.installed-dev ## switch off one rule of answering at a time: make bench-rules BENCH=folder
	.venv/bin/python benchmarks/rules.py "$(BENCH)" "$(BENCH_WORK)" "$(RULED)" > "$(BENCH_WORK).md"
	mv "$(BENCH_WORK).md" benchmarks/rules.md

bench-language: .venv/.installed-dev ## measure the rules of language by themselves (seconds)
	@.venv/bin/python benchmarks/language.py > "$(BENCH_WORK).md"
	@mv "$(BENCH_WORK).md" benchmarks/language.md
	@cat benchmarks/language.md

mutants: .venv/.installed-dev ## change or delete rules one at a time, and list those that no test misses: make mutants MUTANTS=60
	@nice -n 10 .venv/bin/python benchmarks/mutants.py "$(MUTANTS)" > "$(BENCH_WORK).md"
	@mv "$(BENCH_WORK).md" benchmarks/mutants.md
	@cat benchmarks/mutants.md

fit-refusal: .venv/.installed-dev ## fit the refusal to the answers that bench-quality kept
	.venv/bin/python benchmarks/fit_refusal.py $(FITTED_ON:%="$(BENCH_WORK)"/%.jsonl)

train-checker: .venv/.installed-dev ## train the checker: make train-checker DATA=folder
	.venv/bin/python training/train_checker.py "$(DATA)"

train-probe: .venv/.installed-dev ## train the probe of the generator's states: make train-probe DATA=folder
	.venv/bin/python training/train_probe.py "$(DATA)"

screenshots: .venv/.installed-dev ## remake the pictures of the README
	.venv/bin/python tests/screenshots.py

clean: ## remove .venv and what tools leave behind; the index and the models stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info

# Indexes seeds/ when there is no index yet, or something in seeds/ is newer than it.
indexed = [ -f index/articles.db ] && [ -z "$$(find seeds -newer index/articles.db)" ] || $(MAKE) -s index >&2

.PHONY: asked
asked:
	@[ -n "$$Q" ] || { echo 'give a question: make ask Q="How many exhibits did the Taizhou expo have?"' >&2; exit 2; }

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed, and $(PYTHON) is not; run for example: make PYTHON=python3.12 install" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { \
	    rm -rf .venv; echo "no virtual environment could be made; on Debian run: apt install python3-venv" >&2; exit 1; }

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing into .venv, once (a few minutes)" >&2
	@$(PIP) "$$(grep '^torch==' constraints.txt)"
	@$(PIP) -e .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "installing the development tools, once" >&2
	@$(PIP) -e '.[dev]'
	@touch $@

$(PEERS)/.installed: benchmarks/peers.txt constraints.txt
	@$(PYTHON) -m venv "$(PEERS)"
	@echo "installing what the product is measured beside, once (llama.cpp is compiled: half an hour)" >&2
	@"$(PEERS)/bin/python" -m pip install -qq "$$(grep '^torch==' constraints.txt)"
	@CMAKE_ARGS="$(LLAMA)" "$(PEERS)/bin/python" -m pip install -qq -c constraints.txt -r benchmarks/peers.txt
	@touch "$@"
