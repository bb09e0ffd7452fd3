/* SPDX-License-Identifier: MIT */
/* Draws that die of any system call that docs/sandboxes.md does not list for them.
 *
 *     phases PHASE SURROUNDINGS [DIRECTORY]
 *
 * PHASE is a row of the table below: what is done before the filter and under it. SURROUNDINGS are
 * `usual`, `no-proc` (DIRECTORY, empty, becomes the root) or `no-descriptors`. Which memory states
 * live in is decided by the environment; with USE_UP_PTHREAD_KEYS in it no pthread key is left when
 * the library is loaded, for which it is linked statically. Exits with 77 where the surroundings or
 * the filter cannot be had.
 */
#define _GNU_SOURCE
#include "phase_draws.h"
#include "phase_filters.h"
#include "phase_surroundings.h"

#define DRAWS_WHILE_IT_PASSES 150000 /* more than twice the longest pause between two attempts */

static bool without_descriptors;

static void say(const char *when)
{
	struct vgetrandom_info info;

	vgetrandom_get_info(&info);
	printf("%s_memory=%s\n%s_watch=%s\n", when, info.memory, when, info.watch);
	for (int i = 0; info.notes[i]; i++)
		printf("%s_note=%s\n", when, info.notes[i]);
}

/* ---- the first draw, and what comes before it ---- */

static void first(void)
{
	allow_only(first_draw);
	draw_often(DRAWS);
}

static void preparing_first(void)
{
	allow_only(preparing);
	prepare();
	say("first");
}

static void info_first(void)
{
	allow_only(preparing);
	say("first");
}

static void generator_first(void)
{
	allow_only(first_draw);
	generator = vgetrandom_generator_new();
	draw_words();
}

/* ---- later draws ---- */

static void later(void)
{
	draw(16);
	allow_only(with_a_state);
	draw_often(DRAWS);
}

static void prepared(void)
{
	prepare();
	allow_only(with_a_state);
	vgetrandom_reseed("additional", 10);
	if (!without_descriptors)
		say("first");
	draw_often(DRAWS);
}

static void settled(void)
{
	prepare();
	say("first");
	allow_only(with_a_state);
	say("second");
	prepare();
	draw_often(DRAWS);
}

static void *draw_without_a_state(void *arg)
{
	allow_only(without_a_state);
	draw_often(DRAWS);
	return arg;
}

static void thread(void)
{
	draw(16);
	draw_in_thread(draw_without_a_state);
}

static void for_object(void)
{
	generator = vgetrandom_generator_new();
	allow_only(with_a_state);
	draw_words();
	vgetrandom_generator_free(generator);
}

static void *draw_words_without_a_state(void *arg)
{
	allow_only(for_an_object);
	draw_words();
	return arg;
}

static void for_object_in_thread(void)
{
	generator = vgetrandom_generator_new();
	draw_in_thread(draw_words_without_a_state);
}

/* ---- children ---- */

static void child(void)
{
	draw(16);
	draw_in_thread(draw_once);
	draw_in_child_of(fork);
}

static void child_by_clone(void)
{
	draw(16);
	draw_in_thread(draw_once);
	draw_in_child_of(raw_clone);
}

static void child_of_thread(void)
{
	draw(16);
	draw_in_thread(draw_in_child);
}

static void child_of_thread_that_has_not_drawn(void)
{
	draw_in_thread(draw_once);
	draw_in_child_of(fork);
}

static void for_object_in_child(void)
{
	generator = vgetrandom_generator_new();
	draw_words();
	draw_in_child_of(fork);
}

/* ---- what is refused for good ---- */

static void advice_refused(void)
{
	asks_for_the_process = false;
	refuse(SYS_madvise);
	draw(16);
	allow_only(with_a_state);
	draw_often(DRAWS);
}

static void *draw_without_locking(void *arg)
{
	allow_only(without_locking);
	draw_often(DRAWS);
	return arg;
}

static void lock_refused(void)
{
	refuse(SYS_mlock2);
	take_all_states();
	draw_in_thread(draw_without_locking);
}

/* ---- what is short for a while: the next attempt after its end succeeds ---- */

static void take_memory(void)
{
	take_away(RLIMIT_AS);
}

static void give_memory_back(void)
{
	give_back(RLIMIT_AS);
}

static void give_key_back(void)
{
	pthread_key_delete(first_key);
}

