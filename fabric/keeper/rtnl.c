/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { REQUEST_MAX = 8192, ACK_MAX = 4096 };

int
rtnl_open(struct rtnl *r)
{
	r->seq = 0;
	r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (r->socket == NULL)
		return -errno;
	if (mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int rc = -errno;

		rtnl_close(r);
		return rc;
	}
	return 0;
}

void
rtnl_close(struct rtnl *r)
{
	if (r->socket != NULL)
		mnl_socket_close(r->socket);
	r->socket = NULL;
}

static struct nlmsghdr *
request_start(struct rtnl *r, void *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = ++r->seq;
	return h;
}

static int
request_finish(struct rtnl *r, const struct nlmsghdr *h)
{
	char buf[ACK_MAX] __attribute__((aligned(8)));
	ssize_t n;

	if (mnl_socket_sendto(r->socket, h, h->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(r->socket, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, r->seq, mnl_socket_get_portid(r->socket), NULL, NULL) < 0
		       ? -errno
		       : 0;
}

int
rtnl_link_set(struct rtnl *r, unsigned ifindex, const struct rtnl_link *l)
{
	char buf[REQUEST_MAX] __attribute__((aligned(8)));
	struct nlmsghdr *h = request_start(r, buf, RTM_NEWLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifi_index = (int)ifindex;
	m->ifi_change = l->up != 0 ? IFF_UP : 0;
	m->ifi_flags = l->up > 0 ? IFF_UP : 0;
	if (l->rename != NULL)
		mnl_attr_put_strz(h, IFLA_IFNAME, l->rename);
	if (l->mac != NULL)
		mnl_attr_put(h, IFLA_ADDRESS, sizeof(*l->mac), l->mac);
	if (l->mtu != 0)
		mnl_attr_put_u32(h, IFLA_MTU, l->mtu);
	if (l->txqueuelen != 0)
		mnl_attr_put_u32(h, IFLA_TXQLEN, l->txqueuelen);
	return request_finish(r, h);
}

bool
rtnl_link_is_up(unsigned ifindex)
{
	struct ifreq ifr = {.ifr_flags = 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && if_indextoname(ifindex, ifr.ifr_name) != NULL &&
		  ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_UP) != 0;

	if (fd >= 0)
		close(fd);
	return up;
}

static struct nlmsghdr *
address_request(
	struct rtnl *r, void *buf, const struct rtnl_address *a, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = request_start(r, buf, type, flags);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifa_family = AF_INET;
	m->ifa_prefixlen = a->local.len;
	m->ifa_index = a->ifindex;
	mnl_attr_put_u32(h, IFA_LOCAL, a->local.addr.v4);
	mnl_attr_put_u32(h, IFA_ADDRESS, ip_is_set(&a->peer) ? a->peer.v4 : a->local.addr.v4);
	if (a->no_prefix_route)
		mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NOPREFIXROUTE);
	if (!ip_is_set(&a->peer) && a->local.len < 31)
		mnl_attr_put_u32(h, IFA_BROADCAST, prefix4_broadcast(&a->local));
	return h;
}

int
rtnl_address_add(struct rtnl *r, const struct rtnl_address *a)
{
	char buf[REQUEST_MAX] __attribute__((aligned(8)));
	int rc = request_finish(
		r, address_request(r, buf, a, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL));

	return rc == -EEXIST ? 0 : rc;
}

int
rtnl_address_delete(struct rtnl *r, const struct rtnl_address *a)
{
	char buf[REQUEST_MAX] __attribute__((aligned(8)));

	return request_finish(r, address_request(r, buf, a, RTM_DELADDR, 0));
}

static const unsigned char kernel_route_type[] = {
	[CFG_ROUTE_UNICAST] = RTN_UNICAST,
	[CFG_ROUTE_DISCARD] = RTN_BLACKHOLE,
	[CFG_ROUTE_UNREACHABLE] = RTN_UNREACHABLE,
	[CFG_ROUTE_PROHIBIT] = RTN_PROHIBIT,
};

static struct nlmsghdr *
route_request(
	struct rtnl *r, void *buf, const struct rtnl_route *route, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = request_start(r, buf, type, flags);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_dst_len = route->to.len;
	m->rtm_table = route->table < 256 ? route->table : RT_TABLE_UNSPEC;
	m->rtm_protocol = route->link_scope ? RTPROT_KERNEL : RTPROT_STATIC;
	m->rtm_type = kernel_route_type[route->type];
	m->rtm_scope = type == RTM_DELROUTE ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
	mnl_attr_put_u32(h, RTA_TABLE, route->table);
	mnl_attr_put_u32(h, RTA_DST, route->to.addr.v4);
	if (route->metric != 0)
		mnl_attr_put_u32(h, RTA_PRIORITY, route->metric);
	if (ip_is_set(&route->src))
		mnl_attr_put_u32(h, RTA_PREFSRC, route->src.v4);
	return h;
}

static void
put_hop(struct nlmsghdr *h, const struct rtnl_hop *hop)
{
	mnl_attr_put_u32(h, RTA_OIF, hop->ifindex);
	if (ip_is_set(&hop->via))
		mnl_attr_put_u32(h, RTA_GATEWAY, hop->via.v4);
}

/* RTA_MULTIPATH holds struct rtnexthop with attributes of its own after each. */
static void
put_multipath(struct nlmsghdr *h, const struct rtnl_route *route)
{
	struct nlattr *all = mnl_attr_nest_start(h, RTA_MULTIPATH);

	for (size_t i = 0; i < route->n_hops; i++) {
		const struct rtnl_hop *hop = &route->hops[i];
		struct rtnexthop *n = mnl_nlmsg_put_extra_header(h, sizeof(*n));

		n->rtnh_ifindex = (int)hop->ifindex;
		n->rtnh_hops = hop->weight > 0 ? hop->weight - 1 : 0;
		n->rtnh_flags = hop->onlink ? RTNH_F_ONLINK : 0;
		if (ip_is_set(&hop->via))
			mnl_attr_put_u32(h, RTA_GATEWAY, hop->via.v4);
		n->rtnh_len = (char *)mnl_nlmsg_get_payload_tail(h) - (char *)n;
	}
	mnl_attr_nest_end(h, all);
}

int
rtnl_route_add(struct rtnl *r, const struct rtnl_route *route, enum rtnl_how how)
{
	char buf[REQUEST_MAX] __attribute__((aligned(8)));
	struct nlmsghdr *h = route_request(r, buf, route, RTM_NEWROUTE,
		NLM_F_CREATE | (how == RTNL_REPLACE ? NLM_F_REPLACE : NLM_F_EXCL));
	struct rtmsg *m = mnl_nlmsg_get_payload(h);

	if (route->mtu != 0) {
		struct nlattr *metrics = mnl_attr_nest_start(h, RTA_METRICS);

		mnl_attr_put_u32(h, RTAX_MTU, route->mtu);
		mnl_attr_nest_end(h, metrics);
	}
	if (route->n_hops == 1) {
		m->rtm_flags = route->hops[0].onlink ? RTNH_F_ONLINK : 0;
		m->rtm_scope = ip_is_set(&route->hops[0].via) ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
		put_hop(h, &route->hops[0]);
	} else if (route->n_hops > 1) {
		put_multipath(h, route);
	}
	return request_finish(r, h);
}

int
rtnl_route_delete(struct rtnl *r, const struct rtnl_route *route)
{
	char buf[REQUEST_MAX] __attribute__((aligned(8)));

	return request_finish(r, route_request(r, buf, route, RTM_DELROUTE, 0));
}
