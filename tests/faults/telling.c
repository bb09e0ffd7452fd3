/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "telling.h"

#include "places.h"
#include "traced.h"

#include "../../csrc/draw.h"

#include <dlfcn.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>

struct answer {
	uint32_t source;
	int32_t pid;
	int64_t answer;
	uint64_t len;
};

static void write_out(const void *data, size_t len)
{
	if (len && fwrite(data, len, 1, stdout) != 1)
		err(2, "standard output");
}

void tell_trace(void)
{
	const uint64_t sizes[] = { BATCH_BYTES,      KEYSTREAM_BYTES, BULK_MIN_BYTES,
				   BULK_GRAIN_BYTES, BULK_BYTES,      sizeof(struct state),
				   instructions };

	write_out(sizes, sizeof(sizes));
	for (size_t i = 0; i < instructions; i++) {
		Dl_info info;
		bool ours = dladdr((void *)trace[i].pc, &info) && info.dli_fbase == library_base;
		const uint64_t row[] = {
			ours ? trace[i].pc - (uintptr_t)library_base : UINT64_MAX,
			trace[i].pc,
			trace[i].touched,
		};

		write_out(row, sizeof(row));
	}
	fflush(stdout);
}

/* An answer of the scripted kernel, with all its bytes. */
static void tell_answer(uint64_t n)
{
	const struct script_entry *entry = &core.script()->log[n];
	static uint8_t bytes[MAX_BYTES];
	const struct answer answer = {
		.source = entry->source,
		.pid = entry->pid,
		.answer = entry->answer,
		.len = entry->len,
	};
	uint64_t len = answer.answer > 0 ? (uint64_t)answer.answer : 0;

	for (uint64_t i = 0; i < len; i++)
		bytes[i] = core.byte(core.script()->seed, n, i);
	write_out(&answer, sizeof(answer));
	write_out(bytes, len);
}

void tell(struct result *result, const void *state)
{
	struct script *script = core.script();

	result->records = observed->records;
	result->log = (uint32_t)script->calls;
	result->first_keys = observed->first_keys;
	result->failures = observed->failures;
	result->used = observed->used;
	if (result->log > SCRIPT_LOG_ENTRIES || result->records > MAX_RECORDS)
		errx(2, "the log is full");
	write_out(result, sizeof(*result));
	write_out(observed->record, result->records * sizeof(observed->record[0]));
	for (uint32_t n = 0; n < result->log; n++)
		tell_answer(n);
	write_out(observed->arena, result->used);
	write_out(state, sizeof(struct state));
	fflush(stdout);
}
