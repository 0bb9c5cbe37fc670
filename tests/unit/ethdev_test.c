/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DPDK devices as ports: null, ring, pcap and memif, in an EAL without hugepages. */
#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "tests/unit/support/ports.h"

#include <errno.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { BURST = 64 };

static struct port_pools pools;
static struct env *env;
static char dir[] = "/tmp/rookery-ethdev-XXXXXX";

static struct port *
open_device(const char *devargs)
{
	char why[200] = "";
	struct port *p = ethdev_port_new("osa0", devargs, 1500, &pools, why, sizeof(why));

	if (!p)
		fail_msg("%s", why);
	assert_true(p->polled && p->frames && p->fd == -1);
	return p;
}

static int
clear(void **state)
{
	(void)state;
	memset(&env->drops, 0, sizeof(env->drops));
	return 0;
}

static int
no_leak(void **state)
{
	(void)state;
	assert_int_equal(ports_in_use(&pools), 0);
	return 0;
}

/* A frame with a TCP segment of `payload` bytes: to cut when `gso` is set, with a partial checksum
 * when `partial` is. */
static struct pkt *
tcp_frame(uint32_t payload, uint16_t gso, bool partial)
{
	const struct ether_header eth = {{2, 0, 0, 0, 0, 9}, {2, 0, 0, 0, 0, 1}, htons(ETHERTYPE_IP)};
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP};
	struct tcphdr tcp = {.doff = 5, .ack = 1, .psh = 1, .seq = htonl(0xfffffff0)};
	struct pkt *p = env_pkt_new(env, 54), *data = NULL;
	uint8_t *d = pkt_data(p);

	ip.tot_len = htons((uint16_t)(40 + payload));
	ip.saddr = htonl(0x0a000001);
	ip.daddr = htonl(0x0a000002);
	ip.check = ip4_checksum(&ip);
	tcp.check = csum_fold(csum_pseudo4(ip.saddr, ip.daddr, ip.protocol, (uint16_t)(20 + payload)));
	memcpy(d, &eth, sizeof(eth));
	memcpy(d + 14, &ip, sizeof(ip));
	memcpy(d + 34, &tcp, sizeof(tcp));
	while (payload) {
		uint32_t take = payload < 1001 ? payload : 1001;

		data = env_pkt_new(env, take);
		memset(pkt_data(data), (int)(payload & 255), take);
		pkt_chain_append(p, data);
		payload -= take;
	}
	p->l2_len = 14;
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = 20;
	p->csum_offset = 16;
	if (gso) {
		p->gso_type = PKT_GSO_TCP4;
		p->gso_size = gso;
	}
	if (!partial) {
		rte_pktmbuf_adj(pkt_mbuf(p), 14);
		pkt_checksum_complete(p);
		rte_pktmbuf_prepend(pkt_mbuf(p), 14);
	}
	return p;
}

/* Parses a frame as a router would, and checks its checksum without trust. => TCP payload bytes. */
static uint32_t
verify(struct pkt *p)
{
	assert_int_equal(p->l2_len, 14);
	rte_pktmbuf_adj(pkt_mbuf(p), 14);
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_int_equal(p->flags & (PKT_CSUM_PARTIAL | PKT_CSUM_VALID), 0);
	assert_true(pkt_l4_checksum_ok(p));
	return pkt_len(p) - p->l3_len - p->l4_len;
}

static uint32_t
receive_all(struct port *port, unsigned *packets)
{
	struct pkt *got[BURST];
	uint32_t bytes = 0;
	uint16_t n = port->ops->rx(port, env, got, BURST);

	for (uint16_t i = 0; i < n; i++) {
		bytes += verify(got[i]);
		env_pkt_free(env, got[i]);
	}
	*packets = n;
	return bytes;
}

static void
send_three(struct port *port)
{
	struct pkt *out[3] = {tcp_frame(100, 0, false), tcp_frame(1460, 0, true), tcp_frame(20000, 1448, true)};

	port->ops->tx(port, env, out, 3);
}

/* A ring gives back what it was sent: a whole packet, a partial checksum completed, a super-packet
 * cut. */
static void
test_ring(void **state)
{
	struct port *p = open_device("net_ring0");
	unsigned packets;

	(void)state;
	send_three(p);
	assert_int_equal(receive_all(p, &packets), 100 + 1460 + 20000);
	assert_int_equal(packets, 2 + 14);
	assert_int_equal(p->count.tx_packets, 16);
	assert_int_equal(p->count.rx_packets, 16);
	assert_int_equal(p->count.tx_bytes, p->count.rx_bytes);
	p->ops->close(p);
}

static void
test_refusals(void **state)
{
	struct port *p = open_device("net_ring1");
	struct pkt *out[3] = {tcp_frame(1461, 0, true), tcp_frame(4000, 1461, true), tcp_frame(100, 0, true)};

	(void)state;
	out[2]->csum_start = 2000;
	p->ops->tx(p, env, out, 3);
	assert_int_equal(env->drops.n[DROP_MTU], 1 + 2); /* the packet, and the two full segments of the super-packet */
	assert_int_equal(env->drops.n[DROP_OFFLOAD], 1);
	p->ops->close(p);
}

static void
test_null(void **state)
{
	struct port *p = open_device("net_null0");
	struct pkt *got[BURST];

	(void)state;
	send_three(p);
	assert_int_equal(p->count.tx_packets, 16);
	assert_true(p->ops->rx(p, env, got, BURST) > 0);
	for (int i = 0; i < BURST; i++)
		env_pkt_free(env, got[i]);
	p->ops->close(p);
}

