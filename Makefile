# SPDX-License-Identifier: GPL-2.0-or-later
#
# make            build everything into build/        make run      start the colony of figure 11-4
# make test       install what is missing, build, test
# make BUILD=asan with ASan and UBSan                  make install  DESTDIR and PREFIX are honoured
# make fuzz       the libFuzzer harnesses (clang)      make bench    measure
# make faults     planted faults that tests must find
# V=1 shows the commands.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= release

CC      ?= cc
PKGS    := libdpdk libmnl libpcap jansson yaml-0.1 xtables
OUT     := build/$(BUILD)

CFLAGS_release := -O3
CFLAGS_debug   := -Og
CFLAGS_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_asan   := -fsanitize=address,undefined
CFLAGS_fuzz    := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -Wno-gnu-variable-sized-type-not-at-end
LDFLAGS_fuzz   := -fsanitize=address,undefined

WARN   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null | sed 's/-I\([^ ]*\)/-isystem \1/g')
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
ALL_CFLAGS := -std=gnu11 -g -I. -D_GNU_SOURCE -DROOKERY_VERSION='"$(VERSION)"' -DALLOW_EXPERIMENTAL_API \
	$(WARN) $(CFLAGS_$(BUILD)) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS := -pthread $(LDFLAGS_$(BUILD)) $(LDFLAGS)

Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-5s %s\n' $(1) $(2))

# Directories by floor (docs/architecture.md); a program takes the floors it stands on.
BASE    := fabric/base
CONTROL := fabric/control
ENGINE  := routing filters nat fabric/router fabric/lan drivers/iucv drivers/osa fabric/engine
KEEPER  := fabric/keeper
CLI     := fabric/cli
# The front end of iptables, and what it shares with the engine: rules as data. libxtables ends processes, so no daemon has it.
IPTABLES := filters/iptables

