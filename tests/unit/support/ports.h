/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of ports: an EAL without hugepages or privileges, pools, an env over them, and TUN
 * devices in a scratch network namespace. */
#ifndef TESTS_UNIT_SUPPORT_PORTS_H
#define TESTS_UNIT_SUPPORT_PORTS_H

#include "drivers/port.h"

/* Starts the EAL once in this process, with a runtime directory of its own that is removed at exit.
 * => false: it could not. */
bool ports_eal(void);
/* Small: `n` buffers, large: `n` / 4. Aborts without memory. */
struct port_pools ports_pools(unsigned n);
/* An env that makes packets from `pools`; it has no timers, and emit drops. */
struct env *ports_env(const struct port_pools *pools);
void ports_env_free(struct env *env);
/* Buffers of `pools` that are not in the pools. */
unsigned ports_in_use(const struct port_pools *pools);

/* Puts this process into user and network namespaces of its own. => false: not allowed here. */
bool ports_scratch_netns(void);
/* Makes a TUN or TAP device with every offload, up, with `address` ("10.0.0.1/24") when not NULL.
 * => the descriptor, non-blocking. Aborts on failure. */
int ports_tun(const char *name, bool frames, const char *address);

#endif
