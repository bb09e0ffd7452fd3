/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "clones.h"

#include "shortage.h"
#include "system_call.h"
#include "watch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NAME_BYTES 256 /* the longest name of a file, with its final zero */

/* getdents64(2)'s struct linux_dirent64. */
struct entry {
	uint64_t inode;
	int64_t next;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

enum { TYPE_UNKNOWN = 0, TYPE_LINK = 10 };

typedef enum vmgenid visit_fn(const struct entry *entry, const char *directory);

/* Returns the first answer of VISIT for an entry of the directory that is not VMGENID_MISSING.
 * Allocates nothing, unlike readdir(3): signal handlers may call vgetrandom_get_info(). */
static enum vmgenid search(const char *directory, visit_fn *visit)
{
	_Alignas(struct entry) char entries[sizeof(struct entry) + NAME_BYTES + 8];
	int fd = system_open(directory);
	enum vmgenid found = VMGENID_MISSING;
	ssize_t bytes;

	if (fd < 0)
		return is_shortage(errno) ? VMGENID_NOT_LOOKED_FOR : VMGENID_UNKNOWN;
	while (found == VMGENID_MISSING &&
	       (bytes = system_getdents64(fd, entries, sizeof(entries))) > 0)
		for (ssize_t at = 0; at < bytes && found == VMGENID_MISSING;) {
			const struct entry *entry = (const void *)(entries + at);

			found = visit(entry, directory);
			at += entry->bytes;
		}
	system_close(fd);
	return found;
}

/* A driver's directory has a link for each of its devices, one to its module, and files. */
static enum vmgenid visit_driver(const struct entry *entry, const char *directory)
{
	static const char *const others[] = { ".", "..", "bind", "unbind", "uevent", "module" };

	(void)directory;
	if (entry->type != TYPE_LINK && entry->type != TYPE_UNKNOWN)
		return VMGENID_MISSING;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(entry->name, others[i]) == 0)
			return VMGENID_MISSING;
	return VMGENID_BOUND;
}

/* All buses are searched: the driver has moved once already, from acpi to platform. */
static enum vmgenid visit_bus(const struct entry *entry, const char *buses)
{
	char path[2 * NAME_BYTES];
	const char *parts[] = { buses, "/", entry->name, "/drivers/vmgenid" };
	size_t len = 0;

	if (entry->name[0] == '.')
		return VMGENID_MISSING;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t part = strlen(parts[i]);

		if (len + part >= sizeof(path))
			return VMGENID_MISSING;
		memcpy(path + len, parts[i], part + 1);
		len += part;
	}
	enum vmgenid found = search(path, visit_driver);

	/* Most buses have no such driver. */
	return found == VMGENID_UNKNOWN ? VMGENID_MISSING : found;
}

enum vmgenid clones_find_vmgenid(const char *buses)
{
	return search(buses, visit_bus);
}

static _Atomic enum vmgenid vmgenid;

void clones_look(void)
{
	if (vmgenid == VMGENID_NOT_LOOKED_FOR)
		vmgenid = clones_find_vmgenid("/sys/bus");
}

const char *clones_name(void)
{
	if (vmgenid == VMGENID_BOUND)
		return "vmgenid";
	if (watch_has_vmclock())
		return "vmclock";
	return vmgenid == VMGENID_MISSING ? "none" : "unknown";
}

void clones_notes(struct notes *notes)
{
	const char *name = clones_name();

	if (strcmp(name, "vmgenid") == 0 && !watch_has_kernel() && !watch_has_vmclock())
		note(notes, "VMGENID tells the kernel that the machine was cloned, and nothing "
			    "tells this library: up to one batch per thread may be the same in "
			    "every clone, unless reseed() is called after the restore");
	if (watch_was_refused_vmclock())
		note(notes, "there is a /dev/vmclock0 which this process may not open (by default "
			    "only root may): it would tell of a clone of this machine");
	if (watch_has_vmclock() && !watch_has_vmclock_counter())
		note(notes, "this machine's vmclock does not count snapshots: its disruption "
			    "marker is watched, which also moves at a live migration");
	if (strcmp(name, "vmclock") == 0)
		note(notes, "vmclock tells of a clone of this machine, but not the kernel's "
			    "generator: until it reseeds by itself, keys are the same in every "
			    "clone, and only the clock makes their output differ; give reseed() "
			    "bytes of each instance's own after a restore");
	if (strcmp(name, "none") == 0)
		note(notes,
		     "nothing here would tell of a clone of this machine (neither VMGENID "
		     "nor vmclock): until the kernel reseeds by itself, keys are the same in "
		     "every clone, and only the clock makes their output differ; give "
		     "reseed() bytes of each instance's own after a restore");
	if (strcmp(name, "unknown") == 0)
		note(notes, "whether anything would tell of a clone of this machine cannot be "
			    "seen (in /sys/bus): give reseed() bytes of each instance's own after "
			    "a restore");
}
