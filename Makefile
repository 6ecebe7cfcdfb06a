# Targets call go and the scripts under test/; they hide nothing.
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 0
BIN := bin
TOOLS := go tool -modfile=go.tool.mod
FUZZTIME ?= 30s
VERSION ?= $(shell ./release/version.sh)
STAMP = -ldflags '-X github.com/coredhcp-netbox/coredhcp-netbox/internal/version.stamped=$(VERSION)'
DIST := dist
RELEASE = go run ./release -out $(DIST) -version '$(VERSION)' -time "$$(./release/version.sh --time)"

.PHONY: help
help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build both programs into bin/
	go build $(STAMP) -o $(BIN)/ ./cmd/...

.PHONY: demo
demo: build ## see it work on loopback, no NetBox, no privileges (DEMO=once ends by itself)
	go run ./test/demo $(BIN)/coredhcp-netbox

.PHONY: demo-sync
demo-sync: build ## see the mirror work on stand-ins of NetBox and Windows (DEMO=once ends by itself)
	go run ./test/mirrordemo $(BIN)/netbox-dhcp-sync

.PHONY: test
test: ## all tests that need nothing but Go
	go test $(GOTESTFLAGS) ./...

# Without vet, which make test and make lint run on the same files.
.PHONY: race
race: ## the same under the race detector (needs a C compiler), but for what only builds, runs or reads programs
	CGO_ENABLED=1 go test -race -vet=off -timeout 20m $(GOTESTFLAGS) $$(go list ./... | grep -vE '/(generator|release|test/metrics|test/program|test/repository)$$')
	CGO_ENABLED=1 go test -race -timeout 20m $(GOTESTFLAGS) -run 'RangeInThePlaceOfNetBox$$' ./generator

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s)
	@./test/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: build ## Linux, root: DORA/s beside other DHCP servers and two stubs, as ratios of one run (BENCH=flags)
	go build -o $(BIN)/bench ./test/bench
	$(BIN)/bench -server $(BIN)/coredhcp-netbox $(BENCH)
	go run ./test/mirrordemo -bench $(BIN)/netbox-dhcp-sync

.PHONY: bench-short
bench-short: build ## the same servers answer a few hundred exchanges; fails only on an error
	go build -o $(BIN)/bench ./test/bench
	$(BIN)/bench -server $(BIN)/coredhcp-netbox -short $(BENCH)

.PHONY: lint
lint: ## gofmt, go mod tidy, go vet, golangci-lint
	@test -z "$$(gofmt -s -l $$(git ls-files '*.go'))" || { gofmt -s -l $$(git ls-files '*.go'); exit 1; }
	go mod tidy -diff
	go vet ./...
	$(TOOLS) golangci-lint run ./...

.PHONY: vulnerabilities
vulnerabilities: ## known vulnerabilities of dependencies; skipped, and said so, without a network
	@./test/vulnerabilities.sh

.PHONY: generate
generate: ## write cmd/coredhcp-netbox/main.go anew from generator/plugins.cfg
	go generate ./generator

.PHONY: check-generate
check-generate: ## fail if a generated file is stale
	go run ./generator --main cmd/coredhcp-netbox/main.go --check

.PHONY: integration
integration: ## Debian, root: real NetBox, real DHCP clients in network namespaces
	./test/integration.sh

.PHONY: integration-company
integration-company: ## the part of it that stands a busy machine: the real NetBox, packages
	./test/integration.sh install company

.PHONY: integration-alone
integration-alone: ## the part that measures time and cuts networks and disks: nothing else should run
	./test/integration.sh install alone

.PHONY: release
release: ## archives, packages, images, checksums in dist/, for amd64 and arm64 (VERSION=1.2.3 without a tag)
	$(RELEASE)

.PHONY: image
image: ## the images alone: OCI layouts, without an engine
	$(RELEASE) -only image

.PHONY: pages
pages: ## the manual pages and completions alone
	$(RELEASE) -only pages

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) $(DIST)
