//! What waits for a batch: requests in the order in which they came, handed out with those that are like the first.

use std::collections::VecDeque;

use super::Job;
use crate::model::are_alike;

/// Shared by the threads of one model. They alone lock it, each for as long as it takes to move some requests.
#[derive(Default)]
pub(super) struct Desk(VecDeque<Job>);

impl Desk {
    /// Puts requests behind those that are there.
    pub(super) fn extend(&mut self, jobs: impl Iterator<Item = Job>) {
        self.0.extend(jobs);
    }

    /// How many requests are there.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The first request, and those that are alike as long as there are no more than `rows_max` rows. All others
    /// stay in their order. Empty if there is none.
    pub(super) fn take(&mut self, rows_max: usize) -> Vec<Job> {
        let Some(first) = self.0.pop_front() else {
            return Vec::new();
        };
        let mut rows = first.rows();
        let mut batch = vec![first];
        let mut others = VecDeque::new();
        while rows < rows_max
            && let Some(job) = self.0.pop_front()
        {
            if rows.saturating_add(job.rows()) <= rows_max
                && batch.first().is_some_and(|it| it.is_like(&job))
            {
                rows += job.rows();
                batch.push(job);
            } else {
                others.push_back(job);
            }
        }
        others.append(&mut self.0);
        self.0 = others;
        batch
    }
}

impl Job {
    /// Whether both could be rows of one request.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        are_alike(&self.inputs, &other.inputs)
    }
}
