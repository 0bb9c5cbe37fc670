/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine with its threads, over simulated guests:
 *
 *	g0 ── iucv1 ┌────┐ iucv0 ────── iucv0 ┌────┐ iucv1 ── g1
 *	office ─ eth0 │ r1 │                    │ r2 │ iucv2 ── g2, when it is there
 *	  │           └────┘                    └────┘
 *	  l0, l1
 *
 * The test is the control thread. It waits for conditions only; WAIT_MS ends a test that hangs.
 */
#include "fabric/base/csum.h"
#include "fabric/engine/capture.h"
#include "fabric/engine/probe.h"
#include "fabric/engine/serve.h"
#include "fabric/lan/lan.h"
#include "tests/unit/support/ports.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BUFFERS = 4096, WAIT_MS = 30000, CHANGES = 1000 };

static struct engine e;

static const char base_text[] =
	"fabric: test\n"
	"lans: {office: {}, back: {}}\n"
	"routers:\n"
	"  r1:\n"
	"    forward: true\n"
	"    interfaces:\n"
	"      iucv0: {iucv: r2, address: 192.168.1.1}\n"
	"      iucv1: {iucv: g0, address: 10.0.0.1}\n"
	"      eth0: {lan: office, address: 10.9.0.1/24}\n"
	"    routes: [{to: 10.1.0.0/16, via: 192.168.1.2}]\n"
	"  r2:\n"
	"    forward: true\n"
	"    interfaces:\n"
	"      iucv0: {iucv: r1, address: 192.168.1.2}\n"
	"      iucv1: {iucv: g1, address: 10.1.0.1}\n"
	"%s"
	"    routes: [{to: default, via: 192.168.1.1}]\n"
	"%s"
	"guests:\n"
	"  g0: {simulated: true, interfaces: {iucv0: {iucv: r1, address: 10.0.0.2}}}\n"
	"  g1: {simulated: true, interfaces: {iucv0: {iucv: r2, address: 10.1.0.2}}}\n"
	"  l0: {simulated: true, interfaces: {eth0: {lan: office, address: 10.9.0.10/24}}}\n"
	"  l1: {simulated: true, interfaces: {eth0: {lan: %s, address: 10.9.0.11/24}}}\n"
	"%s";

struct variant {
	const char *ifaces, *routers, *lan, *guests;
};

static const char with_g2[] = "      iucv2: {iucv: g2, address: 10.1.1.1}\n";
static const char g2[] =
	"  g2: {simulated: true, interfaces: {iucv0: {iucv: r2, address: 10.1.1.2}}}\n";
static const char r3[] = "  r3:\n"
			 "    interfaces:\n"
			 "      eth0: {lan: back, address: 10.8.0.1/24}\n"
			 "      eth1: {lan: back, address: 10.8.2.1/24}\n"
			 "      dummy0: {vipa: 10.8.1.1}\n";

static const struct variant plain = {"", "", "office", ""};
static const struct variant with_guest = {with_g2, "", "office", g2};
static const struct variant with_router = {"", r3, "office", ""};

static int
publish_text(const char *text, struct offers *offers, char *why, size_t size)
{
	struct offers none = {0};
	struct cfg_errors errors;
	struct config *c;
	int rc = config_read(text, strlen(text), "test", &c, &errors);

	if (rc < 0)
		fail_msg("%s", errors.n ? errors.text[0] : "?");
	cfg_errors_free(&errors);
	rc = publish(&e, c, NULL, 1, offers ? offers : &none, why, size);
	if (rc < 0)
		config_free(c);
	return rc;
}

static void
apply(const struct variant *v)
{
	char text[4096], why[256] = "";

	snprintf(text, sizeof(text), base_text, v->ifaces, v->routers, v->lan, v->guests);
	if (publish_text(text, NULL, why, sizeof(why)) < 0)
		fail_msg("%s", why);
}

static int
setup_workers(unsigned workers)
{
	if (!ports_eal() || engine_init(&e, workers, BUFFERS) < 0 || engine_start(&e) < 0)
		return -1;
	apply(&plain);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	return setup_workers(1);
}

static int
setup_two(void **state)
{
	(void)state;
	return setup_workers(2);
}

/* Every buffer must have come back. */
static int
teardown(void **state)
{
	unsigned left;

	(void)state;
	probe_cancel(&e, &e);
	for (unsigned i = 0; i < e.n_workers; i++)
		worker_stop(&e.workers[i]);
	publish_nothing(&e);
	left = ports_in_use(&e.pools);
	for (unsigned i = 0; i < e.n_workers; i++)
		left -= e.workers[i].queued;
	publish_empty(&e);
	engine_fini(&e);
	return (int)left;
}

