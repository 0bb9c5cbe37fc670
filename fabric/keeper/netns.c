/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/netns.h"

#include "fabric/keeper/tundev.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TX_QUEUE = 1000, LOOPBACK = 1 };

/* ---- ports ---- */

struct ns_port *
ns_ports_add(struct ns_ports *p)
{
	struct ns_port *v = reallocarray(p->v, p->n + 1, sizeof(*v));

	if (v == NULL)
		return NULL;
	p->v = v;
	v += p->n++;
	memset(v, 0, sizeof(*v));
	v->fd = -1;
	return v;
}

struct ns_port *
ns_ports_find(const struct ns_ports *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].name, name) == 0)
			return &p->v[i];
	return NULL;
}

void
ns_ports_remove(struct ns_ports *p, const char *name)
{
	struct ns_port *port = ns_ports_find(p, name);

	if (port == NULL)
		return;
	if (port->fd >= 0)
		tundev_remove(port->fd);
	json_decref(port->addresses);
	*port = p->v[--p->n];
}

void
ns_ports_fini(struct ns_ports *p)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].fd >= 0)
			close(p->v[i].fd);
		json_decref(p->v[i].addresses);
	}
	free(p->v);
	*p = (struct ns_ports){0};
}

/* ---- settings under /proc/sys ---- */

static bool
setting_is(const char *path, const char *value)
{
	char now[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, now, sizeof(now) - 1);

	if (fd >= 0)
		close(fd);
	now[n > 0 && now[n - 1] == '\n' ? n - 1 : 0] = '\0';
	return n > 0 && strcmp(now, value) == 0;
}

/* A kernel without the setting has not what it would switch off either. */
static int
setting(const char *sys, const char *dir, const char *name, const char *value, struct fault *why)
{
	char path[160];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "%s/%s/%s", sys, dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (rc == 0 || rc == -ENOENT || setting_is(path, value))
		return 0;
	return fault_set(why, rc, "cannot set %s/%s to %s: %s", dir, name, value, strerror(-rc));
}

/* The highest group id such that all from 0 on are mapped: ping is for all of them. */
static unsigned long
last_mapped_gid(void)
{
	unsigned long inside, outside, count, end = 0;
	FILE *f = fopen("/proc/self/gid_map", "re");

	while (f != NULL && fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3)
		if (inside == end)
			end += count;
	if (f != NULL)
		fclose(f);
	end = end == 0 ? 0 : end - 1;
	return end > INT32_MAX ? INT32_MAX : end;
}

static void
allow_ping(const char *sys)
{
	char range[32];
	struct fault ignored;

	/* A program that cannot ping without privilege is no reason to have no fabric. */
	snprintf(range, sizeof(range), "0 %lu", last_mapped_gid());
	setting(sys, "net/ipv4", "ping_group_range", range, &ignored);
}

static bool
forwards(const struct cfg_node *node)
{
	return node->forward && node->kind != CFG_ROUTER;
}

static int
namespace_settings(const struct cfg_node *node, const char *sys, struct fault *why)
{
	int rc;

	/* A new namespace takes these from the host's, whatever they are there. */
	if ((rc = setting(sys, "net/ipv4", "ip_forward", forwards(node) ? "1" : "0", why)) < 0 ||
		(rc = setting(sys, "net/ipv4/conf/all", "rp_filter", "0", why)) < 0 ||
		(rc = setting(sys, "net/ipv4/conf/default", "rp_filter", "0", why)) < 0 ||
		(rc = setting(sys, "net/ipv4/conf/all", "arp_ignore", "0", why)) < 0 ||
		(rc = setting(sys, "net/ipv4/conf/default", "arp_ignore", "0", why)) < 0 ||
		(rc = setting(sys, "net/ipv4/conf/all", "arp_announce", "0", why)) < 0 ||
		(rc = setting(sys, "net/ipv4/conf/default", "arp_announce", "0", why)) < 0 ||
		(rc = setting(sys, "net/ipv4", "ip_unprivileged_port_start", "0", why)) < 0 ||
		(rc = setting(sys, "net/ipv6/conf/default", "disable_ipv6", "1", why)) < 0)
		return rc;
	allow_ping(sys);
	return 0;
}

/* What `hidden` was in kernels that had it, both switches together: to answer ARP for its own addresses only, and to ask with none but those. */
static int
hide(const struct cfg_iface *is, bool hidden, const char *sys, struct fault *why)
{
	char dir[64];
	int rc;

	snprintf(dir, sizeof(dir), "net/ipv4/conf/%s", is->name);
	rc = setting(sys, dir, "arp_ignore", hidden ? "1" : "0", why);
	return rc < 0 ? rc : setting(sys, dir, "arp_announce", hidden ? "2" : "0", why);
}

