/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/watch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

enum { REPORTS = 32768 };

int
watch_open(void)
{
	struct sockaddr_nl here = {
		.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

static bool
link_event(const struct nlmsghdr *h, struct watch_event *e)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return false;
	*e = (struct watch_event){.kind = WATCH_LINK,
		.ifindex = (unsigned)m->ifi_index,
		.up = h->nlmsg_type == RTM_NEWLINK && (m->ifi_flags & IFF_UP) != 0};
	e->carrier = e->up && (m->ifi_flags & IFF_RUNNING) != 0;
	return true;
}

static bool
address_event(const struct nlmsghdr *h, struct watch_event *e)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m) || m->ifa_family != AF_INET)
		return false;
	*e = (struct watch_event){.kind = WATCH_ADDRESS,
		.ifindex = m->ifa_index,
		.present = h->nlmsg_type == RTM_NEWADDR};
	e->local.len = m->ifa_prefixlen;
	mnl_attr_for_each(a, h, sizeof(*m)) if (mnl_attr_get_type(a) == IFA_LOCAL &&
						mnl_attr_get_payload_len(a) == 4) e->local.addr =
		ip4(mnl_attr_get_u32(a));
	return ip_is_set(&e->local.addr);
}

static bool
decode(const struct nlmsghdr *h, struct watch_event *e)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_event(h, e);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return address_event(h, e);
	default:
		return false;
	}
}

int
watch_read(int fd, watch_visit *visit, void *arg)
{
	char buf[REPORTS] __attribute__((aligned(8)));
	struct watch_event e;

	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		int left = (int)n;

		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		for (struct nlmsghdr *h = (struct nlmsghdr *)buf; mnl_nlmsg_ok(h, left);
			h = mnl_nlmsg_next(h, &left))
			if (decode(h, &e))
				visit(&e, arg);
	}
}
