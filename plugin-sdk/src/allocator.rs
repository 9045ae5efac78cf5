//! The allocator of an instance, made for one that lives for a request: it hands
//! out memory in a line, so that few pages are touched, and what is given back
//! waits in a list of its size for the next piece of that size. So an instance
//! that is reused stays as small as its largest request.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

const PAGE_LEN: usize = 64 * 1024;

/// Every piece is as long as a power of two, and at least this.
const PIECE_LEN_MIN: usize = 16;

#[derive(Debug)]
struct Line {
    /// Where the untouched memory begins; zero before the first allocation.
    next: Cell<usize>,
    /// Where the memory that the instance has ends.
    end: Cell<usize>,
    /// For each power of two the last piece given back, in whose first bytes is
    /// the one before it; or zero.
    free: [Cell<usize>; 32],
}

// SAFETY: the target has one thread.
unsafe impl Sync for Line {}

#[global_allocator]
static LINE: Line = Line {
    next: Cell::new(0),
    end: Cell::new(0),
    free: [const { Cell::new(0) }; 32],
};

unsafe extern "C" {
    /// The linker puts it after the stack and the static data.
    static __heap_base: u8;
}

/// The length of the piece for a layout.
#[inline]
fn piece_len(len: usize, align: usize) -> Option<usize> {
    len.max(align)
        .max(PIECE_LEN_MIN)
        .checked_next_power_of_two()
}

impl Line {
    #[inline]
    fn free(&self, piece_len: usize) -> &Cell<usize> {
        // A power of two of 32 bits has fewer than 32 zeros.
        &self.free[piece_len.trailing_zeros() as usize & 31]
    }

    /// A piece from the untouched memory, or null.
    #[inline]
    fn take(&self, piece_len: usize, align: usize) -> *mut u8 {
        let next = match self.next.get() {
            0 => (&raw const __heap_base).addr(),
            next => next,
        };
        // Little is aligned to more than the shortest piece; what is not need
        // not lie on a multiple of its length.
        let start = next.checked_next_multiple_of(align.max(PIECE_LEN_MIN));
        let Some((start, end)) =
            start.and_then(|start| Some((start, start.checked_add(piece_len)?)))
        else {
            return std::ptr::null_mut();
        };
        if end > self.end.get() && !self.grow(end) {
            return std::ptr::null_mut();
        }
        self.next.set(end);
        std::ptr::with_exposed_provenance_mut(start)
    }

    /// Makes sure that the instance's memory reaches to `end`.
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

// SAFETY: a piece is handed out once until it is given back: it comes from the
// untouched memory, or is taken from its list. It lies within the linear memory,
// because `grow` said so. It is aligned, because the untouched memory is cut at
// multiples of the alignment, and what is taken from a list is looked at.
unsafe impl GlobalAlloc for Line {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(piece_len) = piece_len(layout.size(), layout.align()) else {
            return std::ptr::null_mut();
        };
        let free = self.free(piece_len);
        let piece: *mut u8 = std::ptr::with_exposed_provenance_mut(free.get());
        // What was given back with this alignment is found again, so that a reused
        // instance does not grow.
        if piece.is_null() || !piece.addr().is_multiple_of(layout.align()) {
            return self.take(piece_len, layout.align());
        }
        // SAFETY: whoever gave the piece back left the address of the one before
        // it at its start, which is aligned and long enough.
        free.set(unsafe { piece.cast::<usize>().read() });
        piece
    }

    #[inline]
    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        let Some(piece_len) = piece_len(layout.size(), layout.align()) else {
            return;
        };
        let free = self.free(piece_len);
        // SAFETY: the piece is nobody's any more, is aligned and long enough.
        unsafe { piece.cast::<usize>().write(free.get()) };
        free.set(piece.expose_provenance());
    }

    #[inline]
    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        if piece_len(layout.size(), layout.align()) == piece_len(len, layout.align()) {
            return piece;
        }
        // SAFETY: the caller vouches that `layout` with this length is valid, and
        // that the piece is of that layout; the new one is another.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(len, layout.align()));
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(piece, moved, layout.size().min(len));
                self.dealloc(piece, layout);
            }
            moved
        }
    }
}
