#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every expectation of figure 11-3: three levels, one summary route a level, a discard route for what is not there.

  hostA ─ rtr1 ─ rtr2 ─ rtr3 ─┬─ osa 192.168.0.1 vmtcpip ┬─ tuxr1 ─ w11 .. w19   9.12.42.0/28
        9.12.42.0/26 ────────>                           ├─ tuxr2 ─ w21 .. w29   9.12.42.16/28
                                                         ├─ tuxr3 ─ w31 .. w39   9.12.42.32/28
                                                         └─ tuxr4 ─ w41 .. w49   9.12.42.48/28
"""
import lab
import topo

lab.main(__file__, lambda suite: topo.prove(suite, "fig-11-03-summarisation.topo", "fig-11-03.yaml"))
