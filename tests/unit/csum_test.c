/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/crc32c.h"
#include "fabric/base/csum.h"
#include "tests/unit/support/packets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* RFC 1071 section 3: the words of its example sum to ddf2. */
static void
known_sum(void **state)
{
	const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	(void)state;
	assert_int_equal(ntohs(csum_fold(csum_add(0, data, sizeof(data)))), 0xddf2);
}

/* The check value of the catalogues, whole and in two parts; RFC 3720 B.4: 32 bytes of zeroes. */
static void
known_crc(void **state)
{
	static const uint8_t zeroes[32];

	(void)state;
	assert_int_equal(~crc32c(~0u, "123456789", 9), 0xe3069283);
	assert_int_equal(~crc32c(crc32c(~0u, "1234", 4), "56789", 5), 0xe3069283);
	assert_int_equal(~crc32c(~0u, zeroes, sizeof(zeroes)), 0x8a9136aa);
}

static uint16_t
naive(const uint8_t *b, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void
agrees_with_naive(void **state)
{
	struct env e = {.random = test_seed()};
	uint8_t b[128];
	size_t i, len, round;

	(void)state;
	for (round = 0; round < 5000; round++) {
		len = env_random(&e) % sizeof(b);
		for (i = 0; i < len; i++)
			b[i] = (uint8_t)env_random(&e);
		assert_int_equal(ntohs(csum_fold(csum_add(0, b, len))), naive(b, len));
	}
}

/*
 * An update by difference gives what summing again gives; but for the two zeros of ones'
 * complement.
 */
static void
updates(void **state)
{
	struct env e = {.random = test_seed()};
	uint16_t w[8], check2, check4;
	uint32_t before, after;
	size_t i, round;

	(void)state;
	for (round = 0; round < 5000; round++) {
		for (i = 0; i < 8; i++)
			w[i] = (uint16_t)env_random(&e);
		check2 = check4 = (uint16_t)~csum_fold(csum_add(0, w, sizeof(w)));
		check2 = csum_replace2(check2, w[1], (uint16_t)(w[1] + 1));
		w[1]++;
		assert_int_equal(check2, (uint16_t)~csum_fold(csum_add(0, w, sizeof(w))));
		memcpy(&before, &w[4], 4);
		after = env_random(&e);
		check4 = csum_replace4(check2, before, after);
		memcpy(&w[4], &after, 4);
		assert_int_equal(check4, (uint16_t)~csum_fold(csum_add(0, w, sizeof(w))));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sum),
		cmocka_unit_test(known_crc),
		cmocka_unit_test(agrees_with_naive),
		cmocka_unit_test(updates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
