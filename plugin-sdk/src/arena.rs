//! The allocator of an instance that lives for one request: it hands out memory
//! in a line and takes none back, except the last piece. The whole memory goes
//! when the instance does.
//!
//! A plugin that is to run with `instances: reuse` must do without the feature
//! `arena`: there the line would only ever get longer.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

const PAGE_LEN: usize = 64 * 1024;

#[derive(Debug)]
struct Arena {
    /// Where the free memory begins; zero before the first allocation.
    next: Cell<usize>,
    /// Where the memory that the instance has ends.
    end: Cell<usize>,
}

// SAFETY: the target has one thread.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena {
    next: Cell::new(0),
    end: Cell::new(0),
};

unsafe extern "C" {
    /// The linker puts it after the stack and the static data.
    static __heap_base: u8;
}

impl Arena {
    /// Makes sure that the instance's memory reaches to `end`.
    #[inline]
    fn reach(&self, end: usize) -> bool {
        end <= self.end.get() || self.grow(end)
    }

    #[cold]
    fn grow(&self, end: usize) -> bool {
        let have = core::arch::wasm32::memory_size(0) * PAGE_LEN;
        self.end.set(have);
        if end <= have {
            return true;
        }
        let pages = (end - have).div_ceil(PAGE_LEN);
        if core::arch::wasm32::memory_grow(0, pages) == usize::MAX {
            return false;
        }
        self.end.set(have + pages * PAGE_LEN);
        true
    }
}

// SAFETY: the pieces do not overlap, because `next` only ever moves back to the
// start of the piece that is being given back; each is aligned and lies within
// the linear memory, because `reach` said so.
unsafe impl GlobalAlloc for Arena {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let free = match self.next.get() {
            0 => (&raw const __heap_base).addr(),
            next => next,
        };
        let Some(start) = free.checked_next_multiple_of(layout.align()) else {
            return std::ptr::null_mut();
        };
        match start.checked_add(layout.size()) {
            Some(end) if self.reach(end) => {
                self.next.set(end);
                std::ptr::with_exposed_provenance_mut(start)
            }
            _ => std::ptr::null_mut(),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if piece.addr() + layout.size() == self.next.get() {
            self.next.set(piece.addr());
        }
    }

    #[inline]
    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        let start = piece.addr();
        // The last piece grows and shrinks where it is.
        if start + layout.size() == self.next.get() {
            return match start.checked_add(len) {
                Some(end) if self.reach(end) => {
                    self.next.set(end);
                    piece
                }
                _ => std::ptr::null_mut(),
            };
        }
        if len <= layout.size() {
            return piece;
        }
        // SAFETY: the caller vouches that `layout` with this length is valid.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(len, layout.align()));
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(piece, moved, layout.size());
            }
            moved
        }
    }
}
