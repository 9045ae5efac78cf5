/* As much of the standard library as the bindings to the contract use. */
#pragma once
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *one, const void *other, size_t len);
size_t strlen(const char *text);
