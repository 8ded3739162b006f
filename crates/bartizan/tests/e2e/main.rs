//! What a person sees: stories about the real binary, one module each. Start with `harness.rs`.

mod harness;
mod raw;
mod upstream;

mod run_to;
