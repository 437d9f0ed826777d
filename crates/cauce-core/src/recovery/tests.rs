//! Scripted tests of recovery.
