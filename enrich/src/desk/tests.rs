//! What becomes of copies, corrections and links, told on one partition with the real batches, books and changelog.

mod copies;
mod corrections;
mod harness;
mod memory;
mod restore;
mod simulation;
