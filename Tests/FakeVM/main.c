/* What virtlat sees of a QEMU, without a guest: threads that are called vCPUs and vhost workers, and sleep.
 * fake-vm [QEMU's words ...] -smp VCPUS -workers WORKERS; says "ready" when all threads have their names. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_barrier_t named;

static void *sleeper(void *name)
{
	pthread_setname_np(pthread_self(), name);
	pthread_barrier_wait(&named);
	for (;;)
		pause();
	return NULL;
}

int main(int count, char **words)
{
	int vcpus = 1, workers = 1, i;
	pthread_t thread;

	for (i = 1; i + 1 < count; i++) {
		if (!strcmp(words[i], "-smp"))
			vcpus = atoi(words[i + 1]);
		if (!strcmp(words[i], "-workers"))
			workers = atoi(words[i + 1]);
	}
	pthread_barrier_init(&named, NULL, vcpus + workers + 1);
	for (i = 0; i < vcpus + workers; i++) {
		char *name;

		if (i < vcpus ? asprintf(&name, "CPU %d/KVM", i) < 0 : asprintf(&name, "vhost-%d", getpid()) < 0)
			return 1;
		if (pthread_create(&thread, NULL, sleeper, name))
			return 1;
	}
	pthread_barrier_wait(&named);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
