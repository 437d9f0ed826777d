//! Random worlds: what a seed draws must end as a TCP has to end.
//!
//! Two hosts, one bad link, a few connections with random users. While it runs, every byte that comes out is
//! compared with the byte that went in. Once the faults have healed, every transfer that no user cut off has
//! to complete, save give-ups that a setting explains; and when all is over nothing may be alive: no
//! connection, deadline, buffer or port. A failure names the seed that repeats it.

mod draw;
mod driver;
mod plan;
mod run;
mod user;

pub use driver::{Failure, Summary, run_many};
pub use plan::{Addressing, ConnectionPlan, EndPlan, Ending, Opening, WorldPlan};
pub use run::{Outcome, run_seed, run_seed_with};
