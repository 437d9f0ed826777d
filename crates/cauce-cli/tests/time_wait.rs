//! The document about TIME-WAIT, line by line, on a running `cauce up`: count the states with its own pipeline, edit
//! the file, load it, verify every value, and count again after connections have come and gone
//! (Q-30, Q-31, Q-33 to Q-36, N-36, X-01). The peers are the kernel's, and the stack closes first.

mod common;

use common::{in_namespace, scratch, skip, success};
use std::fs;

const WORKFLOW: &str = include_str!("time_wait.py");

#[test]
fn the_documents_workflow() {
    let Some(mut command) = in_namespace() else {
        return skip("no network namespace with a TUN device here");
    };
    let home = scratch("time-wait");
    fs::create_dir_all(&home).unwrap();
    command.args(["python3", "-c", WORKFLOW, env!("CARGO_BIN_EXE_cauce")]).arg(&home);
    let printed = success(&mut command);
    assert!(printed.ends_with("the workflow is done\n"), "{printed}");
    fs::remove_dir_all(&home).unwrap();
}
