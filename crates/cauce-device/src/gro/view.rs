//! Finds TCP in a packet, and checks its sum.

use crate::offload::pseudo_sum;
use crate::sys::checksum::{Accumulator, sum};
use cauce_core::batch::MAX_HEADER;

const TCP: u8 = 6;

/// Where things lie in a packet that might be coalesced.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) header: &'a [u8],
    pub(super) tcp: usize,
    pub(super) v4: bool,
    pub(super) payload: usize,
}

impl<'a> View<'a> {
    /// Finds TCP in a packet of `len` bytes whose first ones are `bytes`; `None` for all that is never
    /// coalesced. A link's padding behind the packet is not part of the payload.
    #[inline]
    pub(super) fn of(bytes: &'a [u8], network: usize, len: usize) -> Option<Self> {
        let ip = bytes.get(network..)?;
        let (v4, ip_len, total) = match ip.first()? {
            0x45 => {
                let ip = ip.first_chunk::<20>()?;
                let fragmented = u16::from_be_bytes([ip[6], ip[7]]) & 0x3fff != 0;
                if ip[9] != TCP || fragmented || sum(ip) != 0xffff {
                    return None;
                }
                (true, 20, usize::from(u16::from_be_bytes([ip[2], ip[3]])))
            }
            first if first >> 4 == 6 => {
                let ip = ip.first_chunk::<40>().filter(|ip| ip[6] == TCP)?;
                (false, 40, 40 + usize::from(u16::from_be_bytes([ip[4], ip[5]])))
            }
            _ => return None,
        };
        let ethertype = if v4 { [0x08, 0x00] } else { [0x86, 0xdd] };
        if network >= 14 && bytes.get(12..14) != Some(&ethertype[..]) {
            return None;
        }
        let tcp = network + ip_len;
        let header = tcp + usize::from(bytes.get(tcp + 12)? >> 4) * 4;
        let payload = (network + total).checked_sub(header)?;
        if header < tcp + 20 || header > MAX_HEADER || network + total > len {
            return None;
        }
        Some(View { header: bytes.get(..header)?, tcp, v4, payload })
    }

    #[inline]
    pub(super) fn flags(&self) -> u8 {
        self.header[self.tcp + 13]
    }

    #[inline]
    pub(super) fn seq(&self) -> u32 {
        let at = self.tcp + 4;
        u32::from_be_bytes([self.header[at], self.header[at + 1], self.header[at + 2], self.header[at + 3]])
    }

    /// IPv4's; 0 for IPv6.
    #[inline]
    pub(super) fn identification(&self, network: usize) -> u16 {
        if !self.v4 {
            return 0;
        }
        u16::from_be_bytes([self.header[network + 4], self.header[network + 5]])
    }

    #[inline]
    pub(super) fn checksum_is_right(
        &self,
        network: usize,
        add_payload: impl FnOnce(&mut Accumulator),
    ) -> bool {
        let tcp = &self.header[self.tcp..];
        let Some(pseudo) = pseudo_sum(&self.header[network..], tcp.len() + self.payload) else {
            return false;
        };
        let mut total = Accumulator::from_words(pseudo);
        total.add(tcp);
        add_payload(&mut total);
        total.folded() == 0xffff
    }
}
