/* SPDX-License-Identifier: MIT */
/* What would tell that this virtual machine was cloned. Nothing is done with the answer but to say
 * it: the watch sees what there is to see (watch.h). */
#ifndef VGETRANDOM_CLONES_H
#define VGETRANDOM_CLONES_H

#include "notes.h"

/* Looks for it, once and for all unless there was no descriptor to be had. */
void clones_look(void);

/* "vmgenid", "vmclock", "none", or "unknown" where there is nothing to look at. */
const char *clones_name(void);
void clones_notes(struct notes *notes);

enum vmgenid {
	VMGENID_NOT_LOOKED_FOR, /* nor could it be */
	VMGENID_BOUND,          /* the kernel's driver has a device */
	VMGENID_MISSING,
	VMGENID_UNKNOWN, /* no buses are shown */
};

/* Looks through the buses of a sysfs at BUSES ("/sys/bus"). */
enum vmgenid clones_find_vmgenid(const char *buses);

#endif
