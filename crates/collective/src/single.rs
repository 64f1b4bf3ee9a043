//! A single process, which does not communicate.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::Collective;

/// The only process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Single;

impl Collective for Single {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn send(&self, to: usize, _: &[u8]) {
        panic!("Single::send: there is no rank {to}, this is the only process");
    }

    fn receive(&self, from: usize, _: &mut [u8]) {
        panic!("Single::receive: there is no rank {from}, this is the only process");
    }

    fn broadcast(&self, _: &mut [u8]) {}

    fn host(&self, _: usize) -> &str {
        "this machine"
    }

    fn duplicate(&self, _: Arc<AtomicBool>) -> Arc<dyn Collective> {
        Arc::new(*self)
    }

    fn abort(&self, reason: &str) -> ! {
        eprintln!("error: {reason}");
        std::process::exit(1);
    }
}
