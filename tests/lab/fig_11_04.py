#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every expectation of figure 11-4: two layers of routers, one link a worker.

                  LAN office 9.12.6.0/24
  client .75 ────────┬──────── .80 vmlinux4 .1 ── 192.168.1 ── .2 vmlinux9 ┬─ 10.0.0.1 ── .2 tux0mstr (192.168.2.1)
                                                                          └─ 10.0.1.1 ── .2 tux00000 (192.168.2.2)
"""
import lab
import topo

lab.main(__file__, lambda suite: topo.prove(suite, "fig-11-04-lab.topo", "two-layer.yaml"))