/* What a ring's queue does not hold is dropped by name. */
static void
test_full(void **state)
{
	struct port *p = open_device("net_ring2");
	unsigned packets, total = 0;

	(void)state;
	for (int i = 0; i < 1500; i++) {
		struct pkt *out = tcp_frame(0, 0, false);

		p->ops->tx(p, env, &out, 1);
	}
	assert_true(p->count.tx_drops > 0);
	assert_int_equal(env->drops.n[DROP_PORT_TX], p->count.tx_drops);
	do {
		receive_all(p, &packets);
		total += packets;
	} while (packets);
	assert_int_equal(total + p->count.tx_drops, 1500);
	p->ops->close(p);
}

static void
test_pcap(void **state)
{
	char devargs[200], path[100];
	struct pcap_pkthdr *h;
	const u_char *data;
	struct port *p;
	unsigned packets, n = 0;
	pcap_t *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/out.pcap", dir);
	snprintf(devargs, sizeof(devargs), "net_pcap0,tx_pcap=%s", path);
	p = open_device(devargs);
	send_three(p);
	p->ops->close(p);
	file = pcap_open_offline(path, devargs);
	assert_non_null(file);
	while (pcap_next_ex(file, &h, &data) == 1)
		n += h->caplen == h->len && h->len <= 1514;
	pcap_close(file);
	assert_int_equal(n, 16);
	snprintf(devargs, sizeof(devargs), "net_pcap0,rx_pcap=%s", path);
	p = open_device(devargs);
	assert_int_equal(receive_all(p, &packets), 100 + 1460 + 20000);
	assert_int_equal(packets, 16);
	p->ops->close(p);
	unlink(path);
}

static void
test_memif(void **state)
{
	char devargs[200];
	struct port *server, *client;
	struct pkt *probe;
	unsigned packets = 0, tries;
	uint32_t bytes;

	(void)state;
	snprintf(devargs, sizeof(devargs), "net_memif0,role=server,socket-abstract=no,socket=%s/memif.sock", dir);
	server = open_device(devargs);
	snprintf(devargs, sizeof(devargs), "net_memif1,role=client,socket-abstract=no,socket=%s/memif.sock", dir);
	client = open_device(devargs);
	/* Connecting is the interrupt thread's work: probe until a frame comes through. */
	for (tries = 0; tries < 5000 && packets == 0; tries++) {
		usleep(1000);
		probe = tcp_frame(0, 0, false);
		client->ops->tx(client, env, &probe, 1);
		receive_all(server, &packets);
	}
	assert_true(packets > 0);
	receive_all(server, &packets);
	send_three(client);
	bytes = receive_all(server, &packets);
	assert_int_equal(bytes, 100 + 1460 + 20000);
	/* The client lends the buffers of its own ring, each time that it receives. */
	receive_all(client, &packets);
	send_three(server);
	assert_int_equal(receive_all(client, &packets), 100 + 1460 + 20000);
	client->ops->close(client);
	server->ops->close(server);
}

static void
expect_refusal(const char *devargs, int error, const char *sentence)
{
	char why[200];

	assert_null(ethdev_port_new("osa0", devargs, 1500, &pools, why, sizeof(why)));
	assert_int_equal(errno, error);
	assert_string_equal(why, sentence);
}

static void
test_bad_devargs(void **state)
{
	struct port *p = open_device("net_null0");

	(void)state;
	expect_refusal("net_null0", EEXIST, "net_null0: a device of this name is in use already");
	p->ops->close(p);
	expect_refusal("net_pcap0,rx_pcap=/nowhere", EPERM,
			"net_pcap0,rx_pcap=/nowhere: cannot be attached: its driver refuses, the log says why");
	expect_refusal("net_nonesuch0", EFAULT,
			"net_nonesuch0: cannot be attached: there is no such device or driver");
}

static void
test_33rd(void **state)
{
	struct port *p[32];
	char devargs[32];

	(void)state;
	for (int i = 0; i < 32; i++) {
		snprintf(devargs, sizeof(devargs), "net_null%d", i);
		p[i] = open_device(devargs);
	}
	expect_refusal("net_null32", ENOSPC, "net_null32: all 32 devices that this DPDK can hold are in use");
	p[7]->ops->close(p[7]);
	p[7] = open_device("net_null32");
	for (int i = 0; i < 32; i++)
		p[i]->ops->close(p[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ring, clear, no_leak),
		cmocka_unit_test_setup_teardown(test_refusals, clear, no_leak),
		cmocka_unit_test_setup_teardown(test_null, clear, no_leak),
		cmocka_unit_test_setup_teardown(test_full, clear, no_leak),
		cmocka_unit_test_setup_teardown(test_pcap, clear, no_leak),
		cmocka_unit_test_setup_teardown(test_memif, clear, no_leak),
		cmocka_unit_test_setup_teardown(test_bad_devargs, clear, no_leak),
		cmocka_unit_test_setup_teardown(test_33rd, clear, no_leak),
	};
	int failed;

	if (!ports_eal() || !mkdtemp(dir)) {
		printf("ethdev_test: skipped: the EAL does not start here\n");
		return 0;
	}
	pools = ports_pools(2048);
	env = ports_env(&pools);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	ports_env_free(env);
	rmdir(dir);
	return failed;
}
