// Counts the events of trace.dat files, one file after the other: what libtracecmd needs to look at every event once.

#include <stdio.h>
#include <trace-cmd.h>

static int count(struct tracecmd_input *handle, struct tep_record *record, int cpu, void *events)
{
	++*(long long *)events;
	return 0;
}

int main(int argc, char **argv)
{
	long long events = 0;

	for (int i = 1; i < argc; i++) {
		struct tracecmd_input *handle = tracecmd_open(argv[i], TRACECMD_FL_LOAD_NO_PLUGINS);

		if (!handle || tracecmd_iterate_events(handle, NULL, 0, count, &events) < 0) {
			fprintf(stderr, "iterate: can't read %s\n", argv[i]);
			return 1;
		}
		tracecmd_close(handle);
	}
	printf("%lld\n", events);
	return 0;
}
