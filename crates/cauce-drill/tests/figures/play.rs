//! Plays one script on the kernel and on our stack and reads the figures of both.

use std::path::Path;
use std::thread;

use cauce_drill::against::core::Core;
use cauce_drill::against::kernel::{Kernel, own_descriptors};
use cauce_drill::{Against, Checked, Figures, Options, Source, check};

/// Runs on the kernel after which a script that will not run there undisturbed is left out; the stage that runs all
/// scripts tells whether it can.
const ATTEMPTS: usize = 4;

fn checked(path: &Path) -> Option<Checked> {
    let text = std::fs::read_to_string(path).ok()?;
    let source = Source::new(&path.display().to_string(), &text);
    check(source, &Options::new(Vec::new(), Against::Core)).ok()
}

/// The figures of the kernel and ours.
pub fn both(path: &Path) -> Option<(Figures, Figures)> {
    let checked = checked(path)?;
    let directory = path.parent()?;
    let mut core = Core::new(directory.to_owned());
    let core = checked.figures(&mut core).ok()?;
    for _ in 0..ATTEMPTS {
        // The thread moves into a network namespace of its own.
        let played = thread::scope(|scope| {
            let run = scope.spawn(|| {
                own_descriptors().ok()?;
                let mut kernel = Kernel::new(directory.to_owned());
                let figures = checked.figures(&mut kernel);
                figures.ok().filter(|_| !kernel.was_disturbed())
            });
            run.join().ok().flatten()
        });
        if let Some(kernel) = played {
            return Some((kernel, core));
        }
    }
    None
}
