/*
 * The memory of a plugin in C. A plugin allocates what one call needs, so blocks
 * are taken one behind the other, and the space is used again once all of them
 * were freed. What was not allocated, such as a literal, may be freed: nothing
 * happens. A block that a plugin keeps from call to call keeps all that come
 * after it, so what it keeps belongs into a static variable.
 */
#include <stdlib.h>
#include <string.h>
#include <stdint.h>

#define PAGE 65536
#define ALIGN 16

extern unsigned char __heap_base;

static uintptr_t end;
static size_t blocks;

static uintptr_t begin(void) {
    return ((uintptr_t)&__heap_base + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
}

void *malloc(size_t len) {
    if (blocks == 0) {
        end = begin();
    }
    uintptr_t block = end;
    if (len > SIZE_MAX - ALIGN - block) {
        abort();
    }
    end = (block + len + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
    size_t there = __builtin_wasm_memory_size(0) * PAGE;
    if (end > there && __builtin_wasm_memory_grow(0, (end - there + PAGE - 1) / PAGE) == (size_t)-1) {
        abort();
    }
    blocks++;
    return (void *)block;
}

/* The old length is unknown: as much is moved as the new block holds. There is
 * memory behind the old one, since the new one lies there, so they may overlap. */
void *realloc(void *block, size_t len) {
    void *moved = malloc(len);
    if (block != NULL) {
        memmove(moved, block, len);
        free(block);
    }
    return moved;
}

void free(void *block) {
    if ((uintptr_t)block >= begin() && blocks > 0) {
        blocks--;
    }
}

_Noreturn void abort(void) {
    __builtin_trap();
}

/* Instructions of WebAssembly. */
void *memcpy(void *to, const void *from, size_t len) {
    return __builtin_memcpy(to, from, len);
}

void *memmove(void *to, const void *from, size_t len) {
    return __builtin_memmove(to, from, len);
}

void *memset(void *to, int byte, size_t len) {
    return __builtin_memset(to, byte, len);
}

int memcmp(const void *one, const void *other, size_t len) {
    const unsigned char *a = one, *b = other;
    for (size_t at = 0; at < len; at++) {
        if (a[at] != b[at]) {
            return a[at] < b[at] ? -1 : 1;
        }
    }
    return 0;
}

size_t strlen(const char *text) {
    size_t len = 0;
    while (text[len] != 0) {
        len++;
    }
    return len;
}
