# Two commands for everybody: `make run` and `make test`. `make help` lists the rest.

GO        ?= go
BIN       := bin
TOOLBIN   := .cache/bin
FUZZTIME  ?= 20s
SEED      ?= 1
MINUTES   ?= 5

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

# ---- build and run ----

.PHONY: build
build: ## Build bin/ballastd, bin/ballast, bin/ballastbench
	$(GO) build -trimpath -o $(BIN)/ ./cmd/...

.PHONY: run
run: build ## Build, then run a three-node cluster on loopback (data in .ballast-dev)
	@exec $(BIN)/ballast dev $(ARGS)

.PHONY: bench
bench: build ## Measure throughput and latency beside the raft-only floor, and what applying each kind of operation costs
	@exec $(BIN)/ballastbench $(ARGS)

.PHONY: bench-peers
bench-peers: build ## Measure beside raft alone, Redis, etcd, PostgreSQL: make bench-peers CASE="lone callers256" ARGS="--duration 20s"
	@cd tools/peers && $(GO) build -trimpath -o ../../$(TOOLBIN)/peers .
	@exec $(TOOLBIN)/peers --ballastd $(BIN)/ballastd $(CASE) $(ARGS)

.PHONY: bench-catchup
bench-catchup: build ## Measure members that catch up: make bench-catchup CASE=storm ACCOUNTS=1000000
	@exec $(BIN)/ballastbench catchup $(CASE) $(if $(ACCOUNTS),--accounts $(ACCOUNTS)) $(if $(SMOKE),--smoke) $(ARGS)

.PHONY: bench-failover
bench-failover: build ## Measure killed and handed-over leaders: make bench-failover KILLS=50
	@exec $(BIN)/ballastbench failover $(if $(KILLS),--kills $(KILLS)) $(ARGS)

.PHONY: bench-check
bench-check: ## Compare the working tree's speed with a commit, fail where it is worse: make bench-check BASE=main
	@$(GO) build -o $(TOOLBIN)/ ./internal/devtools/benchcheck && $(TOOLBIN)/benchcheck -base $(or $(BASE),main) $(ARGS)

# ---- tests ----

.PHONY: test
test: ## All tests but those marked lab; the last line is the summary
	@$(GO) build -o $(TOOLBIN)/ ./internal/devtools/runtests && $(TOOLBIN)/runtests $(ARGS)

.PHONY: test-peers
test-peers: ## Tests of what Ballast is measured beside; skips what is not installed
	cd tools/peers && $(GO) test -count=1 -timeout 5m ./...

.PHONY: guards
guards: ## Build each guard of docs/testing.md out and expect its test to fail
	@$(GO) build -o $(TOOLBIN)/ ./internal/devtools/runguards && $(TOOLBIN)/runguards $(ARGS)

.PHONY: fuzz
fuzz: ## Run every fuzzer of the module for FUZZTIME (20s)
	@$(GO) build -o $(TOOLBIN)/ ./internal/devtools/runfuzz && $(TOOLBIN)/runfuzz -time $(FUZZTIME) $(ARGS)

.PHONY: nemesis
nemesis: ## Check linearizability under faults: make nemesis SEED=7 MINUTES=10
	@mkdir -p .cache
	$(GO) test -count=1 -timeout 0 -v -tags nemesis -run '^TestNemesis$$' -artifacts -outputdir .cache ./tests/linearizability -args -seed $(SEED) -minutes $(MINUTES) $(ARGS)

.PHONY: nemesis-planted
nemesis-planted: ## Plant each known bug and expect the nemesis to catch it
	$(GO) test -count=1 -timeout 30m -v -tags planted -run '^TestPlanted' ./tests/linearizability

.PHONY: test-lab
test-lab: $(TOOLBIN)/nfpm ## Three hosts with systemd, from the package (root): make test-lab RUN=TestUpgrade
	$(GO) test -count=1 -timeout 60m -v -tags lab $(if $(RUN),-run '$(RUN)') ./tests/lab $(ARGS)

# ---- checks ----

.PHONY: lint
lint: $(TOOLBIN)/golangci-lint ## Linters (.golangci.yml says why each)
	$(TOOLBIN)/golangci-lint run ./...
	cd tools/peers && ../../$(TOOLBIN)/golangci-lint run ./...

.PHONY: fmt
fmt: $(TOOLBIN)/golangci-lint ## Format as the linters want it
	$(TOOLBIN)/golangci-lint fmt ./...
	cd tools/peers && ../../$(TOOLBIN)/golangci-lint fmt ./...

.PHONY: proto
proto: proto-tools ## Generate Go from proto/
	PATH=$(CURDIR)/$(TOOLBIN):$$PATH $(TOOLBIN)/buf generate

.PHONY: proto-image
proto-image: proto-tools ## Bless the wire as it is now; needs a CHANGELOG line
	$(TOOLBIN)/buf build --exclude-source-info -o proto/ballast.binpb

.PHONY: proto-check
proto-check: proto-tools ## Generated Go current, lint, nothing broken since the committed image
	@$(GO) build -o $(TOOLBIN)/ ./internal/devtools/protocheck && PATH=$(CURDIR)/$(TOOLBIN):$$PATH $(TOOLBIN)/protocheck

# ---- packages ----

VERSION   ?= 0.1.0
ARCHES    ?= amd64

.PHONY: package
package: $(TOOLBIN)/nfpm ## Debian and Red Hat packages in dist/: make package VERSION=0.1.0 ARCHES="amd64 arm64"
	@GO=$(GO) deploy/package.sh $(VERSION) $(ARCHES)

.PHONY: release
release: $(TOOLBIN)/nfpm ## Packages and tarballs of both architectures with their checksums
	@GO=$(GO) deploy/package.sh $(VERSION) amd64 arm64 --release

# ---- build tools, each pinned in a module file of its own, out of what importers of the client see ----

.PHONY: proto-tools
proto-tools: $(TOOLBIN)/buf $(TOOLBIN)/protoc-gen-go $(TOOLBIN)/protoc-gen-go-grpc

$(TOOLBIN)/golangci-lint: tools/lint/go.mod
	$(GO) build -modfile=tools/lint/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(TOOLBIN)/buf: tools/buf/go.mod
	$(GO) build -modfile=tools/buf/go.mod -o $@ github.com/bufbuild/buf/cmd/buf

$(TOOLBIN)/protoc-gen-go: tools/go.mod
	$(GO) build -modfile=tools/go.mod -o $@ google.golang.org/protobuf/cmd/protoc-gen-go

$(TOOLBIN)/protoc-gen-go-grpc: tools/go.mod
	$(GO) build -modfile=tools/go.mod -o $@ google.golang.org/grpc/cmd/protoc-gen-go-grpc

$(TOOLBIN)/nfpm: tools/package/go.mod
	$(GO) build -modfile=tools/package/go.mod -o $@ github.com/goreleaser/nfpm/v2/cmd/nfpm
