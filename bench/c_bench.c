/* SPDX-License-Identifier: MIT */
/* Compares vgetrandom() with other sources of random bytes in C: the kernel's vDSO, libc's
 * getrandom() and OpenSSL's bare ChaCha20, measured in turn in one process. `vgetrandom bench` does
 * the same for Python; both write the same form of JSON.
 *
 * usage: c_bench [--quick] [--json FILE]
 */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include <vgetrandom.h>

#include "c_peers.h"

#define MAX_SAMPLES 15

static const size_t sizes[] = {
	1, 8, 16, 32, 64, 256, 1024, 4096, 16384, 1 << 16, 1 << 20, MAX_SIZE
};

static const char *absent[PEERS];

/* ---- the method ---- */

struct row {
	double samples[MAX_SAMPLES]; /* nanoseconds per call, ascending in the end */
	double median, stddev;
};

static struct row rows[LENGTH(sizes)][PEERS];

/* Nanoseconds of this thread's processor time that so many calls take, without what other processes
 * take meanwhile. */
static double run(const struct peer *peer, size_t len, long calls)
{
	struct timespec start, end;
	bool good;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	good = peer->loop(len, calls);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	if (!good) {
		fprintf(stderr, "c_bench: %s gave a short answer for %zu bytes\n", peer->name, len);
		exit(1);
	}
	return (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
}

/* How many calls take at least NS. Warms up caches and clock frequency as well. */
static long calibrate(const struct peer *peer, size_t len, double ns)
{
	long calls = 1;

	while (run(peer, len, calls) < ns)
		calls *= 2;
	return calls;
}

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void summarise(struct row *row, int samples)
{
	double mean = 0, squares = 0;

	qsort(row->samples, (size_t)samples, sizeof(double), ascending);
	row->median = row->samples[samples / 2]; /* their number is odd */
	for (int i = 0; i < samples; i++)
		mean += row->samples[i] / samples;
	for (int i = 0; i < samples; i++)
		squares += (row->samples[i] - mean) * (row->samples[i] - mean);
	row->stddev = sqrt(squares / (samples - 1));
}

/* Which peer is measured at a place of a round: 0, 1, -1, 2, -2, ..., shifted by one from round to
 * round. With an even number of peers, each is then at each place, and after each other peer,
 * equally often (vgetrandom/bench/order.py covers odd numbers too). */
static size_t turn(int round, size_t place)
{
	size_t step = place % 2 ? (place + 1) / 2 : PEERS - place / 2;

	return (step + (size_t)round) % PEERS;
}

static_assert(PEERS % 2 == 0, "turn() is balanced for an even number of peers");

/* Measures the peers in turn, so that noise affects all of them alike. */
static void measure(size_t len, struct row *row, int samples, double ns)
{
	long calls[PEERS];

	for (size_t p = 0; p < PEERS; p++)
		if (!absent[p])
			calls[p] = calibrate(&peers[p], len, ns);
	for (int i = 0; i < samples; i++) {
		for (size_t place = 0; place < PEERS; place++) {
			size_t p = turn(i, place);

			if (absent[p])
				continue;
			/* Not measured: the caches must be as this peer leaves them, not as the one
			 * before did. */
			run(&peers[p], len, calls[p] / 10 + 1);
			row[p].samples[i] = run(&peers[p], len, calls[p]) / (double)calls[p];
		}
	}
	for (size_t p = 0; p < PEERS; p++)
		if (!absent[p])
			summarise(&row[p], samples);
}

/* ---- the report ---- */

static void find_cpu(char *cpu, size_t len)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(cpu, len, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		char *value = strstr(line, ": ");

		if (strncmp(line, "model name", 10) || !value)
			continue;
		value[strcspn(value, "\n")] = '\0';
		snprintf(cpu, len, "%s", value + 2);
		break;
	}
	if (file)
		fclose(file);
}

static const char *libc_name(char *name, size_t len)
{
#ifdef __GLIBC__
	snprintf(name, len, "glibc %s", gnu_get_libc_version());
#else
	snprintf(name, len, "unknown");
#endif
	return name;
}

static int count_cores(void)
{
	cpu_set_t cores;

	return sched_getaffinity(0, sizeof(cores), &cores) ? 1 : CPU_COUNT(&cores);
}

