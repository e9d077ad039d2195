// What Swift can't say by itself.
#pragma once

/// Asks for the cache line at `address`; never faults, whatever the address.
static inline void clinux_prefetch(const void *address)
{
	__builtin_prefetch(address, 0, 3);
}
