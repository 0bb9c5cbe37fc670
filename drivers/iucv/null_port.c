/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The null port: takes and counts everything, gives nothing. */
#include "drivers/port.h"

#include <stdio.h>
#include <stdlib.h>

static uint16_t
null_rx(struct port *port, struct env *env, struct pkt **out, uint16_t n)
{
	(void)port;
	(void)env;
	(void)out;
	(void)n;
	return 0;
}

static void
null_tx(struct port *port, struct env *env, struct pkt **in, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		port->count.tx_packets++;
		port->count.tx_bytes += pkt_len(in[i]);
		env_pkt_free(env, in[i]);
	}
}

static int
null_set_carrier(struct port *port, bool up)
{
	(void)port;
	(void)up;
	return 0;
}

static void
null_close(struct port *port)
{
	free(port);
}

static const struct port_ops null_ops = {
	.kind = "null",
	.rx = null_rx,
	.tx = null_tx,
	.set_carrier = null_set_carrier,
	.close = null_close,
};

struct port *
null_port_new(const char *name, bool frames, uint32_t mtu)
{
	struct port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	*port = (struct port){.ops = &null_ops, .fd = -1, .frames = frames, .mtu = mtu};
	snprintf(port->name, sizeof(port->name), "%s", name);
	return port;
}
