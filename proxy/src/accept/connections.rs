//! The open connections of one listener, and the end of those that keep it waiting.
//!
//! A timer for each request's head and each pause between requests would cost every request two timers.
//! Instead each connection keeps a note of what it waits for, and the worker's sweep reads the notes.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Instant;

use policy::ListenerLimits;
use tokio::task::AbortHandle;

use super::activity::Activity;

/// The open connections of one listener on one worker.
pub(crate) struct Connections {
    limits: ListenerLimits,
    open: Rc<Cell<u32>>,
    watched: RefCell<Vec<(Weak<Activity>, AbortHandle)>>,
}

impl Connections {
    /// No connections yet.
    pub(super) fn new(limits: ListenerLimits) -> Self {
        Self {
            limits,
            open: Rc::default(),
            watched: RefCell::default(),
        }
    }

    /// One more connection, unless there are too many. It counts for as long as anything of it is left.
    pub(super) fn enter(&self) -> Option<Rc<Activity>> {
        let open = self.open.get();
        (open < self.limits.connections).then(|| {
            self.open.set(open + 1);
            Rc::new(Activity::new(Rc::clone(&self.open)))
        })
    }

    /// Lets the sweep end the connection's task.
    pub(super) fn watch(&self, activity: Weak<Activity>, task: AbortHandle) {
        self.watched.borrow_mut().push((activity, task));
    }

    /// Ends what has waited for too long or does nothing but cost, and forgets what has ended. How many were
    /// floods.
    pub(crate) fn sweep(&self, now: Instant) -> usize {
        let mut floods = 0;
        self.watched.borrow_mut().retain(|(activity, task)| {
            let activity = activity.upgrade();
            let flood = activity.as_ref().is_some_and(|it| it.is_flood());
            let overdue = activity.is_some_and(|it| it.is_overdue(now, self.limits));
            if flood || overdue {
                floods += usize::from(flood);
                task.abort();
            }
            !flood && !overdue && !task.is_finished()
        });
        floods
    }
}
