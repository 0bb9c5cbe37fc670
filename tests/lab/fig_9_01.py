#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every expectation of figure 9-1: a VM TCP/IP stack as hub, one HOME address on every link.

  net 9.12.6.75 ──┬── .74 vmlinux6 ───┐                 ┌── 192.168.6.254 tux8mstr
                  │                   hub6 192.168.6.1 ─┼── 192.168.6.3   tux80000
                  └── .96 tcpip ──────┘                 └── 192.168.6.4   tux80001
"""
import lab
import topo

lab.main(__file__, lambda suite: topo.prove(suite, "fig-9-01-vm-tcpip-router.topo", "fig-9-01.yaml"))
