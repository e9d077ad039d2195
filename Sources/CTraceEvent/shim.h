// libtraceevent as Debian ships it: event formats into fields.
#include <event-parse.h>
#include <trace-seq.h>
