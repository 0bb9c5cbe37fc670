/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One match or target by itself: judged, prepared, run on one packet, released. */
#ifndef TESTS_UNIT_SUPPORT_EXTENSIONS_H
#define TESTS_UNIT_SUPPORT_EXTENSIONS_H

#include "filters/extension.h"
#include "tests/unit/support/routers.h"

enum ext_answer { NO, YES, CONDEMNED };

/*
 * A parsed packet in segments of these sizes, the last takes the rest; what cannot be parsed fails.
 */
struct pkt *ext_pkt(struct test_env *env, struct test_router *t, const void *bytes, size_t len,
	const size_t *sizes, size_t n);
/* The context of the packet at a hook, in by eth0 and out by eth1 where the hook has them. */
struct filter_ctx ext_ctx(
	struct test_env *env, struct test_router *t, struct pkt *p, enum rules_hook hook);
/* What a match without state says; options are given in a block of exactly its size. */
enum ext_answer ext_ask(
	struct filter_ctx *c, const char *name, uint8_t revision, const void *options, size_t size);
/* The same, with what the packet's path would depend on in *r. */
enum ext_answer ext_ask_recorded(struct filter_ctx *c, const char *name, uint8_t revision,
	const void *options, size_t size, struct recorder *r);
enum filter_verdict ext_run(
	struct filter_ctx *c, const char *name, uint8_t revision, const void *options, size_t size);

/*
 * The sentence that refuses the options in a rule reached from `hooks`, in a buffer of its own, or
 * ""; `rule` NULL: one that says nothing else.
 */
const char *ext_match_refusal(const char *name, uint8_t revision, const void *options, size_t size,
	const struct rules_rule *rule, uint32_t hooks);
const char *ext_target_refusal(const char *name, uint8_t revision, const void *options, size_t size,
	const struct rules_rule *rule, uint32_t hooks);

#endif