static void print_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void print_machine(FILE *out, const char *command)
{
	char cpu[256], libc[64], date[32];
	struct utsname system;
	time_t now = time(NULL);
	bool first = true;

	find_cpu(cpu, sizeof(cpu));
	uname(&system);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S+00:00", gmtime(&now));
	fprintf(out, " \"machine\": {\n  \"date\": \"%s\",\n  \"cpu\": ", date);
	print_string(out, cpu);
	fprintf(out, ",\n  \"cores\": %d,\n  \"kernel\": \"%s %s %s\",\n", count_cores(),
		system.sysname, system.release, system.machine);
	fprintf(out, "  \"libc\": \"%s\",\n  \"vgetrandom\": {\"version\": \"%s\"},\n",
		libc_name(libc, sizeof(libc)), VGETRANDOM_VERSION);
	fprintf(out, "  \"command\": \"%s\",\n  \"complete\": true,\n  \"absent\": {", command);
	for (size_t p = 0; p < PEERS; p++) {
		if (!absent[p])
			continue;
		fputs(first ? "" : ", ", out);
		print_string(out, peers[p].name);
		fputs(": ", out);
		print_string(out, absent[p]);
		first = false;
	}
	fputs("}\n },\n", out);
}

static void print_json(FILE *out, const char *command, int samples)
{
	bool first = true;

	fputs("{\n", out);
	print_machine(out, command);
	fputs(" \"results\": [", out);
	for (size_t s = 0; s < LENGTH(sizes); s++) {
		for (size_t p = 0; p < PEERS; p++) {
			const struct row *row = &rows[s][p];

			if (absent[p])
				continue;
			fprintf(out, "%s\n  {\"group\": \"C\", \"name\": \"%s\", \"size\": %zu, ",
				first ? "" : ",", peers[p].name, sizes[s]);
			fprintf(out, "\"unit\": \"ns\", \"median\": %.5g, \"min\": %.4g, ",
				row->median, row->samples[0]);
			fprintf(out, "\"stddev\": %.3g, \"samples\": [", row->stddev);
			for (int i = 0; i < samples; i++)
				fprintf(out, "%s%.4g", i ? ", " : "", row->samples[i]);
			fputs("]}", out);
			first = false;
		}
	}
	fputs("\n ]\n}\n", out);
}

static void print_table(void)
{
	for (size_t p = 0; p < PEERS; p++)
		if (absent[p])
			printf("absent: %s: %s\n", peers[p].name, absent[p]);
	printf("%8s  %-18s %12s %5s %9s %7s\n", "bytes", "", "ns", "+-", "GB/s", "x vDSO");
	for (size_t s = 0; s < LENGTH(sizes); s++) {
		for (size_t p = 0; p < PEERS; p++) {
			const struct row *row = &rows[s][p];

			if (absent[p])
				continue;
			printf("%8zu  %-18s %12.1f %3.0f%% %9.3f", sizes[s], peers[p].name,
			       row->median, row->stddev / row->median * 100,
			       (double)sizes[s] / row->median);
			if (!absent[BASELINE])
				printf(" %7.2f", rows[s][BASELINE].median / row->median);
			putchar('\n');
		}
	}
}

static int usage(void)
{
	fputs("usage: c_bench [--quick] [--json FILE]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const char *path = NULL;
	bool quick = false;
	FILE *json = NULL;
	int samples;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick"))
			quick = true;
		else if (!strcmp(argv[i], "--json") && i + 1 < argc)
			path = argv[++i];
		else
			return usage();
	}
	/* Before measuring, which would be in vain if the file cannot be written. */
	if (path && !(json = fopen(path, "w"))) {
		fprintf(stderr, "c_bench: cannot write %s: %s\n", path, strerror(errno));
		return 2;
	}
	if (!peers_allocate()) {
		fputs("c_bench: no memory\n", stderr);
		return 1;
	}
	for (size_t p = 0; p < PEERS; p++)
		absent[p] = peers[p].find();
	samples = quick ? 5 : MAX_SAMPLES;
	for (size_t s = 0; s < LENGTH(sizes); s++)
		measure(sizes[s], rows[s], samples, quick ? 2e6 : 10e6);
	print_table();
	if (json) {
		print_json(json, quick ? "c_bench --quick" : "c_bench", samples);
		if (fclose(json)) {
			fprintf(stderr, "c_bench: cannot write %s: %s\n", path, strerror(errno));
			return 1;
		}
	}
	return 0;
}
