/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TUN, TAP and AF_PACKET ports against the kernel, in scratch network namespaces:
 *
 *   near: 10.9.0.1  iucv0 <-- TUN --> ports[0] | this test | ports[1] <-- TUN --> iucv0  far: 10.9.0.2
 */
#include "fabric/base/pkt_chain.h"
#include "fabric/base/segment.h"
#include "tests/unit/support/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

enum { BURST = 32, STREAM = 1 << 20, PATIENCE = 2000 };

struct pair {
	struct port *ports[2];
	int listener, near_udp, far_udp, far_tcp; /* sockets in both namespaces */
};

static struct port_pools pools;
static struct env *env;

static struct sockaddr_in
at(const char *address, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, address, &a.sin_addr);
	return a;
}

static int
socket_at(int type, const char *address, uint16_t port)
{
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = at(address, port);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static struct port *
tun_to(const char *address, const char *peer)
{
	char command[96];
	struct port *p;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	p = tun_port_new(address, ports_tun("iucv0", false, address), false, 1500, &pools);
	assert_non_null(p);
	snprintf(command, sizeof(command), "ip route add %s dev iucv0", peer);
	assert_int_equal(system(command), 0);
	return p;
}

static int
pair_up(void **state)
{
	struct pair *t = calloc(1, sizeof(*t));

	t->ports[0] = tun_to("10.9.0.1/32", "10.9.0.2");
	t->listener = socket_at(SOCK_STREAM, "10.9.0.1", 80);
	t->near_udp = socket_at(SOCK_DGRAM, "10.9.0.1", 53);
	assert_int_equal(listen(t->listener, 1), 0);
	t->ports[1] = tun_to("10.9.0.2/32", "10.9.0.1");
	t->far_udp = socket_at(SOCK_DGRAM, "10.9.0.2", 53);
	t->far_tcp = socket_at(SOCK_STREAM, "10.9.0.2", 0);
	memset(&env->drops, 0, sizeof(env->drops));
	*state = t;
	return 0;
}

static int
pair_down(void **state)
{
	struct pair *t = *state;

	close(t->listener);
	close(t->near_udp);
	close(t->far_udp);
	close(t->far_tcp);
	for (int i = 0; i < 2; i++)
		t->ports[i]->ops->close(t->ports[i]);
	free(t);
	assert_int_equal(ports_in_use(&pools), 0);
	return 0;
}

typedef void (*on_the_way)(struct port *to, struct pkt *p);

static void
as_it_is(struct port *to, struct pkt *p)
{
	to->ops->tx(to, env, &p, 1);
}

/* Moves all that is there. => packets. */
static unsigned
pump(struct pair *t, on_the_way way)
{
	struct pkt *burst[BURST];
	unsigned moved = 0;

	for (int i = 0; i < 2; i++) {
		uint16_t n = t->ports[i]->ops->rx(t->ports[i], env, burst, BURST);

		for (uint16_t k = 0; k < n; k++)
			way(t->ports[!i], burst[k]);
		moved += n;
	}
	return moved;
}

static void
test_udp(void **state)
{
	static const size_t sizes[] = {0, 1, 1472, 1473, 9000, 65507};
	struct pair *t = *state;
	struct sockaddr_in to = at("10.9.0.1", 53);
	static uint8_t out[65536], in[65536];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(out, (int)i + 1, sizes[i]);
		assert_int_equal(sendto(t->far_udp, out, sizes[i], 0, (struct sockaddr *)&to, sizeof(to)), sizes[i]);
		while (pump(t, as_it_is))
			;
		assert_int_equal(recv(t->near_udp, in, sizeof(in), 0), sizes[i]);
		assert_memory_equal(in, out, sizes[i]);
	}
	assert_int_equal(t->ports[0]->count.tx_packets, t->ports[1]->count.rx_packets);
	assert_int_equal(t->ports[0]->count.tx_bytes, t->ports[1]->count.rx_bytes);
}

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

static size_t
send_some(int fd, size_t from)
{
	uint8_t chunk[65536];
	size_t len = STREAM - from < sizeof(chunk) ? STREAM - from : sizeof(chunk);
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		chunk[i] = byte_at(from + i);
	n = len ? send(fd, chunk, len, MSG_NOSIGNAL) : 0;
	return n > 0 ? (size_t)n : 0;
}

static size_t
receive_some(int fd, size_t from)
{
	uint8_t chunk[65536];
	ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(chunk[i], byte_at(from + (size_t)i));
	return n > 0 ? (size_t)n : 0;
}