static int
interface_settings(
	const struct cfg_iface *was, const struct cfg_iface *is, const char *sys, struct fault *why)
{
	const char digit[][2] = {"0", "1", "2"};
	char dir[64];
	int rc = 0;

	snprintf(dir, sizeof(dir), "net/ipv4/conf/%s", is->name);
	if (is->rp_filter != (was != NULL ? was->rp_filter : 0))
		rc = setting(sys, dir, "rp_filter", digit[is->rp_filter % 3], why);
	if (rc == 0 && is->log_martians != (was != NULL && was->log_martians))
		rc = setting(sys, dir, "log_martians", digit[is->log_martians], why);
	if (rc == 0 && is->proxy_arp != (was != NULL && was->proxy_arp))
		rc = setting(sys, dir, "proxy_arp", digit[is->proxy_arp], why);
	return rc;
}

/* ---- devices ---- */

static enum tundev_kind
device_kind(const struct cfg_node *node, const struct cfg_iface *iface)
{
	return iface->frames && node->kind != CFG_ROUTER ? TUNDEV_ETHERNET : TUNDEV_IP;
}

bool
ns_same_device(const struct cfg_node *an, const struct cfg_iface *a, const struct cfg_node *bn,
	const struct cfg_iface *b)
{
	return strcmp(a->name, b->name) == 0 && device_kind(an, a) == device_kind(bn, b) &&
	       (a->kind == CFG_DUMMY) == (b->kind == CFG_DUMMY);
}

int
ns_port_make(const struct cfg_node *node, const struct cfg_iface *iface, const char *name,
	struct ns_port *out, struct fault *why)
{
	int fd = tundev_open(name, device_kind(node, iface), &out->ifindex, why);

	if (fd < 0)
		return fd;
	out->fd = fd;
	out->offered = iface->kind != CFG_DUMMY;
	snprintf(out->name, sizeof(out->name), "%s", iface->name);
	return 0;
}

/* ---- addresses ---- */

struct ip_addr
ns_source_vipa(const struct cfg_node *node, const struct cfg_iface *iface)
{
	const struct cfg_iface *dummy = NULL;

	if (iface->sourcevipa[0] != '\0')
		dummy = config_iface(node, iface->sourcevipa);
	for (size_t i = 0; dummy != NULL && i < dummy->n_addresses; i++)
		if (dummy->addresses[i].addr.family == AF_INET)
			return dummy->addresses[i].addr;
	return (struct ip_addr){.family = AF_UNSPEC};
}

struct rtnl_address
ns_address(const struct cfg_node *node, const struct cfg_iface *iface, size_t i, unsigned ifindex)
{
	struct ip_addr vipa = ns_source_vipa(node, iface);
	struct rtnl_address a = {.ifindex = ifindex,
		.local = iface->addresses[i],
		.no_prefix_route = ip_is_set(&vipa)};

	if (a.local.len == 32 && iface->peer.family == AF_INET)
		a.peer = iface->peer;
	return a;
}

static bool
address_equal(const struct rtnl_address *a, const struct rtnl_address *b)
{
	return a->local.len == b->local.len && ip_equal(&a->local.addr, &b->local.addr) &&
	       ip_equal(&a->peer, &b->peer) && a->no_prefix_route == b->no_prefix_route;
}

static bool
has_address(
	const struct cfg_node *node, const struct cfg_iface *iface, const struct rtnl_address *a)
{
	for (size_t i = 0; iface != NULL && i < iface->n_addresses; i++) {
		struct rtnl_address have = ns_address(node, iface, i, a->ifindex);

		if (address_equal(&have, a))
			return true;
	}
	return false;
}

static int
drop_addresses(struct rtnl *r, const struct cfg_node *from, const struct cfg_iface *was,
	const struct cfg_node *to, const struct cfg_iface *is, unsigned ifindex)
{
	for (size_t i = 0; was != NULL && i < was->n_addresses; i++) {
		struct rtnl_address a = ns_address(from, was, i, ifindex);
		int rc = 0;

		if (a.local.addr.family == AF_INET && !has_address(to, is, &a))
			rc = rtnl_address_delete(r, &a);
		if (rc < 0 && rc != -EADDRNOTAVAIL)
			return rc;
	}
	return 0;
}

