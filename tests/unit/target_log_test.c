/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LOG, NFLOG and TRACE, and the line that the kernel writes about a packet. */
#include "fabric/base/csum.h"
#include "fabric/engine/nflog.h"
#include "filters/extensions.h"
#include "filters/packet_line.h"

#include "tests/unit/support/routers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_LOG.h>
#include <linux/netfilter/xt_NFLOG.h>
#include <netinet/udp.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static struct test_env env;
static struct env_ops ops;
static struct test_router t;

static struct {
	unsigned n;
	int level;
	char line[2048];
	uint16_t group;
	uint32_t len;
} said;

static void
say(struct env *e, const struct pkt *p, int level, const char *line)
{
	(void)e;
	(void)p;
	said.n++;
	said.level = level;
	snprintf(said.line, sizeof(said.line), "%s", line);
}

static void
say_nflog(struct env *e, const struct pkt *p, uint16_t group, const char *prefix, uint32_t len)
{
	say(e, p, -1, prefix);
	said.group = group;
	said.len = len;
}

static int
setup(void **state)
{
	(void)state;
	test_env_init(&env, 1);
	ops = *env.env.ops;
	ops.log = say;
	ops.nflog = say_nflog;
	env.env.ops = &ops;
	test_router_init(&t);
	memset(&said, 0, sizeof(said));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	test_router_fini(&t, &env);
	return (int)test_env_fini(&env);
}

static size_t
unhex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;
	unsigned b;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &b), 1);
		out[i] = (uint8_t)b;
	}
	return n;
}

static struct filter_ctx
at_hook(struct pkt *p, uint8_t hook, struct iface *in, struct iface *out)
{
	return (struct filter_ctx){
		.env = &env.env, .router = &t.r, .p = p, .in = in, .out = out, .hook = hook};
}

static struct pkt *
udp(void)
{
	uint8_t b[64];
	struct pkt *p = test_pkt(&env, b,
		test_udp(b, &(struct test_ip){.src = "10.0.0.5", .dst = "172.16.0.1"}, 1, 2, 3));

	assert_int_equal(pkt_parse(p), DROP_NONE);
	return p;
}

