package duckdb

/*
// Declared here and weak, because not every C library has it.
__attribute__((weak)) int mallopt(int, int);

static void limit_fragmentation(void) {
	if (!mallopt)
		return;
	mallopt(-8, 2);       // M_ARENA_MAX
	mallopt(-3, 200000);  // M_MMAP_THRESHOLD
	mallopt(-1, 1000000); // M_TRIM_THRESHOLD
}
*/
import "C"

// LimitFragmentation has the C library give back to the system what the engine frees. It is for a process that does
// little else in C, and to be called before the first warehouse is opened.
//
// By itself glibc learns from the first blocks of 256 KiB that are freed to keep such blocks, in as many arenas as
// there are threads, between smaller ones that stay: while ten million items of 1 KB are loaded that is 50 to 100 MiB
// above the engine's memory limit. Mapping the blocks one by one costs a tenth of the loading speed at most.
func LimitFragmentation() { C.limit_fragmentation() }
