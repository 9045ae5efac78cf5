/* As much of the standard library as the bindings to the contract use. */
#pragma once
#include <stddef.h>

void *malloc(size_t len);
void *realloc(void *block, size_t len);
void free(void *block);
_Noreturn void abort(void);
