//! The ops: one file each, with its formula, forward, backward and tests.
