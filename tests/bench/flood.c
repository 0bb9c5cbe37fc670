/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP with sequence numbers, to count exactly what is lost on the way.
 *
 *   flood receive PORT                                takes datagrams until standard input ends
 *   flood send ADDRESS PORT FLOW RATE SECONDS [SIZE]  RATE datagrams a second; SECONDS 0: until standard input ends
 *   flood send ... 0 ...                              RATE 0: as fast as it goes
 *   flood syn ADDRESS PORT COUNT                      SYNs of COUNT sources from 10.64.0.0 on, none twice, as fast as it goes
 *
 * A datagram carries flow and sequence number. At its end the receiver prints a line of JSON a flow:
 * {"flow":1,"received":N,"highest":N,"lost":N,"duplicate":N,"late":N,"gaps":[[first,count],...]}, and one with "overflow":N, the
 * datagrams that its own socket had no room for. The sender prints {"flow":1,"sent":N,"refused":N}: refused by its own interface.
 * Both end well on SIGINT and SIGTERM too.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FLOWS = 256, BATCH = 64, SIZE_MAX_UDP = 1472, SEEN_WORDS = 1 << 20, GAPS_SHOWN = 8 };

#define MAGIC 0x726f6f6bu

struct header {
	uint32_t magic, flow;
	uint64_t sequence;
};

/* A bit for each sequence number, in a window that wraps: far larger than any reordering. */
struct flow {
	uint64_t received, next, duplicate, late;
	uint64_t *seen;
};

static volatile sig_atomic_t ended;

static void
on_signal(int number)
{
	(void)number;
	ended = 1;
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool
input_ended(int timeout_ms)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char c[64];

	return ended || (poll(&p, 1, timeout_ms) > 0 && read(STDIN_FILENO, c, sizeof(c)) <= 0);
}

static void
note(struct flow *f, uint64_t sequence)
{
	uint64_t *word, bit = 1ull << (sequence % 64);

	if (!f->seen)
		f->seen = calloc(SEEN_WORDS, sizeof(*f->seen));
	if (!f->seen || sequence >= (uint64_t)SEEN_WORDS * 64)
		return;
	word = &f->seen[sequence / 64];
	if (*word & bit) {
		f->duplicate++;
		return;
	}
	*word |= bit;
	f->received++;
	if (sequence < f->next)
		f->late++;
	else
		f->next = sequence + 1;
}

static void
print_gaps(const struct flow *f)
{
	uint64_t first = 0, count = 0;
	int shown = 0;

	for (uint64_t s = 0; s <= f->next && shown < GAPS_SHOWN; s++) {
		if (s < f->next && !(f->seen[s / 64] >> (s % 64) & 1)) {
			first = count++ ? first : s;
			continue;
		}
		if (count)
			printf("%s[%llu,%llu]", shown++ ? "," : "", (unsigned long long)first, (unsigned long long)count);
		count = 0;
	}
}

static void
print_flows(const struct flow *flows, uint64_t overflow)
{
	for (int i = 0; i < FLOWS; i++) {
		const struct flow *f = &flows[i];

		if (!f->seen)
			continue;
		printf("{\"flow\":%d,\"received\":%llu,\"highest\":%llu,\"lost\":%llu,\"duplicate\":%llu,\"late\":%llu,\"gaps\":[", i,
			(unsigned long long)f->received, (unsigned long long)f->next, (unsigned long long)(f->next - f->received),
			(unsigned long long)f->duplicate, (unsigned long long)f->late);
		print_gaps(f);
		printf("]}\n");
	}
	printf("{\"overflow\":%llu}\n", (unsigned long long)overflow);
}

/* The kernel's count of datagrams that this socket had no room for comes along with each one. */
static void
note_overflow(struct msghdr *m, uint64_t *overflow)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		uint32_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		memcpy(&n, CMSG_DATA(c), sizeof(n));
		*overflow = n;
	}
}

static void
take_batch(int fd, struct flow *flows, uint64_t *overflow)
{
	struct header heads[BATCH];
	char control[BATCH][CMSG_SPACE(sizeof(uint32_t))];
	struct iovec iov[BATCH];
	struct mmsghdr m[BATCH];
	int n;

	memset(m, 0, sizeof(m));
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){.iov_base = &heads[i], .iov_len = sizeof(heads[i])};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1, .msg_control = control[i],
			.msg_controllen = sizeof(control[i])};
	}
	n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		note_overflow(&m[i].msg_hdr, overflow);
		if (m[i].msg_len >= sizeof(heads[i]) && heads[i].magic == MAGIC && heads[i].flow < FLOWS)
			note(&flows[heads[i].flow], heads[i].sequence);
	}
}

