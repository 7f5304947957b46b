//! Which requests are copied, and what a shadow is asked.

use std::rc::Rc;

use http::header::UPGRADE;
use http::request;
use policy::Placement;

use super::{Inbound, chance, introduce, onward};
use crate::accept::Peer;
use crate::grpc;
use crate::infer::call::is_conversation;
use crate::observe::Passage;
use crate::server::Worker;
use crate::shadow::Mirror;

/// What is kept of a request for the shadows of its route that it is drawn for and that have room. Calls of gRPC
/// go to those that speak HTTP/2 or run here, and connections that change their protocol are not copied.
pub(super) fn mirror(
    worker: &Worker,
    peer: &Peer,
    placement: &Placement,
    head: &request::Parts,
    body: &mut Inbound,
    passage: &Passage,
) -> Option<Box<Mirror>> {
    let view = passage.view();
    let mut shadows = placement.shadows(&view.snapshot().policy).peekable();
    if shadows.peek().is_none() || head.headers.contains_key(UPGRADE) {
        return None;
    }
    let now = passage.arrived().instant;
    let draw = || chance::fraction(worker.chance().draw());
    let copies = view.copies(placement.route());
    let chosen = shadows.filter(|(_, shadow, _)| shadow.copies(&head.method, draw()));
    let is_call = grpc::is_call(&head.headers);
    let is_conversation = is_call && is_conversation(head);
    let slots = chosen.filter_map(|(position, _, copied)| {
        let copies = copies.get(position)?;
        // A model inside answers a conversation message by message, which a copy of it is not.
        let fits = (!is_call || copies.takes_calls()) && !(is_conversation && copies.runs_here());
        fits.then(|| copies.slot(copied, now)).flatten()
    });
    let slots: Vec<_> = slots.collect();
    if slots.is_empty() {
        return None;
    }
    let mut head = head.clone();
    onward::tell(&mut head.headers, peer, passage.lane());
    introduce(&mut head, placement, passage);
    let arm = passage.lane().and_then(|lane| lane.arm.as_ref());
    let arm = arm.and_then(|(_, arm)| arm.to_str().ok());
    let mirror = Mirror::new(
        Rc::clone(view),
        worker.shadows().clone(),
        slots,
        head,
        arm.unwrap_or_default(),
        worker.chance().draw(),
    );
    body.pass(mirror.tee());
    Some(Box::new(mirror))
}
