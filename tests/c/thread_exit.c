/* SPDX-License-Identifier: MIT */
/* Thread-specific destructors that draw: before the generator's own has run, and after it.
 *
 *     thread_exit THREADS
 */
#define _GNU_SOURCE
#include "draws.h"
#include "hooks.h"
#include "states_mapping.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>

static pthread_key_t early, late;
static _Atomic int early_draws, late_draws;

/* ThreadSanitizer of gcc 13 and later takes leave of a thread in the last round and crashes in what
 * runs after that, which the generator's destructor for a draw of the last round but one would do.
 */
#ifdef __SANITIZE_THREAD__
#define ROUNDS (PTHREAD_DESTRUCTOR_ITERATIONS - 2)
#else
#define ROUNDS PTHREAD_DESTRUCTOR_ITERATIONS
#endif

static _Thread_local int early_rounds, late_rounds;

/* Runs again in each round, as often as the system allows. */
static void early_destructor(void *round)
{
	draw(48);
	early_draws++;
	if (++early_rounds < ROUNDS)
		pthread_setspecific(early, round);
}

static void late_destructor(void *round)
{
	draw(48);
	late_draws++;
	if (++late_rounds < ROUNDS)
		pthread_setspecific(late, round);
}

static void *state_of_last;

static void *draws(void *arg)
{
	pthread_setspecific(early, &early);
	pthread_setspecific(late, &late);
	draw(48);
	draw(4096);
	state_of_last = hook_state();
	return arg;
}

/* Exits without having drawn before. */
static void *draws_last(void *arg)
{
	pthread_setspecific(early, &early);
	pthread_setspecific(late, &late);
	return arg;
}

static bool all_zeros(const unsigned char *page)
{
	for (int i = 0; i < 4096; i++)
		if (page[i])
			return false;
	return true;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 0;
	size_t before, kept = 0;
	pthread_t thread;

	records_start((size_t)threads * 10000 + 100000);
	/* Keys are taken in order: the generator's is made by the first draw. */
	pthread_key_create(&early, early_destructor);
	draw(16);
	pthread_key_create(&late, late_destructor);
	before = states_mapped();
	for (int i = 0; i < threads; i++) {
		state_of_last = NULL;
		if (pthread_create(&thread, NULL, i % 2 ? draws_last : draws, NULL) ||
		    pthread_join(thread, NULL))
			return 2;
		kept += state_of_last && !all_zeros(state_of_last);
	}
	printf("early=%d\nlate=%d\nmapped_first=%zu\nmapped_last=%zu\nkept=%zu\n", early_draws,
	       late_draws, before, states_mapped(), kept);
	print_stats();
	records_check();
	return 0;
}
