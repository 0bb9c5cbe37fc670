/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/help.h"

#include "filters/iptables/xt.h"

#include <stdio.h>

static const char text[] =
	"Commands (a rule is a list of options, in any order):\n"
	"  -A, --append CHAIN RULE             put a rule at the end of a chain\n"
	"  -I, --insert CHAIN [NUMBER] RULE    put it before rule NUMBER (1)\n"
	"  -R, --replace CHAIN NUMBER RULE     put it in the place of rule NUMBER\n"
	"  -D, --delete CHAIN RULE|NUMBER      remove the first equal rule, or rule NUMBER\n"
	"  -C, --check CHAIN RULE              is there such a rule?\n"
	"  -L, --list [CHAIN [NUMBER]]         print rules as a table\n"
	"  -S, --list-rules [CHAIN [NUMBER]]   print rules as commands\n"
	"  -F, --flush [CHAIN]                 remove all rules\n"
	"  -Z, --zero [CHAIN [NUMBER]]         counters to zero\n"
	"  -N, --new-chain CHAIN               make a chain\n"
	"  -X, --delete-chain [CHAIN]          remove an empty chain, or all\n"
	"  -P, --policy CHAIN ACCEPT|DROP      what happens at the end of a built-in chain\n"
	"  -E, --rename-chain OLD NEW          give a chain another name\n"
	"\n"
	"Options ([!]: \"! OPTION\", or \"OPTION !\" as of old):\n"
	"  -t, --table TABLE                   raw, mangle, nat, filter (unless given), security\n"
	"  [!] -p, --protocol PROTOCOL         name or number\n"
	"  [!] -s, --source ADDRESS[/MASK],... one rule for each\n"
	"  [!] -d, --destination ADDRESS[/MASK],...\n"
	"  [!] -i, --in-interface NAME[+]      + stands for any end\n"
	"  [!] -o, --out-interface NAME[+]\n"
	"  [!] -f, --fragments                 second and later fragments only\n"
	"  -m, --match NAME                    a match; its options may follow\n"
	"  -j, --jump TARGET                   a target, a verdict or a chain\n"
	"  -g, --goto CHAIN                    like a jump, without coming back\n"
	"  -c, --set-counters PACKETS BYTES    counters to begin with\n"
	"  -n, --numeric                       no names of addresses and ports\n"
	"  -v, --verbose                       counters and interfaces, too\n"
	"  -x, --exact                         numbers are not rounded\n"
	"      --line-numbers                  rules with their numbers\n"
	"  -w, --wait [SECONDS]                ignored: there is no lock\n"
	"  -4, --ipv4                          ignored\n"
	"  -h, --help                          after -m or -p: with its options\n"
	"  -V, --version\n";

void
help_print(const char *program)
{
	printf("%s v%s\n\nUsage: %s [-t TABLE] COMMAND [OPTIONS]\n\n%s", program,
		xt_params->program_version, program, text);
}
