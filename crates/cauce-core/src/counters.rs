//! Event counters under the names of `/proc/net/snmp` and `/proc/net/netstat`.
//!
//! An event is counted where the decision is taken; this module only names and stores. Groups and order are
//! those of Linux 6.18, so that tools which compare the two see the same lists. Counters of our own stand in
//! the group `Cauce`, behind all others.

/// Declares [`Counter`] and its names: one line per counter, in the order in which they are listed.
macro_rules! counters {
    ($($group:literal { $($variant:ident = $name:literal: $doc:literal,)+ })+) => {
        /// One counter. The variants are spelled as Linux spells them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Counter {
            $($(#[doc = $doc] $variant,)+)+
        }

        impl Counter {
            /// All counters, in the order of Linux' own lists.
            pub const ALL: &'static [Counter] = &[$($(Counter::$variant,)+)+];

            /// The group that lists this counter: `Ip`, `Icmp`, `Tcp`, `TcpExt`, or `Cauce` for our own.
            pub const fn group(self) -> &'static str {
                match self { $($(Counter::$variant => $group,)+)+ }
            }

            /// The name within its group.
            pub const fn name(self) -> &'static str {
                match self { $($(Counter::$variant => $name,)+)+ }
            }
        }
    };
}

counters! {
    "Ip" {
        IpInReceives = "InReceives": "Packets received, whatever becomes of them; several merged into one are one.",
        IpInHdrErrors = "InHdrErrors": "Packets dropped for a bad IP header.",
        IpInAddrErrors = "InAddrErrors": "Packets dropped because they were not addressed to this stack.",
        IpInUnknownProtos = "InUnknownProtos": "Always 0: packets of other protocols go back to the embedder.",
        IpInDiscards = "InDiscards": "Always 0: what finds no room is counted by the transport.",
        IpInDelivers = "InDelivers": "Packets handed to a transport.",
        IpOutRequests = "OutRequests": "Packets that a transport asked to send.",
        IpOutDiscards = "OutDiscards": "Packets to send that were dropped for want of room.",
        IpOutNoRoutes = "OutNoRoutes": "Packets to send that found no route.",
        IpReasmTimeout = "ReasmTimeout": "Reassemblies given up after their time, of IPv6 too.",
        IpReasmReqds = "ReasmReqds": "Fragments received.",
        IpReasmOKs = "ReasmOKs": "Packets put together from fragments.",
        IpReasmFails = "ReasmFails": "Reassemblies that failed.",
        IpOutTransmits = "OutTransmits": "Packets handed to a device.",
    }
    "Icmp" {
        IcmpInMsgs = "InMsgs": "ICMP messages received.",
        IcmpInErrors = "InErrors": "ICMP messages that were malformed or concerned no flow of ours.",
        IcmpInCsumErrors = "InCsumErrors": "Always 0: bad checksums are among InErrors.",
        IcmpInDestUnreachs = "InDestUnreachs": "Destination-unreachable messages received.",
        IcmpInTimeExcds = "InTimeExcds": "Time-exceeded messages received.",
        IcmpInParmProbs = "InParmProbs": "Parameter-problem messages received.",
        IcmpInSrcQuenchs = "InSrcQuenchs": "Source-quench messages received.",
    }
    "Tcp" {
        ActiveOpens = "ActiveOpens": "Connections opened by this side: CLOSED to SYN-SENT.",
        PassiveOpens = "PassiveOpens": "Connections opened by a peer: LISTEN to SYN-RECEIVED.",
        AttemptFails = "AttemptFails": "Attempts that failed: SYN-SENT or SYN-RECEIVED to CLOSED, SYN-RECEIVED back to LISTEN.",
        EstabResets = "EstabResets": "Resets of connections in ESTABLISHED or CLOSE-WAIT.",
        CurrEstab = "CurrEstab": "Gauge: connections in ESTABLISHED or CLOSE-WAIT now.",
        InSegs = "InSegs": "Segments received, bad ones included.",
        OutSegs = "OutSegs": "Segments sent, retransmissions of data not included.",
        RetransSegs = "RetransSegs": "Segments retransmitted.",
        InErrs = "InErrs": "Segments received with an error, such as a bad checksum.",
        OutRsts = "OutRsts": "Segments sent with RST.",
        InCsumErrors = "InCsumErrors": "Segments received with a bad checksum.",
    }
    "Ip6" {
        Ip6InReceives = "InReceives": "Packets received, whatever becomes of them.",
        Ip6InHdrErrors = "InHdrErrors": "Packets dropped for a bad IP header.",
        Ip6InAddrErrors = "InAddrErrors": "Packets dropped because they were not addressed to this stack.",
        Ip6InDelivers = "InDelivers": "Packets handed to a transport.",
        Ip6OutRequests = "OutRequests": "Packets that a transport asked to send.",
        Ip6OutNoRoutes = "OutNoRoutes": "Packets to send that found no route.",
        Ip6ReasmReqds = "ReasmReqds": "Fragments received.",
        Ip6ReasmOKs = "ReasmOKs": "Packets put together from fragments.",
        Ip6ReasmFails = "ReasmFails": "Reassemblies that failed.",
        Ip6InOctets = "InOctets": "Bytes of the packets received.",
        Ip6OutOctets = "OutOctets": "Bytes of the packets sent.",
        Ip6InNoECTPkts = "InNoECTPkts": "Packets received that were not ECN-capable.",
        Ip6InECT1Pkts = "InECT1Pkts": "Packets received with ECT(1).",
        Ip6InECT0Pkts = "InECT0Pkts": "Packets received with ECT(0).",
        Ip6InCEPkts = "InCEPkts": "Packets received with a congestion mark (CE).",
        Ip6OutTransmits = "OutTransmits": "Packets handed to a device.",
    }
    "Icmp6" {
        Icmp6InMsgs = "InMsgs": "ICMP messages received that concern TCP.",
        Icmp6InErrors = "InErrors": "ICMP messages that were malformed or concerned no flow of ours.",
        Icmp6InDestUnreachs = "InDestUnreachs": "Destination-unreachable messages received.",
        Icmp6InPktTooBigs = "InPktTooBigs": "Packet-too-big messages received.",
        Icmp6InTimeExcds = "InTimeExcds": "Time-exceeded messages received.",
        Icmp6InParmProblems = "InParmProblems": "Parameter-problem messages received.",
    }
    "TcpExt" {
        SyncookiesSent = "SyncookiesSent": "SYN cookies sent.",
        SyncookiesRecv = "SyncookiesRecv": "Valid SYN cookies received.",
        SyncookiesFailed = "SyncookiesFailed": "ACKs whose SYN cookie was not valid.",
        EmbryonicRsts = "EmbryonicRsts": "Resets received for, or sent from, half-open connections.",
        PruneCalled = "PruneCalled": "Receive queues pruned because their buffer overflowed.",
        RcvPruned = "RcvPruned": "Segments dropped from a pruned receive queue.",
        OfoPruned = "OfoPruned": "Segments dropped from a pruned out-of-order queue.",
        OutOfWindowIcmps = "OutOfWindowIcmps": "ICMP errors ignored because they quoted a sequence number outside the window.",
        LockDroppedIcmps = "LockDroppedIcmps": "Always 0: no socket is ever busy.",
        ArpFilter = "ArpFilter": "Always 0: there is no ARP filter.",
        TW = "TW": "Records of TIME-WAIT, and of orphans in FIN-WAIT-2, that began to stay for more than 4 s.",
        TWRecycled = "TWRecycled": "TIME-WAIT entries taken over by a new connection.",
        TWKilled = "TWKilled": "Such records that began to stay for 4 s or less.",
        PAWSActive = "PAWSActive": "SYN,ACKs refused for an old timestamp.",
        PAWSEstab = "PAWSEstab": "Segments of synchronised connections refused for an old timestamp.",
        BeyondWindow = "BeyondWindow": "Segments refused because they lie beyond the window.",
        TSEcrRejected = "TSEcrRejected": "SYN,ACKs refused for a timestamp echo that was never sent.",
        PAWSOldAck = "PAWSOldAck": "Pure ACKs dropped for an old timestamp without a reply.",
        PAWSTimewait = "PAWSTimewait": "Segments in TIME-WAIT refused for an old timestamp.",
        DelayedACKs = "DelayedACKs": "Delayed ACKs sent when their timer expired.",
        DelayedACKLocked = "DelayedACKLocked": "Always 0: no socket is ever busy.",
        DelayedACKLost = "DelayedACKLost": "Duplicates received, which suggest that an ACK was lost.",
        ListenOverflows = "ListenOverflows": "Handshakes that found the accept queue full.",
        ListenDrops = "ListenDrops": "SYNs and final ACKs dropped by a listener.",
        TCPHPHits = "TCPHPHits": "Data segments that took the fast path.",
        TCPPureAcks = "TCPPureAcks": "Pure ACKs that took the slow path.",
        TCPHPAcks = "TCPHPAcks": "Pure ACKs that took the fast path.",
        TCPRenoRecovery = "TCPRenoRecovery": "Fast recoveries without SACK.",
        TCPSackRecovery = "TCPSackRecovery": "Fast recoveries with SACK.",
        TCPSACKReneging = "TCPSACKReneging": "Peers that dropped data which they had SACKed.",
        TCPSACKReorder = "TCPSACKReorder": "Reordering seen through SACK.",
        TCPRenoReorder = "TCPRenoReorder": "Reordering seen through duplicate ACKs without SACK.",
        TCPTSReorder = "TCPTSReorder": "Reordering seen through timestamps.",
        TCPFullUndo = "TCPFullUndo": "Recoveries undone when everything proved to have arrived.",
        TCPPartialUndo = "TCPPartialUndo": "Recoveries undone on a partial ACK.",
        TCPDSACKUndo = "TCPDSACKUndo": "Recoveries undone because D-SACK showed all retransmissions to be needless.",
        TCPLossUndo = "TCPLossUndo": "Time-out recoveries undone.",
        TCPLostRetransmit = "TCPLostRetransmit": "Retransmissions found to be lost.",
        TCPRenoFailures = "TCPRenoFailures": "Time-outs in Disorder without SACK.",
        TCPSackFailures = "TCPSackFailures": "Time-outs in Disorder with SACK.",
        TCPLossFailures = "TCPLossFailures": "Time-outs in time-out recovery.",
        TCPFastRetrans = "TCPFastRetrans": "Segments sent again by fast retransmit.",
        TCPSlowStartRetrans = "TCPSlowStartRetrans": "Segments sent again in slow start after a time-out.",
        TCPTimeouts = "TCPTimeouts": "Retransmission time-outs of established and half-open connections.",
        TCPLossProbes = "TCPLossProbes": "Tail-loss probes sent.",
        TCPLossProbeRecovery = "TCPLossProbeRecovery": "Losses that a tail-loss probe repaired.",
        TCPRenoRecoveryFail = "TCPRenoRecoveryFail": "Time-outs during fast recovery without SACK.",
        TCPSackRecoveryFail = "TCPSackRecoveryFail": "Time-outs during fast recovery with SACK.",
        TCPRcvCollapsed = "TCPRcvCollapsed": "Always 0: a receive queue is never rewritten to save memory.",
        TCPBacklogCoalesce = "TCPBacklogCoalesce": "Always 0: no socket is ever busy.",
        TCPDSACKOldSent = "TCPDSACKOldSent": "D-SACKs sent for duplicates of delivered data.",
        TCPDSACKOfoSent = "TCPDSACKOfoSent": "D-SACKs sent for duplicates of out-of-order data.",
        TCPDSACKRecv = "TCPDSACKRecv": "D-SACKs received below the cumulative ACK.",
        TCPDSACKOfoRecv = "TCPDSACKOfoRecv": "D-SACKs received above the cumulative ACK.",
        TCPAbortOnData = "TCPAbortOnData": "Connections reset because data arrived after close.",
        TCPAbortOnClose = "TCPAbortOnClose": "Connections reset because the user closed with data unread.",
        TCPAbortOnMemory = "TCPAbortOnMemory": "Connections reset for want of memory, or as one orphan too many.",
        TCPAbortOnTimeout = "TCPAbortOnTimeout": "Connections given up after too many retransmissions or probes.",
        TCPAbortOnLinger = "TCPAbortOnLinger": "Connections reset when their linger time ended.",
        TCPAbortFailed = "TCPAbortFailed": "Always 0: a reset needs no memory that might not be there.",
        TCPMemoryPressures = "TCPMemoryPressures": "Times that memory pressure began.",
        TCPMemoryPressuresChrono = "TCPMemoryPressuresChrono": "Milliseconds spent under memory pressure.",
        TCPSACKDiscard = "TCPSACKDiscard": "SACK blocks ignored as invalid.",
        TCPDSACKIgnoredOld = "TCPDSACKIgnoredOld": "D-SACKs ignored because they were too old.",
        TCPDSACKIgnoredNoUndo = "TCPDSACKIgnoredNoUndo": "D-SACKs ignored because there was nothing to undo.",
        TCPSpuriousRTOs = "TCPSpuriousRTOs": "Time-outs that F-RTO proved needless.",
        TCPMD5NotFound = "TCPMD5NotFound": "Always 0: there are no MD5 signatures.",
        TCPMD5Unexpected = "TCPMD5Unexpected": "Always 0: there are no MD5 signatures.",
        TCPMD5Failure = "TCPMD5Failure": "Always 0: there are no MD5 signatures.",
        TCPSackShifted = "TCPSackShifted": "Always 0: records of what was sent are split at SACK edges, never moved.",
        TCPSackMerged = "TCPSackMerged": "Always 0: records of what was sent are split at SACK edges, never merged.",
        TCPSackShiftFallback = "TCPSackShiftFallback": "Always 0: records of what was sent are split at SACK edges, never moved.",
        TCPBacklogDrop = "TCPBacklogDrop": "Always 0: no socket is ever busy.",
        PFMemallocDrop = "PFMemallocDrop": "Always 0: no memory is reserved for others.",
        TCPMinTTLDrop = "TCPMinTTLDrop": "Segments dropped for a hop limit below the socket's minimum.",
        TCPDeferAcceptDrop = "TCPDeferAcceptDrop": "Final ACKs dropped because the listener waits for data.",
        IPReversePathFilter = "IPReversePathFilter": "Always 0: there is no reverse-path filter.",
        TCPTimeWaitOverflow = "TCPTimeWaitOverflow": "TIME-WAIT entries not made because there were too many.",
        TCPReqQFullDoCookies = "TCPReqQFullDoCookies": "SYNs answered by a cookie because the SYN queue was full.",
        TCPReqQFullDrop = "TCPReqQFullDrop": "SYNs dropped because the SYN queue was full.",
        TCPRetransFail = "TCPRetransFail": "Always 0: a retransmission needs no memory that might not be there.",
        TCPRcvCoalesce = "TCPRcvCoalesce": "Segments merged into their neighbour in a receive queue.",
        TCPOFOQueue = "TCPOFOQueue": "Segments queued out of order.",
        TCPOFODrop = "TCPOFODrop": "Out-of-order segments dropped for want of buffer.",
        TCPOFOMerge = "TCPOFOMerge": "Out-of-order segments that overlapped queued ones.",
        TCPChallengeACK = "TCPChallengeACK": "Challenge ACKs sent (RFC 5961).",
        TCPSYNChallenge = "TCPSYNChallenge": "Challenge ACKs sent in answer to a SYN.",
        TCPFastOpenActive = "TCPFastOpenActive": "Connections whose SYN data was acknowledged.",
        TCPFastOpenActiveFail = "TCPFastOpenActiveFail": "Connections whose SYN data was not acknowledged, or that the path seems to swallow.",
        TCPFastOpenPassive = "TCPFastOpenPassive": "Connections accepted with data in their SYN.",
        TCPFastOpenPassiveFail = "TCPFastOpenPassiveFail": "SYNs with data whose cookie was not valid.",
        TCPFastOpenListenOverflow = "TCPFastOpenListenOverflow": "SYNs with data that found the Fast Open queue full.",
        TCPFastOpenCookieReqd = "TCPFastOpenCookieReqd": "SYNs that asked for a cookie.",
        TCPFastOpenBlackhole = "TCPFastOpenBlackhole": "Times that Fast Open was switched off as black-holed.",
        TCPSpuriousRtxHostQueues = "TCPSpuriousRtxHostQueues": "Always 0: a retransmission shares its bytes with the original and may leave beside it.",
        BusyPollRxPackets = "BusyPollRxPackets": "Always 0: there is no busy polling.",
        TCPAutoCorking = "TCPAutoCorking": "Small writes held back because an earlier packet had not left yet.",
        TCPFromZeroWindowAdv = "TCPFromZeroWindowAdv": "Windows opened again after having been zero.",
        TCPToZeroWindowAdv = "TCPToZeroWindowAdv": "Windows closed to zero.",
        TCPWantZeroWindowAdv = "TCPWantZeroWindowAdv": "Windows that would have been zero but for rounding.",
        TCPSynRetrans = "TCPSynRetrans": "SYNs and SYN,ACKs retransmitted.",
        TCPOrigDataSent = "TCPOrigDataSent": "Data segments sent for the first time.",
        TCPHystartTrainDetect = "TCPHystartTrainDetect": "Slow starts ended by HyStart's ACK trains.",
        TCPHystartTrainCwnd = "TCPHystartTrainCwnd": "Sum of the congestion windows at those moments.",
        TCPHystartDelayDetect = "TCPHystartDelayDetect": "Slow starts ended by HyStart's delay.",
        TCPHystartDelayCwnd = "TCPHystartDelayCwnd": "Sum of the congestion windows at those moments.",
        TCPACKSkippedSynRecv = "TCPACKSkippedSynRecv": "Replies withheld by the rate limit in SYN-RECEIVED.",
        TCPACKSkippedPAWS = "TCPACKSkippedPAWS": "Replies to old timestamps withheld by the rate limit.",
        TCPACKSkippedSeq = "TCPACKSkippedSeq": "Replies to unacceptable sequence numbers withheld by the rate limit.",
        TCPACKSkippedFinWait2 = "TCPACKSkippedFinWait2": "Replies withheld by the rate limit in FIN-WAIT-2.",
        TCPACKSkippedTimeWait = "TCPACKSkippedTimeWait": "Replies withheld by the rate limit in TIME-WAIT.",
        TCPACKSkippedChallenge = "TCPACKSkippedChallenge": "Challenge ACKs withheld by the rate limit.",
        TCPWinProbe = "TCPWinProbe": "Zero-window probes sent.",
        TCPKeepAlive = "TCPKeepAlive": "Keepalive probes sent.",
        TCPMTUPFail = "TCPMTUPFail": "Path-MTU probes lost.",
        TCPMTUPSuccess = "TCPMTUPSuccess": "Path-MTU probes that arrived.",
        TCPDelivered = "TCPDelivered": "Segments delivered to the peer, as far as ACKs tell.",
        TCPDeliveredCE = "TCPDeliveredCE": "Of those, delivered with a congestion mark.",
        TCPAckCompressed = "TCPAckCompressed": "ACKs saved by ACK compression.",
        TCPZeroWindowDrop = "TCPZeroWindowDrop": "Segments dropped because the window was zero.",
        TCPRcvQDrop = "TCPRcvQDrop": "Segments dropped because the receive queue was full.",
        TCPWqueueTooBig = "TCPWqueueTooBig": "Always 0: splitting a record of the write queue costs no buffer.",
        TCPFastOpenPassiveAltKey = "TCPFastOpenPassiveAltKey": "Cookies accepted under the second key.",
        TcpTimeoutRehash = "TcpTimeoutRehash": "Connections whose packets take another way after a time-out (SO_TXREHASH).",
        TcpDuplicateDataRehash = "TcpDuplicateDataRehash": "Always 0: the flow labels of what arrives are not looked at.",
        TCPDSACKRecvSegs = "TCPDSACKRecvSegs": "Segments that D-SACKs reported as duplicates.",
        TCPDSACKIgnoredDubious = "TCPDSACKIgnoredDubious": "D-SACKs ignored as dubious.",
        TCPMigrateReqSuccess = "TCPMigrateReqSuccess": "Always 0: half-open connections end with their listener.",
        TCPMigrateReqFailure = "TCPMigrateReqFailure": "Always 0: half-open connections end with their listener.",
        TCPPLBRehash = "TCPPLBRehash": "Always 0: there is no protective load balancing.",
        TCPAORequired = "TCPAORequired": "Always 0: there is no TCP-AO.",
        TCPAOBad = "TCPAOBad": "Always 0: there is no TCP-AO.",
        TCPAOKeyNotFound = "TCPAOKeyNotFound": "Always 0: there is no TCP-AO.",
        TCPAOGood = "TCPAOGood": "Always 0: there is no TCP-AO.",
        TCPAODroppedIcmps = "TCPAODroppedIcmps": "Always 0: there is no TCP-AO.",
    }
    "IpExt" {
        InOctets = "InOctets": "Bytes of the packets received.",
        OutOctets = "OutOctets": "Bytes of the packets sent.",
        InNoECTPkts = "InNoECTPkts": "Packets received that were not ECN-capable.",
        InECT1Pkts = "InECT1Pkts": "Packets received with ECT(1).",
        InECT0Pkts = "InECT0Pkts": "Packets received with ECT(0).",
        InCEPkts = "InCEPkts": "Packets received with a congestion mark (CE).",
    }
    "Cauce" {
        TCPOrphanOverflow = "TCPOrphanOverflow": "Connections reset because there were too many orphans.",
        PAWSPassiveRejected = "PAWSPassiveRejected": "SYNs refused by the per-address timestamp test of `tcp_tw_recycle` 2.",
        TCPOffloadCopies = "TCPOffloadCopies": "Reads that handed buffers over by reference.",
        TCPZeroCopyTx = "TCPZeroCopyTx": "Bytes of sends that shared the user's buffer instead of copying it.",
        TCPRouteRefresh = "TCPRouteRefresh": "Routes looked up again after repeated time-outs.",
        TCPMissingTimestamp = "TCPMissingTimestamp": "Segments without a timestamp on a connection that negotiated them.",
        TCPRcvWakeups = "TCPRcvWakeups": "Wake-ups of a reader.",
    }
}

