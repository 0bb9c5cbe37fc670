/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Simulated guests. First on bare packets, byte by byte; then against the kernel, whose ping, UDP
 * and TCP talk to one:
 *
 *   scratch namespace, 10.9.0.1  iucv0 <-- TUN or TAP --> port | this test | simulated guest, 10.9.0.2 and 10.0.0.2
 */
#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "tests/unit/support/packets.h"
#include "tests/unit/support/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NEAR = 0x0a090001, GUEST = 0x0a090002, VIPA = 0x0a000002, STREAM = 1 << 20, PATIENCE = 3000 };

static struct port *
guest(bool frames)
{
	const struct sim_guest g = {
		.name = "tux/iucv0",
		.addrs = {ip4(htonl(GUEST)), ip4(htonl(VIPA))},
		.n_addrs = 2,
		.frames = frames,
		.mac = {{2, 0, 0, 0, 0, 2}},
		.mtu = 1500,
	};
	struct port *p = sim_port_new(&g);

	assert_non_null(p);
	return p;
}

/* An IPv4 packet: `l4` are `len` bytes, whose checksum at `check` is filled in (0: none). */
static struct pkt *
packet(struct test_env *h, uint32_t src, uint32_t dst, uint8_t proto, const uint8_t *l4, uint16_t len, unsigned check)
{
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 9, .protocol = proto, .tot_len = htons((uint16_t)(20 + len))};
	uint8_t d[2048];
	uint16_t sum;

	ip.saddr = htonl(src);
	ip.daddr = htonl(dst);
	ip.check = ip4_checksum(&ip);
	memcpy(d, &ip, sizeof(ip));
	memcpy(d + 20, l4, len);
	if (check) {
		uint64_t pseudo = proto == IPPROTO_ICMP ? 0 : csum_pseudo4(ip.saddr, ip.daddr, proto, len);

		sum = (uint16_t)~csum_fold(csum_add(pseudo, d + 20, len));
		memcpy(d + 20 + check, &sum, 2);
	}
	return test_pkt(h, d, 20u + len);
}

/* Gives a packet to a guest. => its answer, parsed and its checksum checked, or NULL. */
static struct pkt *
ask(struct test_env *h, struct port *g, struct pkt *p)
{
	struct pkt *answer[2];

	g->ops->tx(g, &h->env, &p, 1);
	if (g->ops->rx(g, &h->env, answer, 2) == 0)
		return NULL;
	assert_int_equal(answer[0]->family, 0);
	assert_int_equal(pkt_parse(answer[0]), DROP_NONE);
	answer[0]->flags &= (uint16_t)~PKT_CSUM_VALID;
	assert_true(pkt_l4_checksum_ok(answer[0]));
	assert_int_equal(pkt_ip4(answer[0])->ttl, 64);
	return answer[0];
}

enum { F = 1, S = 2, R = 4, P = 8, A = 16 };

