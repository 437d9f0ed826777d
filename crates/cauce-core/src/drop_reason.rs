//! Why a packet or a segment ended without being accepted.
//!
//! Nothing that a peer sends returns an error: it ends in a counter and in one of these reasons, which the
//! trace shows. The decision is taken elsewhere; here it only gets its name and its sentence.

use core::fmt;

/// Declares [`DropReason`] with the sentence that explains each variant.
macro_rules! drop_reasons {
    ($($variant:ident: $sentence:literal,)+) => {
        /// Why a packet or segment went no further. `Display` gives the sentence.
        ///
        /// ```
        /// use cauce_core::drop_reason::DropReason;
        /// assert_eq!(DropReason::Paws.to_string(), "its timestamp is older than one already seen (PAWS)");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum DropReason {
            $(#[doc = $sentence] $variant,)+
        }

        impl DropReason {
            /// All reasons.
            pub const ALL: &'static [DropReason] = &[$(DropReason::$variant,)+];

            /// The sentence that explains the reason.
            pub const fn sentence(self) -> &'static str {
                match self { $(DropReason::$variant => $sentence,)+ }
            }
        }
    };
}

drop_reasons! {
    TooShort: "it is shorter than its headers say",
    BadLinkHeader: "its link header is malformed or of a type that is not handled",
    NotForThisHost: "its link-layer destination is another host",
    BadIpHeader: "its IP header is malformed",
    BadIpChecksum: "its IP header checksum is wrong",
    BadExtensionHeader: "its IPv6 extension headers are malformed",
    NotOurs: "its destination is not an address of this stack",
    BadSource: "its source cannot be a peer: unspecified, broadcast or multicast",
    BadDestination: "its destination is broadcast or multicast, where TCP never answers",
    BadTcpHeader: "its TCP header or its options are malformed",
    BadChecksum: "its TCP checksum is wrong",
    BadPort: "one of its ports is zero",
    MinimumTtl: "its hop limit is below the socket's minimum",
    BadIcmp: "the ICMP message is malformed or its checksum is wrong",
    IcmpNoSocket: "the ICMP error quotes a flow that is not ours",
    IcmpOutOfWindow: "the ICMP error quotes a sequence number that is not in flight",
    MinTtl: "fewer hops are left than the socket's minimum",
    IcmpIgnored: "the ICMP message says nothing that concerns TCP",
    BadFragment: "the fragment overlaps, exceeds the largest packet or is empty",
    FragmentLimit: "the memory for reassembling fragments is used up",
    FragmentTimeout: "the other fragments did not arrive in time",
    NeighbourQueueFull: "too many packets wait for the neighbour's link address",
    NeighbourFailed: "the neighbour did not answer",
    NeighbourIgnored: "the ARP or NDP message is malformed or concerns nobody here",
    Unroutable: "there is no route to the destination",
    Prohibited: "the route to the destination prohibits it",
    LoopbackQueueFull: "the stack's loopback queue is full",
    NoSocket: "no socket and no listener matches",
    Closed: "the connection is closed",
    ListenNoSyn: "a listener got a segment that is neither a SYN nor the end of a handshake",
    ListenRst: "a listener ignores resets",
    ListenOverflow: "the accept queue is full",
    SynQueueFull: "the SYN queue is full",
    BadSynCookie: "its acknowledgement is no valid SYN cookie",
    DeferAccept: "the listener waits for data before it accepts",
    FastOpen: "the data in the SYN came without a valid cookie",
    InvalidHandshakeAck: "it acknowledges something other than our SYN",
    TimestampEcho: "it echoes a timestamp that was never sent",
    NoAckFlag: "it has no ACK flag where one is required",
    BadAck: "it acknowledges data that was never sent",
    TooOldAck: "its acknowledgement is older than the largest window",
    OldAck: "its acknowledgement is older than one already seen",
    BeforeWindow: "it lies wholly before the receive window",
    AfterWindow: "it lies beyond the receive window",
    ZeroWindow: "the receive window is zero",
    Paws: "its timestamp is older than one already seen (PAWS)",
    InvalidRst: "the reset is not exactly at the next expected sequence number",
    InvalidSyn: "a SYN within a synchronised connection is answered by a challenge ACK",
    Reset: "a valid reset ended the connection",
    DuplicateData: "its data has all been received before",
    DuplicateOutOfOrder: "its data already waits in the out-of-order queue",
    ReceiveQueueFull: "the receive buffer is full",
    OutOfOrderQueueFull: "the out-of-order queue is full",
    Pruned: "out-of-order data was given up to make room",
    Memory: "the stack's memory limit is reached",
    DataAfterClose: "data arrived after the user closed the socket",
    DataAfterFin: "data lies beyond the peer's FIN",
    TimeWait: "the connection is in TIME-WAIT",
    TimeWaitRst: "TIME-WAIT ignores the reset (RFC 1337)",
    RateLimited: "the reply it would get is withheld by a rate limit",
    TooManySockets: "the limit of sockets is reached",
    ReplyQueueFull: "too many replies already wait to be sent",
    Signature: "its MD5 or TCP-AO signature is missing, wrong or unexpected",
    UnknownProtocol: "nobody here speaks its protocol",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_a_sentence_of_its_own() {
        let sentences: BTreeSet<_> = DropReason::ALL.iter().map(|reason| reason.sentence()).collect();
        assert_eq!(sentences.len(), DropReason::ALL.len());
        assert!(sentences.iter().all(|sentence| !sentence.is_empty() && !sentence.ends_with('.')));
    }
}
