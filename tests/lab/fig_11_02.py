#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every expectation of figure 11-2: a guest reached by its VIPA, and answering from it once told to.

  win 172.16.11.9 ── office ── .1 gw 9.12.6.75 ── ext ── .80 rtr 192.168.11.2 ── ctc ── .1 lnx (9.12.6.99)
"""
import lab
import topo

lab.main(__file__, lambda suite: topo.prove(suite, "fig-11-02-virtual-ip.topo", "fig-11-02.yaml"))