static void
test_tcp_segments(void **state)
{
	static const struct {
		const char *what;
		uint16_t dport;
		uint8_t flags;
		uint32_t seq, ack;
		uint16_t data;
		int answer; /* flags, or -1: silence */
		uint32_t answer_seq, answer_ack;
		uint16_t answer_data;
	} rows[] = {
		{"SYN, echo", 7, S, 100, 0, 0, S | A, 100, 101, 0},
		{"SYN, discard", 9, S, 0xffffffff, 0, 0, S | A, 0xffffffff, 0, 0},
		{"ACK of our SYN", 7, A, 101, 101, 0, -1, 0, 0, 0},
		{"data, echo", 7, A | P, 101, 101, 50, A | P, 101, 151, 50},
		{"more data before the echo was seen", 7, A, 151, 101, 51, A, 151, 202, 51},
		{"data, discard", 9, A | P, 101, 101, 50, A, 101, 151, 0},
		{"FIN, echo", 7, A | F, 151, 151, 0, A | F, 151, 152, 0},
		{"data and FIN, echo", 7, A | F, 151, 151, 9, A | F, 151, 161, 9},
		{"data and FIN, discard", 9, A | F, 151, 101, 9, A | F, 101, 161, 0},
		{"SYN, closed port", 80, S, 100, 0, 0, R | A, 0, 101, 0},
		{"ACK, closed port", 80, A, 100, 77, 0, R, 77, 0, 0},
		{"SYN and ACK", 7, S | A, 100, 77, 0, R, 77, 0, 0},
		{"reset", 7, R, 100, 0, 0, -1, 0, 0, 0},
		{"reset of a closed port", 80, R | A, 100, 5, 0, -1, 0, 0, 0},
		{"neither SYN nor ACK", 7, F, 100, 5, 0, -1, 0, 0, 0},
	};
	struct port *g = guest(false);
	struct test_env h;

	(void)state;
	test_env_init(&h, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tcphdr t = {.source = htons(40000), .dest = htons(rows[i].dport), .doff = 6};
		uint8_t l4[200] = {0};
		struct pkt *p;

		print_message("%s\n", rows[i].what);
		t.seq = htonl(rows[i].seq);
		t.ack_seq = htonl(rows[i].ack);
		memcpy(l4, &t, sizeof(t));
		l4[13] = rows[i].flags;
		memset(l4 + 20, 1, 4); /* NOPs */
		memset(l4 + 24, 'x', rows[i].data);
		p = ask(&h, g, packet(&h, NEAR, VIPA, IPPROTO_TCP, l4, (uint16_t)(24 + rows[i].data), 16));
		if (rows[i].answer < 0) {
			assert_null(p);
			continue;
		}
		assert_non_null(p);
		memcpy(&t, pkt_l4(p), sizeof(t));
		assert_int_equal(((uint8_t *)pkt_l4(p))[13], rows[i].answer);
		assert_int_equal(ntohl(t.seq), rows[i].answer_seq);
		assert_int_equal(ntohl(t.ack_seq), rows[i].answer_ack);
		assert_int_equal(pkt_len(p) - p->l3_len - p->l4_len, rows[i].answer_data);
		assert_int_equal(ntohs(p->dport), 40000);
		assert_int_equal(ntohl(pkt_ip4(p)->saddr), VIPA);
		assert_int_equal(ntohl(pkt_ip4(p)->daddr), NEAR);
		env_pkt_free(&h.env, p);
	}
	assert_int_equal(test_env_fini(&h), 0);
	g->ops->close(g);
}

/* A super-packet is echoed as one, its checksum still partial; discarded, it leaves an
 * acknowledgement. */
static void
test_super_packet(void **state)
{
	static uint8_t d[30000];
	struct port *g = guest(false);
	struct test_env h;

	(void)state;
	test_env_init(&h, 1);
	for (unsigned echo = 0; echo < 2; echo++) {
		struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 9, .protocol = 6, .tot_len = htons(30000)};
		struct tcphdr t = {.source = htons(40000), .dest = htons(echo ? 7 : 9), .doff = 5, .ack = 1, .seq = htonl(1000)};
		struct pkt *p;

		ip.saddr = htonl(NEAR);
		ip.daddr = htonl(GUEST);
		ip.check = ip4_checksum(&ip);
		t.check = csum_fold(csum_pseudo4(ip.saddr, ip.daddr, 6, 29980));
		memcpy(d, &ip, 20);
		memcpy(d + 20, &t, 20);
		p = test_chain(&h, d, sizeof(d), (size_t[3]){1920, 1920, 1920}, 3);
		p->flags = PKT_CSUM_PARTIAL;
		p->csum_start = 20;
		p->csum_offset = 16;
		p->gso_type = PKT_GSO_TCP4;
		p->gso_size = 1460;
		p = ask(&h, g, p);
		assert_non_null(p);
		assert_int_equal(pkt_len(p), echo ? 30000 : 40);
		assert_int_equal(p->gso_type, echo ? PKT_GSO_TCP4 : PKT_GSO_NONE);
		assert_int_equal(!!(p->flags & PKT_CSUM_PARTIAL), echo);
		memcpy(&t, pkt_l4(p), 20);
		assert_int_equal(ntohl(t.ack_seq), 1000 + 29960);
		if (echo)
			assert_int_equal(t.check, csum_fold(csum_pseudo4(ip.saddr, ip.daddr, 6, 29980)));
		env_pkt_free(&h.env, p);
	}
	assert_int_equal(test_env_fini(&h), 0);
	g->ops->close(g);
}

