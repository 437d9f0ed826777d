//! The phase of loss recovery a connection is in (Linux: `ca_state`, RFC 5681, 6675, 8985).

/// What loss recovery is doing. The numbers are those of `tcpi_ca_state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Phase {
    /// Nothing suspicious.
    #[default]
    Open = 0,
    /// Duplicate ACKs or SACKs have been seen, nothing is declared lost.
    Disorder = 1,
    /// The window is being reduced for a reason other than loss (ECN, local congestion).
    Cwr = 2,
    /// Fast recovery.
    Recovery = 3,
    /// Recovery after a retransmission time-out.
    Loss = 4,
}

impl Phase {
    /// True while the window is being reduced step by step: proportional rate reduction is at work.
    pub const fn is_reducing(self) -> bool {
        matches!(self, Phase::Cwr | Phase::Recovery)
    }
}