static int
receive(int port)
{
	static struct flow flows[FLOWS];
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 32 << 20, on = 1;
	uint64_t overflow = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		perror("flood: receive");
		return 1;
	}
	puts("{\"ready\":true}");
	fflush(stdout);
	for (;;) {
		struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents)
			take_batch(fd, flows, &overflow);
		else if (ended || (p[1].revents && input_ended(0)))
			break;
	}
	print_flows(flows, overflow);
	return 0;
}

/* Waits until datagram `sequence` is due: sleeps while there is time, so that the receiver has the processor. */
static void
pace(uint64_t start, uint64_t sequence, uint64_t rate)
{
	uint64_t due = start + sequence * 1000000000u / rate, now = now_ns();

	if (due > now + 100000) {
		struct timespec t = {.tv_nsec = (long)((due - now) % 1000000000u), .tv_sec = (time_t)((due - now) / 1000000000u)};

		nanosleep(&t, NULL);
	}
}

static int
send_flow(const char *address, int port, uint32_t flow, uint64_t rate, double seconds, size_t size)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	char data[SIZE_MAX_UDP] = {0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t start, sent = 0, refused = 0, end;

	if (fd < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		perror("flood: send");
		return 1;
	}
	start = now_ns();
	end = seconds > 0 ? start + (uint64_t)(seconds * 1e9) : UINT64_MAX;
	while (!ended && now_ns() < end) {
		struct header h = {.magic = MAGIC, .flow = flow, .sequence = sent};

		if (rate)
			pace(start, sent + refused, rate);
		if (seconds <= 0 && (sent & 63) == 0 && input_ended(0))
			break;
		memcpy(data, &h, sizeof(h));
		if (send(fd, data, size, 0) < 0)
			refused++; /* its sequence number is used again: it never left */
		else
			sent++;
	}
	printf("{\"flow\":%u,\"sent\":%llu,\"refused\":%llu}\n", flow, (unsigned long long)sent, (unsigned long long)refused);
	return 0;
}

static uint16_t
checksum(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	return htons((uint16_t)~sum);
}

struct syn {
	struct iphdr ip;
	struct tcphdr tcp;
};

static void
make_syn(struct syn *s, uint32_t number, in_addr_t to, int port)
{
	uint32_t pseudo = 0;

	*s = (struct syn){
			.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP, .tot_len = htons(sizeof(*s)), .daddr = to,
					.saddr = htonl(0x0a400000u + number)},
			.tcp = {.source = htons((uint16_t)(1024 + number % 60000)), .dest = htons((uint16_t)port), .doff = 5, .syn = 1,
					.seq = htonl(number), .window = htons(1024)},
	};
	pseudo += (ntohl(s->ip.saddr) >> 16) + (ntohl(s->ip.saddr) & 0xffff) + (ntohl(to) >> 16) + (ntohl(to) & 0xffff);
	pseudo += IPPROTO_TCP + sizeof(s->tcp);
	s->tcp.check = checksum(&s->tcp, sizeof(s->tcp), pseudo);
}

static int
send_syns(const char *address, int port, uint32_t count)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	uint32_t sent = 0, refused = 0;

	if (fd < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1) {
		perror("flood: syn");
		return 1;
	}
	while (!ended && sent < count) {
		struct syn s;

		make_syn(&s, sent, a.sin_addr.s_addr, port);
		if (sendto(fd, &s, sizeof(s), 0, (struct sockaddr *)&a, sizeof(a)) < 0)
			refused++; /* it is tried again */
		else
			sent++;
	}
	printf("{\"sent\":%u,\"refused\":%u}\n", sent, refused);
	return 0;
}

int
main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = on_signal};
	size_t size = argc > 7 ? (size_t)atoi(argv[7]) : 64;

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (argc == 3 && strcmp(argv[1], "receive") == 0)
		return receive(atoi(argv[2]));
	if ((argc == 7 || argc == 8) && strcmp(argv[1], "send") == 0 && size >= sizeof(struct header) && size <= SIZE_MAX_UDP)
		return send_flow(argv[2], atoi(argv[3]), (uint32_t)atoi(argv[4]), strtoull(argv[5], NULL, 10), atof(argv[6]), size);
	if (argc == 5 && strcmp(argv[1], "syn") == 0)
		return send_syns(argv[2], atoi(argv[3]), (uint32_t)strtoul(argv[4], NULL, 10));
	fprintf(stderr, "usage: flood receive PORT | flood send ADDRESS PORT FLOW RATE SECONDS [SIZE] | flood syn ADDRESS PORT COUNT\n");
	return 2;
}
