/* Telling a forked child from its parent without a hook: raw clone(2) runs none. */
#ifndef VGETRANDOM_PROCESS_H
#define VGETRANDOM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Never zero; another number in every child that has memory of its own. */
uint64_t process_epoch(void);

/* Whether the epochs come from a page that the kernel wipes on fork. If not they are process
 * IDs, and no state may be kept; each call tries again, unless such pages are refused for good. */
bool process_has_marker(void);

#endif