/// How many counters there are.
const COUNT: usize = Counter::ALL.len();

/// All counters of a stack: a plain array.
///
/// ```
/// use cauce_core::counters::{Counter, Counters};
/// let mut counters = Counters::new();
/// counters.add(Counter::TCPTimeouts, 1);
/// assert_eq!(counters.get(Counter::TCPTimeouts), 1);
/// assert!(counters.iter().any(|line| line == ("TcpExt", "TCPTimeouts", 1)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    values: [u64; COUNT],
}

impl Counters {
    /// All zero.
    pub const fn new() -> Self {
        Counters { values: [0; COUNT] }
    }

    /// Adds `by`. A counter wraps after 2^64 events, as Linux' own do.
    pub fn add(&mut self, counter: Counter, by: u64) {
        let value = &mut self.values[counter as usize];
        *value = value.wrapping_add(by);
    }

    /// Takes `by` from a gauge ([`Counter::CurrEstab`]), which stops at zero.
    pub fn sub(&mut self, gauge: Counter, by: u64) {
        let value = &mut self.values[gauge as usize];
        *value = value.saturating_sub(by);
    }

    /// The present value.
    pub fn get(&self, counter: Counter) -> u64 {
        self.values[counter as usize]
    }

    /// Group, name and value of each counter, in Linux' order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        Counter::ALL.iter().map(|&counter| (counter.group(), counter.name(), self.get(counter)))
    }

    /// Adds another stack's counters to these, for the sum over the shards of a host.
    pub fn merge(&mut self, other: &Counters) {
        Counter::ALL.iter().for_each(|&counter| self.add(counter, other.get(counter)));
    }
}

impl Default for Counters {
    fn default() -> Self {
        Counters::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_within_their_group_and_in_order() {
        let mut seen = BTreeSet::new();
        for (index, &counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(counter as usize, index);
            assert!(seen.insert((counter.group(), counter.name())), "{counter:?}");
        }
    }

    #[test]
    fn a_gauge_stops_at_zero() {
        let mut counters = Counters::new();
        counters.add(Counter::CurrEstab, 2);
        counters.sub(Counter::CurrEstab, 1);
        assert_eq!(counters.get(Counter::CurrEstab), 1);
        counters.sub(Counter::CurrEstab, 5);
        assert_eq!(counters.get(Counter::CurrEstab), 0);
    }

    #[test]
    fn merged_counters_are_sums() {
        let mut sum = Counters::new();
        let mut shard = Counters::new();
        shard.add(Counter::InSegs, 3);
        sum.merge(&shard);
        sum.merge(&shard);
        assert_eq!(sum.get(Counter::InSegs), 6);
        assert_eq!(sum.iter().map(|(_, _, value)| value).sum::<u64>(), 6);
    }
}
