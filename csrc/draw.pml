/* SPDX-License-Identifier: MIT */
/* The draw protocol as a state machine: csrc/draw.c, reseed.c, refill.c and the check-out of
 * csrc/states.h, with one generator, a batch of BATCH outputs, and everything that can happen
 * between any two steps.
 *
 * There are two frames: the draw that a thread makes, and the one of a signal handler that
 * interrupts it. Key 0 is the zero key, others are numbered as the kernel gives them; an output is
 * a key and a position. Where the C mixes a key with fresh entropy, the model takes a new number,
 * and none where the key was zero: a draw must not rest on the fresh half alone.
 *
 * After a fork the model goes on as the child, whose page is zero. The parent may still draw
 * anything from keys that were given before the fork, so the child must draw nothing from them.
 *
 * vgetrandom_reseed() gives bytes, and marks the state, in two steps of another thread; additional.pml
 * has these with loads and stores out of order. The clock, each run's nonce, is left out: it matters
 * only where there are clones of a machine.
 *
 * At every output it is checked that
 * (1) its key is not zero,
 * (2) its key was given no earlier than the last reseed of the kernel that the draw can have seen,
 * (3) no other draw or process has had this output, or may get it,
 * (4) its key contains the caller's bytes if vgetrandom_reseed() had returned when the draw last
 *     looked at the generation.
 */

#ifndef DRAWS
#define DRAWS	   2 /* besides those of handlers */
#endif
#ifndef EVENTS
#define EVENTS	   4 /* of all kinds together */
#endif
#ifndef BYTES
#define BYTES	   1 /* calls that give bytes: 0 or 1 */
#endif
#define BATCH	   2
#define KEYS	   24
#define REQUESTED  255 /* as a generation */

mtype = { IDLE, LOAD, TAKE_OUT, CHECK, COMPARE, EMPTY, STAMP_READ, STAMP, FETCH, ADD, POSITION, MIX,
	  EXPAND, FILL, SERVE, ADVANCE, LOOK_AGAIN, LAST_COMPARE, PUT_BACK, KERNEL };

/* ---- the page: droppable ---- */
byte generation, key, batch, available;

/* ---- outside of it ---- */
bool out; /* the state is out: a draw is using it */

/* ---- each frame's registers ---- */
mtype at[2] = IDLE;
byte seen[2];	/* a generation */
byte left[2];	/* a position */
byte fresh[2];	/* the key at work */
byte output_key[2], output_position[2];
bool told[2]; /* that call was over when it last looked */
bit attempt[2]; /* the second */
bit over[2];	/* the process was forked after the last look: parent and child both have the output */
byte f;		/* the frame that runs */

/* ---- the world ---- */
byte watched = 1; /* the kernel's generation */
byte keys, keys_at_fork;
byte draws, events;
byte born[KEYS]; /* the generation that a key was given under */
bool given, marked; /* the bytes of the one call that gives any; the state, after them */
bool has[KEYS];	    /* those bytes */
bool had[KEYS * (BATCH + 1)];

inline new_key(k)
{
	keys++;
	assert(keys < KEYS);
	k = keys;
	born[k] = watched;
}

inline give_output()
{
	assert(output_key[f] != 0); /* (1) */
	assert(born[output_key[f]] >= watched); /* (2) */
	assert(has[output_key[f]] || !told[f]); /* (4) */
	if
	:: over[f]
	:: else ->
		assert(output_key[f] > keys_at_fork); /* (3) */
		assert(!had[output_key[f] * (BATCH + 1) + output_position[f]]);
		had[output_key[f] * (BATCH + 1) + output_position[f]] = true
	fi
}