static const struct router *
router(const char *name)
{
	const struct placed_node *n = placed_node(e.placement, name);

	assert_non_null(n);
	return n->live->now;
}

static const struct iface *
iface(const char *name, const char *interface)
{
	const struct iface *i = router_iface_named(router(name), interface);

	assert_non_null(i);
	return i;
}

static uint64_t
dropped(void)
{
	uint64_t all = 0;

	slow_lock(&e.control);
	for (int r = 0; r < DROP_COUNT; r++) {
		const struct fabric *f = atomic_load(&e.fabric);
		uint64_t n = e.control.walker.env.drops.n[r];

		for (unsigned i = 0; i < e.n_workers; i++)
			n += e.workers[i].walker.env.drops.n[r];
		for (size_t i = 0; i < f->n_routers; i++)
			n += f->routers[i] ? f->routers[i]->live->drops.n[r] : 0;
		if (n)
			print_message("%s: %llu\n", drop_name((enum drop_reason)r),
				(unsigned long long)n);
		all += n;
	}
	slow_unlock(&e.control);
	return all;
}

/* ---- probes ---- */

static void
ping(const char *from, const char *to, unsigned n, uint16_t size)
{
	struct probe_request r = {.router = router(from),
		.ttl = 64,
		.size = size,
		.timeout = WAIT_MS * 1000000ULL,
		.owner = &e};

	assert_int_equal(ip_parse(to, &r.to), 0);
	slow_lock(&e.control);
	for (unsigned i = 0; i < n; i++)
		assert_non_null(probe_start(&e, &r));
	slow_unlock(&e.control);
	worker_flush(&e.control);
}

/* The end of the next probe that is done. */
static enum probe_end
answer(void)
{
	struct pollfd wake = {.fd = e.control.wake_fd, .events = POLLIN};
	enum probe_end end;
	struct probe *p;
	eventfd_t n;

	for (;;) {
		slow_lock(&e.control);
		p = probe_done(&e);
		slow_unlock(&e.control);
		if (p)
			break;
		if (poll(&wake, 1, WAIT_MS) != 1)
			fail_msg("a probe has no end");
		eventfd_read(e.control.wake_fd, &n);
	}
	end = p->end;
	probe_free(p);
	return end;
}

static void
expect_echoes(unsigned n)
{
	while (n--)
		assert_int_equal(answer(), PROBE_ECHO);
}

static void
pings(void **state)
{
	(void)state;
	ping("r1", "10.0.0.2", 1, 56);
	expect_echoes(1);
	ping("r1", "10.1.0.2", 1, 1400);
	expect_echoes(1);
	ping("r1", "192.168.1.2", 1, 20000); /* in fragments, which r2 puts together */
	expect_echoes(1);
	ping("r1", "10.9.0.10", 1, 56); /* asks by ARP first */
	expect_echoes(1);
	ping("r2", "10.9.0.11", 1, 56);
	expect_echoes(1);
	assert_int_equal(dropped(), 0);
}

/* More answers wait in one guest's port than a burst takes. */
static void
many_answers_of_one_guest(void **state)
{
	(void)state;
	ping("r1", "10.0.0.2", 1000, 8);
	expect_echoes(1000);
	assert_int_equal(dropped(), 0);
}

/* ---- changes ---- */

static void
changes_under_load(void **state)
{
	static const struct variant *const variants[] = {&plain, &with_guest, &with_router};
	unsigned open = 0;

	(void)state;
	for (int i = 0; i < CHANGES; i++) {
		ping("r1", "10.1.0.2", 4, 56);
		ping("r2", "10.0.0.2", 4, 1400);
		ping("r2", "10.9.0.10", 4, 56);
		open += 12;
		apply(variants[i % 3]);
		for (; open > 100; open--)
			assert_int_equal(answer(), PROBE_ECHO);
	}
	expect_echoes(open);
	assert_int_equal(dropped(), 0);
}

static void
what_did_not_change_is_shared(void **state)
{
	const struct router *r1 = router("r1"), *r2 = router("r2");
	const struct router_live *live = r2->live;
	uint32_t version = atomic_load(&r2->live->version.n);

	(void)state;
	apply(&plain);
	assert_ptr_equal(router("r1"), r1);
	assert_ptr_equal(router("r2"), r2);
	assert_int_equal(atomic_load(&r2->live->version.n), version);
	apply(&with_guest);
	assert_ptr_equal(router("r1"), r1);
	assert_ptr_not_equal(router("r2"), r2);
	assert_ptr_equal(router("r2")->live, live);
	assert_true(atomic_load(&live->version.n) > version);
	assert_non_null(router_iface_named(router("r2"), "iucv2"));
	apply(&with_router);
	assert_ptr_equal(router("r1"), r1);
}