objs = $(patsubst %.c,$(OUT)/%.o,$(filter-out %/main.c,$(foreach d,$(1),$(sort $(wildcard $(d)/*.c)))))

RULES := $(patsubst %.c,$(OUT)/%.o,filters/rules.c $(wildcard filters/rules_*.c))

PROGRAMS := $(OUT)/rookery $(OUT)/rookeryd $(OUT)/rookery-keeper

all: $(PROGRAMS) $(OUT)/queue-example

$(OUT)/rookeryd:       $(OUT)/fabric/engine/main.o $(call objs,$(BASE) $(CONTROL) $(ENGINE))
$(OUT)/rookery-keeper: $(OUT)/fabric/keeper/main.o $(call objs,$(BASE) $(CONTROL) $(KEEPER))
$(OUT)/rookery:        $(OUT)/fabric/cli/main.o $(call objs,$(BASE) $(CONTROL) $(CLI) $(IPTABLES)) $(RULES)

$(PROGRAMS):
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -Wl,--as-needed $(PKG_LIBS)

# As users build it: the library for programs behind NFQUEUE, and nothing else of ours.
$(OUT)/queue-example: $(OUT)/filters/queue_client/example.o $(OUT)/filters/queue_client/rookery_queue.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -ljansson

$(OUT)/%.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Unit tests: one program a file, each linked with all floors.
UNIT_TESTS := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(wildcard tests/unit/*_test.c))

$(OUT)/tests/unit/%_test: $(OUT)/tests/unit/%_test.o $(call objs,tests/unit/support $(BASE) $(CONTROL) $(ENGINE) $(KEEPER) $(CLI) $(IPTABLES))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -Wl,--as-needed $(PKG_LIBS) -lcmocka

$(OUT)/tests/bench/%_bench: $(OUT)/tests/bench/%_bench.o $(call objs,tests/unit/support $(BASE) $(CONTROL) $(ENGINE))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -Wl,--as-needed $(PKG_LIBS) -lcmocka

unit-tests: $(UNIT_TESTS)

# The same router as a kernel namespace with real iptables, and as ours (tests/oracle/oracle.h).
ORACLE := tests/oracle/oracle

# What stands between our side and its own functions: draws told from the kernel's (nat_draws.h), planted faults (nat_faults.h).
comma := ,
ORACLE_WRAPS := nat_setup nat_bind_null nat_masquerade nat_translate nat_rewrite nat_rewrite_quote nat_rewrite_address \
                sources_find conntrack_holder conntrack_alter_reply

$(OUT)/$(ORACLE): ALL_LDFLAGS += $(addprefix -Wl$(comma)--wrap=,$(ORACLE_WRAPS))
$(OUT)/$(ORACLE): $(OUT)/tests/oracle/main.o $(call objs,tests/oracle tests/unit/support $(BASE) $(CONTROL) $(ENGINE) $(KEEPER) $(CLI) $(IPTABLES))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -Wl,--as-needed $(PKG_LIBS) -lcmocka

clean:
	$(Q)rm -rf build

# ---- installing what is needed, testing, running, measuring ----

JOBS  := $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 1))
SUB    = +$(Q)$(MAKE) --no-print-directory $(JOBS)
FLOOD := build/flood

deps:
	$(Q)scripts/install-deps

$(FLOOD): tests/bench/flood.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g $(WARN) -o $@ $<

# ASan and UBSan for the unit tests and most lab tests; those that measure take the release build.
# Without a program of --tests the labs that need it are skipped.
test: deps
	-$(Q)scripts/install-deps --tests
	$(SUB) BUILD=release all $(FLOOD)
	$(SUB) BUILD=asan all unit-tests build/asan/$(ORACLE)
	$(Q)tests/run

run: deps
	$(SUB) BUILD=release all
	$(Q)scripts/run-demo

# Filters and then translation, each for SECONDS, from a seed that it prints; a case that differs can be run again by it.
oracle: deps
	$(SUB) BUILD=release build/release/$(ORACLE)
	$(Q)status=0; for what in "" "--nat --slow 0"; do \
		build/release/$(ORACLE) $$what --seconds $(or $(SECONDS),1800) --keep-going || status=1; \
	done; exit $$status

BENCHES := $(patsubst tests/bench/%.c,build/release/tests/bench/%,$(wildcard tests/bench/*_bench.c))
# Plants faults in a copy of the tree, one after another: the test of the path cache has to find each.
faults: deps
	$(Q)tests/faults/paths.py

bench bench-quick: deps
	$(Q)scripts/install-deps --bench
	$(SUB) BUILD=release all $(FLOOD) $(BENCHES)
	$(Q)rm -f build/bench.json
	$(Q)set -e; for part in paths filters tcp fabric; do \
		tests/bench/$$part.py $(if $(filter bench-quick,$@),--quick); \
	done

# The libFuzzer harnesses tests/fuzz/NAME_fuzz.c, each for FUZZ_SECONDS, from and into a copy of its corpus.
FUZZ_SECONDS ?= 600
FUZZERS      := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))

build/fuzz/%_fuzz: build/fuzz/tests/fuzz/%_fuzz.o $(call objs,tests/unit/support $(BASE) $(CONTROL) $(ENGINE))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ -Wl,--as-needed $(PKG_LIBS)

build/fuzz/restore_fuzz: $(call objs,$(IPTABLES))

fuzzers: $(FUZZERS:%=build/fuzz/%_fuzz)

fuzz:
	$(Q)scripts/install-deps --fuzz
	$(SUB) BUILD=fuzz CC=clang fuzzers
	$(Q)set -e; for name in $(FUZZERS); do \
		mkdir -p build/fuzz/corpus/$$name build/fuzz/found; \
		echo "  FUZZ  $$name, $(FUZZ_SECONDS) s"; \
		build/fuzz/$${name}_fuzz -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
			-verbosity=0 -artifact_prefix=build/fuzz/found/$$name- build/fuzz/corpus/$$name tests/fuzz/corpus/$$name; \
	done

# The two that nobody calls by hand go where `rookery` looks for them: libexec beside bin.
BINDIR     := $(DESTDIR)$(PREFIX)/bin
LIBEXECDIR := $(DESTDIR)$(PREFIX)/libexec/rookery
MANDIR     := $(DESTDIR)$(PREFIX)/share/man
DOCDIR     := $(DESTDIR)$(PREFIX)/share/doc/rookery
BASHDIR    := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
MANPAGES   := rookery.1 rookeryd.8 rookery-keeper.8 rookery.yaml.5

install: all
	$(Q)install -d $(BINDIR) $(LIBEXECDIR) $(DOCDIR)/configs $(BASHDIR) $(foreach n,1 5 8,$(MANDIR)/man$(n))
	$(Q)install -m 755 $(OUT)/rookery $(BINDIR)
	$(Q)install -m 755 $(OUT)/rookeryd $(OUT)/rookery-keeper $(LIBEXECDIR)
	$(Q)set -e; for page in $(MANPAGES); do \
		$(OUT)/rookery man $${page%.*} > build/$$page; \
		install -m 644 build/$$page $(MANDIR)/man$${page##*.}; \
	done
	$(Q)$(OUT)/rookery completion bash > build/completion.bash
	$(Q)install -m 644 build/completion.bash $(BASHDIR)/rookery
	$(Q)install -m 644 $(wildcard README* NEWS LICENSE docs/*.md) $(DOCDIR)
	$(Q)install -m 644 $(wildcard configs/*.yaml) $(DOCDIR)/configs

uninstall:
	$(Q)rm -rf $(LIBEXECDIR) $(DOCDIR)
	$(Q)rm -f $(BINDIR)/rookery $(BASHDIR)/rookery $(foreach p,$(MANPAGES),$(MANDIR)/man$(subst .,,$(suffix $(p)))/$(p))

# What can be said about the text alone.
SCRIPTS := tests/run .ci/run $(wildcard scripts/* tests/lab/*.py tests/bench/*.py tests/faults/*.py)
SOURCES := $(sort $(shell find $(BASE) $(CONTROL) $(ENGINE) $(KEEPER) $(CLI) tests drivers -name '*.[ch]' 2>/dev/null))

lint:
	$(Q)! grep -nE '[[:blank:]]+$$' $(SOURCES) $(SCRIPTS) Makefile || { echo 'lint: blanks at the end of lines'; false; }
	$(Q)! grep -LE 'SPDX-License-Identifier: GPL-2.0-or-later' $(SOURCES) $(SCRIPTS) | grep . || { echo 'lint: no SPDX line'; false; }
	$(Q)set -e; for script in $(SCRIPTS); do \
		case $$(head -n 1 $$script) in \
		*python3*|'# SPDX'*) python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' $$script ;; \
		*) sh -n $$script ;; \
		esac; \
	done
	$(Q)if command -v clang-format >/dev/null; then \
		clang-format --dry-run $(SOURCES) 2>&1 | grep -c 'clang-formatted' | sed 's/^/lint: lines that clang-format would write otherwise: /'; fi

.PHONY: deps test oracle faults run bench bench-quick fuzz fuzzers install uninstall lint

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

.PHONY: all clean unit-tests
.DELETE_ON_ERROR:
.SECONDARY:
