// The two compressions trace-cmd writes.
#include <zlib.h>
#include <zstd.h>
