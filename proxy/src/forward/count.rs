//! How many there are of something that has a limit, counted by what holds them.

use std::cell::Cell;
use std::rc::Rc;

/// A number that never exceeds the limit its users keep.
#[derive(Default)]
pub(super) struct Count(Rc<Cell<u32>>);

/// One of them, for as long as it is held.
pub(super) struct Counted(Rc<Cell<u32>>);

impl Count {
    /// One more, unless that would exceed `limit`.
    pub(super) fn one_more(&self, limit: u32) -> Option<Counted> {
        let number = self.0.get();
        (number < limit).then(|| {
            self.0.set(number + 1);
            Counted(Rc::clone(&self.0))
        })
    }

    /// One more in any case.
    pub(super) fn always_one_more(&self) -> Counted {
        self.0.set(self.0.get().saturating_add(1));
        Counted(Rc::clone(&self.0))
    }

    /// How many there are.
    pub(super) fn number(&self) -> u32 {
        self.0.get()
    }

    /// Whether there is any.
    pub(super) fn any(&self) -> bool {
        self.0.get() > 0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_reached_and_left_again() {
        let count = Count::default();
        let one = count.one_more(1);
        assert!(one.is_some() && count.one_more(1).is_none());
        drop(one);
        assert!(count.one_more(1).is_some());
    }
}