static void
slots_are_stable(void **state)
{
	uint32_t g1 = placed_node(e.placement, "g1")->ifaces[0].port;
	uint16_t iucv1 = iface("r2", "iucv1")->slot;
	const struct iface_live *live = iface("r2", "iucv1")->live;
	const struct engine_port *port = e.ports[g1];
	uint32_t slots[3], n = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		apply(&with_guest);
		slots[n++] = placed_node(e.placement, "g2")->ifaces[0].port;
		assert_int_equal(placed_node(e.placement, "g1")->ifaces[0].port, g1);
		assert_ptr_equal(e.ports[g1], port);
		assert_int_equal(iface("r2", "iucv1")->slot, iucv1);
		assert_ptr_equal(iface("r2", "iucv1")->live, live);
		ping("r1", "10.1.1.2", 1, 56);
		expect_echoes(1);
		apply(&with_router);
	}
	assert_int_equal(slots[0], slots[1]); /* given out again once it is free */
	assert_int_equal(slots[0], slots[2]);
	assert_null(e.ports[slots[0]]);
	assert_int_equal(dropped(), 0);
}

/* Counters outlive generations. */
static void
counters_go_on(void **state)
{
	(void)state;
	ping("r1", "10.1.0.2", 3, 56);
	expect_echoes(3);
	apply(&with_guest);
	ping("r1", "10.1.0.2", 2, 56);
	expect_echoes(2);
	assert_int_equal(iface("r2", "iucv1")->live->count.tx_packets, 5);
	assert_int_equal(iface("r2", "iucv1")->live->count.rx_packets, 5);
	assert_int_equal(iface("r2", "iucv1")->live->count.rx_bytes, 5 * 84);
	assert_int_equal(
		e.ports[placed_node(e.placement, "g1")->ifaces[0].port]->count.rx_packets, 5);
}

/* ARP entries stay when something else of the router changes: nothing has to be asked again. */
static void
neighbours_stay(void **state)
{
	static const char changed[] = "      dummy0: {vipa: 10.7.0.1}\n";
	uint64_t sent;
	char text[4096], why[256];

	(void)state;
	ping("r1", "10.9.0.10", 1, 56);
	expect_echoes(1);
	sent = iface("r1", "eth0")->live->count.tx_packets;
	assert_int_equal(sent, 2);
	snprintf(text, sizeof(text), base_text, "", "", "office", "");
	/* r1 gets one more interface */
	char *at = strstr(text, "      eth0: {lan: office, address: 10.9.0.1/24}\n");
	memmove(at + strlen(changed), at, strlen(at) + 1);
	memcpy(at, changed, strlen(changed));
	assert_int_equal(publish_text(text, NULL, why, sizeof(why)), 0);
	assert_non_null(router_iface_named(router("r1"), "dummy0"));
	ping("r1", "10.9.0.10", 1, 56);
	expect_echoes(1);
	assert_int_equal(iface("r1", "eth0")->live->count.tx_packets, sent + 1);
}

/* A guest that moves to another LAN is forgotten where it was, also when it gets the same number
 * there. */
static void
moved_to_another_lan(void **state)
{
	static const struct variant moved = {"", r3, "back", ""};
	const struct lan_live *office = placed_lan(e.placement, "office")->live;
	struct lan_mac macs[8];
	size_t n;

	(void)state;
	ping("r1", "10.9.0.10", 1, 56);
	ping("r1", "10.9.0.11", 1, 56);
	expect_echoes(2);
	assert_int_equal(lan_macs(office, macs, 8), 3);
	assert_int_equal(placed_node(e.placement, "l1")->ifaces[0].member, 2);
	apply(&moved);
	assert_int_equal(placed_node(e.placement, "l1")->ifaces[0].member, 2);
	n = lan_macs(office, macs, 8);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		assert_false(mac_equal(
			&macs[i].mac, &config_iface(config_node(e.config, "l1"), "eth0")->mac));
}

/* ---- what waits in a queue while the generation changes ---- */

