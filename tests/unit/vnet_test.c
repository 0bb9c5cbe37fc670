/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtio-net header: what is taken, what is refused, and that it comes out as it went in. */
#include "drivers/iucv/vnet.h"
#include "tests/unit/support/packets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
	CSUM = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	VALID = VIRTIO_NET_HDR_F_DATA_VALID,
	TCP4 = VIRTIO_NET_HDR_GSO_TCPV4,
	TCP6 = VIRTIO_NET_HDR_GSO_TCPV6,
	ECN = VIRTIO_NET_HDR_GSO_ECN,
};

#define HDR(f, g, size, start, offset) \
	{.flags = (f), .gso_type = (g), .gso_size = (size), .csum_start = (start), .csum_offset = (offset)}

static void
test_read(void **state)
{
	static const struct {
		const char *what;
		struct virtio_net_hdr_v1 h;
		unsigned l2;
		uint32_t len; /* contiguous */
		enum drop_reason why;
		unsigned flags, csum_start;
	} rows[] = {
		{"nothing", HDR(0, 0, 0, 0, 0), 0, 20, DROP_NONE, 0, 0},
		{"vouched for", HDR(VALID, 0, 0, 0, 0), 0, 20, DROP_NONE, PKT_CSUM_VALID, 0},
		{"udp", HDR(CSUM, 0, 0, 20, 6), 0, 28, DROP_NONE, PKT_CSUM_PARTIAL, 20},
		{"udp in a frame", HDR(CSUM, 0, 0, 34, 6), 14, 42, DROP_NONE, PKT_CSUM_PARTIAL, 20},
		{"needed and valid: needed", HDR(CSUM | VALID, 0, 0, 20, 6), 0, 28, DROP_NONE, PKT_CSUM_PARTIAL, 20},
		{"field past the end by one", HDR(CSUM, 0, 0, 20, 6), 0, 27, DROP_OFFLOAD, 0, 0},
		{"field just inside", HDR(CSUM, 0, 0, 20, 18), 0, 40, DROP_NONE, PKT_CSUM_PARTIAL, 20},
		{"field far away", HDR(CSUM, 0, 0, 65535, 65535), 0, 100, DROP_OFFLOAD, 0, 0},
		{"start in the Ethernet header", HDR(CSUM, 0, 0, 13, 6), 14, 100, DROP_OFFLOAD, 0, 0},
		{"tcp4", HDR(CSUM, TCP4, 1448, 20, 16), 0, 40, DROP_NONE, PKT_CSUM_PARTIAL, 20},
		{"tcp4 with ecn", HDR(CSUM, TCP4 | ECN, 1448, 20, 16), 0, 40, DROP_NONE, PKT_CSUM_PARTIAL, 20},
		{"tcp6", HDR(CSUM, TCP6, 1428, 54, 16), 14, 74, DROP_NONE, PKT_CSUM_PARTIAL, 40},
		{"tcp6 over an IPv4 header", HDR(CSUM, TCP6, 1428, 20, 16), 0, 74, DROP_OFFLOAD, 0, 0},
		{"tcp header cut short", HDR(CSUM, TCP4, 1448, 20, 16), 0, 39, DROP_OFFLOAD, 0, 0},
		{"segments of no size", HDR(CSUM, TCP4, 0, 20, 16), 0, 40, DROP_OFFLOAD, 0, 0},
		{"to cut, with a whole checksum", HDR(0, TCP4, 1448, 20, 16), 0, 40, DROP_OFFLOAD, 0, 0},
		{"to cut, checksum of udp", HDR(CSUM, TCP4, 1448, 20, 6), 0, 40, DROP_OFFLOAD, 0, 0},
		{"udp fragmentation", HDR(CSUM, VIRTIO_NET_HDR_GSO_UDP, 1448, 20, 6), 0, 40, DROP_OFFLOAD, 0, 0},
		{"udp segmentation", HDR(CSUM, 5, 1448, 20, 6), 0, 40, DROP_OFFLOAD, 0, 0},
		{"unknown type", HDR(CSUM, 2, 1448, 20, 16), 0, 40, DROP_OFFLOAD, 0, 0},
		{"only ecn", HDR(CSUM, ECN, 1448, 20, 16), 0, 40, DROP_OFFLOAD, 0, 0},
	};
	static const uint8_t zero[128];
	struct test_env h;

	(void)state;
	test_env_init(&h, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pkt *p = test_pkt(&h, zero, rows[i].len);

		print_message("%s\n", rows[i].what);
		assert_int_equal(vnet_read(&rows[i].h, p, rows[i].l2), rows[i].why);
		if (rows[i].why == DROP_NONE) {
			assert_int_equal(p->flags, rows[i].flags);
			assert_int_equal(p->csum_start, rows[i].csum_start);
			assert_int_equal(p->gso_type, rows[i].h.gso_type & ~ECN);
			assert_int_equal(p->gso_ecn, !!(rows[i].h.gso_type & ECN));
			assert_int_equal(p->gso_size, rows[i].h.gso_size);
		}
		env_pkt_free(&h.env, p);
	}
	assert_int_equal(test_env_fini(&h), 0);
}

/* hdr_len is ours to fill; all else comes back. */
static void
test_round_trip(void **state)
{
	static const struct {
		struct virtio_net_hdr_v1 h;
		unsigned l2, hdr_len;
		uint8_t doff;
		uint32_t len;
	} rows[] = {
		{HDR(0, 0, 0, 0, 0), 0, 0, 5, 60},
		{HDR(VALID, 0, 0, 0, 0), 0, 0, 5, 60},
		{HDR(CSUM, 0, 0, 20, 6), 0, 0, 5, 60},
		{HDR(CSUM, 0, 0, 34, 16), 14, 0, 5, 60},
		{HDR(CSUM, TCP4, 1448, 20, 16), 0, 40, 5, 100},
		{HDR(CSUM, TCP4 | ECN, 1448, 34, 16), 14, 66, 8, 100},
		{HDR(CSUM, TCP6, 1428, 40, 16), 0, 72, 8, 100},
		{HDR(CSUM, TCP4, 1448, 20, 16), 0, 50, 15, 50}, /* never more than there is */
	};
	struct test_env h;

	(void)state;
	test_env_init(&h, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct virtio_net_hdr_v1 want = rows[i].h, have;
		uint8_t bytes[100] = {0};
		struct pkt *p;

		bytes[rows[i].h.csum_start + 12] = (uint8_t)(rows[i].doff << 4);
		p = test_pkt(&h, bytes, rows[i].len);
		assert_int_equal(vnet_read(&rows[i].h, p, rows[i].l2), DROP_NONE);
		memset(&have, 0xff, sizeof(have));
		vnet_write(&have, p, rows[i].l2);
		want.hdr_len = (uint16_t)rows[i].hdr_len;
		assert_memory_equal(&have, &want, sizeof(want));
		env_pkt_free(&h.env, p);
	}
	assert_int_equal(test_env_fini(&h), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
