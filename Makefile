# A thin front over the CMake presets. `make help` lists what there is.

PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
# Which files `make lint` looks at; empty: all.
FILES ?=
packages := tests/support/install-packages

.DEFAULT_GOAL := build
.PHONY: build run test bench bench-micro bench-reload profile sanitize lint lint-format lint-lua lint-cpp install clean help release-tree

help: ## this list
	@sed -n $(foreach kind,soak fuzz,$(if $(wildcard tests/$(kind)/run),,-e '/^$(kind):/d')) -e 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: release-tree ## the release binary, build/perilune
	cmake --build --preset release --target perilune -j $(JOBS)
	@ln -sfn release/perilune build/perilune

# A tree without tests needs fewer packages; `make bench` adds them to the same tree.
release-tree:
	@$(packages) build
	@if [ ! -f build/release/CMakeCache.txt ]; then cmake --preset release -DPERILUNE_TESTS=OFF; fi

run: build ## the lesson's proxy on port 8000, with its demo upstreams on 8080 to 8082
	@echo
	@echo 'The lesson of tutorial/03-connection-pool on port 8000. Try, from another terminal:'
	@echo
	@echo '  curl -i localhost:8000/                                        # the first upstream'
	@echo '  curl -i localhost:8000/hi                                      # the second one'
	@echo "  curl -i -X OPTIONS --request-target '*' localhost:8000         # no route: 404"
	@echo
	@echo 'Ctrl-C ends it.'
	@echo
	@exec build/perilune run tutorial/03-connection-pool/main.lua tutorial/upstreams.lua

# The dev preset: quick to build, and it checks that objects stay in their threads.
test: ## everything built, every test run
	@$(packages) test
	cmake --preset dev
	cmake --build --preset dev -j $(JOBS)
	@tests/support/run-tests dev

bench: ## perilune beside HAProxy, nginx and a relay that parses nothing; ARGS="--rounds 1" for versus.py
	@$(packages) test
	cmake --preset release -DPERILUNE_TESTS=ON
	cmake --build --preset release --target perilune bench_relay -j $(JOBS)
	@ln -sfn release/perilune build/perilune
	python3 -B tests/bench/versus.py $(ARGS)

bench-micro: ## what single steps of the engine cost; ARGS="--benchmark_filter=router" for some
	@$(packages) test
	cmake --preset release -DPERILUNE_TESTS=ON
	cmake --build --preset release --target bench_micro -j $(JOBS)
	build/release/tests/bench/micro/bench_micro $(ARGS)

bench-reload: build ## reloads under load, beside nginx and HAProxy, and a thousand of them; ARGS="--many 0" for reload.py
	@$(packages) test
	python3 -B tests/bench/reload.py $(ARGS)

profile: ## engine/profile.txz anew: what a load shows of the code, by which releases are laid out
	tests/bench/profile

ifneq ($(wildcard tests/soak/run),)
.PHONY: soak
soak: build ## ten minutes of everything that wears a proxy out; ARGS="--seconds 60" for a minute
	@$(packages) test
	tests/soak/run $(ARGS)
endif

ifneq ($(wildcard tests/fuzz/run),)
.PHONY: fuzz
fuzz: ## the fuzz targets; tests/fuzz/run
	tests/fuzz/run $(ARGS)
endif

# The thread sanitizer of Debian 12 cannot map its memory where addresses are spread widely.
fixed_addresses := $(shell setarch -R true 2>/dev/null && echo setarch -R)

sanitize: ## the whole suite under the address, undefined-behaviour and thread sanitizers
	@$(packages) test
	@for preset in asan tsan; do \
	  cmake --preset $$preset && \
	  $(fixed_addresses) cmake --build --preset $$preset -j $(JOBS) && \
	  $(fixed_addresses) tests/support/run-tests $$preset || exit 1; \
	done

cpp_files = $(shell find engine tests scripts -name '*.cpp' -o -name '*.hpp' 2>/dev/null | sort)
lua_folders = $(wildcard lua scripts tutorial tests)

lint: ## clang-format, luacheck, clang-tidy; FILES="engine/base/text.cpp" for some
	@$(packages) lint
	@$(MAKE) --no-print-directory -k lint-format lint-lua lint-cpp

lint-format:
	@clang-format --dry-run -Werror $(or $(filter %.cpp %.hpp,$(FILES)),$(cpp_files))

lint-lua:
	@luacheck -q $(or $(filter %.lua,$(FILES)),$(lua_folders))

# Without FILES as many files at once as the builds for tests compile as one: a fifth of the time.
lint-cpp:
	@cmake --preset dev -B build/lint -DCMAKE_UNITY_BUILD=$(if $(FILES),OFF,ON) -DPERILUNE_PRECOMPILE=OFF >/dev/null
	@$(if $(FILES),printf '%s\n' $(filter %.cpp,$(FILES)),sed -n 's/^ *"file": "\(.*\)".*/\1/p' build/lint/compile_commands.json) | \
	  xargs -P $(JOBS) -n 1 clang-tidy --quiet --warnings-as-errors='*' -p build/lint

install: build ## into $(PREFIX), by way of $(DESTDIR)
	cmake --install build/release --prefix $(PREFIX)
	@test -x $(DESTDIR)$(PREFIX)/bin/perilune
	@test -f $(DESTDIR)$(PREFIX)/share/perilune/types/pipeline.lua

clean: ## everything that was built
	rm -rf build