static void
emit_echo(const char *from, const char *to)
{
	struct env *env = &e.control.walker.env;
	const struct router *r = router(from);
	struct pkt *p = env_pkt_new(env, 28);
	struct iphdr *ip = pkt_data(p);

	memset(ip, 0, 28);
	*ip = (struct iphdr){
		.version = 4, .ihl = 5, .tot_len = htons(28), .ttl = 64, .protocol = IPPROTO_UDP};
	ip->saddr = r->ifaces[r->n_ifaces - 1]->addrs[0].prefix.addr.v4;
	inet_pton(AF_INET, to, &ip->daddr);
	ip->check = (uint16_t)~csum_fold(csum_add(0, ip, sizeof(*ip)));
	p->router = r;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	env_emit(env, p, ORIGIN_OUTPUT);
}

static void
queued_packets_follow(void **state)
{
	uint64_t before;

	(void)state;
	before = iface("r2", "iucv1")->live->count.tx_packets;
	slow_lock(&e.control);
	emit_echo("r2", "10.1.0.2");
	slow_unlock(&e.control);
	apply(&with_guest); /* r2 is built anew, and the old one freed */
	assert_int_equal(iface("r2", "iucv1")->live->count.tx_packets, before + 1);
	assert_int_equal(dropped(), 0);
}

static void
queued_packets_of_what_is_gone(void **state)
{
	(void)state;
	apply(&with_router);
	slow_lock(&e.control);
	emit_echo("r3", "10.8.0.2");
	slow_unlock(&e.control);
	apply(&plain);
	assert_int_equal(e.control.walker.env.drops.n[DROP_IFACE_GONE], 1);
	assert_int_equal(dropped(), 1);
}

/* ---- refusals ---- */

static void
a_refusal_changes_nothing(void **state)
{
	static const struct variant refused = {with_g2, r3, "back",
		"  g2: {interfaces: {iucv0: {iucv: r2, address: 10.1.1.2}}}\n"};
	const struct fabric *fabric = atomic_load(&e.fabric);
	const struct placement *place = e.placement;
	const struct config *config = e.config;
	const struct router *r2 = router("r2");
	struct engine_port *ports[16];
	uint32_t end = e.ports_end;
	struct offers offers = {0};
	char text[4096], why[256];
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	for (uint32_t i = 0; i < 16; i++)
		ports[i] = e.ports[i];
	snprintf(text, sizeof(text), base_text, refused.ifaces, refused.routers, refused.lan,
		refused.guests);
	assert_int_equal(offers_add(&offers, "nobody/iucv0", fd), 0);
	assert_int_equal(publish_text(text, &offers, why, sizeof(why)), -ENOENT);
	assert_string_equal(why,
		"g2/iucv0: it needs a namespace, and the keeper has offered no descriptor for it");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_ptr_equal(atomic_load(&e.fabric), fabric);
	assert_ptr_equal(e.placement, place);
	assert_ptr_equal(e.config, config);
	assert_ptr_equal(router("r2"), r2);
	assert_int_equal(e.ports_end, end);
	for (uint32_t i = 0; i < 16; i++)
		assert_ptr_equal(e.ports[i], ports[i]);
	ping("r1", "10.1.0.2", 1, 56);
	expect_echoes(1);
	assert_int_equal(dropped(), 0);
}

/* The kernel does not watch a plain file: the change fails after its ports have been opened and
 * partly linked. */
static void
a_port_that_cannot_be_watched(void **state)
{
	static const struct variant refused = {with_g2, r3, "back",
		"  g2: {interfaces: {iucv0: {iucv: r2, address: 10.1.1.2}}}\n"};
	const struct fabric *fabric = atomic_load(&e.fabric);
	struct offers offers = {0};
	char text[4096], why[256], file[] = "/tmp/rookery-test-XXXXXX";
	int fd = mkstemp(file);

	(void)state;
	unlink(file);
	snprintf(text, sizeof(text), base_text, refused.ifaces, refused.routers, refused.lan,
		refused.guests);
	assert_int_equal(offers_add(&offers, "g2/iucv0", fd), 0);
	assert_int_equal(publish_text(text, &offers, why, sizeof(why)), -EPERM);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_ptr_equal(atomic_load(&e.fabric), fabric);
	apply(&with_guest);
	ping("r1", "10.1.1.2", 1, 56);
	expect_echoes(1);
	assert_int_equal(dropped(), 0);
}

/* ---- links ---- */

