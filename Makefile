# The two commands a newcomer needs are `make demo` and `make test`.
SHELL := /bin/bash
BIN   := bin
GO    ?= go
# SQLite was translated from C: the pointer checks that come with the race detector
# cost a quarter of the tests' time there and find nothing of ours.
NOCHECKPTR := -gcflags=modernc.org/...=-d=checkptr=0
GOLANGCI := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
SQLC  := $(GO) run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1

.PHONY: screenshots docs help demo test build clients tools deps openapi payloads axe runners witness lint generate check-generated interop attacks bench fuzz clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

demo: tools build ## run a GitHub and a GitLab release on loopback (ONCE=1 ends afterwards)
	$(BIN)/countersign-demo --bin $(BIN) --out demo-out $(if $(ONCE),--once)

test: deps openapi payloads axe runners witness ## run every test, with the race detector, in random order
	$(GO) test -race $(NOCHECKPTR) -shuffle=on -timeout 20m ./...
	$(GO) test -run '^TestReplay' -v ./forges/github

build: ## build the daemon, the client and the demo into bin/
	CGO_ENABLED=1 $(GO) build -trimpath -o $(BIN)/countersignd ./cmd/countersignd
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/countersign ./cmd/countersign
	CGO_ENABLED=1 $(GO) build -trimpath -o $(BIN)/countersign-demo ./cmd/countersign-demo

PLATFORMS ?= linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 windows-amd64 windows-arm64
clients: $(PLATFORMS:%=client-%) ## build the client for all platforms into bin/clients, to be handed out by the server

client-%:
	CGO_ENABLED=0 GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(word 2,$(subst -, ,$*)) $(GO) build -trimpath -ldflags="-s -w" \
	  -o $(BIN)/clients/$*/countersign$(if $(findstring windows,$*),.exe) ./cmd/countersign

tools: ## install what the demo needs, or say what to install
	@scripts/deps.sh

deps: ## install what tests need, or say what to install
	@scripts/deps.sh tests

openapi: ## fetch GitHub's API description, which the GitHub double is held against
	@scripts/fetch-openapi.sh

runners: ## build act and install gitlab-ci-local, with which workflows are run in tests
	@scripts/fetch-runners.sh

witness: ## build litewitness, which cosigns the ledger in tests
	@scripts/fetch-witness.sh

payloads: ## fetch GitHub's example payloads and webhook schemas, which are replayed at the handler
	@scripts/fetch-payloads.sh

axe: ## fetch axe-core, which the pages are held against
	@scripts/fetch-axe.sh

screenshots: deps build ## take the manual's pictures of all pages anew
	rm -f docs/screenshots/*.png
	$(GO) run ./e2e/browser/shots --bin $(BIN) --out docs/screenshots

docs: ## write the generated parts of the manual again
	$(GO) test ./cmd/countersign ./cmd/countersignd -run '^TestCommandsPage$$' -update
	$(GO) test ./gate/policy -run '^TestPage$$' -update
	$(GO) test ./web -run '^(TestErrorsPage|TestAPIPage)$$' -update
	$(GO) test ./docs -run '^TestContents$$' -update

lint: ## run golangci-lint
	$(GOLANGCI) run ./...
	$(GO) mod tidy -diff
	cd scripts/interop && $(GOLANGCI) run ./... && $(GO) mod tidy -diff

generate: ## write generated code again
	cd gate/store && $(SQLC) generate

check-generated: ## fail where committed generated code is stale
	cd gate/store && $(SQLC) diff

interop: deps build ## hold stock verifiers, without a network, against what real releases left in demo-out
	@scripts/fetch-verifiers.sh
	rm -rf demo-out
	$(BIN)/countersign-demo --bin $(BIN) --out demo-out --once --quiet --github-web https://github.com
	scripts/interop/run demo-out/github demo-out/gitlab

attacks: ## play the attack catalogue and print its table
	$(GO) run ./e2e/attacks/table

bench: ## benchmarks; compare ratios of one run, not single figures
	$(GO) test -run '^$$' -bench . -benchmem ./...

FUZZTIME ?= 10s
fuzz: ## run every fuzz target for FUZZTIME
	@scripts/fuzz.sh $(FUZZTIME)

clean:
	rm -rf $(BIN) demo-out
