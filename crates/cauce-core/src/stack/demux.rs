//! From a segment's addresses and ports to the connection it belongs to.
//!
//! One table holds every flow: whole connections, half-open ones and TIME-WAIT (RFC 9293 3.9.2, DESIGN 4.8).
//! It keeps eight bytes a flow and no key: the records have their keys, and the caller compares. Hashes are
//! keyed SipHash-1-3, so a peer cannot aim at one bucket, and symmetric, so that both directions of a flow
//! (and the shards of a many-core stack, DESIGN 4.16) agree on one value.

use super::entity::{FlowRef, Packed};
use crate::addr::{Addr, FlowKey};
use core::hash::Hasher;
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

/// The secret of the flow hash, common to all shards of a stack.
#[derive(Clone, Copy)]
pub struct FlowHasher {
    keys: [u64; 2],
}

impl core::fmt::Debug for FlowHasher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("FlowHasher(secret)")
    }
}

impl FlowHasher {
    /// A hasher with this secret.
    pub fn new(keys: [u64; 2]) -> Self {
        FlowHasher { keys }
    }

    /// The flow's hash, the same for `key` and `key.reversed()`.
    pub fn hash(&self, key: &FlowKey) -> u64 {
        let (a, b) = ((&key.local, key.local_port), (&key.remote, key.remote_port));
        let ((low, low_port), (high, high_port)) = if a <= b { (a, b) } else { (b, a) };
        let mut hasher = SipHasher13::new_with_keys(self.keys[0], self.keys[1]);
        let ports = u64::from(low_port) << 16 | u64::from(high_port);
        if low.is_v4() && high.is_v4() {
            hasher.write_u64(word(low, 8) << 32 | word(high, 8) & 0xffff_ffff);
        } else {
            [word(low, 0), word(low, 8), word(high, 0), word(high, 8)]
                .into_iter()
                .for_each(|part| hasher.write_u64(part));
        }
        hasher.write_u64(ports);
        hasher.finish()
    }

    /// Which of `shards` stacks owns the flow.
    pub fn shard(&self, key: &FlowKey, shards: u32) -> u32 {
        scale(self.hash(key), shards)
    }
}

/// Eight bytes of an address.
pub(super) fn word(addr: &Addr, at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&addr.0[at..at + 8]);
    u64::from_be_bytes(bytes)
}

/// Spreads a hash over `0..bound` by its upper bits; the table uses the others.
pub(super) fn scale(hash: u64, bound: u32) -> u32 {
    (((hash >> 32) * u64::from(bound)) >> 32) as u32
}

/// The flow table.
///
/// The caller computes a flow's hash once with [`Flows::hash`] and says which reference is the one.
#[derive(Clone, Debug)]
pub struct Flows {
    table: HashTable<Packed>,
    hasher: FlowHasher,
}

impl Flows {
    /// An empty table.
    pub fn new(hasher: FlowHasher) -> Self {
        Flows { table: HashTable::new(), hasher }
    }

    /// The hash under which a flow is kept.
    pub fn hash(&self, key: &FlowKey) -> u64 {
        self.hasher.hash(key)
    }

    /// The hasher, for shards and listener groups.
    pub fn hasher(&self) -> &FlowHasher {
        &self.hasher
    }

