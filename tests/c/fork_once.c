/* SPDX-License-Identifier: MIT */
/* One draw in a child and one in its parent, after both had drawn as one process.
 *
 *     fork_once
 */
#define _GNU_SOURCE
#include "draws.h"

#include <string.h>
#include <sys/wait.h>

int main(void)
{
	struct vgetrandom_info info;
	int status;

	records_start(4096);
	draw(16);
	pid_t pid = fork();

	if (pid < 0)
		fail("no child");
	draw(48);
	if (pid == 0)
		_exit(0);
	if (waitpid(pid, &status, 0) != pid || status)
		fail("the child failed");
	records_check();
	vgetrandom_get_info(&info);
	printf("memory=%s\n", info.memory);
	for (int i = 0; info.notes[i]; i++)
		printf("note=%s\n", info.notes[i]);
	return 0;
}
