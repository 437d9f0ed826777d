use super::*;
use crate::stack::context_for_tests::World as ContextWorld;
use std::vec::Vec;

const SND_NXT: Seq = Seq(5000);
const RCV_NXT: Seq = Seq(1000);

struct World {
    records: TimeWaits,
    context: ContextWorld,
}

impl World {
    fn new() -> Self {
        World { records: TimeWaits::default(), context: ContextWorld::new() }
    }

    fn with<R>(&mut self, call: impl FnOnce(&mut TimeWaits, &mut Context<'_>) -> R) -> R {
        self.context.with(|ctx| call(&mut self.records, ctx))
    }

    fn takeover(&self, index: u32, loopback: bool) -> Option<Takeover> {
        self.records.takeover(index, self.context.now, &self.context.sysctl, loopback)
    }

    fn insert(&mut self, substate: Substate, ts: Option<u32>) -> u32 {
        let ts_recent = ts.map(|value| TsRecent { value, at: self.context.now });
        let new = NewTimeWait { substate, timestamps: ts.is_some(), ts_recent, ..leftover("10.0.0.2:4000") };
        self.with(|records, ctx| records.insert(&new, ctx)).unwrap()
    }

    fn arrives(&mut self, index: u32, flags: Flags, seq: Seq, len: u32, ts: Option<u32>) -> TwVerdict {
        let timestamps = ts.map(|val| Timestamps { val, ecr: 0 });
        self.with(|records, ctx| records.segment(index, &TwSegment { seq, flags, len, timestamps }, ctx))
    }

    fn wait(&mut self, millis: u64) {
        self.context.now += Duration::from_millis(millis);
    }
}

fn leftover(remote: &str) -> NewTimeWait {
    let local = if remote.starts_with('[') { "[2001:db8::1]:80" } else { "10.0.0.1:80" };
    let key = FlowKey::new(local.parse().unwrap(), remote.parse().unwrap());
    NewTimeWait {
        key,
        substate: Substate::TimeWait,
        snd_nxt: SND_NXT,
        rcv_nxt: RCV_NXT,
        rcv_wnd: 65536,
        rcv_wscale: 7,
        timestamps: false,
        ts_recent: None,
        rto: Duration::from_millis(200),
        ts_offset: 7,
        tos: 0x10,
        ttl: 64,
        flow_label: 0x12345,
        device: DeviceId(2),
        binding: Binding {
            addr: key.local,
            v6_only: false,
            device: None,
            reuse_addr: true,
            reuse_port: false,
            uid: 1000,
            holder: Holder::Bound,
        },
    }
}

const ACK: Flags = Flags::ACK;
const SYN: Flags = Flags::SYN;

fn fin_ack() -> Flags {
    Flags::FIN | Flags::ACK
}

#[test]
fn records_are_compact_and_keep_their_keys() {
    assert!(size_of::<Option<RecordV4>>() <= 64, "{}", size_of::<Option<RecordV4>>());
    assert!(size_of::<Option<RecordV6>>() <= 88, "{}", size_of::<Option<RecordV6>>());
    let mut world = World::new();
    for remote in ["10.0.0.2:4000", "[2001:db8::2]:4000"] {
        let new = leftover(remote);
        let index = world.with(|records, ctx| records.insert(&new, ctx)).unwrap();
        assert_eq!(world.records.key(index), Some(new.key));
        let ack = world.records.ack(index, world.context.now).unwrap();
        assert_eq!((ack.seq, ack.ack, ack.window, ack.tos), (SND_NXT, RCV_NXT, 512, 0x10));
        assert_eq!(ack.flow_label, if new.key.is_v4() { 0 } else { 0x12345 });
        assert_eq!(ack.options.timestamps, None);
    }
    assert_eq!(world.records.iter().count(), 2);
    let indices: Vec<u32> = world.records.iter().map(|(index, ..)| index).collect();
    assert!(indices.iter().all(|index| *index < 4), "indices are as dense as the records: {indices:?}");
    for index in indices {
        let (key, binding) = world.records.remove(index).unwrap();
        assert_eq!((binding.addr, binding.uid, binding.reuse_addr), (key.local, 1000, true));
        assert_eq!((binding.holder, binding.device), (Holder::TimeWait, None));
        assert!(world.records.remove(index).is_none());
    }
    assert!(world.records.is_empty());
}

/// P-034: the FIN again is acknowledged and restarts 2MSL. P-035: data is acknowledged.
#[test]
fn p034_p035_fin_and_data() {
    let mut world = World::new();
    let index = world.insert(Substate::TimeWait, None);
    assert_eq!(world.arrives(index, fin_ack(), RCV_NXT - 1, 0, None), TwVerdict::Ack { restart: true });
    assert_eq!(world.arrives(index, ACK, RCV_NXT - 50, 50, None), TwVerdict::Ack { restart: true });
    assert_eq!(world.arrives(index, ACK, RCV_NXT, 0, None), TwVerdict::Drop { restart: true });
    assert_eq!(world.arrives(99, ACK, RCV_NXT, 0, None), TwVerdict::Drop { restart: false });
}

/// S-67: replies to old empty segments are spaced by tcp_invalid_ratelimit.
#[test]
fn s67_rate_limit() {
    let mut world = World::new();
    let index = world.insert(Substate::TimeWait, None);
    let answers: Vec<bool> = (0..10)
        .map(|_| {
            let verdict = world.arrives(index, ACK, RCV_NXT - 5, 0, None);
            world.wait(100);
            matches!(verdict, TwVerdict::Ack { .. })
        })
        .collect();
    assert_eq!(answers.iter().filter(|answered| **answered).count(), 2);
    assert_eq!(world.context.counters.get(Counter::TCPACKSkippedTimeWait), 8);
}

/// P-231: seq+5000 reopens with iss = old nxt + 65537, seq-500 is acknowledged.
#[test]
fn p036_p231_syn_without_timestamps() {
    let mut world = World::new();
    let index = world.insert(Substate::TimeWait, None);
    let reopen = TwVerdict::Reopen { iss: SND_NXT + 65_537 };
    assert_eq!(world.arrives(index, SYN, RCV_NXT + 5000, 0, None), reopen);
    assert_eq!(world.arrives(index, SYN, RCV_NXT - 500, 0, None), TwVerdict::Ack { restart: false });
    assert_eq!(world.arrives(index, SYN | ACK, RCV_NXT + 5000, 0, None), TwVerdict::Drop { restart: true });
}

/// P-232: an older timestamp is refused, a newer one reopens even with a lower seq, an equal one needs a
/// higher seq.
#[test]
fn p232_syn_with_timestamps() {
    let mut world = World::new();
    let index = world.insert(Substate::TimeWait, Some(1000));
    let reopen = TwVerdict::Reopen { iss: SND_NXT + 65_537 };
    assert_eq!(world.arrives(index, SYN, RCV_NXT + 5000, 0, Some(900)), TwVerdict::Ack { restart: true });
    assert_eq!(world.context.counters.get(Counter::PAWSTimewait), 1);
    assert_eq!(world.arrives(index, SYN, RCV_NXT - 500, 0, Some(5000)), reopen);
    assert_eq!(world.arrives(index, SYN, RCV_NXT + 1, 0, Some(1000)), reopen);
    world.wait(600);
    assert_eq!(world.arrives(index, SYN, RCV_NXT, 0, Some(1000)), TwVerdict::Ack { restart: false });
    let ack = world.records.ack(index, Instant::from_millis(200)).unwrap();
    assert_eq!(ack.options.timestamps, Some(Timestamps { val: 207, ecr: 1000 }));
}

/// S-37, P-037, P-230: an exact reset removes the record, or with tcp_rfc1337 does nothing; any other does
/// nothing in either case.
#[test]
fn s37_reset() {
    let mut world = World::new();
    let index = world.insert(Substate::TimeWait, None);
    for off in [1, u32::MAX, 5000] {
        let verdict = world.arrives(index, Flags::RST, RCV_NXT + off, 0, None);
        assert_eq!(verdict, TwVerdict::Drop { restart: false });
    }
    world.context.sysctl.tcp_rfc1337 = 1;
    assert_eq!(world.arrives(index, Flags::RST, RCV_NXT, 0, None), TwVerdict::Drop { restart: false });
    world.context.sysctl.tcp_rfc1337 = 0;
    assert_eq!(world.arrives(index, Flags::RST, RCV_NXT, 0, None), TwVerdict::Remove);
}

/// S-20: an orphan in FIN-WAIT-2 takes its peer's FIN, refuses data with a reset and stays for anything else.
#[test]
fn s20_orphaned_fin_wait_2() {
    let mut world = World::new();
    let index = world.insert(Substate::FinWait2, Some(1000));
    let drop = TwVerdict::Drop { restart: false };
    assert_eq!(world.arrives(index, ACK, RCV_NXT, 0, Some(1001)), drop);
    assert_eq!(world.arrives(index, ACK, RCV_NXT, 10, Some(1001)), TwVerdict::Reset);
    assert_eq!(world.arrives(index, SYN, RCV_NXT, 0, Some(1001)), TwVerdict::Reset);
    assert_eq!(world.arrives(index, Flags::RST, RCV_NXT, 0, Some(1001)), TwVerdict::Remove);
    assert_eq!(world.arrives(index, ACK, RCV_NXT - 9, 0, Some(1001)), TwVerdict::Ack { restart: false });
    assert_eq!(world.arrives(index, ACK, RCV_NXT, 0, Some(900)), drop, "PAWS, and the limit of S-67");
    assert_eq!(world.context.counters.get(Counter::TCPACKSkippedFinWait2), 1);
    assert_eq!(world.arrives(index, fin_ack(), RCV_NXT, 0, Some(1002)), TwVerdict::Ack { restart: true });
    assert_eq!(world.records.substate(index), Some(Substate::TimeWait));
    let ack = world.records.ack(index, world.context.now).unwrap();
    assert_eq!((ack.ack, ack.options.timestamps.unwrap().ecr), (RCV_NXT + 1, 1002));
}

/// S-29: 3: six closes leave 3, counter 3. 0: none stays. -1: all stay.
#[test]
fn s29_max_buckets() {
    for (limit, stay) in [(3, 3), (0, 0), (-1, 6)] {
        let mut world = World::new();
        world.context.sysctl.tcp_max_tw_buckets = limit;
        let fitted = (0..6)
            .filter(|_| world.with(|records, ctx| records.insert(&leftover("10.0.0.2:1"), ctx)).is_some())
            .count();
        assert_eq!((fitted, world.records.len()), (stay, stay));
        assert_eq!(world.context.counters.get(Counter::TCPTimeWaitOverflow), 6 - stay as u64);
    }
}

/// S-50: 0 never, 1 after a quiet second with timestamps, 2 on the loopback only.
#[test]
fn s50_takeover_by_an_active_open() {
    let mut world = World::new();
    let index = world.insert(Substate::TimeWait, Some(1000));
    let plain = world.insert(Substate::TimeWait, None);
    let half = world.insert(Substate::FinWait2, Some(1000));
    world.wait(999);
    for (reuse, loopback) in [(0, true), (1, true), (2, false)] {
        world.context.sysctl.tcp_tw_reuse = reuse;
        assert_eq!(world.takeover(index, loopback), None);
    }
    world.wait(1);
    world.context.sysctl.tcp_tw_reuse = 1;
    let taken = world.takeover(index, false).unwrap();
    assert_eq!((taken.iss, taken.ts_recent.value), (SND_NXT + 65_537, 1000));
    assert_eq!(world.takeover(plain, false), None);
    assert_eq!(world.takeover(half, false), None);
    world.context.sysctl.tcp_tw_reuse = 2;
    assert_eq!(world.takeover(index, false), None);
    assert!(world.takeover(index, true).is_some());
    assert_eq!(TimeWaits::length(&world.context.sysctl), Duration::from_secs(60));
}

mod hostile {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// P-230: no segment makes a record forget its numbers, and only an acceptable reset ends it.
        #[test]
        fn any_segment_leaves_the_record_intact(
            segments in prop::collection::vec((any::<u32>(), 0u16..512, 0u32..3000, any::<Option<u32>>()), 1..40),
            ts in any::<Option<u32>>()
        ) {
            let mut world = World::new();
            let index = world.insert(Substate::TimeWait, ts);
            for (seq, flags, len, ts) in segments {
                let (seq, flags) = (Seq(seq), Flags(flags));
                let verdict = world.arrives(index, flags, seq, len, ts);
                if verdict == TwVerdict::Remove {
                    prop_assert!(flags.contains(Flags::RST) && seq == RCV_NXT);
                }
                prop_assert!(verdict != TwVerdict::Reset);
                let ack = world.records.ack(index, world.context.now).unwrap();
                prop_assert_eq!((ack.seq, ack.ack), (SND_NXT, RCV_NXT));
            }
        }
    }
}
