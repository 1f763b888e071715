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

# Programs are built as they are released, wherever the sources lie: what a project of a new plugin compiles is the same again.
export GOFLAGS := -buildvcs=false -trimpath

.PHONY: run build test check lint generate bench bench-messages bench-hooks crash soak histories live clean

# The main job on the embedded default, with a page to look at. FEED=https://… rings your own feed.
run: build
	@exec bin/belfry demo --addr "$(ADDR)" $(if $(FEED),--feed "$(FEED)")

# The program carries the sources of the SDK for `belfry plugin new`; they are packed at each build, which takes a second.
build:
	@mkdir -p bin
	@CGO_ENABLED=0 $(GO) run ./internal/scaffold/bundle/pack -into bin/.sdk
	@GO="$(GO)" CGO_ENABLED=0 .ci/build -overlay bin/.sdk/overlay.json -trimpath -ldflags '$(LDFLAGS)' -o bin/belfry ./cmd/belfry

# Packages that run without the race detector alone: they play the real program from outside, which is built without it, or
# hold nothing that happens at once.
UNRACED := ./internal/crash ./internal/filetree ./internal/sandbox ./internal/trust ./internal/hostile ./internal/operations ./internal/deptest ./scheduler ./sdk/render ./configs ./internal/admin \
	./internal/alert ./internal/bot/keyword ./internal/bot/newsroom ./internal/consent/history ./internal/consent/model ./internal/disk \
	./internal/i18n ./internal/permit ./internal/plugintest ./internal/policy ./internal/rehearse ./plugins/rss/internal/charset ./plugins/rss/internal/feeddate \
	./plugins/rss/internal/feedjson ./plugins/rss/internal/feedxml \
	./internal/scaffold/...
# Packages whose tests the detector makes so slow that under it they play fewer of their cases, and all of them without it.
THINNED := ./cmd/belfry ./internal/outbox ./internal/store/sqlite ./internal/pluginhost ./internal/plugindev ./internal/consent ./plugins/rss/internal/feed ./plugins/rss
# Tests of a single thread, or of what may be used of memory and time, that run without the detector alone, though their
# packages run under it.
SINGLE  := ^(TestAMigrationThatWasCutOff|TestNothingPrunedIsPostedAgain|TestPruneABigStore|TestReadLog.*|TestManyLargeFeedsAtOnce|TestBombs)$$
# SQLite is C translated to Go, with memory of its own in which the detector sees nothing: it is not made to look there.
RACING  := -race -gcflags=modernc.org/libc/...=-race=false -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/memory=-race=false
# The longest first, so that none of them starts last.
LONGEST := ./internal/app ./internal/outbox ./internal/intake ./internal/web ./internal/api ./internal/pluginhost

# Everything: formatting, vet, generated files, every test, the example plugin, twenty crash cycles. What happens at once runs
# under the race detector. What is not under it is built as the program is released, without cgo, so that all of that is
# compiled once.
# What it needs besides Go it installs when it may, and names otherwise.
test:
	@.ci/need gcc radicale chromium curl strace unshare nsenter ip nginx caddy systemd-analyze dovecot python3-grpcio
	@.ci/tidy-check
	CGO_ENABLED=0 $(GO) vet ./...
	CGO_ENABLED=0 $(GO) test -vet=off -p 3 -timeout 12m $(UNRACED) $(THINNED)
	CGO_ENABLED=0 $(GO) test -vet=off -run TestAThousandDays ./internal/app
	CGO_ENABLED=0 $(GO) test -vet=off -run TestHistories ./internal/direct
	$(GO) test $(RACING) -vet=off -p 3 -timeout 12m -skip '$(SINGLE)' $(LONGEST) \
		$$($(GO) list ./... | grep -vxF "$$($(GO) list $(UNRACED))")
	cd plugins/example && CGO_ENABLED=0 $(GO) vet ./... && $(GO) test -race -vet=off ./...

# What a change is held to before it lands: everything, and the linters.
check: test lint

lint:
	$(GO) mod tidy -diff
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

# Signed webhooks: how many are kept a second, how long an answer takes, and that the disk has each before its 2xx. RUNS= says how often.
bench-hooks: build
	@.ci/need strace
	$(GO) run ./bench -only hooks -runs $(or $(RUNS),3)

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
