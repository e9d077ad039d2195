// measure COMMAND [ARGUMENT...]: runs a command with its output thrown away and prints three numbers: wall seconds, CPU
// seconds, and the peak of its anonymous memory in KiB. RssAnon of /proc/PID/status, looked at every 10 ms, leaves out the
// pages of mapped files, which VmHWM and ru_maxrss count.

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static double seconds(struct timeval time)
{
	return time.tv_sec + time.tv_usec / 1e6;
}

static long anonymous_kib(pid_t pid)
{
	char path[32], line[256];
	long kib = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = fopen(path, "r");
	if (!status)
		return 0;
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "RssAnon: %ld kB", &kib) == 1)
			break;
	fclose(status);
	return kib;
}

int main(int argc, char **argv)
{
	const struct timespec interval = { .tv_nsec = 10 * 1000 * 1000 };
	double start = now();
	struct rusage usage;
	sigset_t child;
	long peak = 0;
	int status;
	pid_t pid;

	if (argc < 2)
		return 64;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_UNBLOCK, &child, NULL);
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	while (sigtimedwait(&child, NULL, &interval) < 0) {
		long kib = anonymous_kib(pid);

		if (kib > peak)
			peak = kib;
	}
	if (wait4(pid, &status, 0, &usage) != pid || status != 0) {
		fprintf(stderr, "measure: %s failed\n", argv[1]);
		return 1;
	}
	printf("%.4f %.4f %ld\n", now() - start, seconds(usage.ru_utime) + seconds(usage.ru_stime), peak);
	return 0;
}
