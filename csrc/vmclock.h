/* The VM generation counter that a hypervisor may offer in a page of its own. */
#ifndef VGETRANDOM_VMCLOCK_H
#define VGETRANDOM_VMCLOCK_H

#include "watch.h"

/* Maps the vmclock device at PATH read-only and returns its generation counter; NULL with errno set
 * where there is no device, it cannot be opened, or it has no such counter. */
watched_word *vmclock_map(const char *path);

/* For a counter that is not watched after all. */
void vmclock_unmap(watched_word *word);

#endif
