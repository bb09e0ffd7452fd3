/* SPDX-License-Identifier: MIT */
/* Whether anything would tell that this virtual machine was cloned. The answer is only reported:
 * what can be watched is watched (watch.h). */
#ifndef VGETRANDOM_CLONES_H
#define VGETRANDOM_CLONES_H

#include "notes.h"

/* Looks for VMGENID, once; again only if there was no descriptor to be had. */
void clones_look(void);

/* "vmgenid", "vmclock", "none", or "unknown" where there is nothing to look at. */
const char *clones_name(void);
void clones_notes(struct notes *notes);

enum vmgenid {
	VMGENID_NOT_LOOKED_FOR, /* not yet, or no descriptor was to be had */
	VMGENID_BOUND,          /* the kernel's driver has a device */
	VMGENID_MISSING,
	VMGENID_UNKNOWN, /* there is no sysfs to look at */
};

/* Looks for the driver on all buses in the directory BUSES ("/sys/bus"). */
enum vmgenid clones_find_vmgenid(const char *buses);

#endif
