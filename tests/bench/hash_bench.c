/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the table of the path cache is compared with: DPDK's rte_hash, bulk lookups of 16-byte keys in bursts of 64, and a write to an entry of
 * 64 bytes for each: no packet is read, guarded or changed. Lines as path_bench prints them.
 *
 *	hash_bench FLOWS ...
 */
#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_prefetch.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { CUT = 64, REPEATS = 15, BURSTS = 2000, INTERRUPTED = 16 };

struct key {
	uint64_t addresses, rest;
};

struct entry {
	uint64_t packets, more[7];
} __attribute__((aligned(64)));

struct twin {
	struct rte_hash *hash;
	struct entry *entries;
	uint32_t n;
	uint64_t random, cycles[BURSTS];
};

static struct key
key_of(uint32_t i)
{
	return (struct key){0x0ac8000063000001ull + ((uint64_t)(i >> 3) << 32), 2000 + (i & 7) * 1000};
}

/* xorshift */
static uint32_t
pick(struct twin *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (uint32_t)(t->random >> 20) % t->n;
}

static uint64_t
burst(struct twin *t)
{
	struct key keys[CUT];
	const void *at[CUT];
	int32_t found[CUT];
	uint64_t from;

	for (unsigned i = 0; i < CUT; i++) {
		keys[i] = key_of(pick(t));
		at[i] = &keys[i];
	}
	from = rte_rdtsc_precise();
	rte_hash_lookup_bulk(t->hash, at, CUT, found);
	for (unsigned i = 0; i < CUT; i++)
		rte_prefetch0(&t->entries[found[i]]);
	for (unsigned i = 0; i < CUT; i++)
		t->entries[found[i]].packets++;
	return rte_rdtsc_precise() - from;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* => hundredths of cycles a lookup, interrupted bursts left out. */
static uint64_t
repeat(struct twin *t)
{
	uint64_t sum = 0, kept = 0;

	for (unsigned i = 0; i < BURSTS; i++)
		t->cycles[i] = burst(t);
	qsort(t->cycles, BURSTS, sizeof(t->cycles[0]), compare);
	while (kept < BURSTS && t->cycles[kept] <= INTERRUPTED * t->cycles[BURSTS / 2])
		sum += t->cycles[kept++];
	return sum * 100 / (kept * CUT);
}

static int
run(uint32_t flows)
{
	const struct rte_hash_parameters parameters = {
			.name = "twin", .entries = flows, .key_len = sizeof(struct key), .hash_func = rte_jhash, .socket_id = SOCKET_ID_ANY};
	struct twin *t = calloc(1, sizeof(*t));
	uint64_t results[REPEATS];

	t->n = flows;
	t->random = 12345;
	t->hash = rte_hash_create(&parameters);
	t->entries = aligned_alloc(64, (flows + 1ul) * sizeof(*t->entries));
	if (!t->hash || !t->entries) {
		fprintf(stderr, "hash_bench: no memory for a table of %u\n", flows);
		return 1;
	}
	for (uint32_t i = 0; i < flows; i++) {
		struct key key = key_of(i);
		int32_t at = rte_hash_add_key(t->hash, &key);

		if (at < 0 || (uint32_t)at > flows) {
			fprintf(stderr, "hash_bench: key %u of %u has no place: %d\n", i, flows, at);
			return 1;
		}
		t->entries[at].packets = 0;
	}
	for (unsigned i = 0; i < REPEATS; i++)
		results[i] = repeat(t);
	qsort(results, REPEATS, sizeof(results[0]), compare);
	printf("{\"name\": \"rte_hash.cycles flows=%u\", \"min\": %.1f, \"median\": %.1f, \"repeats\": %d}\n", flows, (double)results[0] / 100,
			(double)results[REPEATS / 2] / 100, REPEATS);
	fflush(stdout);
	rte_hash_free(t->hash);
	free(t->entries);
	free(t);
	return 0;
}

int
main(int argc, char **argv)
{
	char program[] = "hash_bench", no_huge[] = "--no-huge", m[] = "-m", size[] = "512", no_pci[] = "--no-pci", no_shconf[] = "--no-shconf",
	     level[] = "--log-level=3", lcores[] = "-l", here[8];
	char *eal[] = {program, no_huge, m, size, no_pci, no_shconf, level, lcores, here, NULL};
	int failed = 0;

	snprintf(here, sizeof(here), "%d", sched_getcpu());
	if (rte_eal_init(RTE_DIM(eal) - 1, eal) < 0) {
		fprintf(stderr, "hash_bench: EAL does not start\n");
		return 1;
	}
	for (int i = 1; i < argc; i++)
		failed |= run((uint32_t)strtoul(argv[i], NULL, 10));
	rte_eal_cleanup();
	return failed;
}