static int
put_addresses(struct rtnl *r, const struct cfg_node *from, const struct cfg_iface *was,
	const struct cfg_node *to, const struct cfg_iface *is, unsigned ifindex)
{
	for (size_t i = 0; i < is->n_addresses; i++) {
		struct rtnl_address a = ns_address(to, is, i, ifindex);
		int rc = 0;

		if (a.local.addr.family == AF_INET && !has_address(from, was, &a))
			rc = rtnl_address_add(r, &a);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- interfaces ---- */

static int
set_link(struct rtnl *r, const struct cfg_iface *was, const struct cfg_iface *is, bool ethernet,
	unsigned ifindex)
{
	struct rtnl_link l = {0};

	if (was == NULL)
		l.txqueuelen = TX_QUEUE;
	if (was == NULL || was->mtu != is->mtu)
		l.mtu = is->mtu;
	if (ethernet && (was == NULL || !mac_equal(&was->mac, &is->mac)))
		l.mac = &is->mac;
	if (was == NULL ? is->up : was->up != is->up)
		l.up = is->up ? 1 : -1;
	if (l.txqueuelen == 0 && l.mtu == 0 && l.mac == NULL && l.up == 0)
		return 0;
	return rtnl_link_set(r, ifindex, &l);
}

/* One switch of the two without the other does nothing (OSA-28). */
static bool
is_hidden(const struct cfg_node *node, const struct cfg_iface *iface)
{
	return node->hidden && iface->hidden;
}

/*
 * `was` is NULL for a device that has just been made. What it answers to ARP is settled before it can be asked, addresses go in, and up is
 * the last step.
 */
static int
configure(struct rtnl *r, const struct cfg_node *from, const struct cfg_iface *was,
	const struct cfg_node *to, const struct cfg_iface *is, const char *sys, struct fault *why)
{
	unsigned ifindex = if_nametoindex(is->name);
	int rc = ifindex == 0 ? -errno : 0;

	if (rc < 0 && was != NULL)
		return 0; /* someone in there has removed it */
	if (rc == 0 && is_hidden(to, is) != (was != NULL && is_hidden(from, was)) && hide(is, is_hidden(to, is), sys, why) < 0)
		return -ECANCELED;
	if (rc == 0)
		rc = drop_addresses(r, from, was, to, is, ifindex);
	if (rc == 0)
		rc = put_addresses(r, from, was, to, is, ifindex);
	if (rc == 0)
		rc = set_link(r, was, is, device_kind(to, is) == TUNDEV_ETHERNET, ifindex);
	if (rc < 0)
		return fault_set(
			why, rc, "cannot set up interface %s: %s", is->name, strerror(-rc));
	if (to->kind == CFG_ROUTER)
		return 0;
	return interface_settings(was, is, sys, why);
}

static int
make_all(const struct cfg_node *node, struct ns_ports *out, struct fault *why)
{
	for (size_t i = 0; i < node->n_ifaces; i++) {
		const struct cfg_iface *iface = &node->ifaces[i];
		struct ns_port *port = ns_ports_add(out);
		int rc = port == NULL ? fault_set(why, -ENOMEM, "out of memory")
				      : ns_port_make(node, iface, iface->name, port, why);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
configure_all(struct rtnl *r, const struct cfg_node *from, const struct cfg_node *to,
	const char *sys, struct fault *why)
{
	for (size_t i = 0; i < to->n_ifaces; i++) {
		const struct cfg_iface *is = &to->ifaces[i];
		const struct cfg_iface *was = from != NULL ? config_iface(from, is->name) : NULL;
		int rc;

		if (was != NULL && !ns_same_device(from, was, to, is))
			was = NULL;
		rc = configure(r, from, was, to, is, sys, why);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
ns_build(const struct cfg_node *node, const char *sys, struct ns_ports *out, struct fault *why)
{
	struct rtnl r;
	int rc = rtnl_open(&r);

	if (rc < 0)
		return fault_set(why, rc, "cannot open a netlink socket: %s", strerror(-rc));
	rc = rtnl_link_set(&r, LOOPBACK, &(struct rtnl_link){.up = 1});
	if (rc < 0)
		fault_set(why, rc, "cannot set interface lo up: %s", strerror(-rc));
	if (rc == 0)
		rc = namespace_settings(node, sys, why);
	if (rc == 0)
		rc = make_all(node, out, why);
	if (rc == 0)
		rc = configure_all(&r, NULL, node, sys, why);
	if (rc == 0)
		rc = ns_routes_put(&r, NULL, node, why);
	rtnl_close(&r);
	return rc;
}

int
ns_change(
	const struct cfg_node *from, const struct cfg_node *to, const char *sys, struct fault *why)
{
	struct rtnl r;
	int rc = rtnl_open(&r);

	if (rc < 0)
		return fault_set(why, rc, "cannot open a netlink socket: %s", strerror(-rc));
	if (forwards(from) != forwards(to))
		rc = setting(sys, "net/ipv4", "ip_forward", forwards(to) ? "1" : "0", why);
	if (rc == 0)
		rc = ns_routes_drop(&r, from, to, why);
	if (rc == 0)
		rc = configure_all(&r, from, to, sys, why);
	if (rc == 0)
		rc = ns_routes_put(&r, from, to, why);
	rtnl_close(&r);
	return rc;
}
