#include "counters.h"

void counters_begin(struct counters *counters, uint64_t epoch)
{
	uint64_t counted = counters->epoch;

	if (counted == epoch || !atomic_compare_exchange_strong(&counters->epoch, &counted, epoch))
		return;
	counters->refills = counters->syscalls = counters->fallbacks = 0;
	for (int i = 0; i < RESEED_REASONS; i++)
		counters->reseeds[i] = 0;
}

void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void counters_add(struct counters *sum, const struct counters *counters, uint64_t epoch)
{
	if (counters->epoch != epoch)
		return;
	sum->refills += counters->refills;
	sum->syscalls += counters->syscalls;
	sum->fallbacks += counters->fallbacks;
	for (int i = 0; i < RESEED_REASONS; i++)
		sum->reseeds[i] += counters->reseeds[i];
}
