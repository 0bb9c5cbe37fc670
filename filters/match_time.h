/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judgement of the time match, apart from the clock. */
#ifndef FILTERS_MATCH_TIME_H
#define FILTERS_MATCH_TIME_H

#include <linux/netfilter/xt_time.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * True when `seconds` since 1970, already in the time zone that the options mean, lie in their
 * dates, days and hours (net/netfilter/xt_time.c). Any checked options.
 */
bool time_holds(const struct xt_time_info *o, int64_t seconds);

#endif