static void draw_until_it_passes(void (*end)(void))
{
	/* Not vgetrandom_get_info(): it would find what was searched for at the first draw. */
	draw(16);
	allow_only(without_a_state);
	draw_often(DRAWS_WHILE_IT_PASSES);
	unsigned long long without = fallbacks();

	end();
	draw_often(DRAWS_WHILE_IT_PASSES);
	unsigned long long tried = fallbacks();

	draw_often(DRAWS_WHILE_IT_PASSES);
	printf("without=%llu\nwaiting=%llu\nafter=%llu\n", without, tried - without,
	       fallbacks() - tried);
}

static void no_memory(void)
{
	asks_for_the_process = false;
	take_memory();
	draw_until_it_passes(give_memory_back);
}

static void *draw_without_memory(void *arg)
{
	no_memory();
	return arg;
}

static void no_memory_for_thread(void)
{
	take_all_states();
	draw_in_thread(draw_without_memory);
}

static void no_key(void)
{
#ifdef __GLIBC__
	draw_until_it_passes(give_key_back);
#else
	/* Where libc takes a lock to make a key, no draw tries again (csrc/states.c). */
	draw(16);
	allow_only(without_a_state);
	draw_often(DRAWS_WHILE_IT_PASSES);
#endif
}

/* ---- what vgetrandom_get_info() says of a shortage, and then ---- */

static void no_key_told(void)
{
	draw_often(DRAWS);
	say("told");
	give_key_back();
	say("then");
}

static void *tell_of_memory(void *arg)
{
	take_memory();
	draw(16);
	say("told");
	give_memory_back();
	say("then");
	return arg;
}

static void no_memory_told(void)
{
	take_all_states();
	draw_in_thread(tell_of_memory);
}

static void locked_told(void)
{
	lock_all_that_may_be();
	say("told");
	munlockall();
	say("then");
}

static void searched_again(void)
{
	draw(16);
	say("first");
	give_back(RLIMIT_NOFILE);
	draw_often(DRAWS);
	say("second");
}

/* ---- what the next phase's filter kills: so that the others can fail ---- */

static void first_under_the_next_filter(void)
{
	allow_only(with_a_state);
	draw(16);
}

static void thread_under_the_next_filter(void)
{
	allow_only(with_a_state);
	draw_in_thread(draw_once);
}

static const struct phase {
	const char *name;
	void (*run)(void);
} phases[] = {
	{ "first", first },
	{ "preparing", preparing_first },
	{ "info", info_first },
	{ "later", later },
	{ "prepared", prepared },
	{ "settled", settled },
	{ "thread", thread },
	{ "child", child },
	{ "raw-clone", child_by_clone },
	{ "child-of-a-thread", child_of_thread },
	{ "child-of-who-has-not-drawn", child_of_thread_that_has_not_drawn },
	{ "generator-first", generator_first },
	{ "generator", for_object },
	{ "generator-in-a-thread", for_object_in_thread },
	{ "generator-in-a-child", for_object_in_child },
	{ "advice-refused", advice_refused },
	{ "lock-refused", lock_refused },
	{ "no-memory", no_memory },
	{ "no-memory-for-a-thread", no_memory_for_thread },
	{ "no-memory-told", no_memory_told },
	{ "no-key", no_key },
	{ "no-key-told", no_key_told },
	{ "locked-told", locked_told },
	{ "searched-again", searched_again },
	{ "first-under-the-next-filter", first_under_the_next_filter },
	{ "thread-under-the-next-filter", thread_under_the_next_filter },
};

static const struct phase *find_phase(const char *name)
{
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		if (!strcmp(phases[i].name, name))
			return &phases[i];
	return NULL;
}

int main(int argc, char **argv)
{
	static char buffer[65536];
	const struct phase *phase = argc < 3 ? NULL : find_phase(argv[1]);

	if (!phase)
		return 2;
	/* stdio would map memory for it. */
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	records_start(1000000);
	touch_stack();
	without_descriptors = !strcmp(argv[2], "no-descriptors");
	if (without_descriptors)
		take_away(RLIMIT_NOFILE);
	else if (!strcmp(argv[2], "no-proc"))
		enter_empty_root(argc > 3 ? argv[3] : "");

	phase->run();
	if (!filtered)
		records_check();
	fflush(stdout);
	_exit(0);
}
