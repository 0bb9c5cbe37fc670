# SPDX-License-Identifier: GPL-2.0-or-later
#
# make            build everything into build/        make run      start the colony of figure 11-4
# make test       install what is missing, build, test
# make BUILD=asan with ASan and UBSan                  make install  DESTDIR and PREFIX are honoured
# make fuzz       the libFuzzer harnesses (clang)      make bench    measure
# V=1 shows the commands.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= release

CC      ?= cc
PKGS    := libdpdk libmnl libpcap jansson yaml-0.1
OUT     := build/$(BUILD)

CFLAGS_release := -O3
CFLAGS_debug   := -Og
CFLAGS_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_asan   := -fsanitize=address,undefined

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

objs = $(patsubst %.c,$(OUT)/%.o,$(filter-out %/main.c,$(foreach d,$(1),$(sort $(wildcard $(d)/*.c)))))

PROGRAMS := $(OUT)/rookery $(OUT)/rookeryd $(OUT)/rookery-keeper

all: $(PROGRAMS)

$(OUT)/rookeryd:       $(OUT)/fabric/engine/main.o $(call objs,$(BASE) $(CONTROL) $(ENGINE))
$(OUT)/rookery-keeper: $(OUT)/fabric/keeper/main.o $(call objs,$(BASE) $(CONTROL) $(KEEPER))
$(OUT)/rookery:        $(OUT)/fabric/cli/main.o $(call objs,$(BASE) $(CONTROL) $(CLI))

$(PROGRAMS):
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -Wl,--as-needed $(PKG_LIBS)

$(OUT)/%.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Unit tests: one program a file, each linked with all floors.
UNIT_TESTS := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(wildcard tests/unit/*_test.c))

$(OUT)/tests/unit/%_test: $(OUT)/tests/unit/%_test.o $(call objs,tests/unit/support $(BASE) $(CONTROL) $(ENGINE) $(KEEPER) $(CLI))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -Wl,--as-needed $(PKG_LIBS) -lcmocka

unit-tests: $(UNIT_TESTS)

clean:
	$(Q)rm -rf build

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

.PHONY: all clean unit-tests
.DELETE_ON_ERROR:
.SECONDARY:
