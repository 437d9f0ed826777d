/* What lwIP must know of the compiler; its defaults do for the rest. */
#ifndef BENCH_LWIP_CC_H
#define BENCH_LWIP_CC_H
#include <stdlib.h>
#endif