static void
a_guest_sets_its_link_down(void **state)
{
	const struct iface *i = iface("r1", "iucv1");
	uint32_t version = atomic_load(&i->live->version.n),
		 whole = atomic_load(&router("r1")->live->version.n);

	(void)state;
	assert_true(i->live->carrier);
	publish_guest_state(&e, "g0/iucv0", false);
	assert_false(i->live->carrier);
	assert_true(atomic_load(&i->live->version.n) > version);
	assert_true(atomic_load(&router("r1")->live->version.n) >
		    whole); /* routes by others may win now */
	ping("r2", "10.0.0.2", 1, 56);
	assert_int_equal(answer(), PROBE_UNREACHABLE);
	assert_int_equal(router("r1")->live->drops.n[DROP_LINK_DOWN], 1);
	publish_guest_state(&e, "g0/iucv0", true);
	assert_true(i->live->carrier);
	ping("r2", "10.0.0.2", 1, 56);
	expect_echoes(1);
	assert_int_equal(dropped(), 1);
}

/* A member of a LAN that has set its interface down gets nothing. */
static void
a_member_sets_its_interface_down(void **state)
{
	(void)state;
	ping("r1", "10.9.0.11", 1, 56);
	expect_echoes(1);
	publish_guest_state(&e, "l1/eth0", false);
	ping("r1", "10.9.0.11", 1, 56);
	publish_guest_state(&e, "l1/eth0", true);
	ping("r1", "10.9.0.11", 1, 56);
	expect_echoes(1);
	assert_int_equal(e.control.walker.env.drops.n[DROP_IFACE_DOWN], 1);
	assert_int_equal(dropped(), 1);
}

/* ---- captures and listings over it all ---- */

static void
a_capture_ends_with_its_interface(void **state)
{
	struct capture *c = capture_new(NULL, 0, 0, e.control.wake_fd);
	uint8_t *spare = malloc(CAPTURE_BUFFER);
	uint64_t lost;
	bool ended;

	(void)state;
	apply(&with_guest);
	slow_lock(&e.control);
	capture_attach(c, &iface("r2", "iucv2")->live->captures);
	slow_unlock(&e.control);
	ping("r1", "10.1.1.2", 1, 56);
	expect_echoes(1);
	slow_lock(&e.control);
	assert_int_equal(
		capture_take(c, &spare, &lost, &ended), 2 * (sizeof(struct capture_record) + 88));
	slow_unlock(&e.control);
	assert_false(ended);
	apply(&plain);
	capture_take(c, &spare, &lost, &ended);
	assert_true(ended);
	capture_free(c);
	free(spare);
}

static size_t
listed(const char *what, bool all)
{
	json_t *request = json_pack("{s:s, s:b}", "what", what, "all", all),
	       *reply = show(&e, request);
	size_t n = json_array_size(json_object_get(reply, "records"));

	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_int_equal(json_array_size(json_object_get(reply, "records")), n);
	json_decref(request);
	json_decref(reply);
	return n;
}

static void
listings(void **state)
{
	json_t *status;

	(void)state;
	ping("r1", "10.9.0.10", 1, 56);
	expect_echoes(1);
	assert_int_equal(listed("interfaces", false), 7);
	assert_true(listed("routes", false) > 10);
	assert_int_equal(listed("neighbours", false), 1);
	assert_int_equal(listed("links", false), 3);
	assert_int_equal(listed("guests", false), 4);
	assert_int_equal(listed("drops", false), 0);
	assert_int_equal(listed("drops", true), 3 * (DROP_COUNT - 1));
	assert_int_equal(listed("lans", false), 2);
	assert_int_equal(listed("macs", false), 2);
	assert_int_equal(listed("tunables", false), TUNABLE_COUNT);
	assert_true(listed("memory", false) > 0);
	status = show_status(&e);
	assert_true(json_is_true(json_object_get(status, "ok")));
	json_decref(status);
}

#define BOTH(test)                                                                                 \
	cmocka_unit_test_setup_teardown(test, setup, teardown),                                    \
		cmocka_unit_test_setup_teardown(test, setup_two, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(pings),
		BOTH(many_answers_of_one_guest),
		BOTH(changes_under_load),
		cmocka_unit_test_setup_teardown(what_did_not_change_is_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(slots_are_stable, setup_two, teardown),
		cmocka_unit_test_setup_teardown(counters_go_on, setup, teardown),
		cmocka_unit_test_setup_teardown(neighbours_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(moved_to_another_lan, setup, teardown),
		cmocka_unit_test_setup_teardown(queued_packets_follow, setup, teardown),
		cmocka_unit_test_setup_teardown(queued_packets_of_what_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refusal_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_port_that_cannot_be_watched, setup, teardown),
		cmocka_unit_test_setup_teardown(a_guest_sets_its_link_down, setup, teardown),
		cmocka_unit_test_setup_teardown(a_member_sets_its_interface_down, setup, teardown),
		cmocka_unit_test_setup_teardown(a_capture_ends_with_its_interface, setup, teardown),
		cmocka_unit_test_setup_teardown(listings, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
