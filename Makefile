# Everything that is done to this project, by name.

GO      ?= go
PKGS    := ./...
FUZZFOR ?= 30s
SEED    ?= 0

.PHONY: run test lint bench peers soak fuzz build browser network

run: ## the gateway with a small live fleet
	$(GO) run ./cmd/gateway serve --demo

build: ## a static binary in ./gateway
	CGO_ENABLED=0 $(GO) build -trimpath -o gateway ./cmd/gateway

test: lint browser network ## all that must hold before a change is taken
	$(GO) test -race -timeout 15m $(PKGS)

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet $(PKGS)
	$(GO) tool staticcheck $(PKGS)

browser: ## Chromium for the browser tests, from the distribution when it is missing
	@./scripts/ensure-chromium

network: ## ip(8) for the test that cuts a network
	@./scripts/ensure-iproute2

bench: ## benchmarks beside the code they measure
	$(GO) test -run '^$$' -bench . -benchmem $(PKGS)

peers: ## the log, the program and the fan-out beside their peers; wants a quiet machine
	cd bench && $(GO) run ./wal && $(GO) run ./program && $(GO) run ./fanout

soak: network ## a fleet under accidents, and the log under more of them, for long; SEED throws the same dice again
	$(GO) test -race -tags soak -timeout 1h ./internal/wal
	$(GO) test -race -timeout 8h -v ./cmd/gateway \
		-run 'TestFleetUnderAccidents|TestTakeovers|TestWhatIsLostIsWhatWasReported|TestNetworkCut|TestTakeoverInACutNetwork' \
		-fleet-rounds 2000 -takeover-rounds 600 -cut-rounds 300 -accident-seed $(SEED)

fuzz: ## every fuzz target in turn, FUZZFOR each
	@for pkg in $$($(GO) list $(PKGS)); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "== $$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZFOR) $$pkg || exit 1; \
		done; \
	done