inline step()
{
	if
	/* vgetrandom(): takes the state out, unless a draw that this one interrupts has it. */
	:: at[f] == LOAD ->
		attempt[f] = 0;
		over[f] = 0;
		at[f] = (out -> KERNEL : TAKE_OUT)
	:: at[f] == TAKE_OUT ->
		out = true;
		at[f] = CHECK

	/* Is there a key, and of this generation? Two loads. */
	:: at[f] == CHECK ->
		seen[f] = generation;
		at[f] = COMPARE
	:: at[f] == COMPARE ->
		at[f] = (seen[f] == watched -> POSITION : EMPTY)

	/* reseed() */
	:: at[f] == EMPTY ->
		available = 0;
		at[f] = STAMP_READ
	:: at[f] == STAMP_READ ->
		seen[f] = watched;
		at[f] = STAMP
	:: at[f] == STAMP ->
		generation = seen[f];
		at[f] = FETCH
	:: at[f] == FETCH ->
		new_key(key);
		at[f] = ADD
	/* To whatever is in the page by now. */
	:: at[f] == ADD ->
		if
		:: key != 0 -> has[key] = given
		:: else
		fi;
		at[f] = POSITION

	/* fill_from_state() and refill() */
	:: at[f] == POSITION ->
		left[f] = available;
		at[f] = (left[f] == 0 -> MIX : SERVE)
	:: at[f] == MIX ->
		fresh[f] = 0;
		if
		:: key != 0 -> new_key(fresh[f]); born[fresh[f]] = born[key]; has[fresh[f]] = has[key]
		:: else
		fi;
		at[f] = EXPAND
	:: at[f] == EXPAND ->
		batch = fresh[f];
		key = fresh[f];
		at[f] = FILL
	:: at[f] == FILL ->
		available = BATCH;
		left[f] = BATCH;
		at[f] = SERVE
	:: at[f] == SERVE ->
		output_key[f] = batch;
		output_position[f] = left[f];
		at[f] = ADVANCE
	:: at[f] == ADVANCE ->
		available = left[f] - 1;
		at[f] = LOOK_AGAIN

	/* After the last use of the page: has anything happened to it? One retry, then the kernel. */
	:: at[f] == LOOK_AGAIN ->
		seen[f] = generation;
		told[f] = marked;
		at[f] = LAST_COMPARE
	:: at[f] == LAST_COMPARE ->
		if
		:: seen[f] == watched ->
			give_output();
			at[f] = PUT_BACK
		:: else ->
			at[f] = (attempt[f] == 0 -> CHECK : KERNEL);
			attempt[f] = 1;
			over[f] = 0
		fi
	:: at[f] == PUT_BACK ->
		out = false;
		at[f] = IDLE

	/* The kernel's own bytes. If an interrupted draw has the state, it stays out. */
	:: at[f] == KERNEL ->
		if
		:: attempt[f] -> out = false
		:: else
		fi;
		at[f] = IDLE
	fi
}

/* The kernel zeroes the page. */
inline wipe()
{
	generation = 0; key = 0; batch = 0; available = 0
}

/* Registers that are not read again must not tell states apart. */
inline forget(i)
{
	seen[i] = 0; left[i] = 0; fresh[i] = 0; output_key[i] = 0; output_position[i] = 0;
	attempt[i] = 0; over[i] = 0; told[i] = 0
}

active proctype machine()
{
	do
	/* One step further: in the handler, as long as that runs. */
	:: atomic { at[1] != IDLE -> f = 1; step(); if :: at[1] == IDLE -> forget(1) :: else fi }
	:: atomic { at[1] == IDLE && at[0] != IDLE ->
		f = 0; step(); if :: at[0] == IDLE -> forget(0) :: else fi }
	/* The thread draws. */
	:: atomic { at[0] == IDLE && draws < DRAWS -> draws++; at[0] = LOAD }
	/* A signal whose handler draws. */
	:: atomic { at[0] != IDLE && at[1] == IDLE && events < EVENTS -> events++; at[1] = LOAD }
	/* The page is dropped. */
	:: atomic { events < EVENTS -> events++; wipe() }
	/* The process is forked, also in a handler. */
	:: atomic { events < EVENTS ->
		events++;
		wipe();
		keys_at_fork = keys;
		over[0] = (at[0] == LAST_COMPARE);
		over[1] = (at[1] == LAST_COMPARE) }
	/* The kernel reseeds; another thread calls vgetrandom_reseed(). */
	:: atomic { events < EVENTS -> events++; watched++ }
	:: atomic { events < EVENTS -> events++; generation = REQUESTED }
	/* Another one gives it bytes, in two steps. */
	:: atomic { events < EVENTS && BYTES && !given -> events++; given = true }
	:: atomic { given && !marked -> generation = REQUESTED; marked = true }
	:: atomic { draws == DRAWS && at[0] == IDLE && at[1] == IDLE -> break }
	od
}
