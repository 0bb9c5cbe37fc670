#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every expectation of figure 3-10: one router, IUCV and CTC links side by side.

                                      ┌─ iucv0 10.1.1.1 ── .2 g1
  net 192.0.2.1 ─── ext ─── .2  rtr ──┼─ iucv1 10.1.2.1 ── .2 g2
                                      ├─ ctc0  10.1.3.1 ── .2 g3
                                      └─ ctc1  10.1.4.1 ── .2 g4
"""
import lab
import topo

lab.main(__file__, lambda suite: topo.prove(suite, "fig-3-10-virtual-router.topo", "fig-3-10.yaml"))