/* A megabyte from far to near. */
static void
stream(struct pair *t, on_the_way way)
{
	struct sockaddr_in to = at("10.9.0.1", 80);
	size_t sent = 0, received = 0;
	int near = -1;

	assert_int_equal(connect(t->far_tcp, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, EINPROGRESS);
	for (int quiet = 0; received < STREAM && quiet < PATIENCE;) {
		size_t before = received;

		pump(t, way);
		if (near < 0)
			near = accept4(t->listener, NULL, NULL, SOCK_NONBLOCK);
		sent += send_some(t->far_tcp, sent);
		if (near >= 0)
			received += receive_some(near, received);
		quiet = received > before ? 0 : quiet + 1;
		if (quiet)
			poll(NULL, 0, 1);
	}
	close(near);
	assert_int_equal(received, STREAM);
	while (pump(t, way))
		;
}

static void
test_tcp_whole(void **state)
{
	struct pair *t = *state;

	stream(t, as_it_is);
	/* Super-packets came and went whole. */
	assert_true(t->ports[1]->count.rx_bytes / t->ports[1]->count.rx_packets > 3000);
	assert_int_equal(t->ports[0]->count.tx_packets, t->ports[1]->count.rx_packets);
	assert_int_equal(t->ports[0]->count.tx_drops + t->ports[1]->count.tx_drops, 0);
}

static void
cut(struct port *to, struct pkt *p, bool partial)
{
	struct pkt_queue segments = STAILQ_HEAD_INITIALIZER(segments);
	struct pkt *s;

	if (!pkt_is_gso(p)) {
		as_it_is(to, p);
		return;
	}
	assert_true(pkt_segment(env, p, 0, partial, &segments) > 0);
	while ((s = STAILQ_FIRST(&segments))) {
		STAILQ_REMOVE_HEAD(&segments, queue);
		assert_true(pkt_len(s) <= 1500);
		as_it_is(to, s);
	}
}

static void
cut_and_complete(struct port *to, struct pkt *p)
{
	cut(to, p, false);
}

static void
cut_and_leave(struct port *to, struct pkt *p)
{
	cut(to, p, true);
}

/* The kernel takes the segments that we cut: all their checksums and numbers hold. */
static void
test_tcp_cut(void **state)
{
	stream(*state, cut_and_complete);
}

static void
test_tcp_cut_partial(void **state)
{
	stream(*state, cut_and_leave);
}

static void
complete_all(struct port *to, struct pkt *p)
{
	assert_int_equal(pkt_parse(p), DROP_NONE);
	if (!pkt_is_gso(p))
		pkt_checksum_complete(p);
	cut(to, p, false);
}

static void
test_tcp_complete(void **state)
{
	stream(*state, complete_all);
}

/* Asked of the device: the IFF_RUNNING flag follows only later. */
static bool
has_carrier(const char *name)
{
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
	struct ifreq r = {.ifr_data = (char *)&link};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), failed;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	failed = ioctl(fd, SIOCETHTOOL, &r);
	close(fd);
	assert_int_equal(failed, 0);
	return link.data;
}

/* This thread is in the far namespace. */
static void
test_carrier(void **state)
{
	struct port *p = ((struct pair *)*state)->ports[1];

	assert_true(has_carrier("iucv0"));
	assert_int_equal(p->ops->set_carrier(p, false), 0);
	assert_false(has_carrier("iucv0"));
	assert_int_equal(p->ops->set_carrier(p, true), 0);
	assert_true(has_carrier("iucv0"));
}

