/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/carriers.h"

#include "fabric/keeper/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void
tell(struct keeper *k, const struct osadev *dev)
{
	json_t *msg = json_pack("{ss ss sb}", "op", "osa-carrier", "osa", dev->name, "up", dev->up);

	if (k->engine.pid > 0)
		wire_send(&k->engine.wire, msg, NULL, 0);
	json_decref(msg);
}

static void
carrier_seen(const struct watch_event *e, void *arg)
{
	struct keeper *k = arg;

	for (size_t i = 0; e->kind == WATCH_LINK && i < k->n_osadevs; i++) {
		struct osadev *dev = &k->osadevs[i];

		if (dev->ifindex != e->ifindex || dev->up == e->carrier)
			continue;
		dev->up = e->carrier;
		log_line(LOG_NOTICE, "keeper", "adapter %s: its device %s has %s", dev->name, dev->device,
			dev->up ? "a carrier again" : "no carrier");
		tell(k, dev);
	}
}

static void
carriers_seen(struct keeper *k, struct watcher *w, uint32_t events)
{
	int rc = watch_read(w->fd, carrier_seen, k);

	(void)events;
	if (rc < 0)
		log_line(LOG_WARNING, "keeper", "reports about devices of the host were lost: %s", strerror(-rc));
}

int
osadevs_watch(struct keeper *k, struct fault *why)
{
	int rc;

	if (k->carriers.fd >= 0)
		return 0;
	k->carriers = (struct watcher){.fd = watch_open(), .ready = carriers_seen};
	rc = k->carriers.fd < 0 ? k->carriers.fd : keeper_watch(k, &k->carriers, EPOLLIN);
	return rc < 0 ? fault_set(why, rc, "cannot watch the devices of adapters: %s", strerror(-rc)) : 0;
}

void
osadevs_unwatch(struct keeper *k)
{
	if (k->carriers.fd >= 0)
		close(k->carriers.fd);
}

void
osadevs_tell_carriers(struct keeper *k)
{
	for (size_t i = 0; i < k->n_osadevs; i++)
		tell(k, &k->osadevs[i]);
}
