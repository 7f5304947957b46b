//! Whole journeys: a real `wald` process, real sockets, real files, and what a user would see.

#![expect(clippy::expect_used, reason = "a journey that cannot go on has failed")]

mod administering;
mod alike;
mod asking;
mod balancing;
mod calling;
mod crashing;
mod demo;
mod deploying;
mod explaining;
mod failing;
mod feedback;
mod flooding;
mod following;
mod guarding;
mod inference;
mod instrument;
mod limiting;
mod measuring;
mod notifying;
mod ordering;
mod overloading;
mod peers;
mod presenting;
mod proxying;
mod recomputing;
mod recording;
mod releasing;
mod reloading;
mod replacing;
mod sealing;
mod securing;
mod shadowing;
mod shadowing_forms;
mod sharing;
mod smuggling;
mod starting;
mod stopping;
mod surviving;
mod taking_part;
mod tidy;
mod tokens;
mod upgrading;
mod verbs;
mod watching;