static void
test_silence(void **state)
{
	static const uint8_t echo[16] = {8}, reply[16] = {0}, udp7[16] = {0, 7, 0, 7, 0, 16};
	struct port *g = guest(false);
	struct test_env h;
	struct pkt *p;

	(void)state;
	test_env_init(&h, 1);
	p = packet(&h, NEAR, GUEST, IPPROTO_ICMP, echo, 16, 2);
	((uint8_t *)pkt_data(p))[30] ^= 1; /* checksum */
	assert_null(ask(&h, g, p));
	assert_null(ask(&h, g, packet(&h, NEAR, GUEST + 1, IPPROTO_ICMP, echo, 16, 2)));
	assert_null(ask(&h, g, packet(&h, NEAR, GUEST, IPPROTO_ICMP, reply, 16, 2)));
	assert_null(ask(&h, g, packet(&h, NEAR, GUEST, IPPROTO_UDP, udp7, 16, 6)));
	assert_null(ask(&h, g, packet(&h, NEAR, GUEST, 253, echo, 16, 0)));
	assert_null(ask(&h, g, test_pkt(&h, "E", 1)));
	p = ask(&h, g, packet(&h, NEAR, GUEST, IPPROTO_ICMP, echo, 16, 2));
	assert_non_null(p);
	env_pkt_free(&h.env, p);
	assert_int_equal(test_env_fini(&h), 0);
	g->ops->close(g);
}

static void
count_ready(struct port *p, void *arg)
{
	(void)p;
	++*(unsigned *)arg;
}

/* One call a burst that left something, none for a burst that did not. */
static void
test_ready(void **state)
{
	static const uint8_t echo[8] = {8};
	struct port *g = guest(false);
	struct pkt *in[3], *out[3];
	struct test_env h;
	unsigned calls = 0;

	(void)state;
	test_env_init(&h, 1);
	g->ready = count_ready;
	g->ready_arg = &calls;
	for (int i = 0; i < 3; i++)
		in[i] = packet(&h, NEAR, GUEST, IPPROTO_ICMP, echo, 8, 2);
	g->ops->tx(g, &h.env, in, 3);
	assert_int_equal(calls, 1);
	assert_int_equal(g->ops->rx(g, &h.env, out, 2), 2);
	assert_int_equal(g->ops->rx(g, &h.env, out + 2, 2), 1);
	assert_int_equal(g->ops->rx(g, &h.env, out, 2), 0);
	for (int i = 0; i < 3; i++)
		env_pkt_free(&h.env, out[i]);
	in[0] = packet(&h, NEAR, GUEST + 9, IPPROTO_ICMP, echo, 8, 2);
	g->ops->tx(g, &h.env, in, 1);
	assert_int_equal(calls, 1);
	assert_int_equal(g->count.tx_packets, 4);
	assert_int_equal(g->count.rx_packets, 3);
	assert_int_equal(test_env_fini(&h), 0);
	g->ops->close(g);
}

/* Against the kernel. */

struct talk {
	struct port *kernel, *guest;
};

static struct port_pools pools;
static struct env *env;

static int
meet(void **state, bool frames)
{
	struct talk *t = calloc(1, sizeof(*t));

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	t->kernel = tun_port_new("near", ports_tun("iucv0", frames, "10.9.0.1/24"), frames, 1500, &pools);
	assert_int_equal(system("ip route add 10.0.0.2 via 10.9.0.2"), 0);
	t->guest = guest(frames);
	*state = t;
	return 0;
}

static int
meet_tun(void **state)
{
	return meet(state, false);
}

static int
meet_tap(void **state)
{
	return meet(state, true);
}

static int
part(void **state)
{
	struct talk *t = *state;

	t->kernel->ops->close(t->kernel);
	t->guest->ops->close(t->guest);
	free(t);
	assert_int_equal(ports_in_use(&pools), 0);
	return 0;
}

static unsigned
pump(struct talk *t)
{
	struct pkt *burst[32];
	uint16_t n = t->kernel->ops->rx(t->kernel, env, burst, 32), m;

	t->guest->ops->tx(t->guest, env, burst, n);
	while ((m = t->guest->ops->rx(t->guest, env, burst, 32)))
		t->kernel->ops->tx(t->kernel, env, burst, m);
	return n;
}

static int
connected(int type, const char *address, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	inet_pton(AF_INET, address, &a.sin_addr);
	r = connect(fd, (struct sockaddr *)&a, sizeof(a));
	assert_true(r == 0 || errno == EINPROGRESS);
	return fd;
}

