/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/capture.h"

#include "fabric/base/csum.h"
#include "tests/unit/support/walkers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/udp.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct test_walker tw;
static int notify;
static uint8_t *spare;

static int
setup(void **state)
{
	(void)state;
	test_walker_init(&tw, 1);
	notify = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	spare = malloc(CAPTURE_BUFFER);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(notify);
	free(spare);
	return (int)test_walker_fini(&tw);
}

static uint64_t
notified(void)
{
	eventfd_t n = 0;

	return eventfd_read(notify, &n) < 0 ? 0 : n;
}

static struct capture *
capture(const char *filter, uint32_t snaplen)
{
	pcap_t *pcap = pcap_open_dead(DLT_RAW, CAPTURE_SNAPLEN);
	struct bpf_program program = {0};
	struct capture *c;

	assert_int_equal(pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN), 0);
	c = capture_new(program.bf_insns, program.bf_len, snaplen, notify);
	pcap_freecode(&program);
	pcap_close(pcap);
	assert_non_null(c);
	return c;
}

static struct pkt *
udp(uint16_t dport, size_t len)
{
	static uint8_t buf[65535];
	struct test_ip ip = {.src = "10.0.0.1", .dst = "10.0.0.2"};
	const size_t parts[] = {300, 1000};

	return test_chain(&tw.t, buf, test_udp(buf, &ip, 1, dport, len), parts, RTE_DIM(parts));
}

static void
give(struct capture *list, struct pkt *p, bool out)
{
	capture_packet(&tw.w, list, p, false, out);
	test_pkt_free(&tw.t, p);
}

/* The records in the buffer, checked for their bounds. => their number. */
static size_t
records(size_t used, const struct capture_record **last)
{
	size_t n = 0;

	for (size_t at = 0; at < used; n++) {
		const struct capture_record *r = (const struct capture_record *)(spare + at);

		assert_int_equal(at % 8, 0);
		at += (sizeof(*r) + r->caplen + 7) & ~(size_t)7;
		assert_true(at <= used);
		*last = r;
	}
	return n;
}

static void
filter_and_snaplen(void **state)
{
	struct capture *list = NULL, *c = capture("udp dst port 53", 100);
	const struct capture_record *r;
	uint64_t dropped;
	size_t used;
	bool ended;

	(void)state;
	capture_attach(c, &list);
	give(list, udp(80, 2000), false);
	assert_int_equal(notified(), 0);
	give(list, udp(53, 2000), true);
	give(list, udp(53, 10), false);
	assert_int_equal(notified(), 1);
	used = capture_take(c, &spare, &dropped, &ended);
	assert_int_equal(records(used, &r), 2);
	assert_int_equal(dropped, 0);
	assert_false(ended);
	assert_int_equal(r->len, 38);
	assert_int_equal(r->caplen, 38);
	assert_false(r->out);
	r = (const struct capture_record *)spare;
	assert_int_equal(r->len, 2028);
	assert_int_equal(r->caplen, 100);
	assert_true(r->out);
	assert_int_equal(((const uint8_t *)(r + 1))[0], 0x45);
	assert_int_equal(capture_take(c, &spare, &dropped, &ended), 0);
	capture_detach(c);
	assert_null(list);
	capture_free(c);
}

static void
overflow_counts(void **state)
{
	struct capture *list = NULL, *c = capture_new(NULL, 0, 0, notify);
	const struct capture_record *r;
	uint64_t dropped, n = 500;
	size_t kept;
	bool ended;

	(void)state;
	capture_attach(c, &list);
	for (uint64_t i = 0; i < n; i++)
		give(list, udp(53, 60000 - i), false);
	kept = records(capture_take(c, &spare, &dropped, &ended), &r);
	assert_in_range(kept, CAPTURE_BUFFER / 61000, CAPTURE_BUFFER / 59000);
	assert_int_equal(kept + dropped, n);
	give(list, udp(53, 8), false); /* there is room again */
	assert_int_equal(records(capture_take(c, &spare, &dropped, &ended), &r), 1);
	assert_int_equal(dropped, 0);
	capture_detach(c);
	capture_free(c);
}

/* The interface goes: each of its captures hears of it, and can still be freed. */
static void
ended_with_its_place(void **state)
{
	struct capture *list = NULL, *a = capture_new(NULL, 0, 0, notify),
		       *b = capture_new(NULL, 0, 0, notify);
	uint64_t dropped;
	bool ended;

	(void)state;
	capture_attach(a, &list);
	capture_attach(b, &list);
	give(list, udp(53, 8), false);
	notified();
	capture_end_all(&list);
	assert_null(list);
	assert_int_equal(notified(), 2);
	assert_true(capture_take(a, &spare, &dropped, &ended) > 0);
	assert_true(ended);
	capture_detach(b); /* nothing to do any more */
	capture_free(a);
	capture_free(b);
}

/* What is left for a device to compute is right in the file, behind an Ethernet header too. */
static void
checksums_are_complete(void **state)
{
	struct capture *list = NULL, *c = capture_new(NULL, 0, 0, notify);
	uint8_t ip[200], buf[200] = {0};
	size_t len = test_udp(ip, &(struct test_ip){.src = "10.0.0.1", .dst = "10.0.0.2"}, 1, 2, 9);
	uint16_t right, pseudo = 0x1234;
	struct pkt *p;
	uint64_t dropped;
	bool ended;

	(void)state;
	memcpy(&right, ip + 26, 2);
	memcpy(buf + ETH_HLEN, ip, len);
	pseudo = csum_fold(csum_pseudo4(
		*(uint32_t *)(ip + 12), *(uint32_t *)(ip + 16), IPPROTO_UDP, (uint16_t)(len - 20)));
	memcpy(buf + ETH_HLEN + 26, &pseudo, 2);
	p = test_pkt(&tw.t, buf, ETH_HLEN + len);
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = 20;
	p->csum_offset = 6;
	capture_attach(c, &list);
	capture_packet(&tw.w, list, p, true, false);
	capture_take(c, &spare, &dropped, &ended);
	assert_memory_equal(spare + sizeof(struct capture_record) + ETH_HLEN, ip, len);
	test_pkt_free(&tw.t, p);
	capture_detach(c);
	capture_free(c);
}

static void
bad_filters(void **state)
{
	static const struct bpf_insn rows[][2] = {
		{{BPF_JMP | BPF_JA, 0, 0, 0xffffffff}, {BPF_RET | BPF_K, 0, 0, 1}}, /* for ever */
		{{BPF_JMP | BPF_JA, 0, 0, 1}, {BPF_RET | BPF_K, 0, 0, 1}}, /* past the end */
		{{BPF_JMP | BPF_JEQ | BPF_K, 9, 9, 0}, {BPF_RET | BPF_K, 0, 0, 1}},
		{{BPF_ST, 0, 0, 4000}, {BPF_RET | BPF_K, 0, 0, 1}}, /* outside of its memory */
		{{BPF_LD | BPF_IMM, 0, 0, 1}, {BPF_LD | BPF_IMM, 0, 0, 1}}, /* no return */
		{{0xffff, 0, 0, 1}, {BPF_RET | BPF_K, 0, 0, 1}},
		{{BPF_LD | BPF_B | BPF_IMM, 0, 0, 1}, {BPF_RET | BPF_K, 0, 0, 1}},
		{{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 1}}, /* by zero */
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		errno = 0;
		assert_null(capture_new(rows[i], 2, 0, notify));
		assert_int_equal(errno, EINVAL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(filter_and_snaplen, setup, teardown),
		cmocka_unit_test_setup_teardown(overflow_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(ended_with_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(checksums_are_complete, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_filters, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
