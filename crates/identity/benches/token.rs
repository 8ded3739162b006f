//! Checking credentials.

fn main() {
    divan::main();
}
