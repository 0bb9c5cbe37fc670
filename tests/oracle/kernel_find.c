/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/kernel_find.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { NEWS = 64 };

/* Of this process, which is in the kernel side's namespace. */
static struct mnl_socket *asks, *hears;
static struct {
	struct ct_tuple at[NEWS][2];
	unsigned n; /* that ever came */
} news;

static struct mnl_socket *
open_socket(unsigned groups)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (s && mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) == 0)
		return s;
	if (s)
		mnl_socket_close(s);
	return NULL;
}

bool
kernel_listen(void)
{
	asks = open_socket(0);
	hears = open_socket(NF_NETLINK_CONNTRACK_NEW);
	return asks && hears;
}

static bool
has_port_attributes(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE || proto == IPPROTO_SCTP || proto == IPPROTO_GRE;
}

static void
put_proto(struct nlmsghdr *h, const struct ct_tuple *t)
{
	struct nlattr *proto = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);

	mnl_attr_put_u8(h, CTA_PROTO_NUM, t->proto);
	if (t->proto == IPPROTO_ICMP) {
		mnl_attr_put_u16(h, CTA_PROTO_ICMP_ID, t->sport);
		mnl_attr_put_u8(h, CTA_PROTO_ICMP_TYPE, (uint8_t)(t->dport >> 8));
		mnl_attr_put_u8(h, CTA_PROTO_ICMP_CODE, (uint8_t)t->dport);
	} else if (has_port_attributes(t->proto)) {
		mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, t->sport);
		mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, t->dport);
	}
	mnl_attr_nest_end(h, proto);
}

static void
put_tuple(struct nlmsghdr *h, const struct ct_tuple *t, const struct conn *c)
{
	struct nlattr *tuple = mnl_attr_nest_start(h, CTA_TUPLE_ORIG), *ip = mnl_attr_nest_start(h, CTA_TUPLE_IP);

	mnl_attr_put_u32(h, CTA_IP_V4_SRC, t->src.v4);
	mnl_attr_put_u32(h, CTA_IP_V4_DST, t->dst.v4);
	mnl_attr_nest_end(h, ip);
	put_proto(h, t);
	if (c->zone && c->zone_dir == 1 << CT_DIR_ORIGINAL)
		mnl_attr_put_u16(h, CTA_TUPLE_ZONE, htons(c->zone));
	mnl_attr_nest_end(h, tuple);
	if (c->zone && c->zone_dir == 3)
		mnl_attr_put_u16(h, CTA_ZONE, htons(c->zone));
}

static int
collect(const struct nlattr *a, void *data)
{
	const struct nlattr **table = data;
	unsigned type = mnl_attr_get_type(a);

	if (type <= CTA_MAX)
		table[type] = a;
	return MNL_CB_OK;
}

static void
read_proto(const struct nlattr *nest, struct ct_tuple *t)
{
	const struct nlattr *a[CTA_MAX + 1] = {NULL};

	mnl_attr_parse_nested(nest, collect, a);
	t->proto = mnl_attr_get_u8(a[CTA_PROTO_NUM]);
	if (a[CTA_PROTO_SRC_PORT] && a[CTA_PROTO_DST_PORT]) {
		t->sport = mnl_attr_get_u16(a[CTA_PROTO_SRC_PORT]);
		t->dport = mnl_attr_get_u16(a[CTA_PROTO_DST_PORT]);
	} else if (a[CTA_PROTO_ICMP_ID]) {
		t->sport = mnl_attr_get_u16(a[CTA_PROTO_ICMP_ID]);
		t->dport = (uint16_t)(mnl_attr_get_u8(a[CTA_PROTO_ICMP_TYPE]) << 8 | mnl_attr_get_u8(a[CTA_PROTO_ICMP_CODE]));
	}
}

static void
read_tuple(const struct nlattr *nest, struct ct_tuple *t)
{
	const struct nlattr *a[CTA_MAX + 1] = {NULL}, *ip[CTA_MAX + 1] = {NULL};

	memset(t, 0, sizeof(*t));
	mnl_attr_parse_nested(nest, collect, a);
	mnl_attr_parse_nested(a[CTA_TUPLE_IP], collect, ip);
	t->src = ip4(mnl_attr_get_u32(ip[CTA_IP_V4_SRC]));
	t->dst = ip4(mnl_attr_get_u32(ip[CTA_IP_V4_DST]));
	read_proto(a[CTA_TUPLE_PROTO], t);
}

static int
read_conn(const struct nlmsghdr *h, void *data)
{
	const struct nlattr *a[CTA_MAX + 1] = {NULL};
	struct ct_tuple *found = data;

	mnl_attr_parse(h, sizeof(struct nfgenmsg), collect, a);
	if (a[CTA_TUPLE_ORIG] && a[CTA_TUPLE_REPLY]) {
		read_tuple(a[CTA_TUPLE_ORIG], &found[CT_DIR_ORIGINAL]);
		read_tuple(a[CTA_TUPLE_REPLY], &found[CT_DIR_REPLY]);
	}
	return MNL_CB_OK;
}

bool
kernel_find(const struct ct_tuple *t, const struct conn *c, struct ct_tuple found[2])
{
	static uint32_t seq;
	_Alignas(8) char buf[4096];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;
	ssize_t len;

	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = ++seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = AF_INET;
	put_tuple(h, t, c);
	if (mnl_socket_sendto(asks, h, h->nlmsg_len) < 0)
		return false;
	len = mnl_socket_recvfrom(asks, buf, sizeof(buf));
	memset(found, 0, 2 * sizeof(*found));
	return len > 0 && mnl_cb_run(buf, (size_t)len, seq, mnl_socket_get_portid(asks), read_conn, found) >= 0 && found[0].proto;
}

static int
note_news(const struct nlmsghdr *h, void *data)
{
	(void)data;
	if ((h->nlmsg_type & 0xff) == IPCTNL_MSG_CT_NEW && h->nlmsg_flags & NLM_F_CREATE)
		read_conn(h, news.at[news.n++ % NEWS]);
	return MNL_CB_OK;
}

bool
kernel_began(const struct ct_tuple *t, struct ct_tuple found[2])
{
	_Alignas(8) char buf[8192];
	ssize_t len;
	unsigned i;

	while ((len = recv(mnl_socket_get_fd(hears), buf, sizeof(buf), MSG_DONTWAIT)) > 0 || (len < 0 && errno == ENOBUFS))
		if (len > 0)
			mnl_cb_run(buf, (size_t)len, 0, 0, note_news, NULL);
	for (i = news.n; i > 0 && news.n - i < NEWS; i--) {
		memcpy(found, news.at[(i - 1) % NEWS], 2 * sizeof(*found));
		if (conntrack_tuple_equal(&found[CT_DIR_ORIGINAL], t))
			return true;
	}
	return false;
}
