# Belfry. `make run` shows it; `make test` proves it.

SHELL       := /bin/sh
ADDR        ?= 127.0.0.1:8080
FEED        ?=
CYCLES      ?= 200
SOAK        ?= 1h
RATE        ?= 2
RACE        ?=
N           ?= 100000
LIVE        ?= 5m
YARDSTICKS  ?=
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS     := -s -w -X main.version=$(VERSION)
GO          ?= go

export GOFLAGS := -buildvcs=false

.PHONY: run build test check lint generate bench bench-messages crash soak histories live clean

# The main job on the embedded default, with a page to look at. FEED=https://… rings your own feed.
run: build
	@exec bin/belfry demo --addr "$(ADDR)" $(if $(FEED),--feed "$(FEED)")

build:
	@mkdir -p bin
	@GO="$(GO)" CGO_ENABLED=0 .ci/build -trimpath -ldflags '$(LDFLAGS)' -o bin/belfry ./cmd/belfry

# Everything: formatting, vet, generated files, all tests with the race detector, the example plugin, twenty crash cycles. What
# the detector makes too slow runs in full without it.
# What it needs besides Go it installs when it may, and names otherwise.
test:
	@.ci/need gcc radicale chromium curl strace unshare nsenter ip nginx caddy systemd-analyze dovecot
	@.ci/tidy-check
	$(GO) vet ./...
	$(GO) test -race -p 3 -timeout 12m ./...
	$(GO) test ./internal/outbox
	$(GO) test -run TestAThousandDays ./internal/app
	$(GO) test ./internal/consent/model
	$(GO) test -run TestHistories ./internal/direct
	cd plugins/example && $(GO) vet ./... && $(GO) test -race ./...

# What a change is held to before it lands: everything, and the linters.
check: test lint

lint:
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

# Renews what is generated: the protocol's code, the reference pages, the JSON Schema, golden files.
generate:
	@.ci/need protoc
	$(GO) generate ./...

# Writes bench/RESULTS.md. YARDSTICKS= names the folder of the peers' yardsticks, to be measured in the same run.
bench: build
	$(GO) run ./bench -yardsticks "$(YARDSTICKS)"

# Writes bench/MESSAGES.md: messages to 100,000 and to 1,000,000 people, a slow relay, kills. RUNS= says how often.
bench-messages: build
	$(GO) run ./bench -only messages -runs $(or $(RUNS),5) -out bench/MESSAGES.md -yardsticks "$(YARDSTICKS)"

# Kills the real binary at random moments and counts what was lost or doubled.
crash:
	CGO_ENABLED=0 $(GO) test -count=1 -timeout 60m -v -run TestCrash ./internal/crash -args -cycles $(CYCLES)

# Lets the daemon work for SOAK, with RATE things happening in the newsroom a second, while its feeds, receivers and plugins fail, and watches what it holds.
soak:
	$(GO) test -count=1 -timeout 0 -v -run TestSoak ./internal/crash -args -soak $(SOAK) -soak-rate $(RATE) $(if $(RACE),-soak-race)

# Plays N random histories of people, imports, staff and crashes to the registry, the database and the policy as they are, and
# compares them with a reference. The seed is printed; again with: make histories N=… SEED=…
histories:
	$(GO) test -count=1 -timeout 0 -v -run TestHistories ./internal/direct -rapid.checks=$(N) $(if $(SEED),-rapid.seed=$(SEED))

# Lets two hundred readers come and go for LIVE while posts and digests leave, receivers fail and the daemon is killed.
live:
	$(GO) test -count=1 -timeout 0 -v -run TestLive ./internal/crash -args -live $(LIVE)

clean:
	rm -rf bin .run