static void
send_to_near(struct pair *t)
{
	struct sockaddr_in to = at("10.9.0.1", 53);

	assert_int_equal(sendto(t->far_udp, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
}

static void
test_interface_down(void **state)
{
	struct pair *t = *state;
	struct pkt *p;

	send_to_near(t);
	while (t->ports[1]->ops->rx(t->ports[1], env, &p, 1) == 1) {
		if (pkt_parse(p) == DROP_NONE && p->proto == IPPROTO_UDP)
			break;
		pkt_drop(env, &env->drops, p, DROP_IPV6);
	}
	assert_int_equal(system("ip link set iucv0 down"), 0);
	t->ports[1]->ops->tx(t->ports[1], env, &p, 1);
	assert_int_equal(env->drops.n[DROP_PORT_ERROR], 1);
	assert_int_equal(t->ports[1]->count.tx_drops, 1);
	assert_int_equal(t->ports[1]->ops->rx(t->ports[1], env, &p, 1), 0);
	assert_false(t->ports[1]->gone);
}

static void
test_device_gone(void **state)
{
	struct pair *t = *state;
	struct pkt *p[4];

	assert_int_equal(system("ip link del iucv0"), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(t->ports[1]->ops->rx(t->ports[1], env, p, 4), 0);
	assert_true(t->ports[1]->gone);
	assert_int_equal(env->drops.n[DROP_PORT_ERROR], 1);
}

/* Without buffers a packet is taken off the queue and dropped by name; with them back, the next one
 * comes. */
static void
test_no_buffer(void **state)
{
	struct pair *t = *state;
	unsigned n = rte_mempool_avail_count(pools.small);
	struct rte_mbuf **all = calloc(n, sizeof(*all));
	struct pkt *p[8];
	uint8_t byte;

	while (pump(t, as_it_is))
		;
	send_to_near(t);
	assert_int_equal(rte_pktmbuf_alloc_bulk(pools.small, all, n), 0);
	assert_int_equal(t->ports[1]->ops->rx(t->ports[1], env, p, 8), 0);
	assert_true(env->drops.n[DROP_NO_BUFFER] >= 1);
	rte_pktmbuf_free_bulk(all, n);
	free(all);
	send_to_near(t);
	while (pump(t, as_it_is))
		;
	assert_int_equal(recv(t->near_udp, &byte, 1, 0), 1);
	assert_int_equal(recv(t->near_udp, &byte, 1, 0), -1);
}

/* Only the large ones are missing: small packets pass, one that needs more is dropped. */
static void
test_no_large_buffer(void **state)
{
	struct pair *t = *state;
	struct sockaddr_in to = at("10.9.0.1", 53);
	unsigned n = rte_mempool_avail_count(pools.large);
	struct rte_mbuf **all = calloc(n, sizeof(*all));
	static uint8_t out[8000];

	assert_int_equal(system("ip link set iucv0 mtu 9000"), 0);
	while (pump(t, as_it_is))
		;
	assert_int_equal(rte_pktmbuf_alloc_bulk(pools.large, all, n), 0);
	assert_int_equal(sendto(t->far_udp, out, sizeof(out), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(out));
	send_to_near(t);
	while (pump(t, as_it_is))
		;
	rte_pktmbuf_free_bulk(all, n);
	free(all);
	assert_int_equal(recv(t->near_udp, out, sizeof(out), 0), 1);
	assert_int_equal(recv(t->near_udp, out, sizeof(out), 0), -1);
	assert_int_equal(env->drops.n[DROP_NO_BUFFER], 1);
}

/* A frame of many pieces, or a super-frame, from a TAP port to an AF_PACKET port on that TAP
 * device, and back. */
struct frames {
	struct port *tap, *packet;
};

static int
frames_up(void **state)
{
	struct frames *f = calloc(1, sizeof(*f));
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd, on = 1;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(system("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null || true"), 0);
	f->tap = tun_port_new("eth0", ports_tun("eth0", true, NULL), true, 1500, &pools);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	a.sll_ifindex = (int)if_nametoindex("eth0");
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	f->packet = packet_port_new("eth0", fd, 1500, &pools);
	assert_non_null(f->packet);
	memset(&env->drops, 0, sizeof(env->drops));
	*state = f;
	return 0;
}

static int
frames_down(void **state)
{
	struct frames *f = *state;

	f->tap->ops->close(f->tap);
	f->packet->ops->close(f->packet);
	free(f);
	assert_int_equal(ports_in_use(&pools), 0);
	return 0;
}

/* An Ethernet frame of an IPv4 protocol that no one answers; TCP to cut when `gso` is set. */
static struct pkt *
frame(uint32_t payload, uint16_t gso)
{
	const struct ether_header eth = {{2, 0, 0, 0, 0, 9}, {2, 0, 0, 0, 0, 1}, htons(ETHERTYPE_IP)};
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = gso ? IPPROTO_TCP : 253};
	uint32_t headers = sizeof(eth) + sizeof(ip) + (gso ? 20 : 0), rest = payload;
	struct pkt *p = env_pkt_new(env, headers);
	struct rte_mbuf *last = pkt_mbuf(p);
	uint8_t *d = pkt_data(p);

	ip.tot_len = htons((uint16_t)(headers - sizeof(eth) + payload));
	ip.check = 0;
	memset(d, 0, headers);
	memcpy(d, &eth, sizeof(eth));
	memcpy(d + 14, &ip, sizeof(ip));
	if (gso)
		d[14 + 20 + 12] = 0x50;
	while (rest) {
		uint32_t take = rest < 700 ? rest : 700;
		struct pkt *next = env_pkt_new(env, take);

		memset(pkt_data(next), (int)rest, take);
		last = last->next = pkt_mbuf(next);
		pkt_mbuf(p)->nb_segs++;
		pkt_mbuf(p)->pkt_len += take;
		rest -= take;
	}
	p->l2_len = 14;
	if (gso) {
		p->gso_type = PKT_GSO_TCP4;
		p->gso_size = gso;
		p->flags = PKT_CSUM_PARTIAL;
		p->csum_start = 20;
		p->csum_offset = 16;
	}
	return p;
}

/* Sends one frame and receives it at the other side; other frames (IPv6 of the kernel) pass by. */
static void
round_trip(struct port *from, struct port *to, uint32_t payload, uint16_t gso)
{
	struct pkt *p = frame(payload, gso), *got = NULL;
	uint32_t len = pkt_len(p);
	static uint8_t sent[70000], came[70000];

	assert_int_equal(pkt_chain_read(p, 0, sent, len), len);
	from->ops->tx(from, env, &p, 1);
	while (to->ops->rx(to, env, &got, 1) == 1 && pkt_len(got) != len) {
		env_pkt_free(env, got);
		got = NULL;
	}
	assert_non_null(got);
	assert_int_equal(got->l2_len, 14);
	assert_int_equal(got->gso_type, gso ? PKT_GSO_TCP4 : PKT_GSO_NONE);
	assert_int_equal(got->gso_size, gso);
	assert_int_equal(got->csum_start, gso ? 20 : 0);
	assert_int_equal((uintptr_t)pkt_data(got) % 4, 2);
	assert_int_equal(pkt_chain_read(got, 0, came, len), len);
	assert_memory_equal(came, sent, len);
	env_pkt_free(env, got);
}

static void
test_frames(void **state)
{
	static const struct {
		uint32_t payload;
		uint16_t gso;
	} rows[] = {{46, 0}, {1480, 0}, {2000, 1400}, {60000, 1448}, {65481, 1448}};
	struct frames *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		round_trip(f->tap, f->packet, rows[i].payload, rows[i].gso);
		round_trip(f->packet, f->tap, rows[i].payload, rows[i].gso);
	}
}

static void
test_frame_too_big(void **state)
{
	struct frames *f = *state;
	struct pkt *p = frame(1481, 0);

	f->packet->ops->tx(f->packet, env, &p, 1);
	assert_int_equal(env->drops.n[DROP_MTU], 1);
	assert_int_equal(f->packet->count.tx_drops, 1);
}

/* What the socket itself sends does not come back to it. */
static void
test_no_echo(void **state)
{
	struct frames *f = *state;
	struct pkt *p = frame(100, 0), *got;

	f->packet->ops->tx(f->packet, env, &p, 1);
	while (f->packet->ops->rx(f->packet, env, &got, 1) == 1) {
		assert_int_not_equal(pkt_len(got), 134);
		env_pkt_free(env, got);
	}
}

static void
test_packet_device_gone(void **state)
{
	struct frames *f = *state;
	struct pkt *p;

	f->tap->ops->close(f->tap);
	f->tap = null_port_new("null", true, 1500);
	for (int i = 0; i < 3; i++)
		while (f->packet->ops->rx(f->packet, env, &p, 1) == 1)
			env_pkt_free(env, p);
	p = frame(100, 0);
	f->packet->ops->tx(f->packet, env, &p, 1);
	assert_int_equal(env->drops.n[DROP_PORT_ERROR], 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_udp, pair_up, pair_down),
		cmocka_unit_test_setup_teardown(test_tcp_whole, pair_up, pair_down),
		cmocka_unit_test_setup_teardown(test_tcp_cut, pair_up, pair_down),
		cmocka_unit_test_setup_teardown(test_tcp_cut_partial, pair_up, pair_down),
		cmocka_unit_test_setup_teardown(test_tcp_complete, pair_up, pair_down),
		cmocka_unit_test_setup_teardown(test_carrier, pair_up, pair_down),
		cmocka_unit_test_setup_teardown(test_interface_down, pair_up, pair_down),
		cmocka_unit_test_setup_teardown(test_device_gone, pair_up, pair_down),
		cmocka_unit_test_setup_teardown(test_no_buffer, pair_up, pair_down),
		cmocka_unit_test_setup_teardown(test_no_large_buffer, pair_up, pair_down),
		cmocka_unit_test_setup_teardown(test_frames, frames_up, frames_down),
		cmocka_unit_test_setup_teardown(test_frame_too_big, frames_up, frames_down),
		cmocka_unit_test_setup_teardown(test_no_echo, frames_up, frames_down),
		cmocka_unit_test_setup_teardown(test_packet_device_gone, frames_up, frames_down),
	};
	int failed;

	/* Namespaces first: the EAL starts threads, and a user namespace takes a process with one.
	 * */
	if (!ports_scratch_netns() || access("/dev/net/tun", R_OK | W_OK) < 0) {
		printf("port_test: skipped: no network namespaces or no /dev/net/tun here\n");
		return 0;
	}
	if (!ports_eal()) {
		printf("port_test: skipped: the EAL does not start here\n");
		return 0;
	}
	pools = ports_pools(1024);
	env = ports_env(&pools);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	ports_env_free(env);
	return failed;
}