static const struct {
	const char *name;
	uint32_t flags;
	const char *packet, *line; /* behind "IN= OUT=iucv0 " */
} lines[] = {
	{"tcp syn", 0,
		"4500002800074000400684b30a000005ac10000104010050000003e8000007d050021000d9c30000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=7 DF PROTO=TCP "
		"SPT=1025 "
		"DPT=80 WINDOW=4096 RES=0x00 SYN URGP=0 "},
	{"tcp sequence", NF_LOG_TCPSEQ,
		"45000028000700004006c4b30a000005ac10000104010050000003e8000007d050181000d9ad0000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=TCP "
		"SPT=1025 "
		"DPT=80 SEQ=1000 ACK=2000 WINDOW=4096 RES=0x00 ACK PSH URGP=0 "},
	{"tcp options", NF_LOG_TCPOPT,
		"45000030000700004006c4ab0a000005ac10000104010050000003e8000007d07fff10000000000902"
		"0405b401"
		"010402",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=48 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=TCP "
		"SPT=1025 "
		"DPT=80 WINDOW=4096 RES=0x38 AE CWR ECE URG ACK PSH RST SYN FIN URGP=9 OPT "
		"(020405B401010402) "},
	{"tcp options cut", NF_LOG_TCPOPT,
		"4500002c000700004006c4af0a000005ac10000104010050000003e8000007d07fff10000000000902"
		"0405b4",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=44 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=TCP "
		"SPT=1025 "
		"DPT=80 WINDOW=4096 RES=0x38 AE CWR ECE URG ACK PSH RST SYN FIN URGP=9 OPT "
		"(TRUNCATED)"},
	{"tcp options not asked for", 0,
		"45000030000700004006c4ab0a000005ac10000104010050000003e8000007d07fff10000000000902"
		"0405b401"
		"010402",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=48 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=TCP "
		"SPT=1025 "
		"DPT=80 WINDOW=4096 RES=0x38 AE CWR ECE URG ACK PSH RST SYN FIN URGP=9 "},
	{"tcp cut", 0,
		"45000027000700004006c4b40a000005ac10000104010050000003e8000007d07fff1000000000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=39 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=TCP "
		"INCOMPLETE "
		"[19 bytes] "},
	{"tos and precedence", 0, "45be001f000700004011c3f30a000005ac10000100010002000b855c616263",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=31 TOS=0x1E PREC=0xA0 TTL=64 ID=7 PROTO=UDP SPT=1 "
		"DPT=2 "
		"LEN=11 "},
	{"reserved bit", 0, "4500001f00078000401144b10a000005ac10000100010002000b855c616263",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=7 CE PROTO=UDP "
		"SPT=1 "
		"DPT=2 LEN=11 "},
	{"first fragment", 0,
		"45000024000720004011a4ac0a000005ac10000100010002001078e03132333435363738",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=36 TOS=0x00 PREC=0x00 TTL=64 ID=7 MF PROTO=UDP "
		"SPT=1 "
		"DPT=2 LEN=16 "},
	{"later fragment", 0,
		"45000024000720034011a4a90a000005ac10000100010002001078e03132333435363738",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=36 TOS=0x00 PREC=0x00 TTL=64 ID=7 MF FRAG:3 "
		"PROTO=UDP "},
	{"last fragment of tcp", 0,
		"45000028000700b94006c3fa0a000005ac10000104010050000003e8000007d050021000d9c30000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=7 FRAG:185 "
		"PROTO=TCP "},
	{"udp cut", 0, "4500001b000700004011c4b50a000005ac10000100010002000300",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=27 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=UDP "
		"INCOMPLETE [7 "
		"bytes] "},
	{"udplite", 0, "4500001c000700004088c43d0a000005ac1000010001000200080000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=UDPLITE "
		"SPT=1 "
		"DPT=2 LEN=8 "},
	{"echo request", 0, "4500001f000700004001c4c10a000005ac100001080005830001000278797a",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=8 "
		"CODE=0 ID=1 SEQ=2 "},
	{"echo reply", 0, "4500001c000700004001c4c40a000005ac1000010000fffc00010002",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=0 "
		"CODE=0 ID=1 SEQ=2 "},
	{"icmp cut", 0, "4500001b000700004001c4c50a000005ac10000108000000000000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=27 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"INCOMPLETE "
		"[7 bytes] "},
	{"icmp later fragment", 0, "4500001f000700024001c4bf0a000005ac100001080005830001000278797a",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=7 FRAG:2 "
		"PROTO=ICMP "},
	{"timestamp too short", 0, "4500001f000700004001c4c10a000005ac1000010d0000830001000278797a",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=13 "
		"CODE=0 INCOMPLETE [11 bytes] "},
	{"timestamp", 0,
		"45000028000700004001c4b80a000005ac1000010d00f2ff00000000000000000000000000000000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=13 "
		"CODE=0 "},
	{"unknown icmp", 0, "4500001f000700004001c4c10a000005ac100001c80945790001000278797a",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=200 "
		"CODE=9 "},
	{"port unreachable", 0,
		"4500003b000700004001c4a50a000005ac1000010303b32f000000004500001f000700004011c4b1ac"
		"1000010a"
		"00000500010002000b855c616263",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=59 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=3 "
		"CODE=3 [SRC=172.16.0.1 DST=10.0.0.5 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=7 "
		"PROTO=UDP SPT=1 "
		"DPT=2 LEN=11 ] "},
	{"fragmentation needed", 0,
		"4500003b000700004001c4a50a000005ac1000010304ad52000005dc4500001f000700004011c4b1ac"
		"1000010a"
		"00000500010002000b855c616263",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=59 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=3 "
		"CODE=4 [SRC=172.16.0.1 DST=10.0.0.5 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=7 "
		"PROTO=UDP SPT=1 "
		"DPT=2 LEN=11 ] MTU=1500 "},
	{"redirect", 0,
		"4500003b000700004001c4a50a000005ac1000010501a7280a0000094500001f000700004011c4b1ac"
		"1000010a"
		"00000500010002000b855c616263",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=59 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=5 "
		"CODE=1 GATEWAY=10.0.0.9 [SRC=172.16.0.1 DST=10.0.0.5 LEN=31 TOS=0x00 PREC=0x00 "
		"TTL=64 "
		"ID=7 PROTO=UDP SPT=1 DPT=2 LEN=11 ] "},
	{"parameter problem", 0,
		"4500003b000700004001c4a50a000005ac1000010c009632140000004500001f000700004011c4b1ac"
		"1000010a"
		"00000500010002000b855c616263",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=59 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=12 "
		"CODE=0 PARAMETER=20 "},
	{"eight bytes of tcp quoted", 0,
		"45000038000700004001c4a80a000005ac1000010b00ecc60000000045000028000700004006c4b3ac"
		"1000010a"
		"00000504010050000003e8",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=56 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=11 "
		"CODE=0 [SRC=172.16.0.1 DST=10.0.0.5 LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=7 "
		"PROTO=TCP "
		"INCOMPLETE [8 bytes] ] "},
	{"quotation too short", 0,
		"4500002f000700004001c4b10a000005ac1000010303fd01000000004500001f000700004011c4b1ac"
		"1000010a"
		"0000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=47 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=3 "
		"CODE=3 INCOMPLETE [27 bytes] "},
	{"error about an error", 0,
		"45000057000700004001c4890a000005ac1000010303fcfc000000004500003b000700004001c4a5ac"
		"1000010a"
		"0000050301b331000000004500001f000700004011c4b10a000005ac10000100010002000b855c6162"
		"63",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=87 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=3 "
		"CODE=3 [SRC=172.16.0.1 DST=10.0.0.5 LEN=59 TOS=0x00 PREC=0x00 TTL=64 ID=7 "
		"PROTO=ICMP "
		"TYPE=3 CODE=1 ] "},
	{"quoted header longer than the packet", NF_LOG_IPOPT,
		"4500003b000700004001c4a50a000005ac1000010303a92f000000004f00001f000700004011c4b1ac"
		"1000010a"
		"00000500010002000b855c616263",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=59 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=3 "
		"CODE=3 [SRC=172.16.0.1 DST=10.0.0.5 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=7 "
		"TRUNCATED] "},
	{"the same without options", 0,
		"4500003b000700004001c4a50a000005ac1000010303a92f000000004f00001f000700004011c4b1ac"
		"1000010a"
		"00000500010002000b855c616263",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=59 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ICMP "
		"TYPE=3 "
		"CODE=3 [SRC=172.16.0.1 DST=10.0.0.5 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=7 "
		"PROTO=UDP "
		"INCOMPLETE [4294967267 bytes] ] "},
	{"ah", 0, "45000020000700004033c48e0a000005ac100001060400000000010200000001",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=32 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=AH "
		"SPI=0x102 "},
	{"ah cut", 0, "4500001f000700004033c48f0a000005ac1000010604000000000102000000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=AH "
		"INCOMPLETE [11 "
		"bytes] "},
	{"ah later fragment", 0, "45000020000700014033c48d0a000005ac100001000000000000000000000000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=32 TOS=0x00 PREC=0x00 TTL=64 ID=7 FRAG:1 "},
	{"esp", 0, "4500001c000700004032c4930a000005ac100001f123456700000001",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ESP "
		"SPI=0xf1234567 "},
	{"esp later fragment", 0, "4500001c000700014032c4920a000005ac1000010000000000000000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=7 FRAG:1 "
		"PROTO=ESP "},
	{"esp cut", 0, "4500001b000700004032c4940a000005ac10000100000000000000",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=27 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=ESP "
		"INCOMPLETE [7 "
		"bytes] "},
	{"another protocol", 0, "4500001700070000402fc49b0a000005ac100001616263",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=23 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=47 "},
	{"ip options", NF_LOG_IPOPT,
		"460000230007000040112fa90a000005ac1000019404000000010002000b855c616263",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=35 TOS=0x00 PREC=0x00 TTL=64 ID=7 OPT (94040000) "
		"PROTO=UDP SPT=1 DPT=2 LEN=11 "},
	{"uid", NF_LOG_UID, "4500001f000700004011c4b10a000005ac10000100010002000b855c616263",
		"SRC=10.0.0.5 DST=172.16.0.1 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=UDP SPT=1 "
		"DPT=2 "
		"LEN=11 "},
};

/* In one piece, and in pieces of all sizes. */
static void
lines_about_packets(void **state)
{
	char line[PACKET_LINE_SIZE], want[PACKET_LINE_SIZE];
	uint8_t b[256];

	(void)state;
	for (size_t i = 0; i < RTE_DIM(lines); i++) {
		size_t len = unhex(lines[i].packet, b);

		snprintf(want, sizeof(want), "IN= OUT=iucv0 %s", lines[i].line);
		for (size_t cut = 20; cut <= len; cut++) {
			struct pkt *p = test_chain(&env, b, len, &cut, 1);
			struct filter_ctx c = at_hook(p, RULES_OUTPUT, NULL, &t.ifaces[TEST_IUCV0]);
			size_t n;

			p->family = AF_INET;
			n = packet_line_write(&c, lines[i].flags, line, sizeof(line));
			assert_int_equal(n, strlen(line));
			if (strcmp(line, want) != 0)
				fail_msg("%s:\n%s\n%s", lines[i].name, line, want);
			test_pkt_free(&env, p);
		}
	}
}

/* Cut short, it is a prefix of the whole, with its NUL. */
static void
small_buffers(void **state)
{
	struct pkt *p = udp();
	struct filter_ctx c =
		at_hook(p, RULES_FORWARD, &t.ifaces[TEST_IUCV0], &t.ifaces[TEST_ETH0]);
	char whole[PACKET_LINE_SIZE];
	size_t len = packet_line(&c, whole, sizeof(whole));

	(void)state;
	for (size_t size = 1; size <= len + 1; size++) {
		char *line = malloc(size);

		assert_non_null(line);
		assert_int_equal(packet_line(&c, line, size), size - 1);
		assert_int_equal(strlen(line), size - 1);
		assert_memory_equal(line, whole, size - 1);
		free(line);
	}
	test_pkt_free(&env, p);
}

#define UDP_LINE                                                                                   \
	"SRC=10.0.0.5 DST=172.16.0.1 LEN=31 TOS=0x00 PREC=0x00 TTL=64 ID=0 PROTO=UDP SPT=1 DPT=2 " \
	"LEN=11 "

static const struct {
	uint8_t hook, in, out; /* interfaces by slot */
	bool frame;
	uint32_t flags, mark;
	const char *line;
} headers[] = {
	{RULES_INPUT, TEST_ETH0, 0, true, 0, 0,
		"IN=eth0 OUT= MAC=02:00:00:00:00:02:02:00:00:00:00:99:08:00 " UDP_LINE},
	{RULES_INPUT, TEST_ETH0, 0, true, NF_LOG_MACDECODE, 0,
		"IN=eth0 OUT= MACSRC=02:00:00:00:00:99 MACDST=02:00:00:00:00:02 "
		"MACPROTO=0800 " UDP_LINE},
	{RULES_INPUT, TEST_IUCV0, 0, false, 0, 0, "IN=iucv0 OUT= MAC= " UDP_LINE},
	{RULES_INPUT, TEST_IUCV0, 0, false, NF_LOG_MACDECODE, 0, "IN=iucv0 OUT= MAC= " UDP_LINE},
	{RULES_INPUT, TEST_LO, 0, false, 0, 0,
		"IN=lo OUT= MAC=00:00:00:00:00:00:00:00:00:00:00:00:08:00 " UDP_LINE},
	{RULES_INPUT, TEST_LO, 0, false, NF_LOG_MACDECODE, 0,
		"IN=lo OUT= MAC=00:00:00:00:00:00:00:00:00:00:00:00:08:00 " UDP_LINE},
	{RULES_FORWARD, TEST_ETH0, TEST_IUCV0, true, 0, 0,
		"IN=eth0 OUT=iucv0 MAC=02:00:00:00:00:02:02:00:00:00:00:99:08:00 " UDP_LINE},
	{RULES_POSTROUTING, TEST_ETH0, TEST_IUCV0, true, 0, 0, "IN=eth0 OUT=iucv0 MAC= " UDP_LINE},
	{RULES_POSTROUTING, TEST_IUCV0, TEST_ETH0, false, NF_LOG_MACDECODE, 0,
		"IN=iucv0 OUT=eth0 " UDP_LINE},
	{RULES_POSTROUTING, 0, TEST_ETH0, false, 0, 0, "IN= OUT=eth0 " UDP_LINE},
	{RULES_OUTPUT, 0, TEST_ETH0, false, 0, 0xabcd, "IN= OUT=eth0 " UDP_LINE "MARK=0xabcd "},
};

static void
interfaces_and_frames(void **state)
{
	static const uint8_t frame[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0x99, 8, 0};
	char line[PACKET_LINE_SIZE];

	(void)state;
	for (size_t i = 0; i < RTE_DIM(headers); i++) {
		struct pkt *p = udp();
		struct filter_ctx c =
			at_hook(p, headers[i].hook, headers[i].in ? &t.ifaces[headers[i].in] : NULL,
				headers[i].out ? &t.ifaces[headers[i].out] : NULL);

		p->mark = headers[i].mark;
		if (headers[i].frame) {
			memcpy((uint8_t *)pkt_data(p) - sizeof(frame), frame, sizeof(frame));
			p->l2_len = sizeof(frame);
			p->flags |= PKT_HAS_L2;
		}
		packet_line_write(&c, headers[i].flags, line, sizeof(line));
		assert_string_equal(line, headers[i].line);
		test_pkt_free(&env, p);
	}
}

static void
log_target(void **state)
{
	_Alignas(8) struct xt_log_info info = {
		.level = 6, .logflags = XT_LOG_TCPSEQ, .prefix = "a prefix of 29 characters xx:"};
	struct pkt *p = udp();
	struct filter_ctx c = at_hook(p, RULES_OUTPUT, NULL, &t.ifaces[TEST_ETH0]);
	const struct target_ops *o = target_find("LOG", 0);

	(void)state;
	assert_int_equal(o->run(&c, &info, NULL), FILTER_CONTINUE);
	assert_int_equal(said.level, 6);
	assert_string_equal(said.line, "a prefix of 29 characters xx:IN= OUT=eth0 " UDP_LINE);
	ops.log = NULL;
	assert_int_equal(o->run(&c, &info, NULL), FILTER_CONTINUE);
	assert_int_equal(said.n, 1);
	test_pkt_free(&env, p);
}

static void
nflog_target(void **state)
{
	_Alignas(8) struct xt_nflog_info info = {
		.group = 65535, .len = 20, .flags = XT_NFLOG_F_COPY_LEN, .prefix = "hello"};
	struct pkt *p = udp();
	struct filter_ctx c = at_hook(p, RULES_OUTPUT, NULL, &t.ifaces[TEST_ETH0]);
	const struct target_ops *o = target_find("NFLOG", 0);

	(void)state;
	assert_int_equal(o->run(&c, &info, NULL), FILTER_CONTINUE);
	assert_string_equal(said.line, "hello");
	assert_int_equal(said.group, 65535);
	assert_int_equal(said.len, 20);
	info.flags = 0; /* --nflog-range */
	assert_int_equal(o->run(&c, &info, NULL), FILTER_CONTINUE);
	assert_int_equal(said.len, UINT32_MAX);
	ops.nflog = NULL;
	assert_int_equal(o->run(&c, &info, NULL), FILTER_CONTINUE);
	assert_int_equal(said.n, 2);
	test_pkt_free(&env, p);
}

static void
trace_target(void **state)
{
	struct pkt *p = udp();
	struct filter_ctx c = at_hook(p, RULES_PREROUTING, &t.ifaces[TEST_ETH0], NULL);
	const struct target_ops *o = target_find("TRACE", 0);

	(void)state;
	assert_int_equal(o->tables, 1 << TABLE_RAW);
	assert_int_equal(o->size, 0);
	assert_int_equal(o->run(&c, NULL, NULL), FILTER_CONTINUE);
	assert_true(p->flags & PKT_TRACE);
	test_pkt_free(&env, p);
}

static int
judge(const char *target, const void *options, char *why, size_t size)
{
	struct rules_rule rule = {0};
	struct ext_check c = {.rule = &rule, .why = why, .why_size = size};
	void *prepared = NULL;

	*why = '\0';
	return target_find(target, 0)->check(&c, options, &prepared);
}

static void
options(void **state)
{
	_Alignas(8) struct xt_log_info log = {.level = 7, .logflags = XT_LOG_MASK};
	_Alignas(8) struct xt_nflog_info nflog = {.flags = XT_NFLOG_MASK};
	char why[128];

	(void)state;
	assert_int_equal(target_find("LOG", 0)->size, 32);
	assert_int_equal(target_find("NFLOG", 0)->size, 80);
	assert_int_equal(judge("LOG", &log, why, sizeof(why)), 0);
	log.level = 8;
	assert_int_equal(judge("LOG", &log, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "log level 8: levels are 0 to 7");
	log.level = 4;
	memset(log.prefix, 'x', sizeof(log.prefix));
	assert_int_equal(judge("LOG", &log, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "the prefix is not terminated");
	assert_int_equal(judge("NFLOG", &nflog, why, sizeof(why)), 0);
	nflog.flags = 2;
	assert_int_equal(judge("NFLOG", &nflog, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "unknown flags 0x2");
	nflog.flags = 0;
	memset(nflog.prefix, 'x', sizeof(nflog.prefix));
	assert_int_equal(judge("NFLOG", &nflog, why, sizeof(why)), -EINVAL);
}

/* Any bytes are safe: what is not there is not read. */
static void
random_packets(void **state)
{
	static const uint8_t protos[] = {1, 1, 1, 6, 17, 50, 51, 136};
	uint64_t seed = test_seed();
	char line[PACKET_LINE_SIZE];
	uint8_t b[128];

	(void)state;
	env.env.random = seed | 1;
	for (int i = 0; i < 20000; i++) {
		size_t len = env_random(&env.env) % sizeof(b),
		       cut = len ? env_random(&env.env) % len : 0;
		struct filter_ctx c;
		struct pkt *p;

		for (size_t k = 0; k < len; k++)
			b[k] = (uint8_t)env_random(&env.env);
		if (len > 20) {
			b[0] = 0x45;
			b[6] = b[7] = 0;
			b[9] = protos[i % RTE_DIM(protos)];
			b[20] = b[20] & 0x80 ? b[20] : b[20] % 20;
		}
		p = test_chain(&env, b, len, &cut, 1);
		c = at_hook(p, RULES_INPUT, &t.ifaces[TEST_ETH0], NULL);
		assert_true(packet_line_write(&c, env_random(&env.env), line, sizeof(line)) <
			    sizeof(line));
		test_pkt_free(&env, p);
	}
}

/* ---- the file of NFLOG ---- */

static struct engine engine; /* its lock */
static char run_dir[] = "/tmp/nflog-test-XXXXXX", path[64];
static struct nflog *file;
static int notify;

static int
setup_file(void **state)
{
	setup(state);
	engine = (struct engine){.next_timer = UINT64_MAX};
	pthread_mutex_init(&engine.lock.mutex, NULL);
	timers_init(&engine.timers);
	tunables_init(&engine.tunables);
	engine.control.engine = &engine;
	strcpy(run_dir + sizeof(run_dir) - 7, "XXXXXX");
	if (!mkdtemp(run_dir))
		return -1;
	snprintf(path, sizeof(path), "%s/nflog.pcapng", run_dir);
	notify = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	file = nflog_new(nflog_open(run_dir), notify);
	return file ? 0 : -1;
}

static int
teardown_file(void **state)
{
	nflog_free(file);
	close(notify);
	unlink(path);
	rmdir(run_dir);
	return teardown(state);
}

static struct pkt *
logged(size_t len)
{
	static uint8_t b[65536];
	struct test_ip ip = {.src = "10.0.0.5", .dst = "172.16.0.1"};
	struct pkt *p = test_pkt(&env, b, test_udp(b, &ip, 1, 2, len));

	assert_int_equal(pkt_parse(p), DROP_NONE);
	p->router = &t.r;
	p->in = &t.ifaces[TEST_ETH0];
	return p;
}

/* The packets that are in the file; the last in `b`, its true length in *len. */
static unsigned
packets_in_file(uint8_t *b, size_t size, struct pcap_pkthdr *last)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap =
		pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	struct pcap_pkthdr *h;
	const uint8_t *data;
	unsigned n = 0;
	int rc;

	if (!pcap)
		fail_msg("%s", why);
	assert_int_equal(pcap_datalink(pcap), DLT_IPV4);
	while ((rc = pcap_next_ex(pcap, &h, &data)) == 1) {
		*last = *h;
		memcpy(b, data, h->caplen < size ? h->caplen : size);
		n++;
	}
	if (rc != PCAP_ERROR_BREAK)
		fail_msg("%s", pcap_geterr(pcap));
	pcap_close(pcap);
	return n;
}

static bool
file_has(const char *text)
{
	static char content[1 << 20];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(content, 1, sizeof(content), f);
	fclose(f);
	return memmem(content, n, text, strlen(text));
}

static void
packets_in_a_file(void **state)
{
	struct pcap_pkthdr last;
	struct pkt *p = logged(33);
	uint8_t b[256];
	eventfd_t n;

	(void)state;
	assert_true(eventfd_read(notify, &n) < 0);
	nflog_packet(file, p, 5, "a prefix", UINT32_MAX);
	assert_int_equal(eventfd_read(notify, &n), 0);
	nflog_packet(file, p, 5, "", 21);
	assert_true(eventfd_read(notify, &n) < 0);
	nflog_flush(file, &engine.control);
	assert_int_equal(packets_in_file(b, sizeof(b), &last), 2);
	assert_int_equal(last.caplen, 21);
	assert_int_equal(last.len, 61);
	assert_true(llabs((long long)last.ts.tv_sec - time(NULL)) < 100);
	assert_memory_equal(b, pkt_data(p), 21);
	assert_true(file_has("a prefix"));
	assert_true(file_has("test:eth0"));
	assert_true(file_has("NFLOG group 5"));
	nflog_packet(file, p, 5, "", 0);
	assert_int_equal(eventfd_read(notify, &n), 0);
	nflog_free(file); /* writes what is left, and who comes after appends */
	file = nflog_new(nflog_open(run_dir), notify);
	nflog_packet(file, p, 5, "", UINT32_MAX);
	nflog_flush(file, &engine.control);
	assert_int_equal(packets_in_file(b, sizeof(b), &last), 4);
	assert_memory_equal(b, pkt_data(p), 61);
	test_pkt_free(&env, p);
}

static void
many_groups(void **state)
{
	struct pcap_pkthdr last;
	struct pkt *p = logged(1);
	uint8_t b[256];

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		nflog_packet(file, p, (uint16_t)i, "x", UINT32_MAX);
	nflog_flush(file, &engine.control);
	assert_int_equal(packets_in_file(b, sizeof(b), &last), 1000);
	assert_true(file_has("NFLOG group 999"));
	test_pkt_free(&env, p);
}

static void
unfinished_checksums(void **state)
{
	struct pcap_pkthdr last;
	struct pkt *p = logged(33), *copy;
	struct udphdr *udp_header = pkt_l4(p);
	const struct iphdr *ip = pkt_ip4(p);
	uint8_t b[256];

	(void)state;
	udp_header->check = csum_fold(csum_pseudo4(ip->saddr, ip->daddr, IPPROTO_UDP, 41));
	p->flags |= PKT_CSUM_PARTIAL;
	p->csum_start = 20;
	p->csum_offset = offsetof(struct udphdr, check);
	nflog_packet(file, p, 5, "", UINT32_MAX);
	nflog_flush(file, &engine.control);
	assert_int_equal(packets_in_file(b, sizeof(b), &last), 1);
	copy = test_pkt(&env, b, last.caplen);
	assert_int_equal(pkt_parse(copy), DROP_NONE);
	assert_true(pkt_l4_checksum_ok(copy));
	test_pkt_free(&env, copy);
	test_pkt_free(&env, p);
}

static void
a_slow_disk(void **state)
{
	static uint8_t b[65536];
	struct pcap_pkthdr last;
	struct pkt *p = logged(60000);
	unsigned n = 0;

	(void)state;
	while (nflog_lost(file) == 0) {
		nflog_packet(file, p, 1, "", UINT32_MAX);
		n++;
	}
	assert_in_range(n, 15, 18);
	nflog_flush(file, &engine.control);
	nflog_packet(file, p, 1, "", UINT32_MAX);
	nflog_flush(file, &engine.control);
	assert_int_equal(nflog_lost(file), 1);
	assert_int_equal(packets_in_file(b, sizeof(b), &last), n);
	test_pkt_free(&env, p);
}

static void
the_file_has_a_limit(void **state)
{
	static uint8_t b[65536];
	struct pcap_pkthdr last;
	struct pkt *p = logged(65000);
	unsigned n = 0;
	struct stat st;

	(void)state;
	for (; nflog_lost(file) == 0; n++) {
		nflog_packet(file, p, 1, "", UINT32_MAX);
		if (n % 10 == 0)
			nflog_flush(file, &engine.control);
	}
	for (int i = 0; i < 3; i++) {
		nflog_flush(file, &engine.control);
		nflog_packet(file, p, 1, "", UINT32_MAX);
	}
	assert_int_equal(nflog_lost(file), 4);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, NFLOG_FILE_MAX - 70000, NFLOG_FILE_MAX);
	assert_int_equal(packets_in_file(b, sizeof(b), &last), n - 1);
	test_pkt_free(&env, p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_about_packets, setup, teardown),
		cmocka_unit_test_setup_teardown(small_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(interfaces_and_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(log_target, setup, teardown),
		cmocka_unit_test_setup_teardown(nflog_target, setup, teardown),
		cmocka_unit_test_setup_teardown(trace_target, setup, teardown),
		cmocka_unit_test(options),
		cmocka_unit_test_setup_teardown(random_packets, setup, teardown),
		cmocka_unit_test_setup_teardown(packets_in_a_file, setup_file, teardown_file),
		cmocka_unit_test_setup_teardown(many_groups, setup_file, teardown_file),
		cmocka_unit_test_setup_teardown(unfinished_checksums, setup_file, teardown_file),
		cmocka_unit_test_setup_teardown(a_slow_disk, setup_file, teardown_file),
		cmocka_unit_test_setup_teardown(the_file_has_a_limit, setup_file, teardown_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
