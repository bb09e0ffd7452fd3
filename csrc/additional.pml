/* SPDX-License-Identifier: MIT */
/* The memory accesses of reseed() and vgetrandom_reseed() (csrc/reseed.c), in every order in which a
 * processor may make them: a model for a checker, like draw.pml, where they are in program order.
 *
 * One thread claims a state and fetches its key. Another gives bytes and marks the states that have
 * an owner. The kernel reseeds. Each makes its steps in any order, with two exceptions: a step that
 * uses a loaded value comes after that load, and steps do not cross a fence. A store is seen by all
 * others at the same time, as on x86, aarch64 and RISC-V.
 *
 * At the end it is checked that a state which the next draw would take for current has a key
 * (1) with all of the bytes,
 * (2) that is no older than the kernel's last reseed.
 */

#define MARKED 255

/* ---- memory ---- */
bool owned;	     /* the state has an owner */
byte generation;     /* of the state; 0: none */
bool given[2];	     /* the pool's words have the bytes */
byte kernel_key = 1; /* by the generation that it was made for */
byte watched = 1;    /* the kernel's generation */

/* ---- the key that was fetched ---- */
bool has[2];
byte key;

byte over; /* how many processes have made all their steps */

/* BEFORE a fence that precedes the step. */
#define FENCED(before) (before)

/* state_claim() and reseed() */
active proctype thread()
{
	byte seen;
	bool claimed, loaded, stored, read0, read1, fetched;

	do
	:: atomic { !claimed -> owned = true; claimed = true }
	:: atomic { !loaded -> seen = watched; loaded = true }
	:: atomic { !stored && loaded -> generation = seen; stored = true }
	/* The fence. */
	:: atomic { !fetched && FENCED(loaded) -> key = kernel_key; fetched = true }
	:: atomic { !read0 && FENCED(claimed) && FENCED(stored) -> has[0] = given[0]; read0 = true }
	:: atomic { !read1 && FENCED(claimed) && FENCED(stored) -> has[1] = given[1]; read1 = true }
	:: claimed && stored && fetched && read0 && read1 -> break
	od;
	over++
}

/* vgetrandom_reseed() */
active proctype caller()
{
	bool word0, word1, looked, marked, seen;

	do
	:: atomic { !word0 -> given[0] = true; word0 = true }
	:: atomic { !word1 -> given[1] = true; word1 = true }
	/* The fence. */
	:: atomic { !looked && FENCED(word0 && word1) -> seen = owned; looked = true }
	/* A processor does not store before it knows that it has to. */
	:: atomic { !marked && looked ->
		marked = true;
		if
		:: seen -> generation = MARKED
		:: else
		fi }
	:: word0 && word1 && marked -> break
	od;
	over++
}

/* The kernel stores its generation with release, after the key. */
active proctype kernel()
{
	kernel_key = 2;
	watched = 2;
	over++
}

active proctype judge()
{
	over == 3;
	if
	:: generation == watched ->
		assert(has[0] && has[1]); /* (1) */
		assert(key >= watched) /* (2) */
	:: else
	fi
}
