// libtracefs as Debian ships it: ftrace instances and what is in them.
#include <tracefs.h>
