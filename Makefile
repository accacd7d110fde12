# Penstock. "make" lists the targets.
SHELL := /bin/bash
GO    ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
LINT    := $(GO) tool -modfile=tools/lint/go.mod golangci-lint
# Two package tests at a time: several link the embedded engine, which takes memory.
TESTFLAGS ?= -p 2 -timeout 20m

.DEFAULT_GOAL := help
.PHONY: help demo test verify build bench generate lint fuzz clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## show files loading themselves into a warehouse, on this machine, in a minute
	bin/penstock demo

test: build ## run every test; says which optional tools are missing and what is skipped without them
	@tools/optional.sh
	PENSTOCK_BINARY=$(CURDIR)/bin/penstock $(GO) test $(TESTFLAGS) ./...

verify: ## what reviewers ask for: formatting, generated code, module files, lint
	@test -z "$$(gofmt -l cmd internal tools test)" || { gofmt -l cmd internal tools test; echo "run gofmt -w on these"; exit 1; }
	tools/verify-generated.sh
	$(GO) mod verify
	$(LINT) run ./...

build: ## build bin/penstock (the first build compiles the embedded engines: some minutes)
	@command -v gcc >/dev/null || command -v cc >/dev/null || { echo "penstock needs a C compiler for its embedded DuckDB: install gcc"; exit 1; }
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/penstock ./cmd/penstock

bench: build ## measure the figures of docs/benchmarks.md, each beside its baseline
	$(GO) run ./test/bench -binary bin/penstock $(BENCH)
	$(GO) run ./test/bench/dynamodb $(BENCH_DYNAMODB)
	$(GO) run ./test/bench/transfer $(BENCH_TRANSFER)

generate: ## regenerate internal/awsapi from api-models
	$(GO) run ./tools/apigen

lint: ## the linters alone
	$(LINT) run ./...

fuzz: ## run every fuzz target for a short while (FUZZTIME=20s)
	tools/fuzz.sh

clean: ## remove what the targets here made
	rm -rf bin