/* Pumps until `fd` has something to say. */
static void
await(struct talk *t, int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (int i = 0; i < PATIENCE; i++) {
		pump(t);
		if (poll(&p, 1, 1) == 1)
			return;
	}
	fail_msg("no answer");
}

static void
test_ping(void **state)
{
	struct talk *t = *state;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		freopen("/dev/null", "w", stdout);
		execlp("ping", "ping", "-c", "5", "-i", "0.01", "-s", "1400", "10.0.0.2", (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (pump(t) == 0)
			poll(NULL, 0, 1);
	}
	assert_int_equal(status, 0);
}

static void
test_udp_echo(void **state)
{
	struct talk *t = *state;
	uint8_t out[1472], in[1500];
	int fd = connected(SOCK_DGRAM, "10.9.0.2", 7);

	memset(out, 0x5a, sizeof(out));
	assert_int_equal(send(fd, out, sizeof(out), 0), sizeof(out));
	await(t, fd, POLLIN);
	assert_int_equal(recv(fd, in, sizeof(in), 0), sizeof(out));
	assert_memory_equal(in, out, sizeof(out));
	close(fd);
	fd = connected(SOCK_DGRAM, "10.0.0.2", 99);
	assert_int_equal(send(fd, out, sizeof(out), 0), sizeof(out));
	await(t, fd, POLLIN);
	assert_int_equal(recv(fd, in, sizeof(in), 0), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
}

static void
test_tcp_refused(void **state)
{
	int fd = connected(SOCK_STREAM, "10.9.0.2", 80), error;
	socklen_t len = sizeof(error);

	await(*state, fd, POLLOUT);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	assert_int_equal(error, ECONNREFUSED);
	close(fd);
}

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 37 + i / 253);
}

static size_t
send_some(int fd, size_t from)
{
	uint8_t chunk[16384];
	size_t len = STREAM - from < sizeof(chunk) ? STREAM - from : sizeof(chunk);
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		chunk[i] = byte_at(from + i);
	n = len ? send(fd, chunk, len, MSG_NOSIGNAL) : 0;
	if (n > 0 && from + (size_t)n == STREAM)
		shutdown(fd, SHUT_WR);
	return n > 0 ? (size_t)n : 0;
}

/* A megabyte there, `expect` bytes back, and an orderly end from both sides. */
static void
stream(struct talk *t, uint16_t port, size_t expect)
{
	int fd = connected(SOCK_STREAM, "10.0.0.2", port);
	size_t sent = 0, received = 0;
	ssize_t n = -1;

	for (int quiet = 0; n != 0 && quiet < PATIENCE; quiet++) {
		uint8_t chunk[65536];

		if (pump(t) == 0)
			poll(NULL, 0, 1);
		sent += send_some(fd, sent);
		n = recv(fd, chunk, sizeof(chunk), 0);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(chunk[i], byte_at(received++));
		if (n > 0)
			quiet = 0;
	}
	assert_int_equal(n, 0);
	assert_int_equal(sent, STREAM);
	assert_int_equal(received, expect);
	close(fd);
	pump(t);
}

static void
test_tcp_echo(void **state)
{
	stream(*state, 7, STREAM);
}

static void
test_tcp_discard(void **state)
{
	stream(*state, 9, 0);
}

static int
against_the_kernel(void)
{
#define BOTH(test) \
	cmocka_unit_test_setup_teardown(test, meet_tun, part), cmocka_unit_test_setup_teardown(test, meet_tap, part)
	const struct CMUnitTest tests[] = {
		BOTH(test_ping), BOTH(test_udp_echo), BOTH(test_tcp_refused), BOTH(test_tcp_echo), BOTH(test_tcp_discard),
	};
	int failed;

	if (!ports_scratch_netns() || access("/dev/net/tun", R_OK | W_OK) < 0 || !ports_eal()) {
		printf("sim_test: the part against the kernel is skipped: no network namespaces or no /dev/net/tun here\n");
		return 0;
	}
	pools = ports_pools(1024);
	env = ports_env(&pools);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	ports_env_free(env);
	return failed;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp_segments),
		cmocka_unit_test(test_super_packet),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_ready),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	return failed + against_the_kernel();
}
