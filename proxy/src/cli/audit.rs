//! `wald audit`: the chain of recorded decisions, checked or exported.
