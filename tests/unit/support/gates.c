/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/gates.h"

#include "filters/conntrack.h"
#include "filters/ruleset.h"
#include "nat/nat.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "gate: %s\n", what);
	abort();
}

/* ---- ours ---- */

void
gate_load(struct gate *g, struct rules *rules)
{
	char why[512] = "";

	g->rules = ruleset_new(rules, &g->t.r, &g->filters, NULL, why, sizeof(why));
	must(g->rules, why);
	ruleset_begin(g->rules, g->tw.t.env.now);
	g->t.r.rules = g->rules;
}

void
gate_unload(struct gate *g)
{
	g->t.r.rules = NULL;
	if (g->rules)
		ruleset_free(g->rules);
	g->rules = NULL;
}

int
gate_init(struct gate *g)
{
	static const uint16_t slots[SIDES] = {TEST_ETH0, TEST_ETH1};
	int i;

	test_walker_init(&g->tw, 1);
	test_router_init(&g->t);
	for (i = 0; i < SIDES; i++) {
		g->t.ifaces[slots[i]].kind = IFACE_IUCV;
		g->t.ifaces[slots[i]].point_to_point = true;
		g->t.ifaces[slots[i]].attach = (struct attach){ATTACH_PORT, (uint32_t)i, 0};
	}
	g->tw.routers[1] = &g->t.r;
	g->t.r.slot = 1;
	g->ops = *g->tw.w.env.ops;
	g->ops.attach = conntrack_attach;
	g->ops.hold = conntrack_hold;
	g->ops.untrack = conntrack_untrack;
	g->tw.w.env.ops = &g->ops;
	g->t.live.filters = &g->filters;
	g->filters = (struct filters_live){.conntrack = conntrack_new(&g->t.live, 1)};
	return g->filters.conntrack ? 0 : -1;
}

int
gate_fini(struct gate *g)
{
	struct pkt *p;
	struct nat_stats s;

	while ((p = test_sent(&g->tw, NULL)))
		env_pkt_free(&g->tw.w.env, p);
	gate_unload(g);
	conntrack_flush(&g->tw.w.env, g->filters.conntrack);
	nat_stats(g->filters.conntrack, &s);
	if (s.sources != 0)
		return -1;
	conntrack_free(g->filters.conntrack, &g->tw.w.env);
	test_router_fini(&g->t, &g->tw.t);
	return (int)test_walker_fini(&g->tw);
}

void
gate_sent(struct gate *g, struct gate_frames *out)
{
	uint32_t port;
	struct pkt *p;

	out->n = 0;
	while ((p = test_sent(&g->tw, &port))) {
		must(out->n < GATE_FRAMES, "too many packets came out");
		out->f[out->n].side = (int)port;
		out->f[out->n].len = pkt_len(p);
		memcpy(out->f[out->n].data,
			rte_pktmbuf_read(pkt_mbuf(p), 0, pkt_len(p), out->f[out->n].data),
			pkt_len(p));
		out->n++;
		env_pkt_free(&g->tw.w.env, p);
	}
}

void
gate_inject(struct gate *g, int side, const void *data, size_t len, const size_t *sizes, size_t n, struct gate_frames *out)
{
	struct pkt *p = test_chain(&g->tw.t, data, len, sizes, n);

	p->router = &g->t.r;
	p->in = &g->t.ifaces[side == INSIDE ? TEST_ETH1 : TEST_ETH0];
	router_receive(&g->tw.w, p);
	test_walker_run(&g->tw);
	gate_sent(g, out);
}

/* ---- the kernel ---- */

static int
run(const char *program, const char *input)
{
	FILE *f = popen(program, "w");

	if (!f)
		return -1;
	fputs(input, f);
	return pclose(f);
}

static int
open_tun(const char *name)
{
	struct ifreq req = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	return fd >= 0 && ioctl(fd, TUNSETIFF, &req) == 0 ? fd : -1;
}

/* => false: no such thing here. */
bool
kernel_gate_open(struct kernel_gate *k)
{
	if (unshare(CLONE_NEWNET) < 0)
		return false;
	k->tun[OUTSIDE] = open_tun("eth0");
	k->tun[INSIDE] = open_tun("eth1");
	if (k->tun[OUTSIDE] < 0 || k->tun[INSIDE] < 0)
		return false;
	return run("sh -s >/dev/null 2>&1",
		       "PATH=$PATH:/usr/sbin:/sbin; set -e\n"
		       "echo 1 > /proc/sys/net/ipv4/ip_forward\n"
		       "for i in all default eth0 eth1; do echo 0 > "
		       "/proc/sys/net/ipv4/conf/$i/rp_filter; echo 1 > "
		       "/proc/sys/net/ipv6/conf/$i/disable_ipv6;\n"
		       "echo 0 > /proc/sys/net/ipv4/conf/$i/send_redirects; done\n"
		       "ip link set lo up; ip link set eth0 up; ip link set eth1 mtu 1400 up\n"
		       "ip addr add 10.0.0.1/24 dev eth0; ip addr add 10.0.9.1/24 dev eth0; ip "
		       "addr add 10.1.0.1/24 dev eth1\n"
		       "ip route add default dev eth0; iptables-legacy -t nat -L -n\n") == 0;
}

static void
drain(struct kernel_gate *k, struct gate_frames *out)
{
	int side;

	out->n = 0;
	for (side = 0; side < SIDES; side++)
		for (;;) {
			ssize_t len = read(k->tun[side], out->f[out->n].data, GATE_FRAME);

			if (len <= 0)
				break;
			out->f[out->n].side = side;
			out->f[out->n].len = (size_t)len;
			must(++out->n < GATE_FRAMES, "too many packets came out");
		}
}

void
kernel_gate_load(struct kernel_gate *k, const char *text)
{
	struct gate_frames junk;

	must(run("PATH=$PATH:/usr/sbin:/sbin iptables-legacy-restore", text) == 0, "the kernel does not take the rules");
	run("PATH=$PATH:/usr/sbin:/sbin conntrack -F >/dev/null 2>&1", "");
	drain(k, &junk);
}

void
kernel_gate_inject(struct kernel_gate *k, int side, const void *data, size_t len, struct gate_frames *out)
{
	must(write(k->tun[side], data, len) == (ssize_t)len, "the kernel does not take the packet");
	drain(k, out);
}
