/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's side. A TUN device hands a packet to the stack inside write(), and what the stack sends is in the queue of its device when write()
 * returns, as long as nothing is deferred: no NAPI on the device, no neighbours to ask, no sockets.
 */
#include "tests/oracle/kernel_find.h"
#include "tests/oracle/oracle.h"
#include "tests/oracle/world.h"

#include "fabric/base/tunable.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static struct {
	enum kernel_variant variant;
	int tun[IFACES];
	bool offload;
	struct mnl_socket *netlink;
	char sets[16][32]; /* that exist */
	unsigned n_sets;
	bool nat; /* a case had a nat table: from then on each must, or have it emptied */
} k;

uint64_t
oracle_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A file in memory with this text, read from its start. */
static int
memory_file(const char *text)
{
	int fd = memfd_create("oracle", 0);
	size_t len = strlen(text);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	return fd;
}

static char *
read_all(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	char *text = malloc((size_t)len + 1);

	if (!text || pread(fd, text, (size_t)len, 0) != len)
		abort();
	text[len] = 0;
	return text;
}

/* Runs a program with `input`; what it prints, errors included, is *output, to free(). => exit code. */
static int
run(char *const argv[], const char *input, char **output)
{
	int in = memory_file(input), out = memory_file(""), status = -1;
	posix_spawn_file_actions_t acts;
	pid_t pid;

	posix_spawn_file_actions_init(&acts);
	posix_spawn_file_actions_adddup2(&acts, in, 0);
	posix_spawn_file_actions_adddup2(&acts, out, 1);
	posix_spawn_file_actions_adddup2(&acts, out, 2);
	if (posix_spawnp(&pid, argv[0], &acts, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&acts);
	*output = read_all(out);
	close(in);
	close(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* => false, with what the program said on stderr. */
static bool
run_well(char *const argv[], const char *input)
{
	char *output;
	int code = run(argv, input, &output);

	if (code != 0)
		fprintf(stderr, "oracle: %s: exit code %d: %s\n", argv[0], code, output);
	free(output);
	return code == 0;
}

static void
sysctl_set(const char *name, int64_t value)
{
	char path[128], text[24];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	snprintf(text, sizeof(text), "%lld", (long long)value);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0 && errno != EACCES && errno != EPERM)
		fprintf(stderr, "oracle: %s: %s\n", path, strerror(errno));
	close(fd);
}

/* Every tunable of connection tracking that the kernel has too gets our value. */
static void
set_tunables(void)
{
	struct tunables t;
	char name[96];
	int i;

	tunables_init(&t);
	for (i = 0; i < TUNABLE_COUNT; i++) {
		const struct tunable *row = tunable_row((enum tunable_id)i);

		if (strncmp(row->name, "nf_conntrack_", 13) != 0)
			continue;
		snprintf(name, sizeof(name), "netfilter/%s", row->name);
		sysctl_set(name, t.value[i]);
	}
	sysctl_set("netfilter/nf_conntrack_acct", 1);
}

static void
set_sysctls(void)
{
	static const struct {
		const char *name;
		int value;
	} settings[] = {
		{"ipv6/conf/all/disable_ipv6", 1},
		{"ipv6/conf/default/disable_ipv6", 1},
		{"ipv4/ip_forward", 1},
		{"ipv4/conf/all/rp_filter", 0},
		{"ipv4/conf/default/rp_filter", 0},
		{"ipv4/conf/all/send_redirects", 0},
		{"ipv4/conf/default/send_redirects", 0},
		{"ipv4/conf/all/accept_redirects", 0},
		{"ipv4/conf/all/log_martians", 0},
		{"ipv4/icmp_ratelimit", 0},
		{"ipv4/icmp_msgs_per_sec", 1000000},
		{"ipv4/icmp_msgs_burst", 1000000},
		{"ipv4/icmp_echo_ignore_broadcasts", 1},
		{"ipv4/ip_default_ttl", 64},
		{"ipv4/ip_forward_use_pmtu", 0},
		{"ipv4/ip_no_pmtu_disc", 2}, /* what is learnt would outlive the ruleset */
		{"ipv4/ipfrag_time", 3600},
	};
	size_t i;

	for (i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		sysctl_set(settings[i].name, settings[i].value);
	set_tunables();
}

static bool
set_addresses(void)
{
	char *const argv[] = {"ip", "-batch", "-", NULL};
	char *text;
	size_t len, i;
	FILE *f = open_memstream(&text, &len);
	bool good;

	fprintf(f, "link set lo up\n");
	for (i = 0; i < WORLD_IFACES; i++) {
		const struct world_iface *w = &world_ifaces[i];

		if (i == LAN) /* without ARP a frame goes to the device's own address, and nobody is asked */
			fprintf(f, "link set %s address " WORLD_MAC " arp off\n", w->name);
		fprintf(f, "link set %s mtu %u up\n", w->name, w->mtu);
		fprintf(f, "address add %s peer %s dev %s\n", w->address, w->peer, w->name);
	}
	for (i = 0; i < WORLD_ROUTES; i++) {
		const struct world_route *r = &world_routes[i];

		if (strlen(r->how) == 2)
			fprintf(f, "route add %s dev %s\n", r->to, r->how);
		else
			fprintf(f, "route add %s %s\n", r->how, r->to);
	}
	fclose(f);
	good = run_well(argv, text);
	free(text);
	return good;
}

static int
open_tun(const char *name, short flags)
{
	struct ifreq req = {.ifr_flags = (short)(flags | IFF_NO_PI)};
	const int header = sizeof(struct virtio_net_hdr_v1);
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (k.offload)
		req.ifr_flags |= IFF_VNET_HDR;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (fd >= 0 && (ioctl(fd, TUNSETIFF, &req) < 0 || (k.offload && (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 || ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0)))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "oracle: %s: %s\n", path, strerror(errno));
	close(fd);
}

/* An ordinary user becomes root of a user namespace first. */
static bool
enter_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (uid == 0)
		return unshare(CLONE_NEWNET) == 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
	return true;
}

/* What the kernel remembers of connection counts depends on the CPU (find_or_evict() in net/netfilter/nf_conncount.c). */
static void
stay_on_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

bool
kernel_open(enum kernel_variant variant)
{
	size_t i;

	k.variant = variant;
	stay_on_cpu();
	if (!enter_namespace()) {
		fprintf(stderr, "oracle: no network namespace: %s\n", strerror(errno));
		return false;
	}
	set_sysctls();
	for (i = 0; i < IFACES; i++) {
		k.tun[i] = open_tun(world_ifaces[i].name, i == LAN ? IFF_TAP : IFF_TUN);
		if (k.tun[i] < 0) {
			fprintf(stderr, "oracle: /dev/net/tun: %s\n", strerror(errno));
			return false;
		}
	}
	k.netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!k.netlink || mnl_socket_bind(k.netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		return false;
	return kernel_listen() && set_addresses();
}

bool
kernel_open_offload(enum kernel_variant variant)
{
	k.offload = true;
	return kernel_open(variant);
}

int
kernel_super(const struct super *in, struct super *out)
{
	struct iovec parts[] = {{(void *)(uintptr_t)&in->offload, sizeof(in->offload)}, {(void *)(uintptr_t)in->data, in->len}};
	ssize_t len;
	uint8_t i;
	int n = 0;

	if (writev(k.tun[in->iface], parts, 2) < 0)
		return -1;
	for (i = 0; i < IFACES; i++)
		for (; n < SUPERS_MAX; n++) {
			parts[0].iov_base = &out[n].offload;
			parts[1] = (struct iovec){out[n].data, SUPER_MAX};
			len = readv(k.tun[i], parts, 2);
			if (len <= (ssize_t)sizeof(out[n].offload))
				break;
			out[n].iface = i;
			out[n].len = (uint32_t)len - (uint32_t)sizeof(out[n].offload);
		}
	return n;
}

static void
flush_connections(void)
{
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	if (mnl_socket_sendto(k.netlink, h, h->nlmsg_len) < 0 || mnl_socket_recvfrom(k.netlink, buf, sizeof(buf)) < 0)
		fprintf(stderr, "oracle: flushing connections: %s\n", strerror(errno));
}

static void
drain(void)
{
	uint8_t buf[FRAME_MAX];
	size_t i;

	for (i = 0; i < IFACES; i++)
		while (read(k.tun[i], buf, sizeof(buf)) > 0)
			;
}

static int
restore(const char *rules, char *why, size_t size)
{
	char *const legacy[] = {"iptables-legacy-restore", "-w", "5", NULL};
	char *const nft[] = {"iptables-nft-restore", NULL};
	char *output;
	int code = run(k.variant == KERNEL_LEGACY ? legacy : nft, rules, &output);

	if (code != 0)
		snprintf(why, size, "%s", output);
	free(output);
	return code == 0 ? 0 : -1;
}

/* Tables that a case does not name must be empty again. */
static const char empty_tables[] = "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
				   "*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n"
				   ":OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n"
				   "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
				   "*security\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";

static const char empty_nat[] = "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n";

static int
load_sets(const char *sets, char *why, size_t size)
{
	char *const argv[] = {"ipset", "restore", NULL};
	const char *line = sets;
	char *output;
	int code;

	for (; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (sscanf(line, "create %31s", k.sets[k.n_sets]) == 1)
			k.n_sets++;
	code = run(argv, sets, &output);
	if (code != 0)
		snprintf(why, size, "%s", output);
	free(output);
	return code == 0 ? 0 : -1;
}

static void
destroy_sets(void)
{
	char *const argv[] = {"ipset", "restore", NULL};
	char text[1024] = "", *at = text;
	unsigned i;

	for (i = 0; i < k.n_sets; i++)
		at += sprintf(at, "destroy %s\n", k.sets[i]);
	if (k.n_sets)
		run_well(argv, text);
	k.n_sets = 0;
}

/* Empty tables in between: named tables of recent and hashlimit live on while any rule has their name. */
static int
kernel_load(const char *rules, const char *sets, char *why, size_t size)
{
	if (restore(empty_tables, why, size) < 0 || (k.nat && restore(empty_nat, why, size) < 0))
		return -1;
	k.nat |= strstr(rules, "*nat") != NULL;
	destroy_sets();
	if (*sets && load_sets(sets, why, size) < 0)
		return -1;
	if (restore(rules, why, size) < 0)
		return -1;
	flush_connections();
	drain();
	return 0;
}

static bool
send_frame(const struct frame *f)
{
	uint8_t ether[ETHER_LEN];
	struct iovec parts[] = {{ether, sizeof(ether)}, {(void *)(uintptr_t)f->data, f->len}};
	bool lan = f->iface == LAN;

	frame_ether(f, ether);
	return writev(k.tun[f->iface], parts + !lan, 1 + lan) == f->len + (lan ? ETHER_LEN : 0);
}

/* => false: nothing is left. */
static bool
receive_packet(uint8_t iface, struct frame *f)
{
	uint8_t ether[ETHER_LEN];
	struct iovec parts[] = {{ether, sizeof(ether)}, {f->data, FRAME_MAX}};
	bool lan = iface == LAN;
	ssize_t len = readv(k.tun[iface], parts + !lan, 1 + lan);

	f->iface = iface;
	f->len = (uint16_t)(len - (lan ? ETHER_LEN : 0));
	return len > (lan ? ETHER_LEN : 0);
}

static bool
kernel_inject(const struct frame *in, struct frames *out)
{
	uint8_t i;

	out->n = 0;
	if (!send_frame(in))
		return false;
	for (i = 0; i < IFACES; i++)
		while (out->n < FRAMES_MAX && receive_packet(i, &out->f[out->n]))
			out->n++;
	return true;
}

static struct count *
next_count(struct counts *c, const char *table, const char *chain, int rule)
{
	struct count *row = &c->c[c->n];

	if (c->n == COUNTS_MAX)
		abort();
	memset(row, 0, sizeof(*row));
	snprintf(row->table, sizeof(row->table), "%s", table);
	snprintf(row->chain, sizeof(row->chain), "%s", chain);
	row->rule = rule;
	c->n++;
	return row;
}

/* The text of iptables-save -c. Rules of one chain stand together. */
static void
parse_counts(const char *line, struct counts *c)
{
	char table[12] = "", chain[32], last[32] = "", policy[32];
	unsigned long long packets, bytes;
	struct count *row;
	int rule = 0;

	for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (sscanf(line, "*%11s", table) == 1) {
			last[0] = 0;
		} else if (sscanf(line, ":%31s %31s [%llu:%llu]", chain, policy, &packets, &bytes) == 4) {
			if (policy[0] == '-')
				continue;
			row = next_count(c, table, chain, 0);
			row->packets = packets;
			row->bytes = bytes;
		} else if (sscanf(line, "[%llu:%llu] -A %31s", &packets, &bytes, chain) == 3) {
			rule = strcmp(last, chain) == 0 ? rule + 1 : 1;
			strcpy(last, chain);
			row = next_count(c, table, chain, rule);
			row->packets = packets;
			row->bytes = bytes;
		}
	}
}

static int
kernel_counts(struct counts *c)
{
	char *const legacy[] = {"iptables-legacy-save", "-c", NULL};
	char *const nft[] = {"iptables-nft-save", "-c", NULL};
	char *output;
	int code = run(k.variant == KERNEL_LEGACY ? legacy : nft, "", &output);

	c->n = 0;
	if (code == 0)
		parse_counts(output, c);
	free(output);
	counts_sort(c);
	return code == 0 ? 0 : -1;
}

/* Values of "key=" come once for each direction; `half` counts them. */
static void
parse_pair(struct conn_row *row, const char *key, const char *value, int *half)
{
	struct conn_half *h;

	if (strcmp(key, "src") == 0)
		++*half;
	if (*half < 0 || *half > 1)
		return;
	h = &row->half[*half];
	if (strcmp(key, "src") == 0)
		h->src = inet_addr(value);
	else if (strcmp(key, "dst") == 0)
		h->dst = inet_addr(value);
	else if (strcmp(key, "sport") == 0 || strcmp(key, "id") == 0)
		h->sport = (uint16_t)atoi(value);
	else if (strcmp(key, "dport") == 0)
		h->dport = (uint16_t)atoi(value);
	else if (strcmp(key, "srckey") == 0)
		h->sport = (uint16_t)strtoul(value, NULL, 0);
	else if (strcmp(key, "dstkey") == 0)
		h->dport = (uint16_t)strtoul(value, NULL, 0);
	else if (strcmp(key, "type") == 0)
		h->dport |= (uint16_t)(atoi(value) << 8);
	else if (strcmp(key, "code") == 0)
		h->dport |= (uint16_t)atoi(value);
	else if (strcmp(key, "packets") == 0)
		h->packets = strtoull(value, NULL, 10);
	else if (strcmp(key, "bytes") == 0)
		h->bytes = strtoull(value, NULL, 10);
	else if (strcmp(key, "mark") == 0)
		row->mark = (uint32_t)strtoul(value, NULL, 10);
	else if (strncmp(key, "zone", 4) == 0) {
		row->zone = (uint16_t)atoi(value);
		row->zone_dir = strcmp(key, "zone") == 0 ? 3 : strcmp(key, "zone-orig") == 0 ? 1 : 2;
	}
}

/* "ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.0.2 dst=... [ASSURED] mark=0 zone=0 use=2" */
static bool
parse_conn(char *line, struct conn_row *row)
{
	char *save, *word = strtok_r(line, " ", &save), *equals;
	int n = 0, half = -1;

	memset(row, 0, sizeof(*row));
	row->seen_reply = true;
	row->zone_dir = 3;
	if (!word || strcmp(word, "ipv4") != 0)
		return false;
	for (; word; word = strtok_r(NULL, " ", &save), n++) {
		equals = strchr(word, '=');
		if (equals) {
			*equals = 0;
			parse_pair(row, word, equals + 1, &half);
		} else if (strcmp(word, "[ASSURED]") == 0) {
			row->assured = true;
		} else if (strcmp(word, "[UNREPLIED]") == 0) {
			row->seen_reply = false;
		} else if (n == 3) {
			row->proto = (uint8_t)atoi(word);
		} else if (n == 4) {
			row->timeout = atoll(word);
		} else if (n == 5) {
			snprintf(row->state, sizeof(row->state), "%s", word);
		}
	}
	return true;
}

static int
kernel_conns(struct conns *c)
{
	FILE *f = fopen("/proc/thread-self/net/nf_conntrack", "re");
	char *line = NULL;
	size_t size = 0;

	c->n = 0;
	if (!f)
		return -1;
	while (c->n < CONNS_MAX && getline(&line, &size, f) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (parse_conn(line, &c->c[c->n]))
			c->n++;
	}
	free(line);
	fclose(f);
	conns_sort(c);
	return 0;
}

const struct side kernel_side = {
	.name = "kernel",
	.load = kernel_load,
	.inject = kernel_inject,
	.counts = kernel_counts,
	.conns = kernel_conns,
};
