//! What a test sees of a device, and how it breaks it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A record of the primitives that were called, and a plan for one of them to fail.
#[derive(Default)]
pub struct Probe {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<&'static str>,
    /// Which call fails, counted from the first, and why.
    fault: Option<(usize, String)>,
}

impl Probe {
    /// The primitives called so far, in order, failed ones included.
    pub fn calls(&self) -> Vec<&'static str> {
        self.state().calls.clone()
    }

    /// How often a primitive was called.
    pub fn count(&self, primitive: &str) -> usize {
        self.state().calls.iter().filter(|&&call| call == primitive).count()
    }

    /// Lets `calls` more calls succeed and the one after them fail. Later ones would succeed again, so that a caller
    /// who goes on after the failure is seen.
    pub fn fail_after(&self, calls: usize, reason: &str) {
        let mut state = self.state();
        state.fault = Some((state.calls.len() + calls, reason.to_owned()));
    }

    /// Called at the start of every primitive.
    pub(super) fn enter(&self, primitive: &'static str) -> Result<(), String> {
        let mut state = self.state();
        let number = state.calls.len();
        state.calls.push(primitive);
        match &state.fault {
            Some((at, reason)) if *at == number => Err(reason.clone()),
            _ => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