    /// The flow with this hash for which `is_it` says yes: compare the record's key with the segment's.
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(FlowRef) -> bool) -> Option<FlowRef> {
        self.table.find(hash, |packed| packed.flow().is_some_and(&mut is_it))?.flow()
    }

    /// Adds a flow. The caller has seen that its key is not in the table yet. `key_of` is asked for the keys
    /// of all flows when the table grows.
    pub fn insert(&mut self, hash: u64, flow: FlowRef, key_of: impl Fn(FlowRef) -> FlowKey) {
        let hasher = self.hasher;
        self.table.insert_unique(hash, flow.into(), |packed| {
            packed.flow().map_or(0, |flow| hasher.hash(&key_of(flow)))
        });
    }

    /// Lets the same key lead from `old` to `new`: half-open becomes a connection, a connection TIME-WAIT.
    /// False, and nothing changes, if `old` is not in the table.
    pub fn replace(&mut self, hash: u64, old: FlowRef, new: FlowRef) -> bool {
        match self.table.find_mut(hash, |packed| *packed == Packed::from(old)) {
            Some(packed) => {
                *packed = new.into();
                true
            }
            None => false,
        }
    }

    /// Removes a flow. True if it was there.
    pub fn remove(&mut self, hash: u64, flow: FlowRef) -> bool {
        match self.table.find_entry(hash, |packed| *packed == Packed::from(flow)) {
            Ok(entry) => {
                entry.remove();
                true
            }
            Err(_) => false,
        }
    }

    /// How many flows there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// True without any flow.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{IpAddr, SocketAddr};
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::string::String;
    use std::vec::Vec;

    fn key(text: &str) -> FlowKey {
        let ends: Vec<SocketAddr> = text.split(' ').map(|end| end.parse().unwrap()).collect();
        FlowKey::new(ends[0], ends[1])
    }

    #[test]
    fn the_hash_is_symmetric_and_keyed() {
        let hasher = FlowHasher::new([1, 2]);
        for text in
            ["10.0.0.1:80 10.0.0.2:4000", "[2001:db8::1]:80 [2001:db8::2]:4000", "10.0.0.1:1 10.0.0.1:2"]
        {
            let key = key(text);
            assert_eq!(hasher.hash(&key), hasher.hash(&key.reversed()), "{text}");
            assert_ne!(hasher.hash(&key), FlowHasher::new([1, 3]).hash(&key));
            assert!(hasher.shard(&key, 3) < 3);
        }
        // Swapping the ports alone is another flow.
        assert_ne!(hasher.hash(&key("10.0.0.1:1 10.0.0.2:2")), hasher.hash(&key("10.0.0.1:2 10.0.0.2:1")));
    }

    fn small_key() -> impl Strategy<Value = FlowKey> {
        let addr = prop_oneof![
            (0u8..3).prop_map(|n| IpAddr::from([10, 0, 0, n])),
            (0u16..3).prop_map(|n| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]))
        ];
        (addr.clone(), addr, 1u16..4, 1u16..4)
            .prop_map(|(l, r, lp, rp)| FlowKey::new(SocketAddr::new(l, lp), SocketAddr::new(r, rp)))
    }

    proptest! {
        /// Against a HashMap from keys to references.
        #[test]
        fn behaves_like_a_map(operations in prop::collection::vec((0u8..4, small_key()), 1..300)) {
            let mut flows = Flows::new(FlowHasher::new([7, 8]));
            let mut model: HashMap<FlowKey, FlowRef> = HashMap::new();
            let mut keys: Vec<FlowKey> = Vec::new();
            for (operation, key) in operations {
                let hash = flows.hash(&key);
                let key_of = |flow: FlowRef| match flow {
                    FlowRef::HalfOpen(n) | FlowRef::TimeWait(n) => keys[n as usize],
                    FlowRef::Socket(_) => unreachable!(),
                };
                let found = flows.find(hash, |flow| key_of(flow) == key);
                prop_assert_eq!(found, model.get(&key).copied());
                match (operation, found) {
                    (0, Some(flow)) => {
                        prop_assert!(flows.remove(hash, flow));
                        prop_assert!(!flows.remove(hash, flow));
                        model.remove(&key);
                    }
                    (1, Some(FlowRef::HalfOpen(n))) => {
                        prop_assert!(flows.replace(hash, FlowRef::HalfOpen(n), FlowRef::TimeWait(n)));
                        model.insert(key, FlowRef::TimeWait(n));
                    }
                    (_, None) => {
                        let flow = FlowRef::HalfOpen(keys.len() as u32);
                        keys.push(key);
                        flows.insert(hash, flow, |flow| match flow {
                            FlowRef::HalfOpen(n) | FlowRef::TimeWait(n) => keys[n as usize],
                            FlowRef::Socket(_) => unreachable!(),
                        });
                        model.insert(key, flow);
                    }
                    _ => {}
                }
                prop_assert_eq!(flows.len(), model.len());
            }
        }
    }

    #[test]
    fn the_secret_does_not_show() {
        let shown: String = std::format!("{:?}", FlowHasher::new([42, 43]));
        assert!(!shown.contains("42"));
    }
}
